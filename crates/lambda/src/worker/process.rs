//! One operating system process (group) of a function: start, memory use, end, and what keeps it from outliving us.
//!
//! A process leads a group of its own, so that what a handler starts ends with it. Two things end it when this server
//! is killed: a small shell beside it, in the same group, that waits for the end of a pipe which only the server
//! holds; and a record in `<work_dir>/workers`, by which the next start finds what is still there. Records name a
//! process by id *and* start time: an id alone may belong to somebody else by then.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

/// What to start.
#[derive(Debug, Clone)]
pub(crate) struct CommandLine {
    /// The program, an absolute path.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Its working directory.
    pub(crate) directory: PathBuf,
    /// Its whole environment.
    pub(crate) environment: BTreeMap<String, String>,
}

/// Starts a watcher in the group, then becomes the program. The watcher's parent ends at once, so the program has no
/// child that it does not know of. `$0` is a label only.
const LAUNCH: &str = r#"exec 3<&0 </dev/null
( { read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 & )
exec 3<&-
exec "$@""#;

/// A running process with its group.
pub(crate) struct Process {
    child: Child,
    group: Pid,
    /// Held, never written to: its end tells the watcher that we are gone.
    _lifeline: Option<tokio::process::ChildStdin>,
    record: PathBuf,
    ended: bool,
}

impl Process {
    /// Starts `command`; its output comes through the pipe.
    pub(crate) fn start(command: &CommandLine, work_dir: &Path) -> io::Result<(Process, Receiver)> {
        let (reader, writer) = io::pipe()?;
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg(LAUNCH)
            .arg("stepwell-worker")
            .arg(&command.program)
            .args(&command.arguments)
            .current_dir(&command.directory)
            .env_clear()
            .envs(&command.environment)
            .stdin(Stdio::piped())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let mut child = child?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the process ended before it began"))?;
        let lifeline = child.stdin.take();
        let record = records(work_dir).join(group.as_raw_nonzero().to_string());
        if let Some(started) = start_time(group) {
            // Only a second net; a failure to write it is not the function's.
            let _ = fs::write(&record, started.to_string());
        }
        let pipe = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok((Process { child, group, _lifeline: lifeline, record, ended: false }, pipe))
    }

    /// Waits for the leader's end.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        // The group's id stays taken while the watcher lives, so this reaches only our own.
        self.kill();
        status
    }

    /// Ends the whole group, without asking.
    pub(crate) fn kill(&mut self) {
        if !self.ended {
            self.ended = true;
            let _ = kill_process_group(self.group, Signal::KILL);
            let _ = fs::remove_file(&self.record);
        }
    }

    /// Private memory of the group in bytes, where the system tells it.
    pub(crate) fn memory(&self, whole_group: bool) -> Option<u64> {
        let leader = self.group.as_raw_nonzero().get();
        if whole_group { group_memory(leader) } else { private_memory(leader) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn records(work_dir: &Path) -> PathBuf {
    work_dir.join("workers")
}

/// Ends what a killed predecessor left running, and prepares the place for new records.
pub(crate) fn clean_up(work_dir: &Path) -> io::Result<()> {
    let directory = records(work_dir);
    fs::create_dir_all(&directory)?;
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        let pid =
            path.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse().ok()).and_then(Pid::from_raw);
        let recorded = fs::read_to_string(&path).ok().and_then(|t| t.trim().parse::<u64>().ok());
        if let (Some(pid), Some(recorded)) = (pid, recorded)
            && start_time(pid) == Some(recorded)
        {
            tracing::info!(
                pid = pid.as_raw_nonzero(),
                "ending a function's process that an earlier server left"
            );
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = fs::remove_file(&path);
    }
    Ok(())
}

/// The fields of `/proc/<pid>/stat` after the command, which may itself hold blanks and brackets.
fn stat_fields(pid: i32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after = &text[text.rfind(')')? + 1..];
    Some(after.split_ascii_whitespace().skip(1).map(|f| f.parse().unwrap_or(0)).collect())
}

/// Clock ticks between the machine's start and the process's.
fn start_time(pid: Pid) -> Option<u64> {
    stat_fields(pid.as_raw_nonzero().get())?.get(18).copied()
}

/// Resident pages that are not shared with files, in bytes.
fn private_memory(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut fields = text.split_ascii_whitespace().skip(1).map(|f| f.parse::<u64>().unwrap_or(0));
    let (resident, shared) = (fields.next()?, fields.next()?);
    Some(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
}

/// Memory by process group, from one look at all processes, shared by all workers for a moment.
fn group_memory(group: i32) -> Option<u64> {
    static LAST: Mutex<Option<(Instant, BTreeMap<i32, u64>)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let fresh = last.as_ref().is_some_and(|(at, _)| at.elapsed() < Duration::from_millis(300));
    if !fresh {
        let mut sums = BTreeMap::new();
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
            let Some(group) = stat_fields(pid).and_then(|f| f.get(1).copied()) else { continue };
            if let (Ok(group), Some(bytes)) = (i32::try_from(group), private_memory(pid)) {
                *sums.entry(group).or_insert(0) += bytes;
            }
        }
        *last = Some((Instant::now(), sums));
    }
    last.as_ref().and_then(|(_, sums)| sums.get(&group).copied())
}

/// An exit in the words of AWS's error texts.
pub(crate) fn describe_exit(status: ExitStatus) -> String {
    if let Some(signal) = status.signal() {
        let name = match signal {
            1 => "hangup",
            2 => "interrupt",
            3 => "quit",
            4 => "illegal instruction",
            6 => "aborted",
            7 => "bus error",
            8 => "floating point exception",
            9 => "killed",
            10 => "user defined signal 1",
            11 => "segmentation fault",
            12 => "user defined signal 2",
            13 => "broken pipe",
            14 => "alarm clock",
            15 => "terminated",
            other => return format!("signal: signal {other}"),
        };
        let dumped = if status.core_dumped() { " (core dumped)" } else { "" };
        return format!("signal: {name}{dumped}");
    }
    format!("exit status {}", status.code().unwrap_or(-1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &Path) -> CommandLine {
        CommandLine {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), "sleep 600 & sleep 600".into()],
            directory: dir.into(),
            environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        }
    }

    fn members(group: i32) -> usize {
        fs::read_dir("/proc")
            .expect("reads")
            .flatten()
            .filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| {
                // A dead process that its parent has not fetched yet holds no memory pages.
                stat_fields(*pid).is_some_and(|f| f.get(1).copied() == u64::try_from(group).ok())
                    && private_memory(*pid).is_some_and(|m| m > 0)
            })
            .count()
    }

    async fn gone(group: i32) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while members(group) > 0 {
            assert!(Instant::now() < deadline, "the group {group} still lives");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn the_group_ends_when_the_lifeline_does() {
        let dir = tempfile::tempdir().expect("a directory");
        clean_up(dir.path()).expect("prepares");
        let (mut process, _pipe) = Process::start(&sleeper(dir.path()), dir.path()).expect("starts");
        let group = process.group.as_raw_nonzero().get();
        process._lifeline = None;
        assert_eq!(describe_exit(process.wait().await.expect("ends")), "signal: killed");
        gone(group).await;
    }

    #[tokio::test]
    async fn a_successor_ends_what_is_recorded_and_spares_others() {
        let dir = tempfile::tempdir().expect("a directory");
        clean_up(dir.path()).expect("prepares");
        let (mut left, _pipe) = Process::start(&sleeper(dir.path()), dir.path()).expect("starts");
        let (mut other, _pipe) = Process::start(&sleeper(dir.path()), dir.path()).expect("starts");
        // The same id with another start time is another process.
        fs::write(&other.record, "1").expect("writes");
        clean_up(dir.path()).expect("cleans up");
        left.wait().await.expect("ends");
        gone(left.group.as_raw_nonzero().get()).await;
        assert!(other.child.try_wait().expect("asks").is_none());
        other.kill();
        other.wait().await.expect("ends");
        assert_eq!(fs::read_dir(records(dir.path())).expect("reads").count(), 0);
    }
}
