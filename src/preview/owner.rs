//! The task that owns a preview: brings it up, watches it, and cleans up after it, once, whatever the end was.

use std::sync::Arc;
use std::time::Duration;

use pysource::Problem;
use tokio::time::Instant;

use super::active::{Active, Orders};
use super::history::Keeping;
use super::project::Project;
use super::pump::Pumping;
use super::state::{Phases, Running, State, StopReason};
use super::{Previews, advice, events, ready};
use crate::environment::Environment;
use crate::error::LaunchFailure;
use crate::logs::{Note, Source};
use crate::runtime::Exit;
use crate::store::Health;
use crate::time::{Steady, UnixMillis};
use crate::traces::Span;

/// Between two looks at a preview's health.
const HEALTH_INTERVAL: Duration = Duration::from_secs(10);
/// For the store to take a health check.
const RECORDING: Duration = Duration::from_secs(1);
/// The longest sleep towards a moment, since a suspended machine's timers stand still.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How many milliseconds before the end of its time a preview says so.
const WARNING: i64 = 300_000;

/// How a preview came to its end.
#[derive(Debug)]
pub(super) enum Ending {
    /// We end it.
    Stop(StopReason),
    /// The code ended.
    Exited(Exit),
    /// The code never answered.
    NeverAnswered,
    /// It could not be started.
    Failed(Box<LaunchFailure>),
}

impl Ending {
    pub(super) fn failed(failure: LaunchFailure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

/// Holds what a preview occupies.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) previews: Previews,
    pub(super) active: Arc<Active>,
    pub(super) orders: Orders,
    pub(super) pumping: Pumping,
    pub(super) keeping: Keeping,
    /// The packages that it runs with; holding them keeps them from being removed.
    pub(super) environment: Option<Environment>,
    /// Number of the next start.
    pub(super) next_slot: u32,
    /// Ends the code that the last reload took the place of.
    pub(super) retiring: Option<(u32, tokio::task::JoinHandle<()>)>,
    /// What is wrong with the files of a launch that failed.
    pub(super) problems: Vec<Problem>,
    /// The launch, reload or waking that is under way.
    pub(super) span: Span,
    served: bool,
}

impl std::fmt::Debug for Previews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Previews").finish_non_exhaustive()
    }
}

impl Owner {
    pub(super) fn new(previews: Previews, active: Arc<Active>, orders: Orders, pumping: Pumping) -> Self {
        let keeping = Keeping::of(&previews, &active);
        let (environment, retiring) = (None, None);
        Self {
            previews,
            active,
            orders,
            pumping,
            keeping,
            environment,
            next_slot: 1,
            retiring,
            problems: Vec::new(),
            span: Span::default(),
            served: false,
        }
    }

