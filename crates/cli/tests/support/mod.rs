//! What all tests of the binary share: a server as a process of its own, a small HTTP client, the examples.

#![allow(dead_code, reason = "every test binary uses a part of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The binary under test.
pub(crate) const STEPWELL: &str = env!("CARGO_BIN_EXE_stepwell");

/// How long anything may take that is expected to happen soon. Generous: machines that test are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Arguments of a server, up to its data directory.
const SERVE: [&str; 6] = ["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data-dir"];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// A path below `examples/`.
pub(crate) fn example(path: &str) -> PathBuf {
    root().join("examples").join(path)
}

/// A command line of the binary, without what the environment says about servers.
pub(crate) fn stepwell(arguments: &[&str]) -> Command {
    let mut command = Command::new(STEPWELL);
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_")
            || name.starts_with("OTEL_")
            || name.starts_with("STEPWELL_")
            || name == "PYTHONPATH"
        {
            command.env_remove(name);
        }
    }
    command
}

/// The command's exit code, stdout and stderr.
pub(crate) fn output(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// A server in a process of its own, killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// What it has logged.
    log: JoinHandle<String>,
    pub(crate) url: String,
    pub(crate) host: String,
}

impl Server {
    /// Starts one on a free port and waits until it is ready.
    pub(crate) fn start(data_dir: &Path) -> Server {
        Server::start_with(data_dir, &[])
    }

    /// The same with further arguments.
    pub(crate) fn start_with(data_dir: &Path, arguments: &[&str]) -> Server {
        Server::start_in(data_dir, arguments, &[])
    }

