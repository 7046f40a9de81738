//! What can go wrong: the step that failed and what the kernel said.

use std::io;

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A step that failed. The text is for operators: it may name paths of the host.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call of ours.
    #[error("{step}: {source}")]
    Step {
        /// What was tried, as `mount tmpfs`.
        step: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A step inside the helper process, told over its socket.
    #[error("{0}")]
    Helper(String),
    /// A layer that the host does not offer.
    #[error("{0}")]
    Unavailable(String),
}

/// Names the step that an `io::Result` or `rustix::io::Result` belongs to.
pub(crate) trait Context<T> {
    fn step(self, step: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn step(self, step: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Step { step: step.into(), source: source.into() })
    }
}
