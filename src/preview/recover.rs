//! Finding everything again after the server was away.

use std::sync::Arc;
use std::time::Duration;

use super::active::{Active, Identity, LaunchOptions};
use super::launch::MARGIN;
use super::owner::{Ending, Owner};
use super::pump::Pump;
use super::record::{Last, close_in_the_end};
use super::state::{Phases, Running, State, StopReason};
use super::{Previews, PublicAddress, events, failure};
use crate::error::{Error, Result};
use crate::id::PreviewId;
use crate::logs::{Hub, Note, Source};
use crate::runtime::{Exit, Kept};
use crate::store::{Preview, Status};
use crate::time::{Steady, UnixMillis};

impl Previews {
    /// Takes over what runs, ends what cannot go on, removes what nobody owns.
    ///
    /// # Errors
    /// If the store or the runtime cannot be asked.
    pub async fn recover(&self) -> Result<()> {
        let kept = self.host.runtime.kept().await.map_err(Error::internal)?;
        // Before anything can be removed to make room.
        let keys = kept.iter().flat_map(|kept| &kept.environments);
        let held: Vec<_> = keys.filter_map(|key| self.host.environments.get(key)).collect();
        let rows = self.host.store.active_previews().await?;
        for kept in kept.iter().filter(|kept| !rows.iter().any(|row| row.id == kept.id)) {
            // Recorded as ended, but the server was killed before it could clean up.
            self.host.runtime.close(&kept.id).await.map_err(Error::internal)?;
        }
        for row in rows {
            let kept = kept.iter().find(|kept| kept.id == row.id).cloned();
            let kept = if kept.is_none() { self.open_again(&row).await } else { kept };
            let id = row.id.clone();
            if let Err(e) = self.take_over(row, kept.as_ref()).await {
                tracing::error!(preview = %id, error = %e, "a preview could not be taken over");
                let told = "The server was restarted, and could not take the preview over: launch it again.";
                self.give_up(&id, State::Failed(failure::of_host(told))).await;
            }
        }
        // By now each is held by the preview that runs from it.
        drop(held);
        self.host.runtime.sweep().await.map_err(Error::internal)
    }

    /// A launch that had its row and nothing else when the server was killed goes on from there.
    async fn open_again(&self, row: &Preview) -> Option<Kept> {
        let never_opened = row.status == Status::Launching && self.host.runtime.output(&row.id).is_err();
        let port = row.port.filter(|_| never_opened && row.expires_at > UnixMillis::now())?;
        self.open(&row.id, port, row.expires_at).await.ok()?;
        Some(Kept { id: row.id.clone(), slots: Vec::new(), deadline: None, environments: Vec::new() })
    }

    /// Nothing is left of a preview but what became of it.
    async fn give_up(&self, id: &PreviewId, end: State) {
        close_in_the_end(&self.host.runtime, id).await;
        Last::Ended(end).record_in_the_end(&self.host.store, id).await;
    }

