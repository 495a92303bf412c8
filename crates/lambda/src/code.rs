//! Function code: checking and unpacking zip archives, hashes, and directories that are used in place.
//!
//! An archive is unpacked once per content into `<work_dir>/code/<sha256>`: first aside, then renamed, so that a
//! directory with that name is always whole.

use std::fs;
use std::io::{self, Cursor, Read};
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use stepwell_aws::Fault;
use zip::CompressionMethod;

use crate::faults;

/// An archive's size when it comes in the request, AWS's limit for direct upload.
pub(crate) const ZIPPED_BYTES_MAX: usize = 50 << 20;

/// The unpacked size of an archive, AWS's limit.
const UNZIPPED_BYTES_MAX: u64 = 262_144_000;

/// Entries of an archive; AWS names no number.
const ENTRIES_MAX: usize = 100_000;

/// Files of a directory that are looked at for changes.
const WATCHED_FILES_MAX: usize = 5000;

/// Nesting of a directory that is looked at for changes.
const WATCHED_DEPTH_MAX: usize = 16;

/// The SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// As in `CodeSha256`.
pub(crate) fn base64_text(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Reads a blob member.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.trim_end()).ok()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Checks that `zipped` can be unpacked: readable, of allowed size, no entry outside its root.
pub(crate) fn check_archive(zipped: &[u8]) -> Result<(), Fault> {
    let unreadable = || {
        faults::invalid_parameter(
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        )
    };
    if zipped.is_empty() {
        return Err(faults::invalid_parameter("Uploaded file must be a non-empty zip"));
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(zipped)).map_err(|_| unreadable())?;
    if archive.len() > ENTRIES_MAX {
        return Err(unreadable());
    }
    let mut total: u64 = 0;
    for i in 0..archive.len() {
        let entry = archive.by_index_raw(i).map_err(|_| unreadable())?;
        if entry.enclosed_name().is_none() {
            return Err(faults::invalid_parameter(format!(
                "The archive's entry {:?} would lie outside of the function's directory",
                entry.name().unwrap_or_default().chars().take(200).collect::<String>()
            )));
        }
        if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated)
            || entry.encrypted()
        {
            return Err(unreadable());
        }
        total = total.saturating_add(entry.size());
    }
    if total >= UNZIPPED_BYTES_MAX {
        return Err(too_large());
    }
    Ok(())
}

fn too_large() -> Fault {
    faults::invalid_parameter(format!("Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes"))
}

/// Unpacks `zipped` into `target` unless that is there already. Blocks; call it where that is allowed.
pub(crate) fn unpack(zipped: &[u8], target: &Path) -> io::Result<()> {
    if target.is_dir() {
        return Ok(());
    }
    let parent = target.parent().ok_or_else(|| io::Error::other("the target has no parent"))?;
    fs::create_dir_all(parent)?;
    let aside = parent.join(format!("new-{}", uuid::Uuid::new_v4().simple()));
    let result = unpack_into(zipped, &aside).and_then(|()| match fs::rename(&aside, target) {
        // Somebody else was quicker with the same content.
        Err(_) if target.is_dir() => Ok(()),
        other => other,
    });
    let _ = fs::remove_dir_all(&aside);
    result
}

fn unpack_into(zipped: &[u8], root: &Path) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zipped)).map_err(io::Error::other)?;
    fs::create_dir_all(root)?;
    // Sizes in an archive's directory may lie; what counts is what comes out.
    let mut left = UNZIPPED_BYTES_MAX;
    for i in 0..archive.len().min(ENTRIES_MAX) {
        let mut entry = archive.by_index(i).map_err(io::Error::other)?;
        let Some(name) = entry.enclosed_name() else {
            return Err(io::Error::other("an entry lies outside of the archive's root"));
        };
        let path = root.join(plain(&name));
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mode = entry.unix_mode();
        if entry.is_symlink() {
            unpack_link(&mut entry, root, &path)?;
            continue;
        }
        if path.symlink_metadata().is_ok_and(|m| m.file_type().is_symlink()) {
            return Err(io::Error::other("an entry would be written through a link"));
        }
        let mut file = fs::File::create(&path)?;
        let written = io::copy(&mut (&mut entry).take(left + 1), &mut file)?;
        left = left.checked_sub(written).ok_or_else(|| io::Error::other("the unpacked code is too large"))?;
        set_mode(&path, mode)?;
    }
    Ok(())
}

/// Only names, no `.`, `..` or root: what `enclosed_name` promises, made true by construction.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|c| matches!(c, Component::Normal(_))).collect()
}

