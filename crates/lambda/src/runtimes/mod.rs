//! Which program runs a function: `python3.*` and `nodejs*` by interpreters found on this machine, `provided*` by the
//! function's own `bootstrap`.
//!
//! A version that is not installed is replaced by the nearest one, and every log of the function says so.

mod node;
mod python;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use stepwell_aws::Fault;
use tokio::process::Command;

use crate::faults;

/// AWS's list, in the order of its message about unknown runtimes.
const KNOWN: &[&str] = &[
    "nodejs",
    "nodejs4.3",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "java8",
    "java8.al2",
    "java11",
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "python3.9",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "dotnet6",
    "dotnet8",
    "nodejs4.3-edge",
    "go1.x",
    "ruby2.5",
    "ruby2.7",
    "provided",
    "provided.al2",
    "nodejs18.x",
    "python3.10",
    "java17",
    "ruby3.2",
    "ruby3.3",
    "ruby3.4",
    "python3.11",
    "nodejs20.x",
    "provided.al2023",
    "python3.12",
    "java21",
    "python3.13",
    "nodejs22.x",
    "nodejs24.x",
    "python3.14",
    "java25",
    "dotnet10",
    "ruby4.0",
];

/// A runtime that can be run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// Python 3 of this minor version.
    Python(u32),
    /// Node of this major version; 0 for the first, unnumbered runtime.
    Node(u32),
    /// The function brings its program.
    Provided,
}

impl Runtime {
    /// Reads the `Runtime` parameter. AWS's other runtimes, and unknown ones, are refused.
    pub(crate) fn parse(text: &str) -> Result<Runtime, Fault> {
        if let Some(minor) = text.strip_prefix("python3.").and_then(|m| m.parse().ok()) {
            return Ok(Runtime::Python(minor));
        }
        if let Some(version) = text.strip_prefix("nodejs") {
            let major = version.split('.').next().unwrap_or_default();
            if version.is_empty()
                || KNOWN.contains(&text)
                || version.ends_with(".x") && major.parse::<u32>().is_ok()
            {
                return Ok(Runtime::Node(major.parse().unwrap_or(0)));
            }
        }
        if ["provided", "provided.al2", "provided.al2023"].contains(&text) {
            return Ok(Runtime::Provided);
        }
        if KNOWN.contains(&text) {
            return Err(faults::invalid_parameter(format!(
                "The runtime {text} is not supported by Stepwell. Supported are python3.*, nodejs*.x and provided, \
                 provided.al2, provided.al2023 (an executable file named bootstrap)"
            )));
        }
        let shown: String = text.chars().take(100).collect();
        Err(faults::invalid_parameter(format!(
            "Value {shown} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be \
             a valid ARN",
            KNOWN.join(", ")
        )))
    }
}

/// How to run a function's code.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// What runs, for the log: `python3.11 (/usr/bin/python3.11)`.
    pub(crate) label: String,
    /// Warnings for the function's log.
    pub(crate) notes: Vec<String>,
    /// Why `boto3` is absent, where it is.
    pub(crate) missing_packages: Option<String>,
}

/// The interpreters of this machine and the packages installed for them.
pub(crate) struct Runtimes {
    pythons: python::Pythons,
    nodes: node::Nodes,
}

impl Runtimes {
    /// Writes the start scripts into `<work_dir>/boot`; packages go to `cache_dir`.
    pub(crate) fn open(work_dir: &Path, cache_dir: &Path) -> std::io::Result<Runtimes> {
        let boot = work_dir.join("boot");
        std::fs::create_dir_all(&boot)?;
        Ok(Runtimes { pythons: python::Pythons::open(&boot, cache_dir)?, nodes: node::Nodes::open(&boot)? })
    }

    /// Finds out how to run `handler` in `task_root`, installing packages where needed. Slow the first time.
    pub(crate) async fn prepare(
        &self,
        runtime: Runtime,
        handler: &str,
        task_root: &Path,
        memory_mb: u32,
    ) -> Result<Prepared, Fault> {
        match runtime {
            Runtime::Python(minor) => self.pythons.prepare(minor, handler, task_root).await,
            Runtime::Node(major) => self.nodes.prepare(major, task_root, memory_mb).await,
            Runtime::Provided => Ok(Prepared {
                program: task_root.join("bootstrap"),
                arguments: Vec::new(),
                label: "provided (bootstrap)".into(),
                notes: Vec::new(),
                missing_packages: None,
            }),
        }
    }
}

/// The files named `name` in the directories of this server's `PATH`.
fn on_path(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(name)).filter(|file| file.is_file()).collect()
}

/// Runs `program` with this server's environment and returns whether it succeeded and what it printed (both
/// streams), or a text about why it could not run to its end.
async fn output(
    program: &Path,
    arguments: &[&std::ffi::OsStr],
    time: Duration,
) -> Result<(bool, String), String> {
    let mut command = Command::new(program);
    // Settings for the server's own interpreter must not reach the functions' one.
    for name in ["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "NODE_OPTIONS"] {
        command.env_remove(name);
    }
    let child = command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    match tokio::time::timeout(time, child).await {
        Ok(Ok(output)) => {
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.push_str(&String::from_utf8_lossy(&output.stderr));
            Ok((output.status.success(), text))
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no end after {} seconds", time.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_are_read_or_refused_by_name() {
        let cases = [
            ("python3.8", Some(Runtime::Python(8))),
            ("python3.14", Some(Runtime::Python(14))),
            ("nodejs22.x", Some(Runtime::Node(22))),
            ("nodejs", Some(Runtime::Node(0))),
            ("provided.al2023", Some(Runtime::Provided)),
            ("java21", None),
            ("python2.7", None),
            ("nodejsx", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Runtime::parse(text).ok(), expected, "{text}");
        }
        assert!(
            Runtime::parse("java21").expect_err("is refused").message.contains("java21 is not supported")
        );
        assert!(
            Runtime::parse("cobol").expect_err("is refused").message.starts_with("Value cobol at 'runtime'")
        );
    }
}
