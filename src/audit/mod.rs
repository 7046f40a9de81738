//! The audit log: who asked for what, and whether it was done. For the operator, never for users.
//!
//! A file of lines in the data directory and no table of the store: it takes an entry when the store does not, nothing
//! that a user deletes takes an entry with it, and whoever reads it needs no server. It is written beside the answers,
//! by a thread of its own, and keeps at least half of its limit.

mod file;
mod writer;

use serde::{Deserialize, Serialize};

pub use file::read;
pub use writer::Audit;

/// One call that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was answered, or given up.
    pub timestamp: String,
    /// Who asked.
    pub user: String,
    /// For what, as `preview.launch`.
    pub action: String,
    /// The HTTP status of the answer; none where the caller left before.
    #[serde(default)]
    pub status: Option<u16>,
    /// The project that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The generation that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// The preview that was launched, read or stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// The file that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where the call came from: the client's address, or the proxy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}
