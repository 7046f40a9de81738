//! The end of a server: first it says so, then it listens no more, then what is under way may end.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// For the last bytes of answers that are complete to leave, whatever streams are open: these have no end of their own.
const LAST_BYTES: Duration = Duration::from_millis(500);

/// How far the end is. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    begun: CancellationToken,
    deaf: CancellationToken,
    under_way: TaskTracker,
    connections: TaskTracker,
}

impl Drain {
    /// Whether the server is about to end.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Returns when nobody is to be listened to any more.
    pub async fn deaf(&self) {
        self.deaf.cancelled().await;
    }

    /// Whether that is so.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        self.deaf.is_cancelled()
    }

    /// A token that is cancelled then, and with it what hangs on it.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.deaf.child_token()
    }

    /// A request is under way for as long as the value lives. The end waits for it.
    pub fn under_way(&self) -> TaskTrackerToken {
        self.under_way.token()
    }

    /// Runs what serves a connection. The end waits a moment for it.
    pub fn serve(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.connections.spawn(task);
    }

    /// Says so, waits for `delay`, listens no more, and returns when nothing is under way, or after `patience`.
    /// `false`: something still was.
    pub async fn run(&self, delay: Duration, patience: Duration) -> bool {
        self.begun.cancel();
        tokio::time::sleep(delay).await;
        self.deaf.cancel();
        self.under_way.close();
        self.connections.close();
        let complete = tokio::time::timeout(patience, self.under_way.wait()).await.is_ok();
        let _streams = tokio::time::timeout(LAST_BYTES, self.connections.wait()).await;
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_waits_for_requests_and_not_for_streams() {
        let drain = Drain::default();
        drain.serve(std::future::pending());
        let (request, other) = (drain.under_way(), drain.clone());
        tokio::spawn(async move {
            other.deaf().await;
            assert!(other.has_begun());
            drop(request);
        });
        let long = Duration::from_secs(30);
        assert!(drain.run(Duration::ZERO, long).await);
        let _endless = drain.under_way();
        assert!(!drain.run(Duration::ZERO, Duration::from_millis(1)).await);
    }
}
