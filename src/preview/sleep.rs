//! Sleep: a preview that nobody uses gives its process back and keeps everything else, until the next request.

use tokio::time::Instant;

use super::active::Wake;
use super::events;
use super::launch::millis;
use super::owner::{Ending, Owner, requested, until};
use super::project::Project;
use super::state::{Phases, Running, State, StopReason};
use super::stop::GRACE;
use crate::config::IdleAction;
use crate::error::LaunchFailure;
use crate::logs::{Note, Source};
use crate::traces::Parent;

impl Owner {
    /// Puts an idle preview to sleep, if that is what the settings say. `false`: it is to be stopped.
    pub(super) async fn falls_asleep(&mut self) -> bool {
        let host = self.previews.host.clone();
        let State::Running(running) = self.active.state() else { return false };
        if host.config.idle_action != IdleAction::Sleep {
            return false;
        }
        // Recorded first: a server that is killed between finds a preview that sleeps, and ends what still runs.
        if let Err(e) = host.store.set_asleep(&self.active.id).await {
            tracing::error!(preview = %self.active.id, error = %e, "a sleep could not be recorded");
            return false;
        }
        self.enter(State::Asleep(running));
        let slot = self.active.lane.slot();
        // Whoever came in the last moment is answered first.
        let answering = self.active.lane.move_to(slot);
        let _never_answered = tokio::time::timeout(self.patience(), answering.wait()).await;
        host.runtime.stop(&self.active.id, slot, GRACE).await;
        host.runtime.ended(&self.active.id, slot).await;
        events::asleep(&self.active);
        self.note(Note::info(Source::Server, "Asleep: nobody used it; the next request wakes it")).await;
        true
    }

    /// Waits for somebody who needs it, or for its end. `None`: it serves again.
    pub(super) async fn sleep(&mut self) -> Option<Ending> {
        let mut stop = self.orders.stop.clone();
        let ends_at = self.active.ends_at;
        loop {
            tokio::select! {
                reason = requested(&mut stop) => return Some(Ending::Stop(reason)),
                () = until(ends_at) => return Some(Ending::Stop(StopReason::Expired)),
                Some(reload) = self.orders.reloads.recv() => {
                    let woken = tokio::select! {
                        reason = requested(&mut stop) => return Some(Ending::Stop(reason)),
                        () = until(ends_at) => return Some(Ending::Stop(StopReason::Expired)),
                        woken = self.wake(&reload.parent) => woken,
                    };
                    let serves = woken.is_ok();
                    let _caller_left = reload.done.send(woken.map_err(Box::new));
                    if serves {
                        return None;
                    }
                }
                Some(asked) = self.orders.wakes.recv() => {
                    let woken = tokio::select! {
                        reason = requested(&mut stop) => return Some(Ending::Stop(reason)),
                        () = until(ends_at) => return Some(Ending::Stop(StopReason::Expired)),
                        woken = self.wake(&asked.parent) => woken,
                    };
                    self.tell_all(asked, &woken);
                    if woken.is_ok() {
                        return None;
                    }
                }
            }
        }
    }

    /// Those who asked meanwhile waited for the same.
    fn tell_all(&mut self, first: Wake, woken: &Result<(), LaunchFailure>) {
        let mut next = Some(first);
        while let Some(asked) = next {
            let _left = asked.done.send(woken.clone().map_err(Box::new));
            next = self.orders.wakes.try_recv().ok();
        }
    }

    /// Starts the generation's present files. If they do not start it goes on sleeping: the next edit may help.
    async fn wake(&mut self, parent: &Parent) -> Result<(), LaunchFailure> {
        let began = Instant::now();
        self.note(Note::info(Source::Server, "Waking")).await;
        self.begin("preview.wake", parent);
        let woken = self.bring_back().await;
        self.over(woken.as_ref().err());
        events::woken(&self.active, millis(began), woken.as_ref().map(|_| ()));
        match woken {
            Ok(running) => {
                self.active.touch();
                self.enter(State::Running(running));
                let told = format!("Awake after {} ms", millis(began));
                self.note(Note::info(Source::Server, told)).await;
                Ok(())
            }
            Err(failure) => {
                let told = format!("It does not start, and sleeps on: {}", failure.message);
                self.note(Note::error(Source::Server, told)).await;
                Err(failure)
            }
        }
    }

    async fn bring_back(&mut self) -> Result<Running, LaunchFailure> {
        let host = self.previews.host.clone();
        let generation = host.store.generation(&self.active.generation_id).await;
        let generation = generation.ok().flatten().ok_or_else(|| store_failed(&self.active.id))?;
        let project = self.previews.project(&generation).await;
        let Project { files, plan } = project.map_err(|e| super::failure::of_host(&e.to_string()))?;
        let plan = plan?;
        let brought = self.bring_up(&files, &plan, &mut Phases::default()).await;
        let slot = self.active.lane.slot();
        let woken = match brought {
            Ok(woken) => woken,
            Err(ending) => {
                let failure = self.failure_of(ending, slot).await;
                let failure = super::advice::add(failure, &super::advice::problems(files, plan).await);
                host.runtime.stop(&self.active.id, slot, std::time::Duration::ZERO).await;
                return Err(failure);
            }
        };
        self.now_serves(generation.revision, slot).await;
        let known = self.active.state().answering().cloned().unwrap_or_else(|| woken.clone());
        Ok(Running { health: woken.health, checked_at: woken.checked_at, ..known })
    }
}

fn store_failed(id: &crate::id::PreviewId) -> LaunchFailure {
    tracing::error!(preview = %id, "the generation of a sleeping preview cannot be read");
    super::failure::of_host("The server's store does not answer; try again in a moment.")
}
