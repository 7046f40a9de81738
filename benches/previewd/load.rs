//! A client that costs little, because it shares the machine with what is measured.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Barrier;

use crate::Outcome;
use crate::measure::Samples;

/// A way to the application.
#[derive(Clone)]
pub enum Way {
    /// Through whoever listens there, with the preview's token.
    Through(SocketAddr, String),
    /// Over its own socket.
    Direct(PathBuf),
}

/// What is asked again and again.
#[derive(Clone, Copy)]
pub struct Ask {
    pub name: &'static str,
    pub path: &'static str,
    /// Bytes that are sent; none is a GET.
    pub sent: usize,
    /// Bytes that the answer has.
    pub answered: usize,
    /// Requests of a round, at the least.
    pub requests: usize,
    /// Of each connection, at the least.
    pub each: usize,
}

impl Ask {
    /// Requests of each of so many connections.
    pub fn of_each(&self, connections: usize) -> usize {
        self.requests.div_ceil(connections).max(self.each)
    }
}

/// A round of one way.
pub struct Round {
    pub took: Samples,
    /// Of those that were answered as they should be.
    pub per_second: f64,
    /// Requests that were not.
    pub failed: usize,
}

/// Asks over so many connections, which are open before the time counts.
pub async fn round(way: &Way, ask: Ask, connections: usize) -> Outcome<Round> {
    let ready = Arc::new(Barrier::new(connections + 1));
    let clients: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(client(way.clone(), ask, ask.of_each(connections), Arc::clone(&ready))))
        .collect();
    ready.wait().await;
    let began = Instant::now();
    let (mut took, mut failed) = (Samples::default(), 0);
    for client in clients {
        let (samples, failures) = client.await??;
        took.extend(samples);
        failed += failures;
    }
    let per_second = took.len() as f64 / began.elapsed().as_secs_f64();
    Ok(Round { took, per_second, failed })
}

type Connection = SendRequest<Full<Bytes>>;

/// What its requests took, and how many failed.
async fn client(way: Way, ask: Ask, requests: usize, ready: Arc<Barrier>) -> Outcome<(Samples, usize)> {
    let body = Bytes::from(vec![b'x'; ask.sent]);
    let mut connection = open(&way).await;
    // One that has answered once is open all the way.
    if let Ok(connection) = &mut connection {
        // Not counted; where it ends the connection the next one fails, which is, and says less.
        if let Err(e) = exchange(connection, &way, ask, &body).await {
            eprintln!("{}, the first request of a connection failed: {e}", ask.name);
        }
    }
    ready.wait().await;
    let mut connection = connection?;
    let (mut samples, mut failed) = (Samples::default(), 0);
    for _ in 0..requests {
        let began = Instant::now();
        match exchange(&mut connection, &way, ask, &body).await {
            Ok(()) => samples.add(began.elapsed()),
            Err(e) => {
                eprintln!("{}, request {} of a connection failed: {e}", ask.name, samples.len() + failed + 1);
                failed += 1;
                connection = open(&way).await?;
            }
        }
    }
    Ok((samples, failed))
}

async fn open(way: &Way) -> Outcome<Connection> {
    Ok(match way {
        Way::Through(address, _) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender
        }
        Way::Direct(socket) => {
            let (sender, connection) = handshake(TokioIo::new(UnixStream::connect(socket).await?)).await?;
            tokio::spawn(connection);
            sender
        }
    })
}

async fn exchange(connection: &mut Connection, way: &Way, ask: Ask, body: &Bytes) -> Outcome<()> {
    let method = if ask.sent > 0 { "POST" } else { "GET" };
    let mut request = Request::builder().method(method).uri(ask.path).header("host", "localhost");
    if let Way::Through(_, token) = way {
        request = request.header("x-preview-token", token);
    }
    connection.ready().await?;
    let response = connection.send_request(request.body(Full::new(body.clone()))?).await?;
    let status = response.status();
    let mut body = response.into_body();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        size += frame?.data_ref().map_or(0, Bytes::len);
    }
    if status != StatusCode::OK || size != ask.answered {
        return Err(format!("{}: {status} with {size} bytes", ask.path).into());
    }
    Ok(())
}
