//! Moves a preview's output into its log.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::logs::{Classifier, Hub};
use crate::runtime::{Output, Places, Record};

/// Once so much lies before the oldest entry that is kept, it is given back to the disk.
const TRIM_STEP: u64 = 4 * 1024 * 1024;
/// Once the machine keeps so much in memory for lack of room, half of it is given back: whoever reads has it already,
/// and only a server that is started anew will miss it.
const MEMORY_STEP: u64 = 4 * 1024 * 1024;
/// How often a traceback that is held back is looked at.
const LOOK: Duration = Duration::from_millis(25);
/// How long lines gather while nobody follows the log: a line for each request would cost more than the request.
const GATHER: Duration = Duration::from_millis(10);

/// The one writer of a preview's log.
pub struct Pump {
    output: Box<dyn Output>,
    classifier: Classifier,
    hub: Arc<Hub>,
    offset: u64,
    trimmed: u64,
}

/// A pump at work.
#[derive(Debug)]
pub struct Pumping {
    /// Dropped to stop it; a message asks it to take everything that is there, and to say so.
    orders: mpsc::Sender<oneshot::Sender<()>>,
    task: JoinHandle<Pump>,
}

impl std::fmt::Debug for Pump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pump").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Pump {
    /// Reads `output` into `hub`.
    pub fn new(output: Box<dyn Output>, hub: Arc<Hub>, places: Places) -> Self {
        Self { output, classifier: Classifier::new(places), hub, offset: 0, trimmed: 0 }
    }

    /// Works until it is stopped or there is nothing more to come.
    #[must_use]
    pub fn spawn(self) -> Pumping {
        let (orders, received) = mpsc::channel(1);
        let task = tokio::spawn(self.run(received));
        Pumping { orders, task }
    }

    async fn run(mut self, mut orders: mpsc::Receiver<oneshot::Sender<()>>) -> Self {
        loop {
            let waiting = self.classifier.is_waiting();
            let gather = if self.hub.is_followed() { Duration::ZERO } else { GATHER };
            let batch = tokio::select! {
                order = orders.recv() => match order.map(|done| (self.drain(), done)) {
                    Some((Ok(()), done)) => {
                        let _asker_left = done.send(());
                        continue;
                    }
                    Some((Err(e), _)) => Err(e),
                    None => return self,
                },
                batch = self.output.next_batch(gather) => batch,
                () = tokio::time::sleep(LOOK), if waiting => {
                    self.look();
                    continue;
                }
            };
            match batch {
                Ok(batch) if batch.is_empty() => return self,
                Ok(batch) => {
                    if let Some((offset, id)) = self.take(&batch) {
                        self.trim(offset, id).await;
                    }
                    self.spare_memory().await;
                }
                Err(e) => {
                    tracing::error!(error = %e, "a preview's output cannot be read");
                    return self;
                }
            }
        }
    }

    fn look(&mut self) {
        let now = jiff::Timestamp::now().as_microsecond().unsigned_abs();
        if self.classifier.is_overdue(now) {
            self.flush();
        }
    }

    fn take(&mut self, batch: &[Record]) -> Option<(u64, u64)> {
        let mut drafts = Vec::with_capacity(batch.len());
        for record in batch {
            self.classifier.take(record, self.offset, &mut drafts);
            self.offset = record.next_offset;
        }
        if drafts.is_empty() { None } else { self.hub.append(&drafts) }
    }

    fn flush(&mut self) {
        let mut drafts = Vec::new();
        self.classifier.flush(&mut drafts);
        if !drafts.is_empty() {
            self.hub.append(&drafts);
        }
    }

    async fn trim(&mut self, offset: u64, id: u64) {
        if offset > self.trimmed + TRIM_STEP {
            self.trimmed = offset;
            self.output.trim(offset, id).await;
        }
    }

    async fn spare_memory(&mut self) {
        let Some(from) = self.output.in_memory_from() else { return };
        if self.offset > from.max(self.trimmed) + MEMORY_STEP
            && let Some((offset, id)) = self.hub.place_from(self.offset - MEMORY_STEP / 2)
        {
            self.trimmed = offset;
            self.output.trim(offset, id).await;
        }
    }

    /// Takes everything that is there, a traceback without an end included.
    ///
    /// # Errors
    /// If the output cannot be read.
    pub fn drain(&mut self) -> io::Result<()> {
        loop {
            let batch = self.output.drain()?;
            if batch.is_empty() {
                self.flush();
                return Ok(());
            }
            self.take(&batch);
        }
    }
}

impl Pumping {
    /// Returns when everything that was printed before is in the log.
    pub async fn catch_up(&self) {
        let (done, answer) = oneshot::channel();
        if self.orders.send(done).await.is_ok() {
            let _it_has_stopped = answer.await;
        }
    }

    /// Stops it and gives it back.
    pub async fn stop(self) -> Option<Pump> {
        drop(self.orders);
        self.task.await.inspect_err(|e| tracing::error!(error = %e, "a log's writer failed")).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::logs::{Filter, Follow, Start};
    use crate::runtime::Kind;

    /// Says so many lines, one a batch, and takes down for how long it was let gather.
    struct Said {
        left: VecDeque<&'static [u8]>,
        gathered: Arc<Mutex<Vec<Duration>>>,
    }

    impl Output for Said {
        fn first_id(&self) -> u64 {
            1
        }

        fn next_batch(&mut self, gather: Duration) -> BoxFuture<'_, io::Result<Vec<Record>>> {
            self.gathered.lock().unwrap().push(gather);
            std::future::ready(self.drain()).boxed()
        }

        fn drain(&mut self) -> io::Result<Vec<Record>> {
            let record = |line: &[u8]| Record {
                kind: Kind::Stdout,
                cut: false,
                slot: 1,
                micros: 1,
                payload: line.to_vec(),
                next_offset: 0,
            };
            Ok(self.left.pop_front().map(record).into_iter().collect())
        }

        fn in_memory_from(&self) -> Option<u64> {
            None
        }

        fn trim(&mut self, _offset: u64, _first_id: u64) -> BoxFuture<'_, ()> {
            std::future::ready(()).boxed()
        }
    }

    async fn gathered(hub: &Arc<Hub>) -> Vec<Duration> {
        let gathered = Arc::default();
        let output = Said { left: [&b"one"[..], b"two"].into(), gathered: Arc::clone(&gathered) };
        let (_orders, received) = mpsc::channel(1);
        Pump::new(Box::new(output), Arc::clone(hub), Places::default()).run(received).await;
        gathered.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn lines_gather_unless_somebody_follows() {
        let hub = Hub::new(10, 1);
        assert_eq!(gathered(&hub).await, [GATHER; 3]);
        let follow = Follow::new(Arc::clone(&hub), Start::Oldest, Filter::default());
        assert_eq!(gathered(&hub).await, [Duration::ZERO; 3]);
        drop(follow);
        assert_eq!(gathered(&hub).await, [GATHER; 3]);
        assert_eq!(hub.newest_id(), 6);
    }
}
