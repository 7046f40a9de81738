//! Connections to the code of one preview, kept open between requests.

use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;

use crate::preview::Active;

/// Connections that are kept of one preview.
const MOST: usize = 256;

/// One connection to the code. It takes a request when the answer before has passed.
pub type Connection = SendRequest<Body>;

/// Those of one start of the code; another start's are none of its own.
#[derive(Debug, Default)]
pub struct Pool(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    slot: u32,
    connections: Vec<Connection>,
}

impl Pool {
    /// One that is open and free.
    pub fn take(&self, slot: u32) -> Option<Connection> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.slot != slot {
            *kept = Kept { slot, connections: Vec::new() };
        }
        kept.connections.retain(|connection| !connection.is_closed());
        let free = kept.connections.iter().rposition(SendRequest::is_ready)?;
        Some(kept.connections.swap_remove(free))
    }

    /// Keeps one, whether or not its answer has passed already.
    pub fn put(&self, slot: u32, connection: Connection) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.slot == slot && kept.connections.len() < MOST {
            kept.connections.push(connection);
        }
    }
}

/// A new connection.
///
/// # Errors
/// If nothing listens there.
pub async fn connect(
    preview: &Active,
    slot: u32,
) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
    let stream = preview.dial(slot).await?;
    let (connection, exchange) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // How it ends, those are told who wait for an answer on it.
    tokio::spawn(async move { exchange.with_upgrades().await.ok() });
    Ok(connection)
}
