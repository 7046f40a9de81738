//! Zygotes: Python processes that have imported the slow, well-known libraries of one environment and
//! fork previews. One for each environment and user, since a fork shares address layout and hash seed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::Pid;
use sandbox::{Limits, Network, Policy, Process, Program, Role, Sandbox, Workshop};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use super::making;
use super::packets::{Packets, send_once};
use super::spare::{Room, Spare};

/// What it may use: it holds libraries, no application.
const LIMITS: Limits = Limits { memory: 768 << 20, tasks: 64, open_files: 1024, disk: 1 << 20, cpu: 2.0 };
/// Importing everything may take this long on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// A fork that is not there by then is not coming.
const FORK_PATIENCE: Duration = Duration::from_secs(10);

/// What a zygote is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The interpreter.
    pub python: PathBuf,
    /// The zygote's program text.
    pub zygote: PathBuf,
    /// The runner's program text.
    pub runner: PathBuf,
    /// The text of what it does before it forks.
    pub rehearsal: PathBuf,
    /// Directories of packages, added to the module path.
    pub packages: Vec<PathBuf>,
    /// Directories that it sees besides the system's: those above, and what the interpreter needs.
    pub visible: Vec<PathBuf>,
    /// Whether it has the host's network: a fork cannot join what its zygote is not in.
    pub egress: bool,
    /// The host's user id that it has, where the keeper may give one.
    pub identity: Option<u32>,
    /// The host's user ids that its previews may have, first and how many.
    pub delegated: Option<(u32, u32)>,
}

/// What a forked preview is handed.
#[derive(Debug)]
pub struct Handover {
    /// The runner's instructions, to be read from the start.
    pub spec: OwnedFd,
    /// The listening socket.
    pub listener: OwnedFd,
    /// Where structured records go.
    pub records: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

/// A process that was forked into its sandbox and cgroup: a child of the keeper. It makes itself ready and waits for
/// [`Forked::go`], and ends if that does not come.
#[derive(Debug)]
pub struct Forked {
    /// Its id, as the keeper sees it.
    pub pid: Pid,
    /// Its pidfd.
    pub pidfd: OwnedFd,
    gate: OwnedFd,
}

impl Forked {
    /// Lets it become a preview.
    ///
    /// # Errors
    /// If it has ended.
    pub fn go(&self, handover: &Handover) -> io::Result<()> {
        let Handover { spec, listener, records, stdout, stderr } = handover;
        send_once(&self.gate, b"!", &[spec, listener, records, stdout, stderr].map(AsFd::as_fd))
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let at_once = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&at_once)) == Ok(0)
    }
}

/// A zygote that is ready to fork.
#[derive(Debug)]
pub struct Zygote {
    den: RefCell<Option<Sandbox>>,
    process: Process,
    control: Rc<Packets>,
    waiting: Rc<Waiting>,
    reader: AbortHandle,
    next: Cell<u64>,
    spare: RefCell<Option<Spare>>,
    makes_spare: Cell<bool>,
}

/// Forks that are under way, by number; `None` once the zygote is gone.
#[derive(Debug, Default)]
struct Waiting {
    forks: RefCell<BTreeMap<u64, oneshot::Sender<Result<Child, String>>>>,
    gone: Cell<bool>,
}

/// A process that a zygote made.
#[derive(Debug)]
struct Child {
    pid: Pid,
    pidfd: OwnedFd,
}

#[derive(Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Order<'a> {
    Setup {
        runner: &'a PathBuf,
        rehearsal: &'a PathBuf,
        paths: &'a [PathBuf],
        filters: Vec<String>,
    },
    Fork {
        id: u64,
        identity: Option<u32>,
        drop_groups: bool,
        rlimits: &'a [(u32, u64)],
        landlock: bool,
        namespaces: u32,
    },
}

#[derive(Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
enum Reply {
    Ready { single: bool },
    Started { id: u64, pid: i32 },
    Failed { id: u64, message: String },
}

