//! Ends, and what is left of a preview afterwards: its row, its last lines, nothing else.

use std::sync::Arc;
use std::time::Duration;

use super::active::Active;
use super::history::Keeping;
use super::owner::{Ending, Owner};
use super::record::{Last, close_in_the_end};
use super::state::{State, StopReason};
use super::{Previews, advice, events, failure, no_active};
use crate::error::{Error, LaunchFailure, Result};
use crate::id::GenerationId;
use crate::logs::{Note, Source};
use crate::time::UnixMillis;
use crate::traces::Span;

/// For the application's own shutdown.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// For whoever asked for an end. It comes all the same, once what keeps the preview, or the store, answers again.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// Tries to record an end that whoever asked for it waits for.
const RECORD_TRIES: u32 = 20;

impl Previews {
    /// Ends the preview of a generation, launching or running, or clears a failed one. Returns when nothing is left of it.
    ///
    /// # Errors
    /// `no_active_preview` if there is none.
    pub async fn stop(&self, generation: &GenerationId, reason: StopReason) -> Result<UnixMillis> {
        let Some(active) = self.active(generation) else {
            let failed = self.require_failed(generation).await?;
            let now = UnixMillis::now();
            self.host.store.mark_stopped(&failed.id, reason.as_str(), now).await?;
            return Ok(now);
        };
        active.request_stop(reason);
        let over = tokio::time::timeout(STOP_PATIENCE, active.wait_for(State::is_over)).await;
        match over.map_err(|_elapsed| still_stopping())? {
            State::Stopped { at, .. } => Ok(at),
            // It failed in the same moment: then it is cleared.
            _ => {
                let now = UnixMillis::now();
                let cleared = self.host.store.mark_stopped(&active.id, reason.as_str(), now).await?;
                if cleared { Ok(now) } else { Err(no_active(self.host.store.preview(&active.id).await?)) }
            }
        }
    }

    /// Removes the kept database of a generation, if it has one.
    ///
    /// # Errors
    /// If it is there and cannot be removed.
    pub fn forget_database(&self, generation: &GenerationId) -> std::io::Result<()> {
        match std::fs::remove_dir_all(self.host.config.db_path.join(generation.as_str())) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Gives a task to a preview and keeps the preview in sight until the task is over.
    pub(super) fn adopt(&self, active: &Arc<Active>, task: impl Future<Output = ()> + Send + 'static) {
        self.registry().insert(active.generation_id.clone(), Arc::clone(active));
        self.owners.spawn(task);
    }
}

fn still_stopping() -> Error {
    let message = "The preview is being stopped, which takes longer than it should: look at its status.";
    Error::PreviewUnavailable { message: message.to_owned() }
}

impl Owner {
    /// Cleans up: processes, output, store, address, files; then everybody is told.
    pub(super) async fn end(self, ending: Ending) {
        self.end_code(&ending).await;
        let (owner, mut pump, keeping) = self.pumping_stopped().await;
        let drain = |pump: &mut Option<super::pump::Pump>| {
            if let Some(Err(e)) = pump.as_mut().map(super::pump::Pump::drain) {
                tracing::error!(preview = %owner.active.id, error = %e, "the last lines cannot be read");
            }
        };
        drain(&mut pump);
        let state = owner.final_state(ending);
        owner.note(last_note(&state, owner.has_served())).await;
        drain(&mut pump);
        keeping.finish().await;
        owner.record(&state).await;
        let id = &owner.active.id;
        owner.active.close_address().await;
        close_in_the_end(&owner.previews.host.runtime, id).await;
        owner.leave(state);
    }

    /// Asks the code to end where it has not; code that never served gets no grace.
    async fn end_code(&self, ending: &Ending) {
        let slot = self.active.lane.slot();
        if slot == 0 || matches!(ending, Ending::Exited(_)) {
            return;
        }
        let grace = if self.has_served() { GRACE } else { Duration::ZERO };
        let (runtime, id) = (&self.previews.host.runtime, &self.active.id);
        runtime.stop(id, slot, grace).await;
        runtime.ended(id, slot).await;
    }

