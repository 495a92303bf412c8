//! A server on the loopback that answers what the test says.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What the server does with a connection.
#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    /// Status line and headers, then the body with its length.
    Answer(&'static str, &'static str),
    /// These very bytes, then the end.
    Raw(&'static str),
    /// Reads the request and says nothing.
    Hang,
    /// An answer that has no end.
    Endless,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The text of every request.
    pub(crate) requests: mpsc::UnboundedReceiver<String>,
    /// One message for every connection that the client has closed.
    pub(crate) closed: mpsc::UnboundedReceiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn serve(behaviour: Behaviour) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (request_sent, requests) = mpsc::unbounded_channel();
    let (closed_sent, closed) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, behaviour, request_sent.clone(), closed_sent.clone()));
        }
    });
    Server { address, requests, closed, task }
}

async fn converse(
    mut stream: TcpStream,
    behaviour: Behaviour,
    requests: mpsc::UnboundedSender<String>,
    closed: mpsc::UnboundedSender<()>,
) {
    let Some(text) = read_request(&mut stream).await else { return };
    let _ = requests.send(text);
    match behaviour {
        Behaviour::Answer(head, body) => {
            let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        Behaviour::Raw(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Behaviour::Hang => {
            let mut rest = [0; 16];
            let _ = stream.read(&mut rest).await;
            let _ = closed.send(());
        }
        Behaviour::Endless => {
            let chunk = vec![b' '; 1 << 20];
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&chunk).await.is_ok() {}
            let _ = closed.send(());
        }
    }
}

/// Head and body of one request.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
    }
}