impl Zygote {
    /// Starts one and waits until it has imported what there is. It gives way to others until somebody is in a
    /// `hurry`. `name` is that of its cgroup.
    ///
    /// # Errors
    /// If it cannot be started, dies, takes too long, or has more than one thread after its imports.
    pub async fn start(
        workshop: &Workshop,
        name: &str,
        recipe: &Recipe,
        hurry: &Notify,
    ) -> io::Result<Rc<Self>> {
        let mut den = making::prepare(workshop, name, policy(recipe), None).await?;
        let (control, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&control, true)?;
        let process = making::spawn(workshop, &mut den, program(recipe, theirs)).await?;
        let control = Rc::new(Packets::new(control)?);
        let give_way = |gives| den.cgroup().iter().for_each(|leaf| leaf.give_way(gives));
        give_way(true);
        let hurried = async {
            hurry.notified().await;
            give_way(false);
            std::future::pending::<Infallible>().await
        };
        let greeting = greet(&control, recipe, workshop.layers.seccomp);
        tokio::select! {
            ready = tokio::time::timeout(PATIENCE, greeting) => ready
                .map_err(|_elapsed| io::Error::other("it did not finish its imports in time"))??,
            never = hurried => match never {},
        }
        give_way(false);
        let waiting = Rc::new(Waiting::default());
        let reader = tokio::task::spawn_local(Rc::clone(&waiting).read(Rc::clone(&control))).abort_handle();
        let den = RefCell::new(Some(den));
        let (next, spare, makes_spare) = Default::default();
        Ok(Rc::new(Self { den, process, control, waiting, reader, next, spare, makes_spare }))
    }

    /// Makes a sandbox that previews forked from here may join.
    ///
    /// # Errors
    /// The step that the host refused, or that this zygote was ended.
    pub async fn prepare(&self, workshop: &Workshop, name: &str, policy: Policy) -> io::Result<Sandbox> {
        let pending = {
            let den = self.den.borrow();
            let den = den.as_ref().ok_or_else(|| io::Error::other("the zygote was ended"))?;
            workshop.begin(name, policy, Some(den)).map_err(io::Error::other)?
        };
        making::complete(pending).await
    }

    /// Forks a process into a sandbox that [`Self::prepare`] made, and puts it into its cgroup.
    ///
    /// # Errors
    /// What the zygote said, or that it is gone.
    pub async fn fork(&self, sandbox: &mut Sandbox) -> io::Result<Forked> {
        let id = self.next.replace(self.next.get() + 1);
        let (gate, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let (sender, answer) = oneshot::channel();
        self.waiting.add(id, sender)?;
        self.send_fork(id, sandbox, theirs.as_fd()).await?;
        let child = tokio::time::timeout(FORK_PATIENCE, answer)
            .await
            .map_err(|_elapsed| io::Error::other("it did not fork in time"))?
            .map_err(|_dropped| io::Error::other("the zygote died"))?
            .map_err(io::Error::other)?;
        sandbox.adopt(child.pidfd.as_fd()).map_err(io::Error::other)?;
        if let Some(leaf) = sandbox.cgroup() {
            leaf.add(child.pid).map_err(io::Error::other)?;
        }
        send_once(&gate, b".", &[])?;
        Ok(Forked { pid: child.pid, pidfd: child.pidfd, gate })
    }

    /// Makes a spare, unless there is one or one is being made.
    ///
    /// # Errors
    /// What kept it from being made.
    pub(super) async fn make_spare<F: Future<Output = io::Result<Spare>>>(
        &self,
        make: impl FnOnce() -> F,
    ) -> io::Result<()> {
        if self.spare.borrow().is_some() || self.makes_spare.replace(true) {
            return Ok(());
        }
        let made = make().await;
        self.makes_spare.set(false);
        let made = made?;
        if self.is_alive() {
            self.spare.replace(Some(made));
        }
        Ok(())
    }

    /// Gives what was made ahead, if there is something and it is such as `policy` wants.
    pub(super) fn take_spare(&self, policy: &Policy) -> Option<Room> {
        self.spare.take().filter(|spare| spare.suits(policy))?.occupy(policy)
    }

    async fn send_fork(&self, id: u64, sandbox: &Sandbox, gate: BorrowedFd<'_>) -> io::Result<()> {
        let confinement = sandbox.confinement();
        let order = Order::Fork {
            id,
            identity: confinement.identity,
            drop_groups: confinement.drop_groups,
            rlimits: &confinement.rlimits,
            landlock: sandbox.landlock().is_some(),
            namespaces: sandbox.joins().unwrap_or(0),
        };
        let mut fds = vec![gate];
        fds.extend(sandbox.landlock());
        fds.extend(sandbox.init());
        self.control.send(&serde_json::to_vec(&order)?, &fds).await
    }

    /// Whether it can still fork.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.waiting.gone.get() && self.den.borrow().is_some()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Bytes of memory that it holds, with its spare.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let spare = self.spare.borrow().as_ref().map_or(0, Spare::memory_bytes);
        let path = format!("/proc/{}/statm", self.pid().as_raw_nonzero());
        let pages = std::fs::read_to_string(path)
            .ok()
            .and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
        pages.unwrap_or(0) * rustix::param::page_size() as u64 + spare
    }

