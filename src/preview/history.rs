//! A preview's log in the store: written while the preview runs, read once it is over.
//!
//! The store may be slow, locked or full. Then history falls behind, and says so; neither the preview nor whoever reads
//! its log live waits for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::active::Active;
use super::{Host, Previews, no_active};
use crate::error::Result;
use crate::id::{GenerationId, PreviewId};
use crate::logs::{Entry, Filter, Hub, Page};
use crate::metrics::Delayed;
use crate::store::{LogQuery, Preview, Status, Store, StoreError};

/// How long lines gather before they are written together.
const GATHER: Duration = Duration::from_secs(1);
/// The same while more come than are kept: what is pushed out in that time is never written.
const LONGEST_GATHER: Duration = Duration::from_secs(5);
/// Lines of one transaction: others write between two of them.
const BATCH: usize = 500;
/// Lines that are made rows without a pause.
const AT_ONCE: usize = 20;
/// A store that takes longer for a batch delays history.
const SLOW: Duration = Duration::from_secs(2);
/// Between two tries.
const RETRY: Duration = Duration::from_secs(1);
/// How long the end of a preview waits for the rest of its log to be kept. Afterwards it is kept when it can be.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// A writer at work.
#[derive(Debug)]
pub(super) struct Keeping {
    finish: CancellationToken,
    task: JoinHandle<()>,
}

impl Keeping {
    /// Begins to keep a preview's log.
    pub(super) fn of(previews: &Previews, active: &Active) -> Self {
        let finish = CancellationToken::new();
        let writer = Writer {
            id: active.id.clone(),
            hub: Arc::clone(&active.hub),
            host: previews.host.clone(),
            saved: None,
            delayed: None,
        };
        let (previews, told) = (previews.clone(), finish.clone());
        previews.unsaved().insert(active.id.clone(), Arc::clone(&active.hub));
        let task = tokio::spawn(async move {
            let id = writer.id.clone();
            writer.run(&told).await;
            previews.unsaved().remove(&id);
        });
        Self { finish, task }
    }

    /// Nothing more will be said. Returns when all of it is kept, or when that takes too long; it goes on then.
    pub(super) async fn finish(self) {
        self.finish.cancel();
        let _goes_on = tokio::time::timeout(LAST_WAIT, self.task).await;
    }
}

struct Writer {
    id: PreviewId,
    hub: Arc<Hub>,
    host: Host,
    /// The last id that is in the store, once that has been asked.
    saved: Option<u64>,
    delayed: Option<Delayed>,
}

impl Writer {
    async fn run(mut self, finish: &CancellationToken) {
        let mut changes = self.hub.changes();
        loop {
            tokio::select! {
                () = finish.cancelled() => break,
                _lives_with_the_hub = changes.changed() => {}
            }
            tokio::select! {
                () = finish.cancelled() => break,
                () = self.gather() => {}
            }
            if !self.catch_up().await {
                return;
            }
        }
        // What came since the last look is all that is missing.
        self.catch_up().await;
    }

    /// Waits while waiting saves work: once more came than are kept, all that would have been written before is pushed out again.
    async fn gather(&self) {
        let began = Instant::now();
        loop {
            tokio::time::sleep(GATHER).await;
            let saved = self.saved.unwrap_or_default();
            let come = usize::try_from(self.hub.newest_id().saturating_sub(saved)).unwrap_or(usize::MAX);
            if come <= self.host.config.max_log_lines || began.elapsed() >= LONGEST_GATHER {
                return;
            }
        }
    }

