//! Asynchronous Express executions on disk: that one has started, until it has ended. There is no journal of them:
//! what runs when the process dies is run again, from its start.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `express.started` | execution ARN | [`ExpressStart`] |

use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_interpreter::{ExecutionInfo, ExecutionKind};

use crate::bytes::{Malformed, Reader, Writer};
use crate::kv::{Keyspace, ReadError, Store, WriteBatch};

const KEYSPACE: &str = "express.started";

const VERSION: u8 = 1;

/// What it takes to run an Express execution from its start.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpressStart {
    /// What was fixed at its start.
    pub info: Arc<ExecutionInfo>,
    /// Which revision of its machine it runs.
    pub revision: u64,
    /// Its input.
    pub input: Payload,
}

/// The asynchronous Express executions that run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ExpressStarts(Keyspace);

impl ExpressStarts {
    /// Opens the keyspace.
    pub fn open(store: &Store) -> Result<Self, ReadError> {
        store.keyspace(KEYSPACE).map(ExpressStarts)
    }

    /// Adds a start to `batch`.
    pub fn put(&self, batch: &mut WriteBatch, start: &ExpressStart) {
        batch.put(&self.0, start.info.execution_arn.as_bytes(), encode(start));
    }

    /// Takes [`ExpressStarts::put`] back: the execution has ended.
    pub fn delete(&self, batch: &mut WriteBatch, execution_arn: &str) {
        batch.delete(&self.0, execution_arn.as_bytes());
    }

    /// All that have started and not ended, in the order of their ARNs.
    pub fn all(&self) -> impl Iterator<Item = Result<ExpressStart, ReadError>> + use<> {
        self.0.prefix(&[]).map(|pair| {
            let (arn, value) = pair?;
            let start = std::str::from_utf8(&arn)
                .map_err(|_| Malformed("an ARN is not UTF-8"))
                .and_then(|arn| decode(arn, &value));
            start.map_err(|error| ReadError::Corrupt { keyspace: KEYSPACE, reason: error.to_string() })
        })
    }
}

fn encode(start: &ExpressStart) -> Vec<u8> {
    let ExpressStart { info, revision, input } = start;
    let mut w = Writer::default();
    w.byte(VERSION);
    w.text(&info.name);
    w.text(&info.state_machine_arn);
    w.text(&info.state_machine_name);
    w.text(&info.role_arn);
    w.text(&info.region);
    w.signed(info.start_ms);
    w.option(info.timeout_s, |w, s| w.unsigned(u64::from(s)));
    w.unsigned(*revision);
    // Where `traceHeader` of StartExecution was kept, which nothing needs.
    w.optional_text(None);
    w.text(input.text());
    w.0
}

fn decode(execution_arn: &str, bytes: &[u8]) -> Result<ExpressStart, Malformed> {
    let mut r = Reader(bytes);
    if r.byte()? != VERSION {
        return Err(Malformed("it was written by another version"));
    }
    let info = ExecutionInfo {
        execution_arn: execution_arn.into(),
        name: r.text()?,
        state_machine_arn: r.text()?,
        state_machine_name: r.text()?,
        role_arn: r.text()?,
        region: r.text()?,
        start_ms: r.signed()?,
        timeout_s: r.option(Reader::unsigned_32)?,
        child_of: None,
        kind: ExecutionKind::Express,
    };
    let revision = r.unsigned()?;
    let _trace_header: Option<Arc<str>> = r.optional_text()?;
    let input = Payload::parse(r.text()?).map_err(|_| Malformed("an input is not JSON"))?;
    r.finish()?;
    Ok(ExpressStart { info: Arc::new(info), revision, input })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_come_back_until_they_are_deleted() {
        let dir = tempfile::tempdir().expect("a directory");
        let start = |name: &str| ExpressStart {
            info: Arc::new(ExecutionInfo {
                execution_arn: format!("arn:aws:states:r:a:express:m:{name}:u").into(),
                name: name.into(),
                state_machine_arn: "arn:m".into(),
                state_machine_name: "m".into(),
                role_arn: "arn:r".into(),
                region: "us-east-1".into(),
                start_ms: -5,
                timeout_s: Some(300),
                child_of: None,
                kind: ExecutionKind::Express,
            }),
            revision: 7,
            input: Payload::parse(r#"{"a":1.0}"#).expect("is JSON"),
        };
        {
            let store = Store::open(dir.path()).expect("opens");
            let starts = ExpressStarts::open(&store).expect("opens");
            let mut batch = WriteBatch::new();
            ["a", "b", "c"].iter().for_each(|name| starts.put(&mut batch, &start(name)));
            starts.delete(&mut batch, &start("b").info.execution_arn);
            store.commit(batch).expect("commits");
        }
        let store = Store::open(dir.path()).expect("opens again");
        let starts = ExpressStarts::open(&store).expect("opens again");
        let all: Vec<_> = starts.all().collect::<Result<_, _>>().expect("reads");
        assert_eq!(all, [start("a"), start("c")]);
        // As older versions wrote it, with the trace of its start.
        let mut older = encode(&start("a"));
        let at =
            older.windows(9).position(|bytes| bytes.ends_with(br#"{"a":1."#)).expect("its input is there");
        assert_eq!(older[at], 0, "no trace");
        let mut trace = super::Writer::default();
        trace.optional_text(Some("Root=1"));
        older.splice(at..=at, trace.0);
        assert_eq!(decode(&start("a").info.execution_arn, &older).expect("reads"), start("a"));
        let mut cut = encode(&start("a"));
        cut.pop();
        assert!(decode("arn", &cut).is_err());
    }
}
