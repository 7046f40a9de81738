//! What a preview's row says at last, however long the store takes no word.

use std::sync::Arc;
use std::time::Duration;

use super::state::State;
use crate::id::PreviewId;
use crate::runtime::Runtime;
use crate::store::{Store, StoreError};
use crate::time::UnixMillis;

/// Between two tries to record what became of a preview.
const RECORD_PAUSE: Duration = Duration::from_secs(3);
/// The longest between two tries to remove what is left.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What becomes of a preview's row.
#[derive(Clone, Debug)]
pub(super) enum Last {
    /// It ended in this state.
    Ended(State),
    /// It goes: the launch never got as far as having an address.
    Withdrawn,
}

impl Last {
    /// Tries it once.
    pub async fn record(&self, store: &Store, id: &PreviewId) -> Result<(), StoreError> {
        match self {
            Self::Withdrawn => store.withdraw_preview(id).await?,
            Self::Ended(State::Failed(failure)) => store.mark_failed(id, failure, UnixMillis::now()).await?,
            Self::Ended(State::Stopped { reason, at }) => {
                store.mark_stopped(id, reason.as_str(), *at).await?
            }
            Self::Ended(State::Launching | State::Running(_) | State::Asleep(_)) => false,
        };
        Ok(())
    }

    /// Tries it now, and goes on trying where that fails.
    pub async fn record_in_the_end(self, store: &Store, id: &PreviewId) {
        if let Err(e) = self.record(store, id).await {
            tracing::error!(preview = %id, error = %e, "an end cannot be recorded");
            self.record_later(store.clone(), id.clone());
        }
    }

    /// Goes on trying, which nobody waits for: the store is gone for longer. Until it is recorded the preview has its place in
    /// its user's limit.
    pub fn record_later(self, store: Store, id: PreviewId) {
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(RECORD_PAUSE).await;
                match self.record(&store, &id).await {
                    Ok(()) => return tracing::info!(preview = %id, "an end is recorded at last"),
                    Err(e) => tracing::warn!(preview = %id, error = %e, "an end cannot be recorded yet"),
                }
            }
        });
    }
}

/// Removes what is kept of a preview, and goes on trying where that fails: the machine may have had no descriptors, say.
pub(super) async fn close_in_the_end(runtime: &Arc<dyn Runtime>, id: &PreviewId) {
    let Err(e) = runtime.close(id).await else { return };
    tracing::error!(preview = %id, error = %e, "something of a preview is left, and will be removed");
    let (runtime, id) = (Arc::clone(runtime), id.clone());
    tokio::spawn(async move {
        let mut pause = Duration::from_secs(1);
        loop {
            tokio::time::sleep(pause).await;
            match runtime.close(&id).await {
                Ok(()) => return,
                Err(e) => tracing::warn!(preview = %id, error = %e, "something of a preview is left"),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    });
}
