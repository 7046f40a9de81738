use std::fmt;

use serde::{Deserialize, Serialize};

/// How grave a line is, from the least to the most. On the wire and in the store: `INFO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// For whoever wrote the program.
    Debug,
    /// The ordinary.
    Info,
    /// May need a look.
    Warn,
    /// Went wrong.
    Error,
}

impl LogLevel {
    /// All of them, from the least grave to the gravest.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// Reads a name in either case; `WARNING` is what Python calls `WARN`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("warning") {
            return Some(Self::Warn);
        }
        Self::ALL.into_iter().find(|level| name.eq_ignore_ascii_case(level.as_str()))
    }

    /// The name, as `INFO`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_either_case_and_ordered_by_gravity() {
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::parse(&level.to_string().to_lowercase()), Some(level));
        }
        assert_eq!(LogLevel::parse("Warning"), Some(LogLevel::Warn));
        assert_eq!(LogLevel::parse("loud"), None);
        assert!(LogLevel::Debug < LogLevel::Info && LogLevel::Warn < LogLevel::Error);
    }
}
