//! A preview that launches or runs, as everybody but its owner sees it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::lane::{Lane, Place};
use super::state::{State, StopReason};
use crate::error::{Error, LaunchFailure, Result};
use crate::id::{GenerationId, PreviewId, ProjectId, UserId};
use crate::logs::Hub;
use crate::runtime::{Runtime, Stream};
use crate::time::{Steady, UnixMillis};
use crate::traces::{Parent, Span, Traces};

/// How old a look at a preview's memory may be.
const MEMORY_AGE: std::time::Duration = std::time::Duration::from_secs(1);

/// What whoever launches may choose. Kept with the preview, so that a restarted server can go on with the launch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LaunchOptions {
    /// Further environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Whether the generation's own database is used, which outlives the preview.
    #[serde(default)]
    pub keep_database: bool,
    /// Tells our own health checks from requests; random.
    #[serde(default)]
    pub probe: String,
}

/// New code for a running preview.
#[derive(Debug)]
pub struct Reload {
    /// Revision of the code.
    pub revision: i64,
    /// What it is a part of.
    pub parent: Parent,
    /// Told once it serves, or why it does not.
    pub done: oneshot::Sender<Result<(), Box<LaunchFailure>>>,
}

/// An order to wake.
#[derive(Debug)]
pub(super) struct Wake {
    /// What it is a part of.
    pub parent: Parent,
    /// Told once it serves again, or why it does not.
    pub done: oneshot::Sender<Result<(), Box<LaunchFailure>>>,
}

/// A preview with an owner.
#[derive(Debug)]
pub struct Active {
    /// Its id.
    pub id: PreviewId,
    /// What was launched.
    pub generation_id: GenerationId,
    /// Where that belongs.
    pub project_id: ProjectId,
    /// Whose it is.
    pub user_id: UserId,
    /// Its port of the pool.
    pub port: u16,
    /// Its own address.
    pub base_url: String,
    /// When the launch was asked for.
    pub created_at: UnixMillis,
    /// When its time is over, as its owner was told.
    pub expires_at: UnixMillis,
    /// When its time is over.
    pub(super) ends_at: Steady,
    /// Its log.
    pub hub: Arc<Hub>,
    /// How it was launched.
    pub options: LaunchOptions,
    pub(super) state: watch::Sender<State>,
    pub(super) stop: watch::Sender<Option<StopReason>>,
    pub(super) reloads: mpsc::Sender<Reload>,
    pub(super) wakes: mpsc::Sender<Wake>,
    /// The start that serves.
    pub(super) lane: Lane,
    pub(super) revision: AtomicI64,
    activity: Activity,
    address: Address,
    /// What was last seen of its memory, and when.
    memory: tokio::sync::Mutex<Option<(Instant, Option<u64>)>>,
    runtime: Handle,
}

/// Who listens on the public address in this server.
#[derive(Debug, Default)]
struct Address {
    closing: CancellationToken,
    listeners: TaskTracker,
}

/// The runtime, which has nothing to print.
struct Handle(Arc<dyn Runtime>);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runtime")
    }
}

/// What [`Active::new`] is made of.
#[derive(Debug)]
pub(super) struct Identity {
    pub row: crate::store::Preview,
    pub port: u16,
    pub base_url: String,
    pub ends_at: Steady,
    pub options: LaunchOptions,
}

/// What the owner keeps of an [`Active`].
#[derive(Debug)]
pub(super) struct Orders {
    pub stop: watch::Receiver<Option<StopReason>>,
    pub reloads: mpsc::Receiver<Reload>,
    pub wakes: mpsc::Receiver<Wake>,
}

impl Active {
    pub(super) fn new(identity: Identity, hub: Arc<Hub>, runtime: Arc<dyn Runtime>) -> (Arc<Self>, Orders) {
        let (reloads, reload_orders) = mpsc::channel(8);
        let (wakes, wake_orders) = mpsc::channel(64);
        let stop = watch::Sender::new(None);
        let orders = Orders { stop: stop.subscribe(), reloads: reload_orders, wakes: wake_orders };
        let row = identity.row;
        let active = Self {
            id: row.id,
            generation_id: row.generation_id,
            project_id: row.project_id,
            user_id: row.user_id,
            port: identity.port,
            base_url: identity.base_url,
            created_at: row.created_at,
            expires_at: row.expires_at,
            ends_at: identity.ends_at,
            hub,
            options: identity.options,
            state: watch::Sender::new(State::Launching),
            stop,
            reloads,
            wakes,
            lane: Lane::default(),
            revision: AtomicI64::new(row.revision),
            activity: Activity::new(),
            memory: tokio::sync::Mutex::default(),
            address: Address::default(),
            runtime: Handle(runtime),
        };
        (Arc::new(active), orders)
    }

    /// Something that is done with it, as a span.
    pub(super) fn span(&self, traces: &Traces, name: &'static str, parent: &Parent) -> Span {
        let mut span = traces.span(name, parent);
        if span.is_kept() {
            span.set("previewd.preview", self.id.to_string());
            span.set("previewd.generation", self.generation_id.to_string());
            span.set("previewd.user", self.user_id.0.clone());
        }
        span
    }

