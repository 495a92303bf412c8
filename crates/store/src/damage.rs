//! Real data directories with flipped bits, cut files, wiped sectors and missing files: what was acknowledged is there,
//! or an error says where it is not. Never a panic, a hang, or data that was not written.
//!
//! `STEPWELL_DAMAGE_SEEDS` says how many (200).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use crate::kv::{OpenError, Store, WriteBatch};

/// One with a tree of its own, and one that shares a tree.
const KEYSPACES: [&str; 2] = ["executions.arns", "test.b"];
const TREES: [&str; 2] = ["executions.arns", "shared"];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("it is below a usize")
    }
}

/// What the keyspaces hold, after each commit.
type States = Vec<BTreeMap<(usize, Vec<u8>), Vec<u8>>>;

/// A directory with tables, with a journal whose content is in no table, and all states it went through.
fn furnish(directory: &Path) -> States {
    let mut random = Random(77);
    let mut states = vec![BTreeMap::new()];
    fill(directory, &mut random, &mut states, 30);
    {
        // Everything so far goes to tables.
        let database = fjall::Database::builder(directory.join("db")).open().expect("opens");
        for name in TREES {
            let keyspace = database.keyspace(name, Default::default).expect("opens");
            keyspace.rotate_memtable_and_wait().expect("is flushed");
        }
    }
    fill(directory, &mut random, &mut states, 12);
    states
}