    async fn pumping_stopped(self) -> (Ended, Option<super::pump::Pump>, Keeping) {
        let served = self.has_served();
        let (previews, active, problems, span) = (self.previews, self.active, self.problems, self.span);
        let pump = self.pumping.stop().await;
        (Ended { previews, active, problems, span, served }, pump, self.keeping)
    }
}

/// An owner whose log has been read to its end.
struct Ended {
    previews: Previews,
    active: Arc<Active>,
    problems: Vec<pysource::Problem>,
    span: Span,
    served: bool,
}

impl Ended {
    fn has_served(&self) -> bool {
        self.served
    }

    fn final_state(&self, ending: Ending) -> State {
        let slot = self.active.lane.slot();
        let config = &self.previews.host.config;
        let failure = match ending {
            Ending::Stop(reason) => return State::Stopped { reason, at: UnixMillis::now() },
            Ending::Exited(exit) => {
                failure::of_exit(exit, self.served, config.limits.memory_mb, &self.active.hub, slot)
            }
            Ending::NeverAnswered => failure::of_timeout(config.launch_timeout, &self.active.hub, slot),
            Ending::Failed(failure) => *failure,
        };
        State::Failed(advice::add(failure, &self.problems))
    }

    async fn note(&self, note: Note) {
        // A keeper that died takes no notes; the reason is in the preview's state.
        let _no_keeper = self.previews.host.runtime.note(&self.active.id, note.to_json()).await;
    }

    /// Keeps the end in the store.
    async fn record(&self, state: &State) {
        let (store, id, last) = (&self.previews.host.store, &self.active.id, Last::Ended(state.clone()));
        for attempt in 1..=RECORD_TRIES {
            match last.record(store, id).await {
                Ok(()) => return,
                Err(e) => {
                    tracing::error!(preview = %id, attempt, error = %e, "an end cannot be recorded");
                    tokio::time::sleep(Duration::from_millis(50) * attempt).await;
                }
            }
        }
        last.record_later(store.clone(), id.clone());
    }

    /// For those who watch the server.
    fn report(&mut self, state: &State, reason: StopReason) {
        let metrics = &self.previews.host.metrics;
        let lived = self.active.state().answering().map(|running| UnixMillis::now().0 - running.started_at.0);
        let lived = lived.map(|millis| u64::try_from(millis).unwrap_or(0));
        let uptime = lived.map(|millis| millis / 1000);
        match state {
            State::Failed(failure) => {
                self.span.fail(failure.reason.as_str());
                metrics.failed(failure, self.served);
                events::failed(&self.active, failure, uptime);
            }
            _ => {
                if !self.served {
                    self.span.fail("cancelled");
                    metrics.cancelled();
                }
                events::stopped(&self.active, reason, uptime);
            }
        }
        if let Some(millis) = lived {
            metrics.session(millis);
        }
    }

    /// Out of sight first, so that whoever is told of the end finds the store's word.
    fn leave(mut self, state: State) {
        let reason = stop_reason(&state, self.served);
        self.report(&state, reason);
        {
            let mut registry = self.previews.registry();
            let still_this = registry.get(&self.active.generation_id).is_some_and(|a| a.id == self.active.id);
            if still_this {
                registry.remove(&self.active.generation_id);
            }
        }
        self.active.hub.announce(&state.to_event());
        self.active.hub.end(reason.as_str());
        self.active.state.send_replace(state);
    }
}

fn stop_reason(state: &State, served: bool) -> StopReason {
    match state {
        State::Stopped { reason, .. } => *reason,
        _ if served => StopReason::Crashed,
        _ => StopReason::LaunchFailed,
    }
}

fn last_note(state: &State, served: bool) -> Note {
    match (state, stop_reason(state, served)) {
        (State::Failed(LaunchFailure { message, hint, .. }), _) => {
            let hint = hint.as_ref().map_or_else(String::new, |hint| format!(" {hint}"));
            Note::error(Source::Server, format!("{message}{hint}"))
        }
        (_, StopReason::Expired) => Note::info(Source::Server, "Stopped: its time was over"),
        (_, StopReason::Idle) => Note::info(Source::Server, "Stopped: nobody used it"),
        (_, StopReason::Deleted) => Note::info(Source::Server, "Stopped: its generation was deleted"),
        _ => Note::info(Source::Server, "Stopped"),
    }
}
