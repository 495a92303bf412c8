//! Looks at a `fjall` directory before `fjall` opens it, because what it makes of damage is not what we promise.
//!
//! It takes whatever it cannot read in a journal for a write that a crash cut short, and cuts the file there: right at
//! the end of the newest journal, and a silent loss anywhere else, where intact batches follow. A torn last batch whose
//! end made it to the disk it refuses for ever; a directory without version marker it takes for an empty one; the list of
//! a tree's tables it believes without looking at its checksum. Here a torn end is cut off and reported, damage is an
//! error that names the file, and an interrupted creation is begun anew.
//!
//! Knows the layout that `fjall` 3.1 writes, which is pinned: batches of `Start` (1, count, sequence number), items
//! (2, …), clears (4, …), `End` (3, checksum of all items, magic). Numbers are little-endian.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The last bytes of every batch, and the first of the version marker.
const MAGIC: &[u8] = b"FJL\x03";

/// Sequence numbers have to stay below; more is a flipped bit.
const SEQUENCE_MAX: u64 = 1 << 48;

/// What is wrong with a directory.
#[derive(Debug)]
pub(crate) enum Damage {
    Io(PathBuf, std::io::Error),
    /// What was acknowledged is not there, or not readable.
    Lost(PathBuf, String),
}

/// Makes `directory` fit to be opened, or says why it is not. Only one process may be at it.
pub(crate) fn check(directory: &Path) -> Result<(), Damage> {
    if !directory.exists() {
        return Ok(());
    }
    let journals = journals(directory)?;
    let keyspaces = directory.join("keyspaces");
    let marker = directory.join("version");
    let is_created = match std::fs::read(&marker) {
        Ok(bytes) => bytes.starts_with(MAGIC),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(Damage::Io(marker, error)),
    };
    if !is_created {
        return begin_anew(directory, &marker, &journals, &keyspaces);
    }
    check_keyspaces(&keyspaces)?;
    for (index, journal) in journals.iter().enumerate() {
        check_journal(journal, index + 1 == journals.len())?;
    }
    Ok(())
}

/// The journals, the oldest first.
fn journals(directory: &Path) -> Result<Vec<PathBuf>, Damage> {
    let mut journals = Vec::new();
    for path in entries(directory)? {
        if path.extension().is_some_and(|extension| extension == "jnl") {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            let number = number
                .ok_or_else(|| Damage::Lost(path.clone(), "the name of a journal is a number".into()))?;
            journals.push((number, path));
        }
    }
    journals.sort();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, Damage> {
    let io = |error| Damage::Io(directory.to_path_buf(), error);
    match std::fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path()).map_err(io)).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(io(error)),
    }
}

/// A directory whose creation was interrupted holds nothing yet, and is made anew; without its version marker one that
/// holds something is damaged.
fn begin_anew(directory: &Path, marker: &Path, journals: &[PathBuf], keyspaces: &Path) -> Result<(), Damage> {
    let mut holds_something = entries(keyspaces)?.iter().any(|keyspace| keyspace.is_dir());
    for journal in journals {
        holds_something |= !read(journal)?.is_empty();
    }
    if holds_something {
        return Err(Damage::Lost(marker.to_path_buf(), "the version marker is missing or broken".into()));
    }
    std::fs::remove_dir_all(directory).map_err(|error| Damage::Io(directory.to_path_buf(), error))
}

/// A keyspace that has tables has a file, `current`, that names the list of those that count, with its checksum. `fjall`
/// deletes a keyspace without one, and believes any list.
fn check_keyspaces(keyspaces: &Path) -> Result<(), Damage> {
    // What is no directory is nobody's.
    for keyspace in entries(keyspaces)?.into_iter().filter(|keyspace| keyspace.is_dir()) {
        let current = keyspace.join("current");
        let bytes = match std::fs::read(&current) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if entries(&keyspace.join("tables"))?.is_empty() {
                    continue;
                }
                return Err(Damage::Lost(
                    current,
                    "it is missing, and there are tables that it names".into(),
                ));
            }
            Err(error) => return Err(Damage::Io(current, error)),
        };
        let Some((number, checksum)) = list_of_tables(&bytes) else {
            return Err(Damage::Lost(current, "it names no list of tables".into()));
        };
        let list = keyspace.join(format!("v{number}"));
        let bytes = std::fs::read(&list).map_err(|error| Damage::Io(list.clone(), error))?;
        if xxh3_128(&bytes) != checksum {
            return Err(Damage::Lost(list, "its checksum is wrong".into()));
        }
    }
    Ok(())
}

