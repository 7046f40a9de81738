use serde::{Deserialize, Serialize};

/// What a user may have at once. On the wire: `free`, `pro`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The default, and what an unknown tier counts as.
    #[default]
    Free,
    /// Three times the previews of `Free`.
    Pro,
}

impl Tier {
    /// Reads a name exactly as it is on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Free, Self::Pro].into_iter().find(|tier| tier.as_str() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
        }
    }
}