    /// The same with variables in its environment.
    pub(crate) fn start_in(data_dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Server {
        let mut command = stepwell(&SERVE);
        command.arg(data_dir).args(arguments).envs(variables.iter().copied());
        Server::start_by(&mut command)
    }

    /// One whose files can have so many KiB each: what lies beyond is written in vain, as on a full disk.
    pub(crate) fn start_cramped(data_dir: &Path, file_kib: u32) -> Server {
        let mut command = stepwell(&[]);
        let program = std::mem::replace(&mut command, Command::new("sh"));
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        // Whoever does not ignore this signal is killed by it. The shell counts blocks of 512 bytes, as POSIX has it.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", file_kib * 2);
        command.args(["-c", &script, STEPWELL]).args(SERVE).arg(data_dir);
        Server::start_by(&mut command)
    }

    fn start_by(command: &mut Command) -> Server {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        // Passed on through the test's own output, so that a failing test shows the server's log.
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                println!("server: {line}");
                log.push_str(&line);
                log.push('\n');
            }
            log
        });
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let ready = lines.recv_timeout(PATIENCE).expect("the server says that it is ready");
        let url = ready.split_whitespace().find(|word| word.contains("://")).expect(&ready).to_owned();
        let host = url.split_once("://").map_or("", |(_, host)| host).to_owned();
        Server { child, log, url, host }
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("is killed");
        self.child.wait().expect("is gone");
    }

    /// SIGTERM.
    pub(crate) fn signal(&self) {
        self.send(rustix::process::Signal::TERM);
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.send(rustix::process::Signal::HUP);
    }

    fn send(&self, signal: rustix::process::Signal) {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("is signalled");
    }

    /// SIGTERM; the exit code.
    pub(crate) fn terminate(self) -> Option<i32> {
        self.signal();
        self.exit_code()
    }

    /// The exit code of a server that is about to end.
    pub(crate) fn exit_code(mut self) -> Option<i32> {
        self.wait_for_end()
    }

    /// The same, and all that it has logged.
    pub(crate) fn ended_with_log(mut self) -> (Option<i32>, String) {
        let code = self.wait_for_end();
        let log = std::mem::replace(&mut self.log, std::thread::spawn(String::new));
        (code, log.join().expect("it is read to its end"))
    }

    fn wait_for_end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("is waited for") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not stop in time");
    }

    /// An operation of Step Functions; panics where it is refused.
    pub(crate) fn states(&self, operation: &str, input: &Value) -> Value {
        self.try_call("AWSStepFunctions", operation, input)
            .expect("the server answers")
            .unwrap_or_else(|error| panic!("{operation} is refused: {error}"))
    }

    /// An operation of a JSON protocol. The outer error: no answer; the inner one: a refusal.
    pub(crate) fn try_call(
        &self,
        target: &str,
        operation: &str,
        input: &Value,
    ) -> std::io::Result<Result<Value, Value>> {
        let headers = [("X-Amz-Target", format!("{target}.{operation}"))];
        let (status, body) = http(&self.host, "POST", "/", &headers, input.to_string().as_bytes())?;
        let value = serde_json::from_slice(&body).unwrap_or_else(|_| json!({"status": status}));
        Ok(if status == 200 { Ok(value) } else { Err(value) })
    }

    /// `stepwell …` against this server.
    pub(crate) fn cli(&self, arguments: &[&str]) -> (i32, String, String) {
        output(stepwell(arguments).env("AWS_ENDPOINT_URL", &self.url))
    }

    /// The whole history of an execution.
    pub(crate) fn history(&self, execution_arn: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut request = json!({"executionArn": execution_arn, "maxResults": 1000});
        loop {
            let mut page = self.states("GetExecutionHistory", &request);
            events.append(page["events"].as_array_mut().expect("events"));
            match page["nextToken"].as_str() {
                Some(token) => request["nextToken"] = json!(token),
                None => return events,
            }
        }
    }

    /// Starts an execution and gives its ARN.
    pub(crate) fn start_execution(&self, machine_arn: &str, input: &Value) -> String {
        let request = json!({"stateMachineArn": machine_arn, "input": input.to_string()});
        self.states("StartExecution", &request)["executionArn"].as_str().expect("an ARN").to_owned()
    }

    /// The description of an execution once it is over.
    pub(crate) fn ended(&self, execution_arn: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let described = self.states("DescribeExecution", &json!({"executionArn": execution_arn}));
            if described["status"] != "RUNNING" {
                return described;
            }
            assert!(Instant::now() < deadline, "{execution_arn} does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The ARN of the only state machine whose name contains `part`.
    pub(crate) fn machine(&self, part: &str) -> String {
        let listed = self.states("ListStateMachines", &json!({}));
        let machines = listed["stateMachines"].as_array().expect("machines");
        let found = machines.iter().find(|m| m["name"].as_str().is_some_and(|name| name.contains(part)));
        found.and_then(|m| m["stateMachineArn"].as_str()).expect(part).to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request on a connection of its own: status and body.
pub(crate) fn http(
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> std::io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(request.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(broken)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let body = answer[end + 4..].to_vec();
    // A server that was killed in the middle of an answer has not answered.
    if length.is_some_and(|length: usize| length != body.len()) {
        return Err(broken());
    }
    Ok((status, body))
}

/// A history's events must have the ids 1..n, refer backwards, and end at the end, and before every redrive.
pub(crate) fn assert_history_is_sound(events: &[Value], arn: &str) {
    let terminal = ["ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"];
    let mut time = 0.0;
    for (index, event) in events.iter().enumerate() {
        let id = event["id"].as_u64().expect("an id");
        assert_eq!(id, index as u64 + 1, "{arn}: ids have a gap");
        let previous = event["previousEventId"].as_u64().unwrap_or(0);
        assert!(previous < id, "{arn}: event {id} refers to {previous}");
        let at = event["timestamp"].as_f64().expect("a time");
        assert!(at >= time, "{arn}: event {id} is before the one before it");
        time = at;
        let is_last = events.get(index + 1).is_none_or(|next| next["type"] == "ExecutionRedriven");
        let is_terminal = terminal.contains(&event["type"].as_str().expect("a type"));
        assert_eq!(is_terminal, is_last, "{arn}: event {id} of {} is {}", events.len(), event["type"]);
    }
}

/// A copy of an example's assembly in `directory`, its texts changed.
pub(crate) fn changed_assembly(source: &Path, directory: &Path, from: &str, to: &str) -> PathBuf {
    let target = directory.join("cdk.out");
    std::fs::create_dir_all(&target).expect("is made");
    let mut changed = false;
    for entry in std::fs::read_dir(source).expect("is listed") {
        let path = entry.expect("is read").path();
        if !path.is_file() {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("is text");
        let is_template = path.to_string_lossy().ends_with(".template.json");
        changed |= is_template && text.contains(from);
        let text = if is_template { text.replace(from, to) } else { text };
        std::fs::write(target.join(path.file_name().expect("a name")), text).expect("is written");
    }
    assert!(changed, "{from} occurs in no template of {}", source.display());
    target
}

/// Whether the machine's Python has this module; says that the test is skipped where it has not.
pub(crate) fn python_has(module: &str) -> bool {
    let found =
        Command::new("python3").args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        skipped(&format!("python3 has no {module}"));
    }
    found
}

/// Says so where a test cannot run here; past the harness, which shows what a test prints only when it fails.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