    /// What it does first is this.
    pub(super) fn within(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// For a preview that served before this server was started.
    pub(super) fn having_served(self) -> Self {
        Self { served: true, ..self }
    }

    /// A whole life, from the launch on.
    pub(super) async fn launch(mut self, project: Project, mut phases: Phases) {
        let Project { files, plan } = project;
        let ending = match plan {
            Err(failure) => Ending::failed(failure),
            Ok(plan) => {
                let mut stop = self.orders.stop.clone();
                let ends_at = self.active.ends_at;
                let brought_up = tokio::select! {
                    reason = requested(&mut stop) => Err(Ending::Stop(reason)),
                    () = until(ends_at) => Err(Ending::Stop(StopReason::Expired)),
                    result = self.bring_up(&files, &plan, &mut phases) => result,
                };
                match brought_up {
                    Ok(running) => {
                        drop((files, plan));
                        self.live(running).await
                    }
                    Err(Ending::Stop(reason)) => Ending::Stop(reason),
                    Err(ending) => {
                        self.problems = advice::problems(files, plan).await;
                        ending
                    }
                }
            }
        };
        self.end(ending).await;
    }

    /// From the first answer on.
    pub(super) async fn live(&mut self, running: Running) -> Ending {
        match self.serving(running).await {
            Ok(()) => self.watch().await,
            Err(ending) => ending,
        }
    }

    /// Returns when it is over, and says why. Between, it may sleep.
    pub(super) async fn watch(&mut self) -> Ending {
        let taken_over = std::mem::replace(&mut self.served, true);
        let warning = self.warning();
        // The server before this one has said so.
        let mut warned = taken_over && warning.left() == 0;
        loop {
            if matches!(self.active.state(), State::Asleep(_))
                && let Some(ending) = self.sleep().await
            {
                return ending;
            }
            match self.watch_awake(&mut warned).await {
                Ending::Stop(StopReason::Idle) if self.falls_asleep().await => {}
                ending => return ending,
            }
        }
    }

    /// When it is told that its time is nearly over.
    fn warning(&self) -> Steady {
        self.active.ends_at.plus_millis(-WARNING)
    }

    async fn watch_awake(&mut self, warned: &mut bool) -> Ending {
        let mut stop = self.orders.stop.clone();
        let ends_at = self.active.ends_at;
        let warning = self.warning();
        let inactive_timeout = self.previews.host.config.inactive_timeout;
        let mut check_at = Instant::now() + HEALTH_INTERVAL;
        loop {
            let slot = self.active.lane.slot();
            let (active, runtime) = (Arc::clone(&self.active), Arc::clone(&self.previews.host.runtime));
            tokio::select! {
                reason = requested(&mut stop) => return Ending::Stop(reason),
                exit = runtime.ended(&active.id, slot) => return Ending::Exited(exit),
                () = until(ends_at) => return Ending::Stop(StopReason::Expired),
                () = idle(&active, inactive_timeout) => return Ending::Stop(StopReason::Idle),
                () = until(warning), if !*warned => {
                    *warned = true;
                    self.note(Note::info(Source::Server, expires_in(ends_at))).await;
                }
                () = tokio::time::sleep_until(check_at) => {
                    self.check_health(slot).await;
                    check_at = Instant::now() + HEALTH_INTERVAL;
                }
                // Whoever asked in the moment that it awoke.
                Some(woken) = self.orders.wakes.recv() => drop(woken.done.send(Ok(()))),
                Some(reload) = self.orders.reloads.recv() => tokio::select! {
                    () = self.reload(reload) => {}
                    reason = requested(&mut stop) => return Ending::Stop(reason),
                    () = until(ends_at) => return Ending::Stop(StopReason::Expired),
                },
            }
        }
    }

    async fn check_health(&self, slot: u32) {
        let runtime = self.previews.host.runtime.as_ref();
        let health = ready::check(runtime, &self.active.id, slot, &self.active.options.probe).await;
        self.set_health(health).await;
    }

    async fn set_health(&self, health: Health) {
        let now = UnixMillis::now();
        let mut changed = false;
        self.active.state.send_modify(|state| {
            if let State::Running(running) = state {
                changed = running.health != health;
                (running.health, running.checked_at) = (health, now);
            }
        });
        let recording = self.previews.host.store.set_health(&self.active.id, health, now);
        // The next one will do: an owner that waits for the store sees no end coming.
        match tokio::time::timeout(RECORDING, recording).await {
            Ok(Ok(_runs)) => {}
            Ok(Err(e)) => {
                tracing::warn!(preview = %self.active.id, error = %e, "a health check could not be recorded");
            }
            Err(_) => {
                tracing::warn!(preview = %self.active.id, "a health check was not recorded: the store is busy");
            }
        }
        if changed {
            events::health(&self.active, health);
            self.active.hub.announce(&self.active.state().to_event());
        }
    }

    /// A line of ours in the preview's log.
    pub(super) async fn note(&self, note: Note) {
        if let Err(e) = self.previews.host.runtime.note(&self.active.id, note.to_json()).await {
            tracing::warn!(preview = %self.active.id, error = %e, line = note.message, "a line is missing in the log");
        }
    }

    /// Changes the state for everybody who waits or reads.
    pub(super) fn enter(&self, state: State) {
        self.active.hub.announce(&state.to_event());
        self.active.state.send_replace(state);
    }

    pub(super) fn has_served(&self) -> bool {
        self.served
    }
}

fn expires_in(moment: Steady) -> String {
    match moment.left().div_ceil(60_000).max(1) {
        1 => "This preview expires within a minute".to_owned(),
        minutes => format!("This preview expires in {minutes} minutes"),
    }
}

/// Returns when somebody asked for the end.
pub(super) async fn requested(stop: &mut tokio::sync::watch::Receiver<Option<StopReason>>) -> StopReason {
    let reason = stop.wait_for(Option::is_some).await.map(|reason| *reason);
    match reason {
        Ok(reason) => reason.unwrap_or(StopReason::Stopped),
        // The sender is part of the preview that the owner holds.
        Err(_) => std::future::pending().await,
    }
}

/// Returns when nobody has used it for so many seconds.
async fn idle(active: &Active, timeout: u64) {
    let timeout = i64::try_from(timeout.saturating_mul(1000)).unwrap_or(i64::MAX);
    loop {
        let idle_at = active.idle_from().plus_millis(timeout);
        if idle_at.left() == 0 {
            return;
        }
        until(idle_at).await;
    }
}

/// Returns at a moment.
pub(super) async fn until(moment: Steady) {
    loop {
        match moment.left() {
            0 => return,
            left => tokio::time::sleep(Duration::from_millis(left).min(LONGEST_SLEEP)).await,
        }
    }
}