/// What `current` holds: a number, a checksum, and of which kind that is.
fn list_of_tables(bytes: &[u8]) -> Option<(u64, u128)> {
    let (number, rest) = bytes.split_first_chunk()?;
    let (checksum, kind) = rest.split_first_chunk()?;
    (kind == [0]).then(|| (u64::from_le_bytes(*number), u128::from_le_bytes(*checksum)))
}

/// A journal without the zeros at its end: it is made with them, and no batch ends with one.
fn read(path: &Path) -> Result<Vec<u8>, Damage> {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut bytes = std::fs::read(path).map_err(|error| Damage::Io(path.to_path_buf(), error))?;
    while let Some(before) = bytes.strip_suffix(&ZEROS) {
        bytes.truncate(before.len());
    }
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(used);
    Ok(bytes)
}

/// Every batch of a journal is whole, up to its end; the end of the newest one may be torn, and is cut off then.
fn check_journal(path: &Path, is_newest: bool) -> Result<(), Damage> {
    let bytes = read(path)?;
    let (mut at, mut sequence) = (0, None);
    while let Some(batch) = batch(&bytes[at..]) {
        if sequence.is_some_and(|before| batch.sequence <= before) || batch.sequence >= SEQUENCE_MAX {
            return Err(Damage::Lost(
                path.to_path_buf(),
                format!("the batch at byte {at} is out of sequence"),
            ));
        }
        sequence = Some(batch.sequence);
        at += batch.len;
    }
    let rest = &bytes[at..];
    if rest.is_empty() {
        return Ok(());
    }
    let follows = (1..rest.len()).filter(|start| rest[*start] == 1).find(|start| {
        batch(&rest[*start..]).is_some_and(|b| sequence.is_none_or(|before| b.sequence > before))
    });
    // The store writes no batch before the one before it is synced: behind a torn one there is none.
    if let Some(start) = follows {
        let reason =
            format!("it is damaged at byte {at}, and intact batches follow from byte {}", at + start);
        return Err(Damage::Lost(path.to_path_buf(), reason));
    }
    if !is_newest {
        return Err(Damage::Lost(path.to_path_buf(), format!("it is damaged at byte {at}")));
    }
    cut(path, at, rest)
}

/// Cuts a torn end off, and keeps it beside the journal for whoever wants to look.
fn cut(path: &Path, at: usize, rest: &[u8]) -> Result<(), Damage> {
    let io = |error| Damage::Io(path.to_path_buf(), error);
    let aside = path.with_extension("torn");
    std::fs::write(&aside, rest).map_err(io)?;
    let file = OpenOptions::new().write(true).open(path).map_err(io)?;
    file.set_len(at as u64).and_then(|()| file.sync_all()).map_err(io)?;
    tracing::warn!(
        journal = %path.display(), at, bytes = rest.len(), kept = %aside.display(),
        "the last write before the crash was torn and is dropped; nobody was told that it succeeded"
    );
    Ok(())
}

struct Batch {
    sequence: u64,
    len: usize,
}

