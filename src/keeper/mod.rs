//! The keeper: the process that owns what must survive `serve`. Child processes, their output,
//! the public listening sockets and each preview's deadline live here, and nothing else: no HTTP, no database.
//!
//! One keeper per data directory. `serve` starts it when none answers and speaks to it over a
//! `SOCK_SEQPACKET` unix socket of mode 0600; when it has nothing to keep and nobody is connected, it exits.

mod beginnings;
mod capture;
mod client;
mod connection;
mod forker;
mod forks;
mod held;
mod housing;
mod identity;
mod imports;
pub mod journal;
mod limits;
pub mod making;
mod packets;
pub mod places;
mod process;
pub mod protocol;
mod readiness;
mod recipe;
mod server;
mod spare;
mod successor;
pub mod zygote;
mod zygotes;

pub use client::{Client, ClientError, Event};
pub use housing::bounds;
pub use process::kill_marked as kill_strays;
pub use readiness::watched_for;
pub use server::run;

use std::path::{Path, PathBuf};

/// File names below the data directory that keeper and serve agree on.
#[derive(Clone, Debug)]
pub struct Layout {
    data_dir: PathBuf,
}

impl Layout {
    /// The layout below `data_dir`, which must exist.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned() }
    }

    /// The data directory itself.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where serve and keeper meet; relative to [`Self::data_dir`], see [`packets::connect_in`].
    #[must_use]
    pub fn socket_name() -> &'static str {
        "keeper.sock"
    }

    /// Held by the keeper for as long as it lives.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.data_dir.join("keeper.lock")
    }

    /// What the keeper has to say about itself.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.data_dir.join("keeper.log")
    }

    /// All previews' run directories.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.data_dir.join("run")
    }

    /// One preview's run directory: its journal and its sockets.
    #[must_use]
    pub fn preview(&self, preview: &str) -> PathBuf {
        self.run().join(preview)
    }

    /// One preview's output.
    #[must_use]
    pub fn journal(&self, preview: &str) -> PathBuf {
        self.preview(preview).join("journal")
    }

    /// The socket that the code of one start listens on.
    #[must_use]
    pub fn socket(&self, preview: &str, slot: u32) -> PathBuf {
        self.preview(preview).join(format!("{slot}.sock"))
    }
}
