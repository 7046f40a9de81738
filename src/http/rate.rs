//! How often a user may do what is expensive.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::id::UserId;

/// Users that are remembered; beyond it those whose minute is over are forgotten.
const MANY: usize = 10_000;
const MINUTE: Duration = Duration::from_secs(60);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Launches of previews.
    Launches,
    /// Uploads of generations.
    Uploads,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Launches => "launches",
            Self::Uploads => "uploads",
        }
    }
}

/// Counts per user and minute. A limit that is not set is none.
#[derive(Debug)]
pub(super) struct Rates {
    launches: Option<u32>,
    uploads: Option<u32>,
    windows: Mutex<HashMap<(Kind, UserId), (Instant, u32)>>,
}

impl Rates {
    /// With these limits per minute.
    pub fn new(launches: Option<u32>, uploads: Option<u32>) -> Self {
        Self { launches, uploads, windows: Mutex::default() }
    }

    /// Counts one, or says when the next may come.
    pub fn take(&self, kind: Kind, user: &UserId) -> Result<()> {
        let limit = match kind {
            Kind::Launches => self.launches,
            Kind::Uploads => self.uploads,
        };
        let Some(limit) = limit else { return Ok(()) };
        let now = Instant::now();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() > MANY {
            windows.retain(|_, (began, _)| now.duration_since(*began) < MINUTE);
        }
        let (began, count) = windows.entry((kind, user.clone())).or_insert((now, 0));
        if now.duration_since(*began) >= MINUTE {
            (*began, *count) = (now, 0);
        }
        if *count >= limit {
            let left = MINUTE.saturating_sub(now.duration_since(*began));
            return Err(Error::RateLimited { what: kind.name(), retry_after: left.as_secs() + 1 });
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_limit_of_their_own() {
        let rates = Rates::new(Some(2), None);
        let (ana, bo) = (UserId("ana".into()), UserId("bo".into()));
        rates.take(Kind::Launches, &ana).unwrap();
        rates.take(Kind::Launches, &ana).unwrap();
        assert!(matches!(
            rates.take(Kind::Launches, &ana),
            Err(Error::RateLimited { retry_after: 1..=61, .. })
        ));
        rates.take(Kind::Launches, &bo).unwrap();
        rates.take(Kind::Uploads, &ana).unwrap();
    }
}
