//! What a generation offers: from its running application's OpenAPI document, from its source, or from both.

mod document;
mod merge;
mod running;
mod source;

pub use document::{UnusableDocument, from_openapi, from_openapi_value};
pub use merge::merge;
pub use running::{Running, Unanswered, ask, merge_running, read_offer};
pub use source::from_source;
