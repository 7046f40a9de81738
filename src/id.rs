//! Identifiers: a prefix that says what is meant, then 96 random bits in hexadecimal.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest identifier that a request may name; ours are at most 32 bytes.
const MAX_LEN: usize = 64;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// A new one that nobody can guess.
            ///
            /// # Errors
            /// If the operating system has no randomness to give.
            pub fn random() -> Result<Self, getrandom::Error> {
                Ok(Self(format!("{}{}", $prefix, random_hex::<12>()?).into()))
            }

            /// Takes what a request or a row says; `None` for what can be no identifier of this kind.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let rest = text.strip_prefix($prefix)?;
                let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                (!rest.is_empty() && text.len() <= MAX_LEN && rest.bytes().all(plain))
                    .then(|| Self(text.into()))
            }

            /// The text that goes over the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A project: `proj_…`.
    ProjectId, "proj_"
);
id!(
    /// A generation, one uploaded backend: `gen_…`.
    GenerationId, "gen_"
);
id!(
    /// One launch of a generation: `preview_…`.
    PreviewId, "preview_"
);

/// Who calls: the `sub` of a token, as the host application wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub String);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `N` random bytes as hexadecimal.
///
/// # Errors
/// If the operating system has no randomness to give.
pub fn random_hex<const N: usize>() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_parse_and_differ() {
        let (a, b) = (GenerationId::random().unwrap(), GenerationId::random().unwrap());
        assert_ne!(a, b);
        assert_eq!(GenerationId::parse(a.as_str()), Some(a));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "gen_", "proj_1", "gen_../x", "gen_a/b", "gen_\0", "gen_é"] {
            assert_eq!(GenerationId::parse(text), None, "{text:?}");
        }
        assert_eq!(GenerationId::parse(&format!("gen_{}", "a".repeat(65))), None);
    }
}
