//! Node: the interpreter on this machine with our own loop over the Runtime API (AWS's client cannot be installed
//! without a C++ tool chain).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stepwell_aws::Fault;
use tokio::sync::Mutex;

use super::{Prepared, on_path, output};
use crate::faults;

const LOOP: &str = include_str!("node_loop.mjs");

/// Share of the memory setting that Node's heap may take; the rest is for buffers and the program itself.
const HEAP_PERCENT: u32 = 90;

/// The installed Node versions that were looked at.
pub(super) struct Nodes {
    script: PathBuf,
    /// Program by major version.
    found: Mutex<Option<BTreeMap<u32, PathBuf>>>,
}

impl Nodes {
    pub(super) fn open(boot: &Path) -> io::Result<Nodes> {
        let script = boot.join("node_loop.mjs");
        std::fs::write(&script, LOOP)?;
        Ok(Nodes { script: std::path::absolute(script)?, found: Mutex::new(None) })
    }

    pub(super) async fn prepare(
        &self,
        wanted: u32,
        task_root: &Path,
        memory_mb: u32,
    ) -> Result<Prepared, Fault> {
        let mut found = self.found.lock().await;
        if found.as_ref().is_none_or(BTreeMap::is_empty) {
            *found = Some(look().await);
        }
        let nearest = found
            .as_ref()
            .and_then(|all| all.iter().min_by_key(|(major, _)| (major.abs_diff(wanted), u32::MAX - **major)));
        let Some((major, program)) = nearest else {
            return Err(faults::invalid_runtime(
                "The function needs Node, and there is no `node` in the PATH of the Stepwell server",
            ));
        };
        let mut notes = Vec::new();
        if *major != wanted {
            notes.push(format!(
                "WARNING: nodejs{wanted}.x is not installed on this machine; running on Node {major} ({})",
                program.display()
            ));
        }
        Ok(Prepared {
            program: program.clone(),
            arguments: vec![
                format!("--max-old-space-size={}", memory_mb * HEAP_PERCENT / 100).into(),
                self.script.clone().into(),
                task_root.into(),
            ],
            label: format!("nodejs{major}.x ({})", program.display()),
            notes,
            missing_packages: None,
        })
    }
}

async fn look() -> BTreeMap<u32, PathBuf> {
    let mut found = BTreeMap::new();
    for program in ["node", "nodejs"].into_iter().flat_map(on_path) {
        let print = "console.log(process.execPath); console.log(process.versions.node)";
        let arguments = ["-e".as_ref(), print.as_ref()];
        let Ok((true, text)) = output(&program, &arguments, Duration::from_secs(20)).await else { continue };
        let mut lines = text.lines();
        let (Some(real), Some(version)) = (lines.next(), lines.next()) else { continue };
        if let Some(major) = version.split('.').next().and_then(|m| m.parse().ok()) {
            found.entry(major).or_insert_with(|| PathBuf::from(real));
        }
    }
    found
}
