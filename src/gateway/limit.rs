//! What one exchange may take: bytes of its request's body, time without a byte, time in all. Most servers set none of it, and
//! nothing is counted then.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Bytes};
use tokio::time::Instant;

use super::expect;
use super::watched::{Polled, Watch, watched};
use crate::config::ExchangeLimits;
use crate::error::{Error, Result};

const MIB: u64 = 1 << 20;
/// For a client to finish sending what is refused.
const DISCARDING: Duration = Duration::from_secs(5);

/// One exchange under limits. Clones count together.
#[derive(Clone, Debug)]
pub struct Meter(Option<Arc<Counts>>);

#[derive(Debug)]
struct Counts {
    limits: ExchangeLimits,
    began: Instant,
    /// Milliseconds from the beginning to the last byte, either way.
    last: AtomicU64,
    too_large: AtomicBool,
}

impl Meter {
    /// From now on.
    pub fn start(limits: ExchangeLimits) -> Self {
        let limited = limits != ExchangeLimits::default();
        Self(limited.then(|| {
            let (last, too_large) = (AtomicU64::new(0), AtomicBool::new(false));
            Arc::new(Counts { limits, began: Instant::now(), last, too_large })
        }))
    }

    /// A byte has passed.
    pub fn touch(&self) {
        let Some(counts) = &self.0 else { return };
        let since = u64::try_from(counts.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        counts.last.store(since, Ordering::Relaxed);
    }

    /// Returns when the exchange has taken too long, with the limit.
    pub async fn over(&self) -> Error {
        let Some(counts) = &self.0 else { return std::future::pending().await };
        let limits = counts.limits;
        loop {
            let silent_since = counts.began + Duration::from_millis(counts.last.load(Ordering::Relaxed));
            let ends = [(counts.began, limits.total), (silent_since, limits.idle)];
            let ends = ends
                .into_iter()
                .filter_map(|(from, limit)| Some((from + Duration::from_secs(limit?), limit?)));
            let Some((end, seconds)) = ends.min() else { return std::future::pending().await };
            if end <= Instant::now() {
                return Error::RequestTimeout { seconds };
            }
            tokio::time::sleep_until(end).await;
        }
    }

    /// The body of a request, counted.
    pub fn request(&self, body: Body) -> Body {
        let Some(counts) = &self.0 else { return body };
        let left = most(counts.limits);
        watched(body, Counted { meter: self.clone(), left, over: None })
    }

    /// The answer, which ends where time is over.
    pub fn response(&self, response: Response<Body>) -> Response<Body> {
        if self.0.is_none() {
            return response;
        }
        let meter = self.clone();
        let over = async move { meter.over().await };
        let counted = Counted { meter: self.clone(), left: None, over: Some(Box::pin(over)) };
        response.map(|body| watched(body, counted))
    }

    /// Why there is no answer: that of the limits, if one was reached.
    pub fn reason(&self, error: Error) -> Error {
        let counts = self.0.as_ref().filter(|counts| counts.too_large.load(Ordering::Relaxed));
        counts.and_then(|counts| most(counts.limits)).map_or(error, too_large)
    }
}

/// Bytes that a body may have.
fn most(limits: ExchangeLimits) -> Option<u64> {
    limits.body_mb.map(|limit| limit.saturating_mul(MIB))
}

fn too_large(limit: u64) -> Error {
    Error::TooLarge { what: "The request's body".to_owned(), limit }
}

/// Looks at the size that a body says it has.
///
/// # Errors
/// `too_large`.
pub fn check(limits: ExchangeLimits, size: u64) -> Result<()> {
    most(limits).filter(|most| size > *most).map_or(Ok(()), |most| Err(too_large(most)))
}

/// Reads for a while what nobody wants: a client that is still sending would not read its answer. One that waits to be asked
/// for its body is not asked.
pub fn discard_body(request: Request<Body>) {
    if !request.body().is_end_stream() && !expect::is_expected(request.headers()) {
        tokio::spawn(discard(request.into_body()));
    }
}

async fn discard(mut body: Body) {
    let all = async { while let Some(Ok(_)) = body.frame().await {} };
    let _all_or_not = tokio::time::timeout(DISCARDING, all).await;
}

type Over = Pin<Box<dyn Future<Output = Error> + Send>>;

/// Counts a body.
struct Counted {
    meter: Meter,
    /// Bytes that it may still have.
    left: Option<u64>,
    /// The end of its time.
    over: Option<Over>,
}

impl Counted {
    /// Whether so many more are not too many.
    fn count(&mut self, data: &Bytes) -> bool {
        self.meter.touch();
        let Some(left) = &mut self.left else { return true };
        let rest = left.checked_sub(data.len() as u64);
        if let (None, Some(counts)) = (rest, &self.meter.0) {
            counts.too_large.store(true, Ordering::Relaxed);
        }
        *left = rest.unwrap_or(0);
        rest.is_some()
    }
}

impl Watch for Counted {
    fn poll(&mut self, body: &mut Body, cx: &mut Context<'_>) -> Polled {
        let polled = Pin::new(&mut *body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if frame.data_ref().is_some_and(|data| !self.count(data)) {
                    tokio::spawn(discard(std::mem::take(body)));
                    return Poll::Ready(Some(Err(axum::Error::new("the body is too large"))));
                }
            }
            Poll::Pending => {
                if let Some(Poll::Ready(late)) = self.over.as_mut().map(|over| over.as_mut().poll(cx)) {
                    return Poll::Ready(Some(Err(axum::Error::new(late))));
                }
            }
            Poll::Ready(_) => {}
        }
        polled
    }
}