    async fn take_over(&self, row: Preview, kept: Option<&Kept>) -> Result<()> {
        let options: LaunchOptions = serde_json::from_str(&row.launch).unwrap_or_default();
        let port = row.port.unwrap_or_default();
        let base_url = self.host.config.base_url(port, &row.id);
        let output = self.host.runtime.output(&row.id);
        let first_id = output.as_ref().map_or(1, |output| output.first_id());
        let hub = Hub::new(self.host.config.max_log_lines, first_id);
        let expired = UnixMillis::now() >= row.expires_at;
        let Ok(output) = output else {
            // Not even its log is left: it ended with whatever kept it.
            let lost = || failure::of_exit(Exit::Lost, row.status == Status::Running, 0, &hub, 0);
            let expiry = State::Stopped { reason: StopReason::Expired, at: row.expires_at };
            self.give_up(&row.id, if expired { expiry } else { State::Failed(lost()) }).await;
            return Ok(());
        };
        let mut pump = Pump::new(output, Arc::clone(&hub), self.host.runtime.places(&row.id));
        pump.drain().map_err(Error::internal)?;
        let ends_at =
            kept.and_then(|kept| kept.deadline).map_or_else(|| Steady::of(row.expires_at), before_margin);
        let identity = Identity { row: row.clone(), port, base_url, ends_at, options };
        let (active, orders) = Active::new(identity, hub, Arc::clone(&self.host.runtime));
        if row.status == Status::Running {
            // Before anybody can ask: requests that waited in the public socket's queue are answered at once.
            let running = running_as_before(&row);
            let state = if row.asleep { State::Asleep(running) } else { State::Running(running) };
            active.state.send_replace(state);
        }
        let mut owner = Owner::new(self.clone(), Arc::clone(&active), orders, pump.spawn());
        let environments = kept.iter().flat_map(|kept| &kept.environments);
        // A reload that was interrupted has a second, which is ended with it.
        owner.environment = environments.filter_map(|key| self.host.environments.get(key)).next();
        let Some(kept) = kept else {
            let lost = if row.status == Status::Running { owner.having_served() } else { owner };
            // The runtime keeps nothing beyond its time, whether or not there is a server to see it.
            let expiry = Ending::Stop(StopReason::Expired);
            self.adopt(&active, lost.end(if expired { expiry } else { Ending::Exited(Exit::Lost) }));
            return Ok(());
        };
        active.lane.move_to(serving_start(&row, kept));
        events::taken_over(&active);
        if let Ok(listener) = self.host.runtime.listener(&row.id).await {
            let _server_ends = self.host.addresses.send(PublicAddress::new(&active, listener));
        }
        self.adopt(&active, owner.go_on(row, kept.clone()));
        Ok(())
    }
}

/// The owner's moment, when the runtime has its own.
fn before_margin(deadline: Steady) -> Steady {
    deadline.plus_millis(-i64::try_from(MARGIN * 1000).unwrap_or(0))
}

fn running_as_before(row: &Preview) -> Running {
    let started_at = row.started_at.unwrap_or(row.created_at);
    let checked_at = row.last_health_check.unwrap_or(started_at);
    Running { started_at, health: row.health, checked_at, phases: Phases::default() }
}

/// The start that serves: the one that a reload or a wake recorded, else the oldest that is not on its way out.
fn serving_start(row: &Preview, kept: &Kept) -> u32 {
    if let Some(recorded) = row.slot.filter(|recorded| kept.slots.iter().any(|(slot, _)| slot == recorded)) {
        return recorded;
    }
    let alive = kept.slots.iter().find(|(_, exit)| exit.is_none());
    alive.or(kept.slots.last()).map_or(0, |(slot, _)| *slot)
}

impl Owner {
    /// Goes on where the last server was interrupted.
    async fn go_on(mut self, row: Preview, kept: Kept) {
        self.end_interrupted(&kept).await;
        let slot = self.active.lane.slot();
        if row.status == Status::Running {
            self.note(Note::info(Source::Server, "The server was restarted; the preview went on")).await;
            self.active.hub.announce(&self.active.state().to_event());
            let ending = self.watch().await;
            return self.end(ending).await;
        }
        self.active.hub.announce(&State::Launching.to_event());
        let line = "The server was restarted during the launch; it goes on";
        self.note(Note::info(Source::Server, line)).await;
        if slot != 0 {
            let mut phases = Phases::default();
            let answered = self.await_answer(slot, &mut phases).await;
            let ending = match answered {
                Ok(running) => self.live(running).await,
                Err(ending) => ending,
            };
            return self.end(ending).await;
        }
        match self.previews.project_of(&row.generation_id).await {
            Ok(project) => self.launch(project, Phases::default()).await,
            Err(e) => {
                tracing::error!(preview = %row.id, error = %e, "an interrupted launch cannot go on");
                let told = "The launch was interrupted by a restart of the server: launch it again.";
                self.end(Ending::failed(failure::of_host(told))).await;
            }
        }
    }

    /// Ends the starts of reloads and wakes that were interrupted.
    async fn end_interrupted(&mut self, kept: &Kept) {
        self.next_slot = kept.slots.iter().map(|(slot, _)| *slot).max().unwrap_or(0) + 1;
        let asleep = matches!(self.active.state(), State::Asleep(_));
        let serving = self.active.lane.slot();
        for (slot, exit) in &kept.slots {
            if exit.is_none() && (asleep || *slot != serving) {
                self.previews.host.runtime.stop(&self.active.id, *slot, Duration::ZERO).await;
            }
        }
    }
}
