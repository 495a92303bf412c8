//! Stack records on the store.

use stepwell_aws::BoxFuture;
use stepwell_deploy::{StackRecord, StackStore, StoreError};
use stepwell_store::{Keyspace, ReadError, Store, WriteBatch};

/// The stack records of a data directory. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stacks {
    store: Store,
    /// Name to record, as JSON; the record has its own version.
    records: Keyspace,
}

impl Stacks {
    /// Opens what `store` holds.
    pub(crate) fn open(store: &Store) -> Result<Stacks, ReadError> {
        Ok(Stacks { store: store.clone(), records: store.keyspace("cli.stacks")? })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Stacks) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        done.unwrap_or_else(|_| Err(StoreError("the server is stopping".into())))
    }

    fn commit(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.store.commit(batch).map_err(|error| StoreError(error.to_string()))
    }
}

fn parse(name: &[u8], value: &[u8]) -> Result<StackRecord, StoreError> {
    serde_json::from_slice(value).map_err(|error| {
        StoreError(format!(
            "the record of stack {} cannot be understood: {error}",
            String::from_utf8_lossy(name)
        ))
    })
}

impl StackStore for Stacks {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<StackRecord>, StoreError>> {
        let name = name.to_owned();
        Box::pin(self.blocking(move |stacks| {
            let value = stacks.records.get(&name).map_err(|error| StoreError(error.to_string()))?;
            value.map(|value| parse(name.as_bytes(), &value)).transpose()
        }))
    }

    fn save<'a>(&'a self, record: &'a StackRecord) -> BoxFuture<'a, Result<(), StoreError>> {
        let name = record.name.clone();
        let value = serde_json::to_vec(record);
        Box::pin(self.blocking(move |stacks| {
            let value = value.map_err(|error| StoreError(error.to_string()))?;
            let mut batch = WriteBatch::new();
            batch.put(&stacks.records, name, value);
            stacks.commit(batch)
        }))
    }

    fn delete<'a>(&'a self, record: &'a StackRecord) -> BoxFuture<'a, Result<(), StoreError>> {
        let name = record.name.clone();
        Box::pin(self.blocking(move |stacks| {
            let mut batch = WriteBatch::new();
            batch.delete(&stacks.records, name);
            stacks.commit(batch)
        }))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<StackRecord>, StoreError>> {
        Box::pin(self.blocking(|stacks| {
            let pairs = stacks.records.prefix(&[]);
            pairs
                .map(|pair| {
                    let (name, value) = pair.map_err(|error| StoreError(error.to_string()))?;
                    parse(&name, &value)
                })
                .collect()
        }))
    }
}
