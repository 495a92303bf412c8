//! Files of an assembly as bytes. A folder becomes a zip that depends on nothing but names, contents and the
//! executable bit, so the same folder always gives the same bytes.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::AssemblyError;
use crate::limits::{ASSET_BYTES_MAX, ASSET_FILES_MAX, FOLDER_DEPTH_MAX};

/// The content of a file.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, AssemblyError> {
    let read = |path: &Path| {
        let length = fs::metadata(path)?.len();
        if length > ASSET_BYTES_MAX {
            return Err(std::io::Error::other(format!("larger than {ASSET_BYTES_MAX} bytes")));
        }
        fs::read(path)
    };
    read(path).map_err(|source| AssemblyError::Read { path: path.to_owned(), source })
}

/// The folder as a zip, links followed.
pub(super) fn zip_folder(folder: &Path) -> Result<Vec<u8>, AssemblyError> {
    let mut files = Vec::new();
    collect(folder, "", 0, &mut files)?;
    files.sort();
    let broken =
        |path: &Path, error: &dyn std::fmt::Display| AssemblyError::malformed(path, error.to_string());
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut bytes = 0;
    for (name, path) in files {
        let content = read_file(&path)?;
        bytes += content.len() as u64;
        if bytes > ASSET_BYTES_MAX {
            return Err(broken(folder, &format!("larger than {ASSET_BYTES_MAX} bytes")));
        }
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(if is_executable(&path) { 0o755 } else { 0o644 });
        writer.start_file(name, options).map_err(|error| broken(&path, &error))?;
        writer.write_all(&content).map_err(|error| broken(&path, &error))?;
    }
    writer.finish().map(Cursor::into_inner).map_err(|error| broken(folder, &error))
}

fn collect(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<(String, PathBuf)>,
) -> Result<(), AssemblyError> {
    // Links may lead in a circle; the bound on depth ends that, too.
    if depth > FOLDER_DEPTH_MAX {
        return Err(AssemblyError::malformed(folder, "folders are nested too deeply"));
    }
    let failed = |source| AssemblyError::Read { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(AssemblyError::malformed(&path, "a file name that is not UTF-8"));
        };
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{name}/"), depth + 1, files)?;
        } else {
            files.push((name, path));
        }
        if files.len() > ASSET_FILES_MAX {
            return Err(AssemblyError::malformed(folder, format!("more than {ASSET_FILES_MAX} files")));
        }
    }
    Ok(())
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(_path: &Path) -> bool {
    true
}
