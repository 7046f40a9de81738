//! The background task that writes what was captured.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::capture::{Capture, Draft, Via};
use super::{KEPT, detail, redact};
use crate::id::{GenerationId, PreviewId};
use crate::store::{RequestRow, Store};
use crate::time::UnixMillis;

/// Requests that wait to be taken down. Beyond it they are not kept: no request waits for its record.
const QUEUE: usize = 4096;
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
    queue: mpsc::Sender<Message>,
    budget: Arc<Semaphore>,
}

#[derive(Debug)]
enum Message {
    Keep(Box<Finished>),
    Flush(oneshot::Sender<()>),
}

/// A request that is over.
#[derive(Debug)]
struct Finished {
    generation_id: GenerationId,
    preview_id: PreviewId,
    revision: i64,
    at: UnixMillis,
    micros: u64,
    request_id: String,
    via: Via,
    method: String,
    target: String,
    status: Option<u16>,
    request: (HeaderMap, Capture),
    response: (HeaderMap, Capture),
}

impl History {
    /// Starts the task that writes to `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE);
        tokio::spawn(write(store, messages));
        Self { queue, budget: Arc::new(Semaphore::new(BUDGET)) }
    }

    /// For a body that is about to pass.
    #[must_use]
    pub fn capture(&self) -> Capture {
        Capture::new(Arc::clone(&self.budget))
    }

    /// Returns when everything that was over before is in the store.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Message::Flush(done)).await.is_ok() {
            let _writer_ended = written.await;
        }
    }

    pub(super) fn keep(&self, draft: &mut Draft) {
        draft.micros = u64::try_from(draft.began.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        let finished = Finished {
            generation_id: draft.generation_id.clone(),
            preview_id: draft.preview_id.clone(),
            revision: draft.revision,
            at: draft.at,
            micros: draft.micros,
            request_id: std::mem::take(&mut draft.request_id),
            via: draft.via,
            method: std::mem::take(&mut draft.method),
            target: std::mem::take(&mut draft.target),
            status: draft.status,
            request: (std::mem::take(&mut draft.request_headers), draft.request_body.clone()),
            response: (std::mem::take(&mut draft.response_headers), draft.response_body.clone()),
        };
        let _too_many = self.queue.try_send(Message::Keep(Box::new(finished)));
    }
}

type Pending = HashMap<GenerationId, VecDeque<Box<Finished>>>;

async fn write(store: Store, mut messages: mpsc::Receiver<Message>) {
    let mut pending = Pending::new();
    let mut write_at = Instant::now();
    let mut latest = write_at;
    loop {
        let message = tokio::select! {
            message = messages.recv() => message,
            () = tokio::time::sleep_until(write_at), if !pending.is_empty() => {
                write_all(&store, &mut pending).await;
                continue;
            }
        };
        match message {
            Some(Message::Keep(finished)) => {
                if pending.is_empty() {
                    write_at = Instant::now() + DELAY;
                    latest = Instant::now() + LONGEST_DELAY;
                }
                let of_generation = pending.entry(finished.generation_id.clone()).or_default();
                // Whatever is pushed out now would be forgotten when it is written.
                if of_generation.len() == KEPT {
                    of_generation.pop_front();
                    write_at = (Instant::now() + DELAY).min(latest);
                }
                of_generation.push_back(finished);
            }
            Some(Message::Flush(done)) => {
                write_all(&store, &mut pending).await;
                let _asker_left = done.send(());
            }
            None => return,
        }
    }
}

async fn write_all(store: &Store, pending: &mut Pending) {
    for (generation, finished) in pending.drain() {
        let rows: Vec<_> = finished.into_iter().map(|finished| to_row(*finished)).collect();
        let keep = i64::try_from(KEPT).unwrap_or(i64::MAX);
        // A generation that was deleted meanwhile has no history.
        if let Err(e) = store.save_requests(&generation, &rows, keep).await {
            tracing::debug!(%generation, error = %e, "requests could not be kept");
        }
    }
}

fn to_row(finished: Finished) -> (RequestRow, String) {
    let shorten = |text: String| -> String { text.chars().take(LONGEST_TARGET).collect() };
    let target = redact::text(&finished.target);
    let (request, response) = (finished.request.1.take(), finished.response.1.take());
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (request_bytes, response_bytes) = (signed(request.1), signed(response.1));
    let query_redacted = target != finished.target;
    let detail =
        detail::detail((&finished.request.0, request), (&finished.response.0, response), query_redacted);
    let row = RequestRow {
        id: 0,
        preview_id: finished.preview_id,
        revision: finished.revision,
        at: finished.at,
        request_id: finished.request_id,
        via: finished.via.as_str().to_owned(),
        method: finished.method,
        target: shorten(target),
        status: finished.status.map(i64::from),
        duration_micros: signed(finished.micros),
        request_bytes,
        response_bytes,
    };
    (row, serde_json::to_string(&detail).unwrap_or_default())
}
