//! Asking the running server, as the owner of the preview.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::refused;
use crate::auth::Auth;
use crate::cli::serve::{Failed, doing};
use crate::cli::served::address_of;
use crate::config::{Config, Tier};
use crate::id::{GenerationId, UserId};
use crate::store::Store;

/// Seconds that a token of ours is good: one connection needs it only at its beginning.
const TOKEN_LIFE: u64 = 300;
/// For a server that went away to come back.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// The log of one generation's preview, and where it is.
#[derive(Clone)]
pub(super) struct Log {
    server: SocketAddr,
    generation: GenerationId,
    owner: UserId,
    token: String,
}

impl Log {
    /// Finds the generation, or the one whose preview was launched last.
    pub(super) async fn find(config: &Config, named: Option<&str>) -> Result<Self, Failed> {
        let server = serving(config).await.ok_or_else(|| {
            let directory = config.data_dir.display();
            refused(format!("no server runs for {directory}; start `previewd serve`, or name its --data-dir"))
        })?;
        let store = Store::open(&config.store_url).await.map_err(doing("the store cannot be opened"))?;
        let unread = || doing("the store cannot be read");
        let (generation, owner) = match named {
            Some(name) => {
                let unknown = || refused(format!("there is no generation {name}"));
                let id = GenerationId::parse(name).ok_or_else(unknown)?;
                let found = store.generation(&id).await.map_err(unread())?.ok_or_else(unknown)?;
                (found.id, found.user_id)
            }
            None => {
                let last = store.newest_preview().await.map_err(unread())?;
                let none = || refused("nothing was launched yet; the log begins with a launch");
                let last = last.ok_or_else(none)?;
                (last.generation_id, last.user_id)
            }
        };
        Self { server, generation, owner, token: String::new() }.signed(config)
    }

    fn signed(mut self, config: &Config) -> Result<Self, Failed> {
        let auth = Auth::open(config).map_err(doing("tokens cannot be made"))?;
        self.token =
            auth.issue(&self.owner, Tier::Free, TOKEN_LIFE).map_err(doing("tokens cannot be made"))?;
        Ok(self)
    }

    /// As [`Self::open`], at the next server of the data directory, once that answers.
    pub(super) async fn open_again(&mut self, config: &Config, rest: &str) -> Result<Option<Lines>, Failed> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            if let Some(server) = serving(config).await {
                *self = Self { server, ..self.clone() }.signed(config)?;
                // One that is dying still takes connections, and answers none.
                if let Ok(answer) = self.ask(rest).await {
                    return read(answer).await;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(refused("the server did not come back"))
    }

    /// The lines of an answer; `None` if there is nothing more to come.
    pub(super) async fn open(&self, rest: &str) -> Result<Option<Lines>, Failed> {
        read(self.ask(rest).await?).await
    }

    async fn ask(&self, rest: &str) -> Result<Response<Incoming>, Failed> {
        let unreached = |e: String| refused(format!("the server at {} does not answer: {e}", self.server));
        let stream = TcpStream::connect(self.server).await.map_err(|e| unreached(e.to_string()))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|e| unreached(e.to_string()))?;
        tokio::spawn(connection);
        let request = Request::get(format!("/api/generations/{}/preview/logs{rest}", self.generation))
            .header("host", self.server.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .body(Empty::<Bytes>::new())
            .map_err(doing("the request cannot be made"))?;
        sender.send_request(request).await.map_err(|e| unreached(e.to_string()))
    }
}

async fn read(answer: Response<Incoming>) -> Result<Option<Lines>, Failed> {
    match answer.status() {
        StatusCode::OK => Ok(Some(Lines { body: answer.into_body(), buffer: BytesMut::new() })),
        StatusCode::NO_CONTENT => Ok(None),
        status => Err(refused(message_of(answer.into_body(), status).await)),
    }
}

/// Where the server of the data directory accepts connections.
async fn serving(config: &Config) -> Option<SocketAddr> {
    let server = address_of(&config.data_dir)?;
    TcpStream::connect(server).await.is_ok().then_some(server)
}

/// What an error of the API says.
async fn message_of(body: Incoming, status: StatusCode) -> String {
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let told = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
    let message = told.as_ref().and_then(|told| told["message"].as_str());
    message.map_or_else(|| format!("the server answered {status}"), str::to_owned)
}

/// An answer, line by line.
pub(super) struct Lines {
    body: Incoming,
    buffer: BytesMut,
}

impl Lines {
    /// The next line; `None` at the end, and where the connection breaks.
    pub(super) async fn next(&mut self) -> Option<String> {
        let mut looked = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[looked..]) {
                let line = self.buffer.split_to(looked + at);
                self.buffer.advance(1);
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            looked = self.buffer.len();
            let data = self.body.frame().await?.ok()?.into_data();
            self.buffer.extend_from_slice(&data.unwrap_or_default());
        }
    }
}
