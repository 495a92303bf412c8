//! The service: opening the file, and calls on the blocking threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use dynoxide::{Database, DynoxideError};
use serde_json::Value;
use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};
use tokio::sync::Semaphore;

use crate::sweeper::Sweeper;
use crate::{arns, dispatch, fault, shape};

/// Calls on blocking threads at a time. The library lets one at the file; the others read their requests and write
/// their answers meanwhile. More would only take threads away from the rest of the process.
const CALLS_MAX: usize = 4;

/// Why the tables could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory of the file could not be made, or a thread not started.
    #[error("cannot use {path} for tables: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The path cannot be given to SQLite.
    #[error("cannot use {path} for tables: the path is not UTF-8")]
    Path {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a database of tables, or of a newer version.
    #[error("cannot use {path} for tables: {reason}")]
    Database {
        /// The file.
        path: PathBuf,
        /// What the library said.
        reason: String,
    },
}

/// The DynamoDB of one account.
#[derive(Debug)]
pub struct Tables {
    // Before `shared`: the thread must end while the file is open.
    _sweeper: Sweeper,
    shared: Arc<Shared>,
    calls: Arc<Semaphore>,
}

/// What calls and the sweeper share.
pub(crate) struct Shared {
    /// UTF-8, for reopening.
    path: String,
    account: Account,
    db: RwLock<Database>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The library panicked; the tables were opened anew.
#[derive(Debug)]
pub(crate) struct Panicked;

impl Shared {
    /// Calls the library. A panic of its is caught here, and only here: a library of this size reads hostile input, and
    /// one bad request must not end the process. The panic leaves the library's lock poisoned and perhaps a transaction
    /// open, so the database is opened anew; closing the old connection rolls the transaction back.
    pub(crate) fn guarded<T>(&self, call: impl FnOnce(&Database) -> T) -> Result<T, Panicked> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner).clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| call(&db)));
        drop(db);
        outcome.map_err(|panic| {
            let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            tracing::error!(panic = text, "the library behind the tables panicked; they are opened anew");
            match Database::new(&self.path) {
                Ok(db) => *self.db.write().unwrap_or_else(PoisonError::into_inner) = db,
                Err(error) => tracing::error!(%error, "the tables cannot be opened anew"),
            }
            Panicked
        })
    }

    /// One call from request to answer. Blocks.
    fn call(&self, operation: &str, mut input: Value) -> Result<Value, Fault> {
        if input.is_null() {
            input = Value::Object(serde_json::Map::new());
        }
        let checked = shape::check(&input);
        checked.map_err(|error| fault::of(&error, operation, &self.account))?;
        arns::rewrite_input(&mut input, &self.account);
        let outcome: Result<Result<Value, DynoxideError>, Panicked> =
            self.guarded(|db| dispatch::run(db, operation, &input));
        let mut output = outcome
            .map_err(|Panicked| fault::internal())?
            .map_err(|error| fault::of(&error, operation, &self.account))?;
        arns::rewrite_output(operation, &mut output, &self.account);
        Ok(output)
    }
}

impl Tables {
    /// Opens the tables in the SQLite file `path`, making it and its directory where they are absent. One process at a
    /// time may have it open; the caller's lock on the data directory sees to that. Blocks.
    pub fn open(path: &Path, account: Account) -> Result<Arc<Tables>, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        let text = path.to_str().ok_or_else(|| OpenError::Path { path: path.to_owned() })?;
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory).map_err(io)?;
        let db = Database::new(text)
            .map_err(|error| OpenError::Database { path: path.to_owned(), reason: error.to_string() })?;
        // The entry of a new file in its directory must be durable as well as what is in the file.
        std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)?;
        let shared = Arc::new(Shared { path: text.to_owned(), account, db: RwLock::new(db) });
        let sweeper = Sweeper::start(&shared).map_err(io)?;
        Ok(Arc::new(Tables { _sweeper: sweeper, shared, calls: Arc::new(Semaphore::new(CALLS_MAX)) }))
    }

    async fn answer(&self, call: Call) -> Result<Reply, Fault> {
        if !dispatch::is_known(&call.operation) {
            return Err(Fault::unknown_operation("DynamoDB", &call.operation));
        }
        let permit = self.calls.clone().acquire_owned().await.map_err(|_| fault::internal())?;
        let shared = self.shared.clone();
        // The permit goes with the work, which runs to its end even if nobody waits for the answer any more.
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            shared.call(&call.operation, call.input)
        });
        work.await.map_err(|_| fault::internal())?.map(Reply::ok)
    }
}

impl Service for Tables {
    fn name(&self) -> &'static str {
        "dynamodb"
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        Box::pin(self.answer(call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_panic_of_the_library_is_survived() {
        let directory = tempfile::tempdir().expect("a directory");
        let tables = Tables::open(&directory.path().join("t"), Account::default()).expect("opens");
        let table = json!({
            "TableName": "things",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        tables.shared.call("CreateTable", table).expect("creates");
        let put = |key: &str| json!({"TableName": "things", "Item": {"pk": {"S": key}}});
        tables.shared.call("PutItem", put("a")).expect("puts");
        assert!(tables.shared.guarded(|_| -> () { panic!("as a defect of the library would") }).is_err());
        tables.shared.call("PutItem", put("b")).expect("puts");
        let all = tables.shared.call("Scan", json!({"TableName": "things"})).expect("scans");
        assert_eq!(all["Count"], 2);
    }
}
