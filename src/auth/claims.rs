use serde::{Deserialize, Serialize};

use super::Tier;
use crate::id::UserId;
use crate::time::UnixMillis;

/// Longest user id, in bytes.
const MAX_USER: usize = 256;

/// What a token says. `exp` is checked before anyone reads it here.
#[derive(Serialize, Deserialize)]
pub(super) struct Claims {
    pub sub: String,
    #[serde(default)]
    tier: serde_json::Value,
    #[serde(skip_deserializing)]
    iat: i64,
    #[serde(skip_deserializing)]
    exp: i64,
}

impl Claims {
    pub fn new(user: &UserId, tier: Tier, now: UnixMillis, until: UnixMillis) -> Self {
        Self { sub: user.0.clone(), tier: tier.as_str().into(), iat: now.0 / 1000, exp: until.0 / 1000 }
    }

    pub fn tier(&self) -> Tier {
        self.tier.as_str().and_then(Tier::parse).unwrap_or_default()
    }
}

/// What can be a user id: anything the host application calls its users, as long as every store can hold it.
pub(super) fn user(sub: &str) -> Option<UserId> {
    let is_plain = !sub.trim().is_empty() && sub.len() <= MAX_USER && !sub.contains(char::is_control);
    is_plain.then(|| UserId(sub.to_owned()))
}
