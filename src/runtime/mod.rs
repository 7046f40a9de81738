//! The seam between a preview and the machine that it runs on.
//!
//! A runtime starts and ends code, tells when it ended, hands over its output from any place, and gives a stream to
//! talk to it. Nothing here names a process, a path or a descriptor, so that a cluster can stand behind it.
//! [`local`] speaks to the keeper of this machine.

pub mod local;
mod places;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

use crate::environment::Environment;
use crate::id::{PreviewId, UserId};
use crate::time::{Steady, UnixMillis};

pub use places::Places;

pub use crate::keeper::journal::{Kind, Record};
pub use crate::keeper::protocol::Exit;

/// A byte stream to the running code.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why the machine did not do it.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Somebody else has that public address.
    #[error("the address is in use")]
    AddressInUse,
    /// It does not know that preview, or no longer.
    #[error("the preview is not kept here")]
    Unknown,
    /// What ran the previews has died.
    #[error("the keeper died")]
    Gone,
    /// What runs the previews is there and does not answer.
    #[error("the keeper does not answer")]
    Silent,
    /// It tried, and failed.
    #[error("{0}")]
    Failed(String),
}

/// A preview's place: its public address and its end, before anything runs.
#[derive(Debug)]
pub struct Open {
    /// Whose.
    pub id: PreviewId,
    /// The public address to hold.
    pub address: SocketAddr,
    /// After this moment nothing of it may be left, whoever is there to see to it.
    pub deadline: UnixMillis,
}

/// The code to start.
#[derive(Debug)]
pub struct Start<'a> {
    /// The generation's files.
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// Bytecode of modules among them, where Python looks for it.
    pub bytecode: BTreeMap<String, Vec<u8>>,
    /// Its packages and interpreter.
    pub environment: &'a Environment,
    /// `package.module:attribute`.
    pub entrypoint: &'a str,
    /// Whether the attribute is to be called.
    pub factory: bool,
    /// The preview's environment variables, complete.
    pub variables: BTreeMap<String, String>,
    /// Directory of the generation's own database, if that is to be seen as `./preview.db`.
    pub database: Option<&'a std::path::Path>,
    /// Whose code it is: nothing that runs is shared between users.
    pub user: &'a UserId,
    /// Requests with this value of `X-Previewd-Probe` are ours and not logged.
    pub probe: &'a str,
}

/// Code that is imported to be asked what it offers, and not served.
#[derive(Debug)]
pub struct Describe<'a> {
    /// The generation's files.
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// Its packages and interpreter.
    pub environment: &'a Environment,
    /// `package.module:attribute`.
    pub entrypoint: &'a str,
    /// Whether the attribute is to be called.
    pub factory: bool,
    /// The environment variables, complete.
    pub variables: BTreeMap<String, String>,
}

/// Why code did not say what it offers. The texts may be shown, but for the host's.
#[derive(Debug, thiserror::Error)]
pub enum Undescribed {
    /// It is not imported without every layer of isolation.
    #[error("importing it takes every layer of isolation, which this server does not have")]
    NotIsolated,
    /// It was still at it at the deadline.
    #[error("importing it takes too long")]
    TooLate,
    /// It said more than is read.
    #[error("its OpenAPI document is too large")]
    TooLarge,
    /// It ended without an answer.
    #[error("importing it fails: {0}")]
    Failed(String),
    /// The machine could not do it.
    #[error("this server could not import it")]
    Host(#[source] RuntimeError),
}

/// A preview that the machine kept while nobody was connected.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its id.
    pub id: PreviewId,
    /// The starts, and how they ended where they have.
    pub slots: Vec<(u32, Option<Exit>)>,
    /// When the runtime ends it, where it says so.
    pub deadline: Option<Steady>,
    /// Keys of the environments that it runs from.
    pub environments: Vec<String>,
}

