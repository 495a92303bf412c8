//! `stepwell bench-echo`: a server that sends every body back, over the same HTTP stack as `stepwell serve`.
//!
//! It ends when its stdin closes, so that it never outlives the benchmark.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use stepwell_aws::{Account, BoxFuture};
use stepwell_server::{App, RestService};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::outcome::{CommandError, CommandResult, Outcome};
use crate::terminal::Terminal;

struct Echo;

impl RestService for Echo {
    fn signing_name(&self) -> &'static str {
        "echo"
    }

    fn handles(&self, _method: &Method, path: &str) -> bool {
        path == "/echo"
    }

    fn handle(&self, _head: Parts, body: Bytes) -> BoxFuture<'_, (StatusCode, HeaderMap, Bytes)> {
        Box::pin(std::future::ready((StatusCode::OK, HeaderMap::new(), body)))
    }
}

pub(in crate::commands) async fn run(terminal: &Terminal) -> CommandResult {
    let failed = |error: std::io::Error| CommandError::unusable(format!("cannot listen: {error}"));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let app = App::builder(Account::default()).rest(Arc::new(Echo)).build();
    let (send, closed) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(send);
    });
    terminal.data(&format!("The echo is ready on http://{address}"))?;
    let serving = stepwell_server::serve(listener, app, async {
        let _ = closed.await;
    });
    serving.await.map_err(failed)?;
    Ok(Outcome::Success)
}
