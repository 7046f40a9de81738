//! Whether the code serves, asked of the code itself.

use std::time::Duration;

use futures_util::future::FutureExt;
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;

use crate::id::PreviewId;
use crate::runtime::Runtime;
use crate::store::Health;

/// Between two tries, when a connection ended without an answer.
const RETRY: Duration = Duration::from_millis(10);
/// For one look at a preview that runs.
pub const CHECK: Duration = Duration::from_secs(5);

/// Asks until there is an answer, whatever it is: the request waits in the socket's queue while the code starts.
pub async fn first_answer(runtime: &dyn Runtime, id: &PreviewId, slot: u32, probe: &str) -> Health {
    loop {
        if let Some(health) = ask(runtime, id, slot, probe).await {
            return health;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// One look: unhealthy if it answers 5xx or not within [`CHECK`], unknown if it has no health route.
pub async fn check(runtime: &dyn Runtime, id: &PreviewId, slot: u32, probe: &str) -> Health {
    let answer = tokio::time::timeout(CHECK, ask(runtime, id, slot, probe)).await;
    answer.ok().flatten().unwrap_or(Health::Unhealthy)
}

async fn ask(runtime: &dyn Runtime, id: &PreviewId, slot: u32, probe: &str) -> Option<Health> {
    let stream = runtime.dial(id, slot).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get("/health")
        .header("host", "localhost")
        .header("connection", "close")
        .header("x-previewd-probe", probe)
        .body(Empty::<Bytes>::new())
        .ok()?;
    let answer = async {
        let response = sender.send_request(request).await.ok()?;
        Some(match response.status().as_u16() {
            200..=299 => Health::Healthy,
            500.. => Health::Unhealthy,
            _ => Health::Unknown,
        })
    };
    // An answer without a body may have come when the connection ends: whether there is one, the sender says.
    let connection = connection.then(|_ended| std::future::pending());
    tokio::select! {
        answer = answer => answer,
        never = connection => never,
    }
}
