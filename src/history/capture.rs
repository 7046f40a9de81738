//! One request while it is under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderValue, Method};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{BODY, Head};
use crate::id::{GenerationId, PreviewId};
use crate::time::UnixMillis;

/// Which way a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Via {
    /// The preview's own address.
    Address,
    /// `POST /preview/request`.
    Api,
    /// A request of the history, sent again.
    Replay,
}

impl Via {
    /// The name on the wire and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Api => "api",
            Self::Replay => "replay",
        }
    }
}

/// What is known of a request so far.
#[derive(Debug)]
pub struct Draft {
    /// Whose history.
    pub generation_id: GenerationId,
    /// Which launch.
    pub preview_id: PreviewId,
    /// Revision of the code.
    pub revision: i64,
    /// When it was asked.
    pub at: UnixMillis,
    /// From here its duration counts.
    pub began: Instant,
    /// Its name in the log.
    pub request_id: HeaderValue,
    /// Which way it came.
    pub via: Via,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub target: String,
    /// Its headers.
    pub request_headers: Head,
    /// Its body.
    pub request_body: Capture,
    /// The answer's status, once there is one.
    pub status: Option<u16>,
    /// The answer's headers.
    pub response_headers: Head,
    /// The answer's body.
    pub response_body: Capture,
    /// How long it took, once it is over.
    pub micros: u64,
}

/// The first bytes of a body, taken down as they pass.
#[derive(Clone, Debug)]
pub struct Capture(Option<Arc<Mutex<Taken>>>);

#[derive(Debug)]
struct Taken {
    bytes: Vec<u8>,
    total: u64,
    /// What all captures together may hold.
    budget: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Capture {
    pub(super) fn new(budget: Arc<Semaphore>) -> Self {
        Self(Some(Arc::new(Mutex::new(Taken { bytes: Vec::new(), total: 0, budget, held: None }))))
    }

    /// For a body that there is not.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self(None)
    }

    /// The next bytes. Where the limits are reached only their number is taken down.
    pub fn push(&self, data: &[u8]) {
        let Some(mut taken) = self.lock() else { return };
        let complete = taken.bytes.len() as u64 == taken.total;
        taken.total += data.len() as u64;
        let wanted = data.len().min(BODY - taken.bytes.len());
        let (true, Ok(permits)) = (complete && wanted > 0, u32::try_from(wanted)) else { return };
        let Ok(permit) = Arc::clone(&taken.budget).try_acquire_many_owned(permits) else { return };
        match &mut taken.held {
            Some(held) => held.merge(permit),
            None => taken.held = Some(permit),
        }
        taken.bytes.extend_from_slice(&data[..wanted]);
    }

    /// What was taken down, and how many bytes there were in all. Afterwards it is empty.
    pub(super) fn take(&self) -> (Vec<u8>, u64) {
        let Some(mut taken) = self.lock() else { return (Vec::new(), 0) };
        let total = std::mem::take(&mut taken.total);
        (std::mem::take(&mut taken.bytes), total)
    }

    fn lock(&self) -> Option<MutexGuard<'_, Taken>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_stops_at_the_limits_and_goes_on_counting() {
        let budget = Arc::new(Semaphore::new(BODY + 10));
        let (one, two) = (Capture::new(Arc::clone(&budget)), Capture::new(Arc::clone(&budget)));
        one.push(&vec![1; BODY - 1]);
        one.push(&[2; 9]);
        one.push(&[3]);
        two.push(&[4; 10]);
        two.push(&[5]);
        two.push(&[]);
        let (bytes, total) = one.take();
        assert_eq!((bytes.len(), bytes.last(), total), (BODY, Some(&2), BODY as u64 + 9));
        assert_eq!(two.take(), (vec![4; 10], 11), "nothing after a gap");
        drop((one, two));
        assert_eq!(budget.available_permits(), BODY + 10);
    }
}
