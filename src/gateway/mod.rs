//! A preview's own origin: checks the token, takes it off, and passes everything else through.

mod forward;
mod serve;
mod token;
mod upgrade;

pub use forward::Forwarder;
pub use serve::{request_id, serve};

/// Request header that carries the preview's token.
pub const TOKEN_HEADER: &str = "x-preview-token";
/// Names a request in the preview's log.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