fn fill(directory: &Path, random: &mut Random, states: &mut States, commits: usize) {
    let store = Store::open(directory).expect("opens");
    let keyspaces = KEYSPACES.map(|name| store.keyspace(name).expect("opens"));
    for _ in 0..commits {
        let mut state = states.last().expect("there is a first").clone();
        let mut batch = WriteBatch::new();
        for _ in 0..20 {
            let keyspace = random.below(KEYSPACES.len());
            let key = format!("key {}", random.below(300)).into_bytes();
            if random.below(5) == 0 {
                batch.delete(&keyspaces[keyspace], key.clone());
                state.remove(&(keyspace, key));
            } else {
                let len = random.below(400);
                let value: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
                batch.put(&keyspaces[keyspace], key.clone(), value.clone());
                state.insert((keyspace, key), value);
            }
        }
        store.commit(batch).expect("commits");
        states.push(state);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("is made");
    for entry in std::fs::read_dir(from).expect("is listed") {
        let entry = entry.expect("is read");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("is known").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("is copied");
        }
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("is listed") {
        let path = entry.expect("is read").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Damages one file, and says how; the flag tells that the file is shorter now.
fn damage(directory: &Path, random: &mut Random) -> (String, bool) {
    let files = files(directory);
    // Journals are where it hurts most.
    let journals: Vec<&PathBuf> =
        files.iter().filter(|path| path.extension().is_some_and(|e| e == "jnl")).collect();
    let path = if random.below(3) == 0 {
        journals[random.below(journals.len())].clone()
    } else {
        files[random.below(files.len())].clone()
    };
    let name = path.strip_prefix(directory).expect("it is below").display().to_string();
    let mut bytes = std::fs::read(&path).expect("is read");
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if used == 0 || random.below(12) == 0 {
        std::fs::remove_file(&path).expect("is removed");
        return (format!("{name} is removed"), true);
    }
    let at = random.below(used);
    let (what, is_shorter) = match random.below(4) {
        0 => {
            bytes.truncate(at);
            (format!("{name} is cut at {at} of {used}"), true)
        }
        1 => {
            let end = (at + 512).min(bytes.len());
            bytes[at..end].fill(0);
            (format!("{name} is wiped from {at} to {end} of {used}"), end >= used)
        }
        _ => {
            bytes[at] ^= 1 << random.below(8);
            (format!("{name} has another bit at {at} of {used}"), false)
        }
    };
    std::fs::write(&path, bytes).expect("is written");
    (what, is_shorter)
}

/// What a reader sees: errors, and all pairs that are no error, read one by one and in order.
fn look(directory: &Path, all_keys: &[(usize, Vec<u8>)]) -> Result<Seen, OpenError> {
    let store = Store::open(directory)?;
    let mut seen = Seen { failed: Vec::new(), pairs: BTreeMap::new(), scanned: [None, None] };
    for (index, name) in KEYSPACES.iter().enumerate() {
        let keyspace = match store.keyspace(name) {
            Ok(keyspace) => keyspace,
            Err(error) => {
                seen.failed.push(error.to_string());
                continue;
            }
        };
        for (of, key) in all_keys.iter().filter(|(of, _)| *of == index) {
            match keyspace.get(key) {
                Ok(Some(value)) => drop(seen.pairs.insert((*of, key.clone()), Some(value))),
                Ok(None) => drop(seen.pairs.insert((*of, key.clone()), None)),
                Err(error) => seen.failed.push(error.to_string()),
            }
        }
        let scanned = keyspace.prefix(&[]).collect::<Result<BTreeMap<_, _>, _>>();
        seen.scanned[index] = scanned.map_err(|error| seen.failed.push(error.to_string())).ok();
    }
    // It can be written to, or says that it cannot.
    if let Ok(keyspace) = store.keyspace("test.b") {
        let mut batch = WriteBatch::new();
        batch.put(&keyspace, "after", "damage");
        let _ = store.commit(batch);
    }
    Ok(seen)
}

struct Seen {
    failed: Vec<String>,
    pairs: BTreeMap<(usize, Vec<u8>), Option<Vec<u8>>>,
    scanned: [Option<BTreeMap<Vec<u8>, Vec<u8>>>; 2],
}

impl Seen {
    /// Whether what was read without an error is this state.
    fn is(&self, state: &BTreeMap<(usize, Vec<u8>), Vec<u8>>) -> bool {
        let gets = self.pairs.iter().all(|(key, value)| state.get(key) == value.as_ref());
        let scans = self.scanned.iter().enumerate().all(|(index, scanned)| {
            let of_keyspace = state.iter().filter(|((of, _), _)| *of == index);
            let expected = of_keyspace.map(|((_, key), value)| (key.clone(), value.clone()));
            scanned
                .as_ref()
                .is_none_or(|scanned| scanned.iter().map(|(k, v)| (k.clone(), v.clone())).eq(expected))
        });
        gets && scans
    }
}

fn try_seed(base: &Path, states: &States, all_keys: &[(usize, Vec<u8>)], seed: u64) -> &'static str {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    copy(base, directory);
    let (what, is_shorter) = damage(directory, &mut random);
    let seen = match look(directory, all_keys) {
        Ok(seen) => seen,
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.contains(&directory.display().to_string()),
                "seed {seed}: {what}: {text} names no file"
            );
            return "refused";
        }
    };
    let newest = states.last().expect("there is one");
    if seen.is(newest) {
        return if seen.failed.is_empty() { "harmless" } else { "read errors" };
    }
    let torn = files(directory).iter().any(|path| path.extension().is_some_and(|e| e == "torn"));
    // Nothing tells a journal that ends early from one that was never longer; but for the end, all must be there.
    let may_end_early = torn || (is_shorter && what.contains(".jnl"));
    let state = states.iter().rposition(|state| seen.is(state));
    match state {
        // A wiped sector may lie in the last two batches.
        Some(state) if may_end_early && (is_shorter || state + 3 >= states.len()) => "ends early",
        _ => panic!("seed {seed}: {what}: not what was written (state {state:?} of {})", states.len()),
    }
}

#[test]
fn damage_is_an_error_and_never_wrong_data() {
    let seeds = std::env::var("STEPWELL_DAMAGE_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let base = tempfile::tempdir().expect("a directory");
    let states = furnish(base.path());
    let mut all_keys: Vec<_> = states.iter().flat_map(|state| state.keys().cloned()).collect();
    all_keys.sort();
    all_keys.dedup();
    assert!(
        files(base.path()).iter().any(|path| path.to_string_lossy().contains("tables/")),
        "there are tables"
    );
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..seeds {
        let (base, states, all_keys) = (base.path().to_path_buf(), states.clone(), all_keys.clone());
        let (send, receive) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let end = try_seed(&base, &states, &all_keys, seed);
            let _ = send.send(end);
        });
        match receive.recv_timeout(Duration::from_secs(60)) {
            Ok(end) => *ends.entry(end).or_default() += 1,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("seed {seed} hangs"),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                std::panic::resume_unwind(thread.join().expect_err("it has ended without an end"))
            }
        }
    }
    // Damage that is never noticed, or never does harm, was none.
    assert!(ends.len() >= 3, "{ends:?}");
    #[expect(clippy::print_stderr, reason = "shown on demand")]
    {
        eprintln!("{ends:?}");
    }
}
