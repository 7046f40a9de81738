//! This machine: the keeper's client, and the files that a preview sees.

mod compile;
mod describe;
mod output;
mod stream;
mod watched;
mod workspace;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::watched::{WatchedMap, connect};
use super::{Describe, Exit, Kept, Open, Output, Places, Runtime, RuntimeError, Start, Stream, Undescribed};
use crate::config::{Isolation, Limits};
use crate::confined::Confiner;
use crate::environment::Environment;
use crate::id::{PreviewId, UserId};
use crate::keeper::protocol::{self, Answer, Request, Warm};
use crate::keeper::{Client, ClientError, Layout};
use crate::time::Steady;

/// The runtime of this machine.
#[derive(Debug)]
pub struct LocalRuntime {
    layout: Layout,
    workspaces: workspace::Workspaces,
    client: Mutex<Arc<Client>>,
    /// Held by whoever makes the connection anew.
    connecting: tokio::sync::Mutex<()>,
    watched: WatchedMap,
    settings: Settings,
    /// Taken by each import.
    describing: tokio::sync::Semaphore,
    /// Taken by whatever compiles ahead, which no import is to wait for.
    compiling: tokio::sync::Semaphore,
}

/// How previews are run on this machine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the interpreter of the previews is installed.
    pub python_prefix: PathBuf,
    /// Which layers must hold.
    pub isolation: Isolation,
    /// What each may use.
    pub limits: Limits,
    /// Whether they reach the network.
    pub egress: bool,
    /// Whether the kernel may merge equal memory of those that are forked.
    pub memory_merge: bool,
    /// How long code may take to start.
    pub launch_timeout: Duration,
    /// Confines imports; without it there are none.
    pub confiner: Option<Confiner>,
}

impl LocalRuntime {
    /// Connects to the keeper of `data_dir`, starting it if none runs.
    ///
    /// # Errors
    /// If none can be started, or the one that runs is of another version.
    pub async fn connect(data_dir: &Path, settings: Settings) -> Result<Self, ClientError> {
        let layout = Layout::new(&std::fs::canonicalize(data_dir)?);
        let watched = WatchedMap::default();
        let client = connect(&layout, &watched).await?;
        let workspaces = workspace::Workspaces::new(data_dir)?;
        let (client, connecting) = (Mutex::new(client), tokio::sync::Mutex::default());
        let [describing, compiling] = [describe::AT_ONCE, compile::AT_ONCE].map(tokio::sync::Semaphore::new);
        Ok(Self { layout, workspaces, client, connecting, watched, settings, describing, compiling })
    }

    /// The connection, made anew after the keeper died.
    async fn client(&self) -> Result<Arc<Client>, RuntimeError> {
        let is_gone = |client: &Client| client.gone().now_or_never().is_some();
        let known = self.connected();
        if !is_gone(&known) {
            return Ok(known);
        }
        let _turn = self.connecting.lock().await;
        let known = self.connected();
        if !is_gone(&known) {
            return Ok(known);
        }
        let new = connect(&self.layout, &self.watched).await?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        Ok(new)
    }