/// The whole and intact batch at the beginning of `bytes`.
fn batch(bytes: &[u8]) -> Option<Batch> {
    let mut reader = Cursor { bytes, at: 0 };
    if reader.number(1)? != 1 {
        return None;
    }
    let count = reader.number(4)?;
    let sequence = reader.number(8)?;
    let items = reader.at;
    for _ in 0..count {
        match reader.number(1)? {
            2 => {
                // The kind of change, the compression, the keyspace.
                reader.skip(1 + 1 + 8)?;
                let key = reader.number(2)?;
                reader.skip(4)?;
                let value = reader.number(4)?;
                reader.skip(usize::try_from(key + value).ok()?)?;
            }
            4 => reader.skip(8)?,
            _ => return None,
        }
    }
    let items = &bytes[items..reader.at];
    if reader.number(1)? != 3 {
        return None;
    }
    let checksum = reader.number(8)?;
    let end = reader.at;
    reader.skip(MAGIC.len())?;
    let is_intact = &bytes[end..reader.at] == MAGIC && xxh3_64(items) == checksum;
    is_intact.then_some(Batch { sequence, len: reader.at })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn number(&mut self, len: usize) -> Option<u64> {
        let end = self.at.checked_add(len)?;
        let bytes = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len())?;
        self.at = end;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::{OpenError, Store, WriteBatch};

    /// A directory with so many commits, and its only journal.
    fn directory(commits: u8) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path()).expect("opens");
        let keyspace = store.keyspace("test.a").expect("opens");
        for number in 0..commits {
            let mut batch = WriteBatch::new();
            batch.put(&keyspace, [number], vec![0xee; 100]);
            store.commit(batch).expect("commits");
        }
        drop((keyspace, store));
        let journal = directory.path().join("db/0.jnl");
        (directory, journal)
    }

    fn keys(directory: &Path) -> Vec<Vec<u8>> {
        let store = Store::open(directory).expect("opens");
        let keyspace = store.keyspace("test.a").expect("opens");
        keyspace.prefix(&[]).map(|pair| pair.expect("reads").0).collect()
    }

    /// Changes a byte of the value that the commit with this number wrote.
    fn change(journal: &Path, number: usize) -> Vec<u8> {
        let mut bytes = std::fs::read(journal).expect("is read");
        let values = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&[0xee; 100]));
        let at = values.collect::<Vec<_>>()[number];
        bytes[at + 50] = 0;
        std::fs::write(journal, &bytes).expect("is written");
        bytes
    }

    #[test]
    fn damage_before_intact_batches_is_refused_and_nothing_is_touched() {
        let (directory, journal) = directory(3);
        let damaged = change(&journal, 1);
        for _ in 0..2 {
            let error = Store::open(directory.path()).expect_err("is refused");
            assert!(matches!(&error, OpenError::Damaged { path, .. } if *path == journal), "{error}");
            assert_eq!(std::fs::read(&journal).expect("is read"), damaged);
        }
    }

    #[test]
    fn a_torn_end_is_cut_off_also_where_its_last_bytes_made_it() {
        let (directory, journal) = directory(3);
        change(&journal, 2);
        assert_eq!(keys(directory.path()), [[0], [1]]);
        assert!(journal.with_extension("torn").exists());
        // As if it had never been.
        assert_eq!(keys(directory.path()), [[0], [1]]);
    }

    #[test]
    fn an_interrupted_creation_is_begun_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("db");
        std::fs::create_dir_all(database.join("keyspaces")).expect("is made");
        std::fs::write(database.join("lock"), "").expect("is written");
        std::fs::write(database.join("0.jnl"), vec![0; 10_000]).expect("is written");
        for marker in [None, Some(""), Some("FJ")] {
            if let Some(text) = marker {
                std::fs::write(database.join("version"), text).expect("is written");
            }
            check(&database).map_err(|damage| format!("{damage:?}")).expect("nothing is lost");
            assert!(!database.exists());
            std::fs::create_dir_all(database.join("keyspaces")).expect("is made");
        }
        assert_eq!(keys(directory.path()).len(), 0);
    }

    #[test]
    fn a_stray_file_among_the_keyspaces_is_passed_over() {
        let (directory, _) = directory(1);
        std::fs::write(directory.path().join("db/keyspaces/stray"), "").expect("is written");
        check(&directory.path().join("db")).map_err(|damage| format!("{damage:?}")).expect("nothing is lost");
        assert_eq!(keys(directory.path()), [[0]]);
    }

    #[test]
    fn a_database_without_its_marker_is_no_new_one() {
        let (directory, _) = directory(1);
        for file in ["db/version", "FORMAT"] {
            let path = directory.path().join(file);
            let bytes = std::fs::read(&path).expect("is read");
            std::fs::remove_file(&path).expect("is removed");
            let error = Store::open(directory.path()).expect_err("is refused");
            assert!(matches!(&error, OpenError::Damaged { path: of, .. } if *of == path), "{error}");
            std::fs::write(&path, bytes).expect("is written");
        }
        assert_eq!(keys(directory.path()), [[0]]);
    }
}
