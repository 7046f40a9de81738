//! A launch: getting a place, then the steps until the code answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::active::{Active, Identity, LaunchOptions};
use super::owner::{Ending, Owner};
use super::pump::Pump;
use super::record::{Last, close_in_the_end};
use super::state::{Phases, Running, State};
use super::{Previews, PublicAddress, events, failure, ready};
use crate::config::Config;
use crate::environment::Environment;
use crate::error::{Error, LaunchFailure, Result};
use crate::generation::{self, Plan};
use crate::id::{PreviewId, random_hex};
use crate::logs::{Hub, Note, Source};
use crate::runtime::{Open, RuntimeError, Start};
use crate::store::{BeginError, Generation, NewPreview, Preview};
use crate::time::{Steady, UnixMillis};
use crate::traces::Parent;

/// Seconds after its time when the runtime ends a preview: the owner does it on time, the runtime only if there is no owner then.
pub(super) const MARGIN: u64 = 3;

/// What whoever launches asks for.
#[derive(Clone, Debug, Default)]
pub struct LaunchRequest {
    /// Further environment variables.
    pub env: BTreeMap<String, String>,
    /// Whether the generation's own database is used.
    pub keep_database: bool,
    /// How many previews the user may have at once.
    pub limit: u32,
    /// What it is a part of.
    pub parent: Parent,
}

impl Previews {
    /// Begins a launch. The preview that is returned launches; wait for its state to change.
    ///
    /// # Errors
    /// If it may not begin: files missing, one active already, the limit reached, no port free.
    pub async fn launch(&self, generation: &Generation, request: LaunchRequest) -> Result<Arc<Active>> {
        let began = Instant::now();
        let project = self.project(generation).await?;
        let probe = random_hex::<16>().map_err(Error::internal)?;
        let options = LaunchOptions { env: request.env, keep_database: request.keep_database, probe };
        let (row, listener) = self.take_place(generation, &options, request.limit).await?;
        let port = row.port.unwrap_or_default();
        let base_url = self.host.config.base_url(port, &row.id);
        let hub = Hub::new(self.host.config.max_log_lines, 1);
        let output = match self.host.runtime.output(&row.id) {
            Ok(output) => output,
            Err(e) => {
                self.give_back(&row.id).await;
                return Err(no_place(&RuntimeError::Failed(e.to_string())));
            }
        };
        let pumping = Pump::new(output, Arc::clone(&hub), self.host.runtime.places(&row.id)).spawn();
        let ends_at = Steady::of(row.expires_at);
        let identity = Identity { row, port, base_url, ends_at, options };
        let (active, orders) = Active::new(identity, hub, Arc::clone(&self.host.runtime));
        active.hub.announce(&State::Launching.to_event());
        events::launching(&active);
        let _server_ends = self.host.addresses.send(PublicAddress::new(&active, listener));
        let phases = Phases { plan: millis(began), ..Phases::default() };
        let span = active.span(&self.host.traces, "preview.launch", &request.parent);
        span.step_since("plan", began.elapsed());
        let owner = Owner::new(self.clone(), Arc::clone(&active), orders, pumping).within(span);
        self.adopt(&active, owner.launch(project, phases));
        Ok(active)
    }

    /// A row in the store and a public address, both or neither.
    async fn take_place(
        &self,
        generation: &Generation,
        options: &LaunchOptions,
        limit: u32,
    ) -> Result<(Preview, tokio::net::TcpListener)> {
        let config = &self.host.config;
        let mut taken = Vec::new();
        loop {
            let id = PreviewId::random().map_err(Error::internal)?;
            let now = UnixMillis::now();
            let new = NewPreview {
                id: id.clone(),
                generation_id: generation.id.clone(),
                project_id: generation.project_id.clone(),
                user_id: generation.user_id.clone(),
                revision: generation.revision,
                created_at: now,
                expires_at: now.plus_seconds(config.session_timeout),
                launch: serde_json::to_string(options).map_err(Error::internal)?,
            };
            let ports = config.port_min..=config.port_max;
            let port = self.host.store.begin_preview(new, limit, ports, &taken).await;
            if matches!(port, Err(BeginError::Doubtful(_))) {
                Last::Withdrawn.record_later(self.host.store.clone(), id.clone());
            }
            let port = port.map_err(|e| begin_error(e, config.port_min, config.port_max))?;
            let refused = match self.open(&id, port, now.plus_seconds(config.session_timeout)).await {
                Ok(listener) => match self.host.store.preview(&id).await {
                    Ok(Some(row)) => return Ok((row, listener)),
                    Ok(None) => Error::internal("the preview's row is gone"),
                    Err(e) => e.into(),
                },
                Err(RuntimeError::AddressInUse) => {
                    match Last::Withdrawn.record(&self.host.store, &id).await {
                        Ok(()) => {
                            taken.push(port);
                            continue;
                        }
                        Err(e) => e.into(),
                    }
                }
                Err(e) => no_place(&e),
            };
            self.give_back(&id).await;
            return Err(refused);
        }
    }

