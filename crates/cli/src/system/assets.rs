//! Files by bucket and key: what a deployment uploads, and where Lambda finds its code.
//!
//! Contents lie in the data directory under the SHA-256 of their bytes, so that the same file is kept once; the store
//! says which bucket and key has which. A content is on disk before the store names it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use stepwell_aws::BoxFuture;
use stepwell_deploy::{AssetStore, StoreError};
use stepwell_store::{Keyspace, ReadError, Store, WriteBatch};

/// Bytes of bucket and key together.
const NAME_BYTES_MAX: usize = 1024 + 64;

/// The assets of a data directory. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Assets {
    inner: Arc<Inner>,
}

struct Inner {
    directory: PathBuf,
    store: Store,
    /// `bucket NUL key` to the hash in hexadecimal digits.
    names: Keyspace,
}

impl Assets {
    /// The assets in `directory`, which is made if it is absent.
    pub(crate) fn open(store: &Store, directory: PathBuf) -> Result<Assets, AssetsError> {
        std::fs::create_dir_all(&directory)
            .map_err(|source| AssetsError::Directory { path: directory.clone(), source })?;
        let names = store.keyspace("cli.assets")?;
        Ok(Assets { inner: Arc::new(Inner { directory, store: store.clone(), names }) })
    }

    /// Whether there is such an object.
    pub(crate) fn contains(&self, bucket: &str, key: &str) -> Result<bool, ReadError> {
        self.inner.names.contains(name(bucket, key))
    }

    /// Keeps `content`; blocks until it is on disk.
    pub(crate) fn put_blocking(&self, bucket: &str, key: &str, content: &[u8]) -> Result<(), StoreError> {
        if bucket.is_empty() || key.is_empty() || bucket.len() + key.len() > NAME_BYTES_MAX {
            return Err(StoreError("bucket and key must have 1 to 1088 bytes together".into()));
        }
        let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.inner.directory.join(&hash);
        let failed = |error: std::io::Error| StoreError(format!("an asset cannot be written: {error}"));
        if !path.is_file() {
            write_durably(&self.inner.directory, &path, content).map_err(failed)?;
        }
        let mut batch = WriteBatch::new();
        batch.put(&self.inner.names, name(bucket, key), hash.as_str());
        self.inner.store.commit(batch).map_err(|error| StoreError(error.to_string()))
    }

    /// The object's content; blocks while it is read.
    pub(crate) fn get_blocking(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let hash = self.inner.names.get(name(bucket, key)).map_err(|error| StoreError(error.to_string()))?;
        let Some(hash) = hash else { return Ok(None) };
        let path = self.inner.directory.join(String::from_utf8_lossy(&hash).as_ref());
        let content = std::fs::read(&path)
            .map_err(|error| StoreError(format!("the asset {} cannot be read: {error}", path.display())))?;
        Ok(Some(content))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Assets) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        done.unwrap_or_else(|_| Err(StoreError("the server is stopping".into())))
    }
}

/// Why the assets could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// Their directory could not be made.
    #[error("cannot use {path}: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store.
    #[error(transparent)]
    Read(#[from] ReadError),
}

fn name(bucket: &str, key: &str) -> Vec<u8> {
    [bucket.as_bytes(), &[0], key.as_bytes()].concat()
}

/// Written aside and renamed, so that a name never stands for half a file, then the directory's own entry is synced.
fn write_durably(directory: &Path, path: &Path, content: &[u8]) -> std::io::Result<()> {
    let aside = directory.join(format!("{}.new", uuid::Uuid::new_v4()));
    let written = std::fs::File::create(&aside).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| std::fs::rename(&aside, path));
    if renamed.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    renamed?;
    std::fs::File::open(directory)?.sync_all()
}

impl AssetStore for Assets {
    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        content: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        Box::pin(self.blocking(move |assets| assets.put_blocking(&bucket, &key, &content)))
    }

    fn get<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        Box::pin(self.blocking(move |assets| assets.get_blocking(&bucket, &key)))
    }
}

impl stepwell_lambda::CodeStore for Assets {
    fn fetch<'a>(&'a self, bucket: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, String>> {
        Box::pin(async move {
            let content = AssetStore::get(self, bucket, key).await.map_err(|error| error.0)?;
            Ok(content.map(Bytes::from))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_there_after_reopening() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = || {
            let store = Store::open(directory.path()).expect("opens");
            Assets::open(&store, directory.path().join("assets")).expect("opens")
        };
        {
            let assets = open();
            assets.put_blocking("b", "k", b"one").expect("is kept");
            assets.put_blocking("b", "same", b"one").expect("is kept");
            assets.put_blocking("b", "k2", b"two").expect("is kept");
            assets.put_blocking("b", "k2", b"three").expect("is replaced");
            assert!(assets.put_blocking("", "k", b"").is_err());
        }
        let assets = open();
        let get = |bucket, key| assets.get_blocking(bucket, key).expect("reads");
        assert_eq!(get("b", "same"), Some(b"one".to_vec()));
        assert_eq!(get("b", "k2"), Some(b"three".to_vec()));
        assert_eq!(get("bk", ""), None);
        assert!(assets.contains("b", "k").expect("reads") && !assets.contains("c", "k").expect("reads"));
        let files = std::fs::read_dir(directory.path().join("assets")).expect("lists").count();
        assert_eq!(files, 3, "one file per content");
    }
}
