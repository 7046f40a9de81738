//! Previews: launching them, watching them, ending them.
//!
//! Each preview has one owner, a task that holds all that it occupies: its place in the store, its port, its processes
//! and its log. Stop, expiry, idleness, crash and failed launch all end that one task, and the cleaning up stands once,
//! in [`end`](self::owner).

mod active;
mod advice;
mod bytecode;
mod describe;
mod events;
mod failure;
mod hint;
mod history;
mod lane;
mod launch;
mod owner;
mod project;
mod pump;
mod ready;
mod record;
mod recover;
mod reload;
mod sleep;
mod state;
mod stop;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

pub use active::{Active, InUse, LaunchOptions};
pub use lane::Place;
pub use launch::LaunchRequest;
pub use state::{Phases, Running, State, StopReason};

use crate::config::Config;
use crate::environment::Environments;
use crate::error::{Error, LastPreview, Result};
use crate::id::{GenerationId, PreviewId};
use crate::logs::Hub;
use crate::metrics::Metrics;
use crate::runtime::Runtime;
use crate::store::{Preview, Status, Store};
use crate::traces::Traces;

/// What previews are made with.
#[derive(Clone)]
pub struct Host {
    /// The settings in force.
    pub config: Arc<Config>,
    /// The server's store.
    pub store: Store,
    /// What runs the code.
    pub runtime: Arc<dyn Runtime>,
    /// What makes environments.
    pub environments: Environments,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where it is told how launches go.
    pub traces: Traces,
    /// Where each new public address goes, to be served.
    pub addresses: mpsc::UnboundedSender<PublicAddress>,
}

/// A preview's own origin, ready to be served for as long as the preview is.
#[derive(Debug)]
pub struct PublicAddress {
    /// Whose it is.
    pub preview: Arc<Active>,
    /// Where clients connect.
    pub listener: TcpListener,
    /// To be dropped once the listener has been.
    pub listening: TaskTrackerToken,
}

impl PublicAddress {
    fn new(preview: &Arc<Active>, listener: TcpListener) -> Self {
        Self { preview: Arc::clone(preview), listener, listening: preview.listening() }
    }
}

/// All previews of this server.
#[derive(Clone)]
pub struct Previews {
    host: Host,
    active: Arc<Mutex<HashMap<GenerationId, Arc<Active>>>>,
    unsaved: Arc<Mutex<HashMap<PreviewId, Arc<Hub>>>>,
    bytecode: Arc<bytecode::Bytecode>,
    owners: TaskTracker,
}

impl Previews {
    /// None yet; see [`Previews::recover`].
    #[must_use]
    pub fn new(host: Host) -> Self {
        let (active, unsaved, bytecode) = Default::default();
        Self { host, active, unsaved, bytecode, owners: TaskTracker::new() }
    }

    /// The active preview of a generation.
    #[must_use]
    pub fn active(&self, generation: &GenerationId) -> Option<Arc<Active>> {
        self.registry().get(generation).cloned()
    }

    /// Makes ready what a launch of these packages by this user begins with.
    pub async fn warm(&self, environment: &crate::environment::Environment, user: &crate::id::UserId) {
        self.host.runtime.warm(environment, user).await;
    }

    /// Whether what runs previews answers.
    pub async fn runtime_answers(&self) -> bool {
        self.host.runtime.answers().await
    }

    /// An active preview by its own id.
    #[must_use]
    pub fn active_by_id(&self, id: &PreviewId) -> Option<Arc<Active>> {
        self.registry().values().find(|active| active.id == *id).cloned()
    }

    /// All active previews.
    #[must_use]
    pub fn all_active(&self) -> Vec<Arc<Active>> {
        self.registry().values().cloned().collect()
    }

    /// The active preview, or the error that says what became of the last one.
    ///
    /// # Errors
    /// `no_active_preview` if nothing runs, or the store's failure.
    pub async fn require_active(&self, generation: &GenerationId) -> Result<Arc<Active>> {
        match self.active(generation) {
            Some(active) => Ok(active),
            None => Err(no_active(self.host.store.latest_preview(generation).await?)),
        }
    }

    /// The last preview of a generation if it failed, which it stays until the next launch or stop.
    ///
    /// # Errors
    /// `no_active_preview` if there was none or it was stopped, or the store's failure.
    pub async fn require_failed(&self, generation: &GenerationId) -> Result<Preview> {
        match self.host.store.latest_preview(generation).await? {
            Some(preview) if preview.status == Status::Failed => Ok(preview),
            last => Err(no_active(last)),
        }
    }

    /// Logs that are not wholly in the store yet.
    fn unsaved(&self) -> MutexGuard<'_, HashMap<PreviewId, Arc<Hub>>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registry(&self) -> MutexGuard<'_, HashMap<GenerationId, Arc<Active>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing runs: what was the last, and how did it end?
fn no_active(last: Option<Preview>) -> Error {
    let message = match last.as_ref().map(|last| last.stop_reason.as_deref()) {
        None => "No active preview for this generation: launch one.",
        Some(Some("expired")) => "Preview expired",
        Some(_) => "Preview stopped",
    };
    let last = last.map(|last| {
        Box::new(LastPreview {
            preview_instance_id: last.id,
            status: last.status.as_str().to_owned(),
            stopped_at: last.stopped_at,
            stop_reason: last.stop_reason,
        })
    });
    Error::NoActivePreview { message: message.to_owned(), last }
}
