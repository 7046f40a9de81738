//! What previews were asked and what they answered: captured beside the streams, written in the background, never in
//! the way of a request. Secrets are taken out before anything is written.

mod capture;
mod detail;
mod head;
mod redact;
mod writer;

pub use capture::{Capture, Draft, Via};
pub use detail::{Body, Detail, Encoding};
pub use head::Head;
pub use writer::{History, TakenDown};

/// Requests that are kept of a generation.
pub const KEPT: usize = 500;
/// Bytes that are kept of a body.
pub const BODY: usize = 64 * 1024;
