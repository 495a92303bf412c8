//! A server on a free loopback port, and a client that sends bytes and reads bytes.

#![allow(dead_code, reason = "every test binary uses its own part")]

pub(crate) mod engine;
pub(crate) mod shapes;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use stepwell_server::{App, Limits, serve_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything here may take; only a hang gets there.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(app: App, limits: Limits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("has an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(serve_with(listener, app, limits, None, async {
            let _ = stopped.await;
        }));
        Server { address, stop, running }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        tokio::time::timeout(DEADLINE, self.running)
            .await
            .expect("stops")
            .expect("no panic")
            .expect("no error");
    }

    pub(crate) async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.expect("connects"), buffer: Vec::new() }
    }

    /// One JSON request over a connection of its own.
    pub(crate) async fn call(&self, target: &str, body: &str) -> Response {
        self.connect().await.call(target, body).await
    }

    /// Status and body of `GET path`.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.connect().await.exchange(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n").as_bytes()).await
    }
}

pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub(crate) fn json_request(target: &str, body: &str) -> Vec<u8> {
    format!(
        "POST / HTTP/1.1\r\nhost: localhost:8083\r\ncontent-type: application/x-amz-json-1.0\r\nx-amz-target: \
         {target}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Client {
    pub(crate) async fn call(&mut self, target: &str, body: &str) -> Response {
        self.exchange(&json_request(target, body)).await
    }

    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Response {
        self.send(request).await;
        self.response().await.expect("an answer")
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // The server may refuse and close before it has read everything.
        let _ = self.stream.write_all(bytes).await;
    }

    pub(crate) async fn finish_sending(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// The next response; `None` where the server closed the connection instead.
    pub(crate) async fn response(&mut self) -> Option<Response> {
        loop {
            if let Some(response) = self.take_response() {
                return Some(response);
            }
            let mut chunk = [0; 65536];
            let read =
                tokio::time::timeout(DEADLINE, self.stream.read(&mut chunk)).await.expect("does not hang");
            match read {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
            }
        }
    }

    fn take_response(&mut self) -> Option<Response> {
        let head_end = self.buffer.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).into_owned();
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line.split(' ').nth(1).and_then(|s| s.parse().ok()).expect(status_line);
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers
            .iter()
            .find(|(n, _)| n == "content-length")
            .map_or(0, |(_, v)| v.parse().expect("a number"));
        let body_start = head_end + 4;
        if self.buffer.len() < body_start + length {
            return None;
        }
        let body = self.buffer[body_start..body_start + length].to_vec();
        self.buffer.drain(..body_start + length);
        Some(Response { status, headers, body })
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}