/// A link inside an archive is kept only where its target stays inside the root.
fn unpack_link(entry: &mut impl Read, root: &Path, path: &Path) -> io::Result<()> {
    let mut target = String::new();
    entry.take(4096).read_to_string(&mut target)?;
    let mut depth =
        path.parent().and_then(|p| p.strip_prefix(root).ok()).map_or(0, |p| p.components().count());
    for component in Path::new(&target).components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return Err(io::Error::other("a link leads outside of the archive's root")),
        }
    }
    // A link onto another link could leave the root step by step; AWS's own packages have none.
    let resolved = path.parent().unwrap_or(root);
    if fs::canonicalize(resolved)?
        != fs::canonicalize(root)?.join(plain(resolved.strip_prefix(root).unwrap_or(resolved)))
    {
        return Err(io::Error::other("a link lies behind another link"));
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(&target, path)?;
    Ok(())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // Archives made without modes (or with none for anybody) still have to be readable here.
    let mode = mode.unwrap_or(0o644) & 0o777 | 0o644;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: Option<u32>) -> io::Result<()> {
    Ok(())
}

/// What a directory looks like: total size of its files and a hash over names, sizes and times of change. Hidden
/// entries and caches are left out; so is what lies deeper or comes later than the bounds above.
pub(crate) fn survey(root: &Path) -> io::Result<(u64, [u8; 32])> {
    let mut hash = Sha256::new();
    let (mut bytes, mut files) = (0u64, 0usize);
    let mut open = vec![(root.to_path_buf(), 0usize)];
    while let Some((directory, depth)) = open.pop() {
        let mut entries = fs::read_dir(&directory)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            if matches!(name.to_str(), Some(n) if n.starts_with('.') || n == "__pycache__" || n == "node_modules")
            {
                continue;
            }
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                if depth < WATCHED_DEPTH_MAX {
                    open.push((entry.path(), depth + 1));
                }
                continue;
            }
            files += 1;
            if files > WATCHED_FILES_MAX {
                return Ok((bytes, hash.finalize().into()));
            }
            bytes += meta.len();
            let changed =
                meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
            hash.update(entry.path().as_os_str().as_encoded_bytes());
            hash.update(meta.len().to_le_bytes());
            hash.update(changed.as_nanos().to_le_bytes());
        }
    }
    Ok((bytes, hash.finalize().into()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).expect("starts");
            writer.write_all(content.as_bytes()).expect("writes");
        }
        writer.finish().expect("finishes").into_inner()
    }

    #[test]
    fn an_archive_is_unpacked_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("code/abc");
        let zipped = archive(&[("index.py", "a"), ("pkg/mod.py", "b")]);
        check_archive(&zipped).expect("is fine");
        unpack(&zipped, &target).expect("unpacks");
        unpack(&zipped, &target).expect("does nothing");
        assert_eq!(fs::read_to_string(target.join("pkg/mod.py")).expect("is there"), "b");
        assert_eq!(fs::read_dir(dir.path().join("code")).expect("reads").count(), 1);
    }

    #[test]
    fn hostile_archives_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        for zipped in [archive(&[("../evil.py", "x")]), b"no zip".to_vec(), Vec::new()] {
            assert_eq!(
                check_archive(&zipped).expect_err("is refused").code,
                "InvalidParameterValueException"
            );
        }
        assert!(unpack(&archive(&[("../evil.py", "x")]), &dir.path().join("code/a")).is_err());
        assert!(!dir.path().join("code/evil.py").exists());

        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("out", "../../etc", SimpleFileOptions::default()).expect("adds");
        let zipped = writer.finish().expect("finishes").into_inner();
        assert!(unpack(&zipped, &dir.path().join("code/b")).is_err());
        assert!(!dir.path().join("code/b").exists());

        // Two links, each harmless by its own text, that lead out together.
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("sub/up", "..", SimpleFileOptions::default()).expect("adds");
        writer.add_symlink("sub/up/out", "../x", SimpleFileOptions::default()).expect("adds");
        let zipped = writer.finish().expect("finishes").into_inner();
        assert!(unpack(&zipped, &dir.path().join("code/c")).is_err());
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("zeros", SimpleFileOptions::default()).expect("starts");
        let block = vec![0u8; 1 << 20];
        for _ in 0..260 {
            writer.write_all(&block).expect("writes");
        }
        let zipped = writer.finish().expect("finishes").into_inner();
        let fault = check_archive(&zipped).expect_err("is refused");
        assert_eq!(fault.message, "Unzipped size must be smaller than 262144000 bytes");
    }

    #[test]
    fn a_survey_sees_changes() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("a.py"), "1").expect("writes");
        let before = survey(dir.path()).expect("surveys");
        fs::write(dir.path().join(".hidden"), "1").expect("writes");
        assert_eq!(survey(dir.path()).expect("surveys"), before);
        fs::write(dir.path().join("a.py"), "22").expect("writes");
        assert_ne!(survey(dir.path()).expect("surveys"), before);
    }
}
