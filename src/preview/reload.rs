//! New code for a preview that runs: beside the old one, and in its place once it answers.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::active::Reload;
use super::owner::{Ending, Owner};
use super::project::Project;
use super::state::{Phases, State};
use super::stop::GRACE;
use super::{Previews, advice, events, failure};
use crate::error::{LaunchFailure, Result};
use crate::generation;
use crate::logs::{Note, Source};
use crate::store::Generation;
use crate::traces::Parent;

impl Previews {
    /// Moves a running preview to the generation's present files. `Ok(None)`: nothing runs;
    /// `Ok(Some(failure))`: the new code does not start, and the old goes on serving.
    ///
    /// # Errors
    /// If the owner is gone, which it is only while the preview ends.
    pub async fn reload(
        &self,
        generation: &Generation,
        parent: Parent,
    ) -> Result<Option<Option<LaunchFailure>>> {
        let Some(active) = self.active(&generation.id) else { return Ok(None) };
        let state = active.wait_for(|state| *state != State::Launching).await;
        if state.is_over() {
            return Ok(None);
        }
        let (done, answer) = oneshot::channel();
        if active.reloads.send(Reload { revision: generation.revision, parent, done }).await.is_err() {
            return Ok(None);
        }
        match answer.await {
            Ok(Ok(())) => Ok(Some(None)),
            Ok(Err(failure)) => Ok(Some(Some(*failure))),
            Err(_ended_meanwhile) => Ok(None),
        }
    }
}

impl Owner {
    pub(super) async fn reload(&mut self, reload: Reload) {
        let revision = reload.revision;
        self.note(Note::info(Source::Server, format!("Reloading: revision {revision}"))).await;
        self.begin("preview.reload", &reload.parent);
        let result = self.swap(revision).await;
        self.over(result.as_ref().err());
        events::reloaded(&self.active, revision, result.as_ref().copied());
        match &result {
            Ok(()) => self.note(Note::info(Source::Server, format!("Revision {revision} serves"))).await,
            Err(failure) => {
                let told =
                    format!("Revision {revision} does not start, the old code goes on: {}", failure.message);
                self.note(Note::error(Source::Server, told)).await;
            }
        }
        let _caller_left = reload.done.send(result.map_err(Box::new));
    }

    /// Something is under way from now on.
    pub(super) fn begin(&mut self, name: &'static str, parent: &Parent) {
        self.span = self.active.span(&self.previews.host.traces, name, parent);
    }

    /// It is over.
    pub(super) fn over(&mut self, failure: Option<&LaunchFailure>) {
        let mut span = std::mem::take(&mut self.span);
        if let Some(failure) = failure {
            span.fail(failure.reason.as_str());
        }
    }

    async fn swap(&mut self, revision: i64) -> Result<(), LaunchFailure> {
        let host = self.previews.host.clone();
        let old = self.active.lane.slot();
        let project = self.previews.project_of(&self.active.generation_id).await;
        let Project { files, plan } = project.map_err(|e| failure::of_host(&e.to_string()))?;
        let plan = plan?;
        let environment = self.prepared(&plan).await?;
        let new = self.start_code(&files, &plan, &environment).await?;
        let health = match self.await_answer(new, &mut Phases::default()).await {
            Ok(running) => running.health,
            Err(ending) => {
                let failure = self.failure_of(ending, new).await;
                let failure = advice::add(failure, &advice::problems(files, plan).await);
                host.runtime.stop(&self.active.id, new, Duration::ZERO).await;
                return Err(failure);
            }
        };
        self.environment = Some(environment.clone());
        self.retired().await;
        let answering = self.active.lane.move_to(new);
        self.now_serves(revision, new).await;
        self.compile_later(generation::modules(&files), environment);
        self.active.state.send_modify(|state| {
            if let State::Running(running) = state {
                running.health = health;
            }
        });
        self.retire(old, answering);
        Ok(())
    }

    /// Records which code serves.
    pub(super) async fn now_serves(&self, revision: i64, slot: u32) {
        self.active.revision.store(revision, Ordering::Release);
        if let Err(e) = self.previews.host.store.set_serving(&self.active.id, revision, slot).await {
            tracing::error!(preview = %self.active.id, error = %e, "what serves could not be recorded");
        }
    }

    /// Waits a while for the code that the reload before has put out of use: at most three starts are there at once.
    async fn retired(&mut self) {
        let Some((slot, mut ending)) = self.retiring.take() else { return };
        if tokio::time::timeout(GRACE, &mut ending).await.is_err() {
            ending.abort();
            self.previews.host.runtime.stop(&self.active.id, slot, Duration::ZERO).await;
        }
    }

    /// Lets the old code finish what it is answering, then ends it.
    fn retire(&mut self, slot: u32, answering: TaskTracker) {
        let (runtime, id) = (self.previews.host.runtime.clone(), self.active.id.clone());
        let patience = self.patience();
        let ending = tokio::spawn(async move {
            let _cut = tokio::time::timeout(patience, answering.wait()).await;
            runtime.stop(&id, slot, GRACE).await;
        });
        self.retiring = Some((slot, ending));
    }

    /// For requests that are being answered.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.previews.host.config.request_timeout)
    }

    /// Why a start of new code does not serve.
    pub(super) async fn failure_of(&self, ending: Ending, slot: u32) -> LaunchFailure {
        let (config, hub) = (&self.previews.host.config, &self.active.hub);
        match ending {
            Ending::Failed(failure) => *failure,
            Ending::Exited(exit) => {
                self.pumping.catch_up().await;
                failure::of_exit(exit, false, config.limits.memory_mb, hub, slot)
            }
            Ending::NeverAnswered | Ending::Stop(_) => failure::of_timeout(config.launch_timeout, hub, slot),
        }
    }
}