    /// Has another keeper in the place of one that died, though nobody asks for anything: it removes what that one had made ahead.
    pub async fn keep_connected(&self) {
        /// Between two tries.
        const PAUSE: Duration = Duration::from_secs(5);
        loop {
            self.connected().gone().await;
            if let Err(error) = self.client().await {
                tracing::warn!(%error, "there is no keeper at the moment");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// The connection that there is, or was.
    fn connected(&self) -> Arc<Client> {
        Arc::clone(&self.client.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn call(&self, request: Request) -> Result<(Answer, Option<OwnedFd>), RuntimeError> {
        Ok(self.client().await?.call(request).await?)
    }

    async fn start_code(&self, id: &PreviewId, slot: u32, start: Start<'_>) -> Result<(), RuntimeError> {
        let mut files = start.files.clone();
        for (path, bytecode) in start.bytecode {
            // What was uploaded there stays.
            files.entry(path).or_insert(bytecode);
        }
        let workspace = self.workspaces.write(id, slot, files, start.database).await?;
        let (module, attribute) = start.entrypoint.split_once(':').unwrap_or((start.entrypoint, "app"));
        let spec = json!({
            "paths": [start.environment.site_packages], "module": module, "attribute": attribute,
            "factory": start.factory, "env": start.variables, "probe": start.probe,
        });
        let request = Request::Start(Box::new(protocol::Start {
            preview: id.to_string(),
            slot,
            warm: self.warm_from(start.environment, start.user),
            env: minimal_environment(),
            files: workspace.files,
            database: workspace.database,
            spec,
            isolation: self.settings.isolation,
        }));
        self.call(request).await.map(drop)
    }

    fn warm_from(&self, environment: &Environment, user: &UserId) -> Warm {
        let user = hex::encode(Sha256::digest(user.0.as_bytes()));
        let [runner, zygote_program, rehearsal] = self.workspaces.programs();
        let tools = runner.parent().map(Path::to_owned);
        let network = if self.settings.egress { ".egress" } else { "" };
        let merged = if self.settings.memory_merge { ".merged" } else { "" };
        let visible = [environment.site_packages.clone(), self.settings.python_prefix.clone()];
        Warm {
            zygote: format!("{}.{}{network}{merged}", environment.key, &user[..16]),
            python: environment.python.clone(),
            zygote_program: zygote_program.to_owned(),
            runner: runner.to_owned(),
            rehearsal: rehearsal.to_owned(),
            packages: vec![environment.site_packages.clone()],
            visible: visible.into_iter().chain(tools).collect(),
            limits: self.settings.limits,
            egress: self.settings.egress,
            merge: self.settings.memory_merge,
        }
    }
}

/// What the interpreter itself starts with; the preview's own variables are set by the runner once it is confined.
fn minimal_environment() -> Vec<(String, String)> {
    [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("PYTHONUNBUFFERED", "1")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec()
}

fn listener(fd: Option<OwnedFd>) -> Result<TcpListener, RuntimeError> {
    let fd = fd.ok_or_else(|| RuntimeError::Failed("the keeper sent no socket".to_owned()))?;
    let listener = std::net::TcpListener::from(fd);
    listener.set_nonblocking(true)?;
    Ok(TcpListener::from_std(listener)?)
}

impl Runtime for LocalRuntime {
    fn open<'a>(&'a self, open: Open) -> BoxFuture<'a, Result<TcpListener, RuntimeError>> {
        async move {
            self.watch(&open.id);
            let request = Request::Open(protocol::Open {
                preview: open.id.to_string(),
                address: open.address,
                deadline_ms: open.deadline.0,
                work: self.workspaces.of(&open.id),
            });
            listener(self.call(request).await?.1)
        }
        .boxed()
    }

    fn listener<'a>(&'a self, id: &'a PreviewId) -> BoxFuture<'a, Result<TcpListener, RuntimeError>> {
        async move { listener(self.call(Request::Listener { preview: id.to_string() }).await?.1) }.boxed()
    }

    fn warm<'a>(&'a self, environment: &'a Environment, user: &'a UserId) -> BoxFuture<'a, ()> {
        async move {
            if self.settings.isolation != Isolation::Off {
                let request = Request::Warm(self.warm_from(environment, user));
                // Without a keeper there is nothing to warm; the launch will start both.
                let _no_harm = self.call(request).await;
            }
        }
        .boxed()
    }

    fn start<'a>(
        &'a self,
        id: &'a PreviewId,
        slot: u32,
        start: Start<'a>,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        self.start_code(id, slot, start).boxed()
    }

    fn describe<'a>(&'a self, describe: Describe<'a>) -> BoxFuture<'a, Result<Vec<u8>, Undescribed>> {
        self.describe_code(describe).boxed()
    }

    fn compile<'a>(
        &'a self,
        environment: &'a Environment,
        modules: &'a BTreeMap<String, Vec<u8>>,
    ) -> BoxFuture<'a, Result<BTreeMap<String, Vec<u8>>, RuntimeError>> {
        self.compile_code(environment, modules).boxed()
    }

    fn stop<'a>(&'a self, id: &'a PreviewId, slot: u32, grace: Duration) -> BoxFuture<'a, ()> {
        async move {
            let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
            let request = Request::Stop { preview: id.to_string(), slot, grace_ms };
            // Unknown or gone: then it has ended, which is what was wanted.
            let _ended_already = self.call(request).await;
        }
        .boxed()
    }

    fn ended<'a>(&'a self, id: &'a PreviewId, slot: u32) -> BoxFuture<'a, Exit> {
        async move {
            let Some(mut exits) = self.watched(id, |w| w.exits.subscribe()) else { return Exit::Lost };
            match exits.wait_for(|exits| exits.contains_key(&slot)).await {
                Ok(exits) => exits.get(&slot).copied().unwrap_or(Exit::Lost),
                Err(_keeper_gone) => Exit::Lost,
            }
        }
        .boxed()
    }

    fn dial<'a>(&'a self, id: &'a PreviewId, slot: u32) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        async move {
            let path = self.layout.socket(id.as_str(), slot);
            let path = workspace::short(&path)?;
            Ok(Box::new(stream::CodeStream::connect(path.path())?) as Box<dyn Stream>)
        }
        .boxed()
    }

    fn output(&self, id: &PreviewId) -> io::Result<Box<dyn Output>> {
        // Without a keeper the journal is read to its end and no further.
        let over = || watch::channel(None).1;
        let wake = self.watched(id, |w| w.output.subscribe()).unwrap_or_else(over);
        Ok(Box::new(output::JournalOutput::open(&self.layout, id, wake, self.connected())?))
    }

    fn places(&self, id: &PreviewId) -> Places {
        let mut places = Places::default();
        let work = format!("{}/", self.workspaces.of(id).display());
        let data_dir = format!("{}/", self.layout.data_dir().display());
        let prefix = self.settings.python_prefix.display().to_string();
        let known = [
            (sandbox::WORK_DIR, "/", ""),
            (work.as_str(), r"\d+/", ""),
            (data_dir.as_str(), r"environments/[^\s\x22']*?site-packages", "site-packages"),
            (data_dir.as_str(), r"tools/[^\s\x22']*?\.py", "previewd"),
            (data_dir.as_str(), r"programs/[^\s\x22']*?\.py", "previewd"),
            (prefix.as_str(), r"/lib(64)?/python3\.\d+", "python"),
        ];
        for (directory, rest, shown) in known {
            if let Err(e) = places.add(directory, rest, shown) {
                tracing::error!(error = %e, "a place of the host cannot be hidden");
            }
        }
        places
    }

    fn note<'a>(&'a self, id: &'a PreviewId, payload: String) -> BoxFuture<'a, Result<(), RuntimeError>> {
        async move { self.call(Request::Note { preview: id.to_string(), payload }).await.map(drop) }.boxed()
    }

    fn memory_bytes<'a>(&'a self, id: &'a PreviewId) -> BoxFuture<'a, Option<u64>> {
        async move {
            match self.call(Request::Usage { preview: id.to_string() }).await {
                Ok((Answer::Usage { memory_bytes }, _)) => Some(memory_bytes),
                _ => None,
            }
        }
        .boxed()
    }

    fn close<'a>(&'a self, id: &'a PreviewId) -> BoxFuture<'a, Result<(), RuntimeError>> {
        async move {
            let result = self.call(Request::Close { preview: id.to_string() }).await;
            self.watched.lock().unwrap_or_else(PoisonError::into_inner).remove(id.as_str());
            match result {
                Ok(_) => Ok(()),
                // The keeper died or never had it: what is left on disk is ours to remove.
                Err(RuntimeError::Unknown | RuntimeError::Gone) => self.workspaces.forget(&self.layout, id),
                Err(e) => Err(e),
            }
        }
        .boxed()
    }

    fn answers<'a>(&'a self) -> BoxFuture<'a, bool> {
        async move { self.call(Request::Hello { version: protocol::VERSION }).await.is_ok() }.boxed()
    }

    fn kept<'a>(&'a self) -> BoxFuture<'a, Result<Vec<Kept>, RuntimeError>> {
        async move {
            let mut all = Vec::new();
            let mut after = None;
            while let (Answer::Next { kept: Some(kept) }, memory) =
                self.call(Request::Next { after: after.clone() }).await?
            {
                self.remember(&kept, memory);
                if let Some(id) = PreviewId::parse(&kept.preview) {
                    let deadline = kept.left_ms.map(|left| Steady::now().plus_millis(left));
                    let (slots, environments) = (kept.slots, kept.environments);
                    all.push(Kept { id, slots, deadline, environments });
                }
                after = Some(kept.preview);
            }
            Ok(all)
        }
        .boxed()
    }

    fn sweep<'a>(&'a self) -> BoxFuture<'a, Result<(), RuntimeError>> {
        async move {
            let kept: Vec<_> = self.kept().await?.into_iter().map(|kept| kept.id).collect();
            self.workspaces.sweep(&self.layout, &kept)
        }
        .boxed()
    }
}

impl From<ClientError> for RuntimeError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Gone => Self::Gone,
            ClientError::Silent => Self::Silent,
            ClientError::AddressInUse => Self::AddressInUse,
            ClientError::Unknown => Self::Unknown,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<io::Error> for RuntimeError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
