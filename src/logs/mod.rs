//! A preview's log: from what was printed to what people read.
//!
//! The runtime's output is one ordered sequence of records. [`Classifier`] turns it into entries, always the same ones
//! for the same records, so that an entry keeps its id when serve was killed and reads everything again. [`Hub`] keeps
//! the newest ones and serves every reader at its own pace.

mod ansi;
mod classify;
mod entry;
mod fields;
mod follow;
mod hub;
mod level;
mod note;
mod page;
mod search;
mod structured;

pub use ansi::plain;
pub use classify::Classifier;
pub use entry::{Draft, Entry, Source, StreamName};
pub use fields::Fields;
pub use follow::{Event, Follow, Start};
pub use hub::Hub;
pub use note::Note;
pub use page::{Filter, Page};
pub use search::{RequestId, Text};
