//! The background task that writes what was captured.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::capture::{Capture, Draft};
use super::{Head, KEPT, detail, redact};
use crate::id::GenerationId;
use crate::store::{RequestRow, Store};

/// Bytes of bodies that may wait.
const BUDGET: usize = 8 * 1024 * 1024;
/// Between a request and its place in the store.
const DELAY: Duration = Duration::from_secs(1);
/// The same while more come than are kept: what is pushed out in that time is never written.
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// Longest target and request id that is kept.
const LONGEST_TARGET: usize = 8192;

/// Where requests go to be kept. Clones share it.
#[derive(Clone, Debug)]
pub struct History {
    over: Arc<Over>,
    flushes: mpsc::Sender<oneshot::Sender<()>>,
    budget: Arc<Semaphore>,
}

/// Requests that are over and not written yet. Who adds one wakes nobody, unless it is the first.
#[derive(Debug, Default)]
struct Over {
    waiting: Mutex<Waiting>,
    begun: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The last of each generation, as many as are kept.
    of_generation: HashMap<GenerationId, VecDeque<Box<Draft>>>,
    /// When they are to be written, and when at the latest.
    due: Option<(Instant, Instant)>,
}

/// A request that is being taken down. What is known of it then goes to the history when this is dropped.
#[derive(Debug)]
pub struct TakenDown {
    draft: Option<Box<Draft>>,
    over: Arc<Over>,
}

impl TakenDown {
    /// The head of the answer has come.
    pub fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        if let Some(draft) = &mut self.draft {
            draft.status = Some(status.as_u16());
            draft.response_headers = Head::from(headers);
        }
    }
}

impl Drop for TakenDown {
    fn drop(&mut self) {
        let Some(mut draft) = self.draft.take() else { return };
        let now = Instant::now();
        let took = now.saturating_duration_since(draft.began);
        draft.micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let mut waiting = self.over.lock();
        let is_first = waiting.due.is_none();
        let pushed_out = waiting.add(draft, now);
        drop(waiting);
        drop(pushed_out);
        if is_first {
            self.over.begun.notify_one();
        }
    }
}

impl Waiting {
    /// Gives back the one for which there is no room any more.
    fn add(&mut self, draft: Box<Draft>, now: Instant) -> Option<Box<Draft>> {
        let (due, latest) = self.due.get_or_insert((now + DELAY, now + LONGEST_DELAY));
        let Some(drafts) = self.of_generation.get_mut(&draft.generation_id) else {
            self.of_generation.insert(draft.generation_id.clone(), VecDeque::from([draft]));
            return None;
        };
        drafts.push_back(draft);
        if drafts.len() <= KEPT {
            return None;
        }
        // It would be forgotten when it is written.
        *due = (now + DELAY).min(*latest);
        drafts.pop_front()
    }
}

impl Over {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when it is time to write.
    async fn due(&self) {
        loop {
            let due = self.lock().due;
            match due {
                None => self.begun.notified().await,
                Some((due, _)) if due <= Instant::now() => return,
                Some((due, _)) => tokio::time::sleep_until(due).await,
            }
        }
    }
}

impl History {
    /// Starts the task that writes to `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let over = Arc::<Over>::default();
        let (flushes, orders) = mpsc::channel(1);
        tokio::spawn(write(store, Arc::clone(&over), orders));
        Self { over, flushes, budget: Arc::new(Semaphore::new(BUDGET)) }
    }

    /// For a body that is about to pass.
    #[must_use]
    pub fn capture(&self) -> Capture {
        Capture::new(Arc::clone(&self.budget))
    }

    /// For a request that is about to be passed on.
    #[must_use]
    pub fn take_down(&self, draft: Draft) -> TakenDown {
        TakenDown { draft: Some(Box::new(draft)), over: Arc::clone(&self.over) }
    }

    /// Returns when everything that was over before is in the store.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.flushes.send(done).await.is_ok() {
            let _writer_ended = written.await;
        }
    }
}

async fn write(store: Store, over: Arc<Over>, mut flushes: mpsc::Receiver<oneshot::Sender<()>>) {
    loop {
        let asker = tokio::select! {
            asker = flushes.recv() => match asker {
                None => return,
                asker => asker,
            },
            () = over.due() => None,
        };
        let waiting = std::mem::take(&mut *over.lock());
        write_all(&store, waiting).await;
        if let Some(asker) = asker {
            let _asker_left = asker.send(());
        }
    }
}

async fn write_all(store: &Store, waiting: Waiting) {
    for (generation, drafts) in waiting.of_generation {
        let mut rows = Vec::with_capacity(drafts.len());
        for draft in drafts {
            rows.push(to_row(*draft));
            // Looking for secrets takes a while, and this thread may be the one that is to hear of what arrives.
            tokio::task::yield_now().await;
        }
        let keep = i64::try_from(KEPT).unwrap_or(i64::MAX);
        // A generation that was deleted meanwhile has no history.
        if let Err(e) = store.save_requests(&generation, &rows, keep).await {
            tracing::debug!(%generation, error = %e, "requests could not be kept");
        }
    }
}

fn to_row(draft: Draft) -> (RequestRow, String) {
    let shorten = |text: String| -> String { text.chars().take(LONGEST_TARGET).collect() };
    let target = redact::text(&draft.target);
    let (request, response) = (draft.request_body.take(), draft.response_body.take());
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (request_bytes, response_bytes) = (signed(request.1), signed(response.1));
    let query_redacted = target != draft.target;
    let detail = detail::detail(
        (&draft.request_headers, request),
        (&draft.response_headers, response),
        query_redacted,
    );
    let row = RequestRow {
        id: 0,
        preview_id: draft.preview_id,
        revision: draft.revision,
        at: draft.at,
        request_id: String::from_utf8_lossy(draft.request_id.as_bytes()).into_owned(),
        via: draft.via.as_str().to_owned(),
        method: draft.method.to_string(),
        target: shorten(target),
        status: draft.status.map(i64::from),
        duration_micros: signed(draft.micros),
        request_bytes,
        response_bytes,
    };
    (row, serde_json::to_string(&detail).unwrap_or_default())
}
