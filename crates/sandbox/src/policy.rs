//! What a sandbox shows, allows and gives.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The only writable place inside: a tmpfs of its own, limited in size.
pub const HOME: &str = "/box";
/// Where the files are copied to and where programs start.
pub const WORK_DIR: &str = "/box/app";
/// The user and group id that everything has inside.
pub const INNER_ID: u32 = 1000;

/// One sandbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// The user and group id of the host that everything inside has. Only a privileged caller can
    /// give one; without, it is the caller's own.
    pub identity: Option<u32>,
    /// For a [`Role::Forker`] of a privileged caller: the first, and how many, of the host's ids that
    /// sandboxes within this one may have.
    pub delegated: Option<(u32, u32)>,
    /// What it is for.
    pub role: Role,
    /// What of the network there is.
    pub network: Network,
    /// Directories shown read-only at the same path, besides the system's libraries.
    pub read_only: Vec<PathBuf>,
    /// Directories shown read-only at another path, the second of each pair. Only where there are namespaces.
    pub exchanged: Vec<(PathBuf, PathBuf)>,
    /// Directories that outlive the sandbox, writable inside.
    pub kept: Vec<Kept>,
    /// Directories of [`Policy::identity`] that outlive the sandbox, writable inside at the same path.
    pub writable: Vec<PathBuf>,
    /// A directory whose files are copied to [`WORK_DIR`]. Links and devices are left out.
    pub files: Option<PathBuf>,
    /// How much it may use.
    pub limits: Limits,
    /// Whether nobody waits for it: then its making gives way to other work.
    pub ahead: bool,
}

impl Policy {
    /// Nothing but the system's libraries and an empty home.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            identity: None,
            delegated: None,
            role: Role::Program,
            network: Network::None,
            read_only: Vec::new(),
            exchanged: Vec::new(),
            kept: Vec::new(),
            writable: Vec::new(),
            files: None,
            limits,
            ahead: false,
        }
    }
}

/// A directory of the host that is writable inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Directory of the host. Its files are given to [`Policy::identity`].
    pub source: PathBuf,
    /// Name under [`HOME`] where it is mounted.
    pub name: String,
    /// Links in [`WORK_DIR`] to entries of it, as `preview.db`.
    pub links: Vec<String>,
}

impl Kept {
    /// Where it is inside.
    #[must_use]
    pub fn target(&self) -> PathBuf {
        Path::new(HOME).join(&self.name)
    }
}

/// What a sandbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Programs run in it, with every layer.
    Program,
    /// A process in it forks children that join sandboxes made within this one, and so must be allowed to join:
    /// it stays among the host's processes (which it cannot see, but could signal those of its own user), and
    /// fewer rules hold for it.
    Forker,
}

/// What of the network is reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// A loopback interface of its own, nothing else.
    None,
    /// The host's, but for binding TCP ports where landlock can forbid it.
    Host,
}

/// How much a sandbox may use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory, files in its home included.
    pub memory: u64,
    /// Processes and threads.
    pub tasks: u64,
    /// Open files of one process.
    pub open_files: u64,
    /// Bytes of files in its home.
    pub disk: u64,
    /// Cores, as 0.5.
    pub cpu: f64,
}