/// What runs previews. A slot numbers the starts of one preview: a reload runs two side by side.
pub trait Runtime: Send + Sync {
    /// Holds a preview's place and gives the public listening socket.
    fn open<'a>(&'a self, open: Open) -> BoxFuture<'a, Result<TcpListener, RuntimeError>>;
    /// The public listening socket of a preview that is kept.
    fn listener<'a>(&'a self, id: &'a PreviewId) -> BoxFuture<'a, Result<TcpListener, RuntimeError>>;
    /// Makes ready what the previews of one environment and user begin with. Failing is no harm: it is made at launch then.
    fn warm<'a>(&'a self, environment: &'a Environment, user: &'a UserId) -> BoxFuture<'a, ()>;
    /// Starts code; it serves once [`Runtime::dial`] gets an answer.
    fn start<'a>(
        &'a self,
        id: &'a PreviewId,
        slot: u32,
        start: Start<'a>,
    ) -> BoxFuture<'a, Result<(), RuntimeError>>;
    /// Imports code in a sandbox of its own, and gives what the runner wrote of it. Nothing of it is left then.
    fn describe<'a>(&'a self, describe: Describe<'a>) -> BoxFuture<'a, Result<Vec<u8>, Undescribed>>;
    /// Compiles modules in a sandbox of its own, and runs none. Gives what Python keeps of each, by the same paths; those that cannot be
    /// compiled are missing.
    fn compile<'a>(
        &'a self,
        environment: &'a Environment,
        modules: &'a BTreeMap<String, Vec<u8>>,
    ) -> BoxFuture<'a, Result<BTreeMap<String, Vec<u8>>, RuntimeError>>;
    /// Asks code to end, and ends it after `grace`.
    fn stop<'a>(&'a self, id: &'a PreviewId, slot: u32, grace: Duration) -> BoxFuture<'a, ()>;
    /// Returns when a start is over and all its output can be read.
    fn ended<'a>(&'a self, id: &'a PreviewId, slot: u32) -> BoxFuture<'a, Exit>;
    /// A new stream to the code.
    fn dial<'a>(&'a self, id: &'a PreviewId, slot: u32) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;
    /// Everything that was printed and noted, from the oldest that is still there.
    fn output(&self, id: &PreviewId) -> io::Result<Box<dyn Output>>;
    /// The places of the machine that the code may name in its output.
    fn places(&self, id: &PreviewId) -> Places;
    /// Adds a line of ours to the output.
    fn note<'a>(&'a self, id: &'a PreviewId, payload: String) -> BoxFuture<'a, Result<(), RuntimeError>>;
    /// Resident bytes of all that the preview runs; `None` if it cannot be told.
    fn memory_bytes<'a>(&'a self, id: &'a PreviewId) -> BoxFuture<'a, Option<u64>>;
    /// Ends everything of a preview. Afterwards its address is free and its files are gone.
    fn close<'a>(&'a self, id: &'a PreviewId) -> BoxFuture<'a, Result<(), RuntimeError>>;
    /// Whether what runs previews is there and says so.
    fn answers<'a>(&'a self) -> BoxFuture<'a, bool>;
    /// What is kept now.
    fn kept<'a>(&'a self) -> BoxFuture<'a, Result<Vec<Kept>, RuntimeError>>;
    /// Removes what dead runtimes left behind of previews that nobody keeps.
    fn sweep<'a>(&'a self) -> BoxFuture<'a, Result<(), RuntimeError>>;
}

/// A preview's output as it grows.
pub trait Output: Send {
    /// The id of the log entry at which the output begins.
    fn first_id(&self) -> u64;
    /// The next records, at most some thousands; waits when there are none yet. Those that come one by one may gather for so long,
    /// but for the first after a pause. Empty when there will be no more.
    fn next_batch(&mut self, gather: Duration) -> BoxFuture<'_, io::Result<Vec<Record>>>;
    /// The records that are there now, without waiting.
    fn drain(&mut self) -> io::Result<Vec<Record>>;
    /// From where on what was read is kept in memory for lack of room, of which there is little. `None` as a rule.
    fn in_memory_from(&self) -> Option<u64>;
    /// Nobody needs what lies before `offset` any more, where entry `first_id` begins.
    fn trim(&mut self, offset: u64, first_id: u64) -> BoxFuture<'_, ()>;
}
