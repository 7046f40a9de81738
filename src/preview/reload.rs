//! New code for a preview that runs: beside the old one, and in its place once it answers.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::active::Reload;
use super::owner::{Ending, Owner};
use super::project::Project;
use super::state::{Phases, State};
use super::{Previews, failure};
use crate::error::{LaunchFailure, Result};
use crate::logs::{Note, Source};
use crate::store::{Generation, Health};

/// For requests that the old code is still answering.
const GRACE: Duration = Duration::from_secs(5);

impl Previews {
    /// Moves a running preview to the generation's present files. `Ok(None)`: nothing runs;
    /// `Ok(Some(failure))`: the new code does not start, and the old goes on serving.
    ///
    /// # Errors
    /// If the owner is gone, which it is only while the preview ends.
    pub async fn reload(&self, generation: &Generation) -> Result<Option<Option<LaunchFailure>>> {
        let Some(active) = self.active(&generation.id) else { return Ok(None) };
        let state = active.wait_for(|state| *state != State::Launching).await;
        if state.is_over() {
            return Ok(None);
        }
        let (done, answer) = oneshot::channel();
        if active.reloads.send(Reload { revision: generation.revision, done }).await.is_err() {
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
        let result = self.swap(revision).await;
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

    async fn swap(&mut self, revision: i64) -> Result<(), LaunchFailure> {
        let host = self.previews.host.clone();
        let old = self.active.slot.load(Ordering::Acquire);
        let project = self.previews.project_of(&self.active.generation_id).await;
        let Project { files, plan } = project.map_err(|e| failure::of_host(&e.to_string()))?;
        let plan = plan?;
        let environment = self.prepared(&plan).await?;
        let before = self.active.hub.newest_id();
        let new = self.start_code(&files, &plan, &environment).await?;
        let health = match self.answer_beside(new, before).await {
            Ok(health) => health,
            Err(failure) => {
                host.runtime.stop(&self.active.id, new, Duration::ZERO).await;
                return Err(failure);
            }
        };
        self.environment = Some(environment);
        self.active.slot.store(new, Ordering::Release);
        self.active.revision.store(revision, Ordering::Release);
        if let Err(e) = host.store.set_revision(&self.active.id, revision).await {
            tracing::error!(preview = %self.active.id, error = %e, "a reload could not be recorded");
        }
        self.active.state.send_modify(|state| {
            if let State::Running(running) = state {
                running.health = health;
            }
        });
        host.runtime.stop(&self.active.id, old, GRACE).await;
        Ok(())
    }

    async fn answer_beside(&mut self, slot: u32, before: u64) -> Result<Health, LaunchFailure> {
        match self.await_answer(slot, &mut Phases::default()).await {
            Ok(running) => Ok(running.health),
            Err(Ending::Exited(exit)) => {
                self.pumping.catch_up().await;
                Err(failure::of_exit(
                    exit,
                    false,
                    self.previews.host.config.limits.memory_mb,
                    &self.active.hub,
                    before,
                ))
            }
            Err(_) => {
                let seconds = self.previews.host.config.launch_timeout;
                Err(failure::of_timeout(seconds, &self.active.hub, before))
            }
        }
    }
}
