//! What previewd itself does, as lines of the same log.

use serde::{Deserialize, Serialize};

use super::Source;
use crate::config::LogLevel;

/// A line of ours, as it travels through the runtime's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How grave.
    pub level: LogLevel,
    /// What it is about.
    pub source: Source,
    /// The text.
    pub message: String,
}

impl Note {
    /// An ordinary line.
    pub fn info(source: Source, message: impl Into<String>) -> Self {
        Self { level: LogLevel::Info, source, message: message.into() }
    }

    /// A line that may need a look.
    pub fn warn(source: Source, message: impl Into<String>) -> Self {
        Self { level: LogLevel::Warn, ..Self::info(source, message) }
    }

    /// A line about a failure.
    pub fn error(source: Source, message: impl Into<String>) -> Self {
        Self { level: LogLevel::Error, ..Self::info(source, message) }
    }

    /// For the runtime's output.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