    /// Writes until nothing is missing. `false` if there is nothing to keep it for.
    async fn catch_up(&mut self) -> bool {
        loop {
            match self.write_batch().await {
                Ok(Some(0)) => return true,
                Ok(Some(_)) => self.tell_going_on(),
                Ok(None) => return false,
                Err(e) => {
                    self.tell_delay(&e.whole());
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// How many lines were written; `None` if their preview is gone from the store.
    async fn write_batch(&mut self) -> Result<Option<usize>, StoreError> {
        let (store, id) = (self.host.store.clone(), self.id.clone());
        let saved = match self.saved {
            Some(saved) => saved,
            None => u64::try_from(store.last_log_id(&id).await?).unwrap_or(0),
        };
        self.saved = Some(saved);
        let keep = self.host.config.max_log_lines;
        let missing = self.hub.newest(saved, keep, BATCH);
        let Some(last) = missing.last() else { return Ok(Some(0)) };
        let mut rows = Vec::with_capacity(missing.len());
        for some in missing.chunks(AT_ONCE) {
            rows.extend(some.iter().filter_map(Entry::to_row));
            // This thread may be the one that is to hear of what arrives.
            tokio::task::yield_now().await;
        }
        let writing = store.append_logs(&id, &rows, keep);
        tokio::pin!(writing);
        let there = match tokio::time::timeout(SLOW, &mut writing).await {
            Ok(written) => written?,
            Err(_slow) => {
                self.tell_delay("the store does not answer");
                writing.await?
            }
        };
        self.saved = Some(last.id);
        Ok(there.then_some(missing.len()))
    }

    fn tell_delay(&mut self, why: &str) {
        if self.delayed.is_none() {
            tracing::warn!(preview = %self.id, error = why, "log history is delayed; the preview and its live log go on");
            self.delayed = Some(self.host.metrics.history_delayed());
        }
    }

    fn tell_going_on(&mut self) {
        if self.delayed.take().is_some() {
            tracing::info!(preview = %self.id, "log history is written again");
        }
    }
}

impl Previews {
    /// The log of the active preview, or of the last one that there was.
    ///
    /// # Errors
    /// `no_active_preview` if there never was one, or the store's failure.
    pub async fn log(&self, generation: &GenerationId) -> Result<Arc<Hub>> {
        match self.live_log(generation).await? {
            Live::Hub(hub) => Ok(hub),
            Live::Over(preview) => Ok(kept_log(&self.host.store, &preview).await?),
        }
    }

    /// A page of it.
    ///
    /// # Errors
    /// As [`Self::log`].
    pub async fn log_page(
        &self,
        generation: &GenerationId,
        after_id: u64,
        limit: usize,
        filter: &Filter,
    ) -> Result<Page> {
        let preview = match self.live_log(generation).await? {
            Live::Hub(hub) => return Ok(hub.page(after_id, limit, filter)),
            Live::Over(preview) => preview,
        };
        // One more than wanted tells whether there is a further page.
        let query = filter.to_query(after_id, limit.saturating_add(1));
        let rows = self.host.store.logs(&preview.id, &query).await?;
        let entries: Vec<_> = rows.iter().filter_map(Entry::from_row).collect();
        Ok(Page::of(entries.iter(), limit))
    }

    async fn live_log(&self, generation: &GenerationId) -> Result<Live> {
        if let Some(active) = self.active(generation) {
            return Ok(Live::Hub(Arc::clone(&active.hub)));
        }
        let last = self.host.store.latest_preview(generation).await?.ok_or_else(|| no_active(None))?;
        let unsaved = self.unsaved().get(&last.id).cloned();
        Ok(unsaved.map_or_else(|| Live::Over(Box::new(last)), Live::Hub))
    }
}

/// Where a log is to be read.
enum Live {
    /// All of it is in memory: the preview runs, or the store has not got everything yet.
    Hub(Arc<Hub>),
    /// The store has it.
    Over(Box<Preview>),
}

/// The log of a preview that is over, as the store kept it.
async fn kept_log(store: &Store, preview: &Preview) -> Result<Arc<Hub>> {
    let query = LogQuery { limit: i64::MAX, ..LogQuery::default() };
    let rows = store.logs(&preview.id, &query).await?;
    let entries = rows.iter().filter_map(Entry::from_row).collect();
    let reason = preview.stop_reason.as_deref().unwrap_or(match preview.status {
        Status::Failed => "crashed",
        _ => "stopped",
    });
    Ok(Hub::of_ended(entries, reason))
}