    /// Where it is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Revision of the code that serves.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Waits until `wanted` is true of its state.
    pub async fn wait_for(&self, wanted: impl FnMut(&State) -> bool) -> State {
        let mut states = self.state.subscribe();
        match states.wait_for(wanted).await {
            Ok(state) => state.clone(),
            // The sender is part of `self`.
            Err(_) => self.state(),
        }
    }

    /// Asks its owner to end it. The first reason that is given counts.
    pub fn request_stop(&self, reason: StopReason) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert(reason);
            first
        });
    }

    /// The start that serves now; a reload changes it.
    #[must_use]
    pub fn serving_slot(&self) -> u32 {
        self.lane.slot()
    }

    /// A place for one request, if the code serves. A preview that sleeps is not woken.
    #[must_use]
    pub fn enter(&self) -> Option<Place> {
        // The place first: whoever puts the preview to sleep changes the state and then waits for those who have one.
        let place = self.lane.enter();
        matches!(&*self.state.borrow(), State::Running(_)).then_some(place)
    }

    /// A place for one request; a preview that sleeps is woken for it, as a part of its `cause`.
    ///
    /// # Errors
    /// `preview_unavailable` if the code does not serve and will not.
    pub async fn enter_awake(&self, cause: &Span) -> Result<Place> {
        loop {
            if let Some(place) = self.enter() {
                return Ok(place);
            }
            if !matches!(&*self.state.borrow(), State::Asleep(_)) {
                return Err(unavailable(
                    "The preview is not running yet, or not any more: look at its status.",
                ));
            }
            let (done, woken) = oneshot::channel();
            let asked = self.wakes.send(Wake { parent: cause.parent(), done }).await.is_ok();
            match woken.await {
                Ok(Ok(())) if asked => {}
                Ok(Err(failure)) => {
                    return Err(unavailable(&format!("The preview could not be woken. {}", failure.message)));
                }
                _ => return Err(unavailable("The preview has ended: launch it again.")),
            }
        }
    }

    /// A new stream to one start of the code.
    ///
    /// # Errors
    /// If nothing listens there.
    pub async fn dial(&self, slot: u32) -> io::Result<Box<dyn Stream>> {
        self.runtime.0.dial(&self.id, slot).await
    }

    /// Says that somebody listens on the public address, for as long as the value lives.
    pub(super) fn listening(&self) -> TaskTrackerToken {
        self.address.listeners.token()
    }

    /// Returns when the public address is to be given back.
    pub async fn address_closes(&self) {
        self.address.closing.cancelled().await;
    }

    /// Has the public address given back by all who listen there.
    pub(super) async fn close_address(&self) {
        self.address.closing.cancel();
        self.address.listeners.close();
        self.address.listeners.wait().await;
    }

    /// Bytes of memory of its processes, as of a second ago at the most: many who ask at once cost one look.
    pub async fn memory_bytes(&self) -> Option<u64> {
        let mut seen = self.memory.lock().await;
        if let Some((at, bytes)) = *seen
            && at.elapsed() < MEMORY_AGE
        {
            return bytes;
        }
        // Whoever asks for the status waits for nobody who does not answer.
        let asking = self.runtime.0.memory_bytes(&self.id);
        let bytes = tokio::time::timeout(MEMORY_AGE, asking).await.unwrap_or_default();
        *seen = Some((Instant::now(), bytes));
        bytes
    }

    /// Somebody uses it, now.
    pub fn touch(&self) {
        self.activity.touch();
    }

    /// Somebody uses it for as long as the value lives.
    #[must_use]
    pub fn in_use(self: &Arc<Self>) -> InUse {
        self.activity.begin();
        InUse(Arc::clone(self))
    }

    /// When it was last used: now, while a request is under way.
    pub(super) fn idle_from(&self) -> Steady {
        self.activity.last_used()
    }
}

fn unavailable(message: &str) -> Error {
    Error::PreviewUnavailable { message: message.to_owned() }
}

/// A request under way.
#[derive(Debug)]
pub struct InUse(Arc<Active>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.activity.end();
    }
}

#[derive(Debug)]
struct Activity {
    last: AtomicI64,
    under_way: AtomicU64,
}

impl Activity {
    fn new() -> Self {
        Self { last: AtomicI64::new(Steady::now().0), under_way: AtomicU64::new(0) }
    }

    fn touch(&self) {
        self.last.fetch_max(Steady::now().0, Ordering::AcqRel);
    }

    fn begin(&self) {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        self.touch();
    }

    fn end(&self) {
        self.touch();
        self.under_way.fetch_sub(1, Ordering::AcqRel);
    }

    fn last_used(&self) -> Steady {
        if self.under_way.load(Ordering::Acquire) > 0 {
            return Steady::now();
        }
        Steady(self.last.load(Ordering::Acquire))
    }
}