    /// Ends it. Previews that it forked go on.
    pub fn end(&self) {
        self.waiting.close();
        self.spare.take();
        if let Some(den) = self.den.take()
            && let Err(e) = den.destroy()
        {
            tracing::warn!(error = %e, "a zygote left something behind");
        }
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.reader.abort();
        self.end();
    }
}

impl Waiting {
    fn add(&self, id: u64, sender: oneshot::Sender<Result<Child, String>>) -> io::Result<()> {
        if self.gone.get() {
            return Err(io::Error::other("the zygote died"));
        }
        self.forks.borrow_mut().insert(id, sender);
        Ok(())
    }

    async fn read(self: Rc<Self>, control: Rc<Packets>) {
        while let Ok(Some((bytes, fds))) = control.receive().await {
            match serde_json::from_slice(&bytes) {
                Ok(Reply::Started { id, pid }) => self.answer(id, started(pid, fds)),
                Ok(Reply::Failed { id, message }) => self.answer(id, Err(message)),
                Ok(Reply::Ready { .. }) => {}
                Err(e) => {
                    tracing::warn!(error = %e, "a zygote said what cannot be understood");
                    break;
                }
            }
        }
        self.close();
    }

    fn answer(&self, id: u64, result: Result<Child, String>) {
        if let Some(sender) = self.forks.borrow_mut().remove(&id) {
            // Whoever waited may have given up; then the child reads an end at its gate and exits.
            let _given_up = sender.send(result);
        }
    }

    fn close(&self) {
        self.gone.set(true);
        self.forks.borrow_mut().clear();
    }
}

fn started(pid: i32, mut fds: Vec<OwnedFd>) -> Result<Child, String> {
    match (Pid::from_raw(pid), fds.pop()) {
        (Some(pid), Some(pidfd)) => Ok(Child { pid, pidfd }),
        _ => Err("it named no process".to_owned()),
    }
}

fn policy(recipe: &Recipe) -> Policy {
    let mut policy = Policy::new(LIMITS);
    policy.identity = recipe.identity;
    policy.delegated = recipe.delegated;
    policy.role = Role::Forker;
    policy.network = if recipe.egress { Network::Host } else { Network::None };
    policy.read_only.clone_from(&recipe.visible);
    policy
}

fn program(recipe: &Recipe, control: OwnedFd) -> Program {
    let options = ["-I", "-S", "-u", "-X", "utf8"].map(OsString::from);
    Program {
        path: recipe.python.clone(),
        arguments: options.into_iter().chain([recipe.zygote.clone().into_os_string()]).collect(),
        environment: vec![
            ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
            ("LANG".into(), "C.UTF-8".into()),
        ],
        stdout: Stdio::null(),
        stderr: Stdio::null(),
        fds: vec![(control, 3)],
    }
}

async fn greet(control: &Packets, recipe: &Recipe, seccomp: bool) -> io::Result<()> {
    let programs = if seccomp { sandbox::seccomp::programs(Role::Program) } else { Ok(Vec::new()) };
    let programs = programs.map_err(io::Error::other)?;
    let filters =
        programs.iter().map(|program| STANDARD.encode(sandbox::seccomp::as_bytes(program))).collect();
    let Recipe { runner, rehearsal, packages: paths, .. } = recipe;
    let order = Order::Setup { runner, rehearsal, paths, filters };
    control.send(&serde_json::to_vec(&order)?, &[]).await?;
    let (bytes, _fds) =
        control.receive().await?.ok_or_else(|| io::Error::other("it died during its imports"))?;
    match serde_json::from_slice(&bytes)? {
        Reply::Ready { single: true } => Ok(()),
        Reply::Ready { single: false } => {
            Err(io::Error::other("a library started a thread when it was imported"))
        }
        Reply::Started { .. } | Reply::Failed { .. } => Err(io::Error::other("it spoke out of turn")),
    }
}