    /// Of a place that is not taken after all nothing is left, its row neither: as soon as the store takes that.
    async fn give_back(&self, id: &PreviewId) {
        close_in_the_end(&self.host.runtime, id).await;
        Last::Withdrawn.record_in_the_end(&self.host.store, id).await;
    }

    pub(super) async fn open(
        &self,
        id: &PreviewId,
        port: u16,
        expires_at: UnixMillis,
    ) -> Result<tokio::net::TcpListener, RuntimeError> {
        let address = std::net::SocketAddr::new(self.host.config.listen.ip(), port);
        let deadline = expires_at.plus_seconds(MARGIN);
        self.host.runtime.open(Open { id: id.clone(), address, deadline }).await
    }
}

/// What an application finds in its environment, but for what its launch says.
pub(super) fn variables(plan: &Plan, config: &Config, port: u16) -> BTreeMap<String, String> {
    let url = if plan.async_sqlite { "sqlite+aiosqlite:///./preview.db" } else { "sqlite:///./preview.db" };
    let ours = [
        ("DATABASE_URL", url.to_owned()),
        ("PYTHONUNBUFFERED", "1".to_owned()),
        ("LOG_LEVEL", config.log_level.to_string()),
        ("PORT", port.to_string()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
    ];
    ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn no_place(error: &RuntimeError) -> Error {
    tracing::error!(%error, "a preview has no place");
    match error {
        RuntimeError::Silent | RuntimeError::Gone => {
            let message = "This server can start no preview at the moment: what keeps them does not answer. Try again in a minute.";
            Error::PreviewUnavailable { message: message.to_owned() }
        }
        _ => Error::LaunchFailed(Box::new(failure::of_host(
            "This server has no place for a preview at the moment: it is out of room, files or descriptors, or its data directory cannot be written to. Try again in a minute, or ask who runs this server.",
        ))),
    }
}

fn begin_error(error: BeginError, min: u16, max: u16) -> Error {
    match error {
        BeginError::GenerationGone => Error::GenerationNotFound,
        BeginError::AlreadyRunning(preview_id) => Error::PreviewAlreadyRunning { preview_id },
        BeginError::LimitReached { limit, active } => Error::PreviewLimitReached { limit, active },
        BeginError::PortsExhausted => Error::PortsExhausted { min, max },
        BeginError::Doubtful(e) | BeginError::Store(e) => e.into(),
    }
}

/// The steps of a launch. Each gives up with the reason that the person is told.
impl Owner {
    /// From the plan to the first answer.
    pub(super) async fn bring_up(
        &mut self,
        files: &BTreeMap<String, Vec<u8>>,
        plan: &Plan,
        phases: &mut Phases,
    ) -> Result<Running, Ending> {
        for warning in &plan.warnings {
            self.note(Note::warn(Source::Install, warning.clone())).await;
        }
        let began = Instant::now();
        let environment = self.prepared(plan).await.map_err(Ending::failed)?;
        phases.environment = millis(began);
        let began = Instant::now();
        let slot = self.start_code(files, plan, &environment).await.map_err(Ending::failed)?;
        self.active.lane.move_to(slot);
        self.environment = Some(environment.clone());
        phases.start = millis(began);
        let running = self.await_answer(slot, phases).await?;
        self.compile_later(generation::modules(files), environment);
        Ok(running)
    }

    /// The environment of the plan, with its making in the log.
    pub(super) async fn prepared(&self, plan: &Plan) -> Result<Environment, LaunchFailure> {
        let _step = self.span.step("environment");
        let wish = plan.requirements.clone();
        for added in wish.added() {
            let line = format!("{added} is not among the requirements and was added");
            self.note(Note::info(Source::Install, line)).await;
        }
        let (lines, mut told) = mpsc::unbounded_channel();
        let environments = self.previews.host.environments.clone();
        let prepare = async move {
            let progress = move |line: String| drop(lines.send(line));
            environments.prepare(&wish, &progress).await
        };
        let tell = async {
            while let Some(line) = told.recv().await {
                self.note(Note::info(Source::Install, line)).await;
            }
        };
        let (prepared, ()) = tokio::join!(prepare, tell);
        prepared.map_err(LaunchFailure::from)
    }

    /// Writes the files and starts the process. Returns the number of the start.
    pub(super) async fn start_code(
        &mut self,
        files: &BTreeMap<String, Vec<u8>>,
        plan: &Plan,
        environment: &Environment,
    ) -> Result<u32, LaunchFailure> {
        let _step = self.span.step("start");
        let slot = self.next_slot;
        self.next_slot += 1;
        let started = format!("Starting {}", plan.entrypoint);
        self.note(Note::info(Source::Startup, started)).await;
        let database = self.kept_database().map_err(|e| {
            tracing::error!(error = %e, "a kept database has no place");
            failure::of_host("The kept database could not be made ready; ask who runs this server.")
        })?;
        let mut variables = variables(plan, &self.previews.host.config, self.active.port);
        variables.extend(self.active.options.env.clone());
        let tag = &self.previews.host.environments.interpreter().cache_tag;
        let start = Start {
            files,
            bytecode: self.previews.bytecode.beside(&self.active.generation_id, files, tag),
            environment,
            entrypoint: &plan.entrypoint,
            factory: plan.factory,
            variables,
            database: database.as_deref(),
            user: &self.active.user_id,
            probe: &self.active.options.probe,
        };
        self.previews.host.runtime.start(&self.active.id, slot, start).await.map_err(|e| {
            tracing::error!(preview = %self.active.id, error = %e, "the code could not be started");
            failure::of_host(
                "This server could not start the process; the operator's log says why. Try again.",
            )
        })?;
        Ok(slot)
    }

    /// Where the generation's own database is, if that is the one to use.
    fn kept_database(&self) -> std::io::Result<Option<std::path::PathBuf>> {
        if !self.active.options.keep_database {
            return Ok(None);
        }
        let directory = &self.previews.host.config.db_path;
        let directory = directory.join(self.active.generation_id.as_str());
        std::fs::create_dir_all(&directory)?;
        Ok(Some(std::path::absolute(directory)?))
    }

    /// Waits for the first answer, the end of the process or the end of patience, whichever is first.
    pub(super) async fn await_answer(&self, slot: u32, phases: &mut Phases) -> Result<Running, Ending> {
        let _step = self.span.step("ready");
        let began = Instant::now();
        let (id, runtime) = (&self.active.id, &self.previews.host.runtime);
        let patience = Duration::from_secs(self.previews.host.config.launch_timeout);
        let health = tokio::select! {
            exit = runtime.ended(id, slot) => return Err(Ending::Exited(exit)),
            health = ready::first_answer(runtime.as_ref(), id, slot, &self.active.options.probe) => health,
            () = tokio::time::sleep(patience) => return Err(Ending::NeverAnswered),
        };
        phases.ready = millis(began);
        let now = UnixMillis::now();
        Ok(Running { started_at: now, health, checked_at: now, phases: *phases })
    }

    /// It serves: in the store, in the log, for everybody who waits.
    pub(super) async fn serving(&mut self, running: Running) -> Result<(), Ending> {
        let store = &self.previews.host.store;
        let (id, revision) = (&self.active.id, self.active.revision());
        let marked = store.mark_running(id, running.started_at, running.health, revision).await;
        if let Err(e) = marked {
            tracing::error!(preview = %id, error = %e, "a launch could not be recorded");
            return Err(Ending::failed(failure::of_host(
                "The server's store does not answer; try again in a moment.",
            )));
        }
        let ready = format!("Ready in {} ms, at {}", running.phases.total(), self.active.base_url);
        self.note(Note::info(Source::Server, ready)).await;
        events::launched(&self.active, &running);
        self.previews.host.metrics.launched(running.phases.named());
        drop(std::mem::take(&mut self.span));
        // Whatever the launch took, nobody could use it before.
        self.active.touch();
        self.enter(State::Running(running));
        Ok(())
    }
}

pub(super) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
