//! What serve and keeper say to each other: one JSON document a packet, file descriptors beside it.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use crate::config::{Isolation, Limits};

/// Raised when a message changes its meaning. A serve that meets another number says so and leaves what runs alone.
pub const VERSION: u32 = 2;

/// Longest packet in bytes; below the kernel's default socket buffer (212,992).
pub const MAX_PACKET: usize = 128 * 1024;

/// Serve to keeper.
#[derive(Debug, Serialize, Deserialize)]
pub struct Call {
    /// Chosen by serve, repeated in the answer.
    pub seq: u64,
    /// What is wanted.
    pub request: Request,
}

/// What serve can ask for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// First message of a connection.
    Hello {
        /// [`VERSION`] of serve.
        version: u32,
    },
    /// The next preview that is kept, in the order of ids.
    Next {
        /// The last id that is known already.
        after: Option<String>,
    },
    /// Begins to keep a preview: binds its public address, opens its journal.
    Open(Open),
    /// The public listening socket once more, for a serve that was started again.
    Listener {
        /// Whose.
        preview: String,
    },
    /// A line of serve's own for the journal.
    Note {
        /// Whose journal.
        preview: String,
        /// JSON that serve reads back.
        payload: String,
    },
    /// Makes ready what starts of one environment and user begin with. Answered at once.
    Warm(Warm),
    /// Starts the code.
    Start(Box<Start>),
    /// Asks the code to end, and ends it after the grace. [`Message::Exited`] follows.
    Stop {
        /// Whose.
        preview: String,
        /// Which start.
        slot: u32,
        /// Milliseconds for its own shutdown.
        grace_ms: u64,
    },
    /// Serve has read the journal up to here; the keeper may read more output.
    Consumed {
        /// Whose.
        preview: String,
        /// Bytes.
        offset: u64,
    },
    /// Nobody needs the journal before this place any more.
    Trim {
        /// Whose.
        preview: String,
        /// Bytes.
        offset: u64,
        /// The id of the first log entry after it.
        first_id: u64,
    },
    /// Processor and memory use.
    Usage {
        /// Whose.
        preview: String,
    },
    /// Ends everything of a preview: processes, address, files. The journal goes too.
    Close {
        /// Whose.
        preview: String,
    },
}

/// What the keeper needs to begin keeping a preview.
#[derive(Debug, Serialize, Deserialize)]
pub struct Open {
    /// Its id.
    pub preview: String,
    /// Public address to bind.
    pub address: SocketAddr,
    /// Unix milliseconds after which the keeper ends it even if serve never comes back.
    pub deadline_ms: i64,
    /// Directory with the preview's files, removed with it.
    pub work: PathBuf,
}

/// How to start the code.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    /// Whose.
    pub preview: String,
    /// Numbers the starts of one preview.
    pub slot: u32,
    /// The interpreter and what it sees.
    pub warm: Warm,
    /// The environment that the interpreter starts with.
    pub env: Vec<(String, String)>,
    /// The files: the working directory, or what is copied to it.
    pub files: PathBuf,
    /// Directory of the database `preview.db`.
    pub database: PathBuf,
    /// Handed to the runner on descriptor 3, with the working directory as `dir`.
    pub spec: serde_json::Value,
    /// Which layers must hold.
    pub isolation: Isolation,
}

impl Start {
    /// The interpreter's arguments.
    pub fn arguments(&self) -> impl Iterator<Item = String> {
        let options = ["-I", "-S", "-u", "-X", "utf8"].map(str::to_owned);
        options.into_iter().chain([self.warm.runner.display().to_string()])
    }
}

/// What all previews of one environment and user start from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Warm {
    /// Names the environment, up to a dot, and the user.
    pub zygote: String,
    /// The interpreter.
    pub python: PathBuf,
    /// The zygote's program text.
    pub zygote_program: PathBuf,
    /// The runner's program text.
    pub runner: PathBuf,
    /// The text of what a zygote does before it forks.
    pub rehearsal: PathBuf,
    /// Directories of packages.
    pub packages: Vec<PathBuf>,
    /// Directories that are visible, besides the system's libraries.
    pub visible: Vec<PathBuf>,
    /// What each preview may use.
    pub limits: Limits,
    /// Whether they reach the network.
    pub egress: bool,
    /// Whether the kernel may merge equal memory of those that are forked.
    #[serde(default)]
    pub merge: bool,
}

/// Keeper to serve.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Message {
    /// Answer to the call of that number.
    Answer {
        /// Of the call.
        seq: u64,
        /// What came of it.
        answer: Answer,
    },
    /// The journal has grown. Sent once, then not again until [`Request::Consumed`] or the disk changes its mind. While
    /// that does not take the journal, a file comes beside it that has the rest, at the same offsets.
    Output {
        /// Whose.
        preview: String,
    },
    /// A start is over, and all that it printed is in the journal.
    Exited {
        /// Whose.
        preview: String,
        /// Which start.
        slot: u32,
        /// How.
        exit: Exit,
    },
}

/// Answers to calls.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Answer {
    /// Done; a listening socket comes beside it for `Open` and `Listener`.
    Done,
    /// To `Hello`.
    Hello {
        /// [`VERSION`] of the keeper.
        version: u32,
        /// Layers of isolation that this host does not offer, each with the reason.
        missing: Vec<String>,
    },
    /// To `Next`: one, or none that is left. Beside it a file, as with [`Message::Output`].
    Next {
        /// The preview.
        kept: Option<Kept>,
    },
    /// To `Usage`.
    Usage {
        /// Resident bytes of all its processes.
        memory_bytes: u64,
    },
    /// Somebody else has that address.
    AddressInUse,
    /// No such preview, or no such start.
    Unknown,
    /// It did not work.
    Failed {
        /// For the log of serve.
        message: String,
    },
}

/// A preview that the keeper keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Its id.
    pub preview: String,
    /// The starts and how they ended, where they have.
    pub slots: Vec<(u32, Option<Exit>)>,
    /// Set when its deadline passed while nobody was there.
    pub expired: bool,
    /// Milliseconds until its deadline, whatever became of the wall clock; a keeper of an older previewd does not say.
    #[serde(default)]
    pub left_ms: Option<i64>,
    /// The environments that the starts which have not ended run from, by their keys.
    #[serde(default)]
    pub environments: Vec<String>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", content = "value", rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It was killed for using more memory than it is given.
    OutOfMemory,
    /// Whoever kept it died, and it with them.
    Lost,
}
