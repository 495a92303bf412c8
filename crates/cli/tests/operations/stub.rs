//! An HTTP server whose answers the test gives, one by one: an outside service, or a collector of traces.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::support::PATIENCE;

/// The server.
pub(super) struct Stub {
    pub(super) url: String,
    calls: mpsc::Receiver<Call>,
}

/// A request that waits for its answer.
pub(super) struct Call {
    /// Request line and headers, their names in small letters.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    stream: TcpStream,
}

impl Stub {
    /// Starts one on a free port; its thread ends with the test.
    pub(super) fn start() -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (send, calls) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let send = send.clone();
                std::thread::spawn(move || {
                    if let Some(call) = read(stream) {
                        let _ = send.send(call);
                    }
                });
            }
        });
        Stub { url, calls }
    }

    /// The next request.
    pub(super) fn next(&self) -> Call {
        self.calls.recv_timeout(PATIENCE).expect("a request comes")
    }

    /// Whether no request has come that was not taken; to be asked once whoever could send one has ended.
    pub(super) fn is_quiet(&self) -> bool {
        self.calls.recv_timeout(Duration::from_millis(50)).is_err()
    }
}

impl Call {
    pub(super) fn answer(mut self, status: u16, body: &Value) {
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status} Stub\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(answer.as_bytes()).expect("is answered");
    }
}

fn read(stream: TcpStream) -> Option<Call> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        // The request line keeps its letters.
        let line = if head.is_empty() { line } else { line.to_ascii_lowercase() };
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Call { head, body, stream })
}
