//! Zygotes: Python processes that have imported the slow, well-known libraries of one environment and
//! fork previews. One for each environment and user, since a fork shares address layout and hash seed.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::Pid;
use sandbox::{Policy, Process, Role, Sandbox, Workshop};
use serde::Serialize;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use super::forks::{Child, Reply, Waiting};
pub use super::forks::{Forked, Handover};
use super::imports::{Imports, Names};
use super::making;
use super::packets::{Packets, send_once};
pub use super::recipe::Recipe;
use super::spare::{Room, Spare};

/// Importing everything may take this long on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// A zygote that makes no fork for so long makes none any more.
const FORK_PATIENCE: Duration = Duration::from_secs(10);

/// A zygote that is ready to fork.
#[derive(Debug)]
pub struct Zygote {
    den: RefCell<Option<Sandbox>>,
    process: Process,
    control: Rc<Packets>,
    /// What it has imported.
    pub imports: Imports,
    waiting: Rc<Waiting>,
    reader: AbortHandle,
    next: Cell<u64>,
    spare: RefCell<Option<Spare>>,
    makes_spare: Cell<bool>,
}

#[derive(Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Order<'a> {
    Setup {
        runner: &'a PathBuf,
        rehearsal: &'a PathBuf,
        paths: &'a [PathBuf],
        filters: Vec<String>,
        merge: bool,
    },
    Fork {
        id: u64,
        identity: Option<u32>,
        drop_groups: bool,
        rlimits: &'a [(u32, u64)],
        landlock: bool,
        namespaces: u32,
        exchanged: bool,
    },
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
        let mut den = making::prepare(workshop, name, recipe.policy(), None).await?;
        let (control, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&control, true)?;
        let process = making::spawn(workshop, &mut den, recipe.program(theirs)).await?;
        let control = Rc::new(Packets::new(control)?);
        let give_way = |gives| den.cgroup().iter().for_each(|leaf| leaf.give_way(gives));
        give_way(true);
        let hurried = async {
            hurry.notified().await;
            give_way(false);
            std::future::pending::<Infallible>().await
        };
        let greeting = greet(&control, recipe, workshop.layers.seccomp, process.pid());
        let names = tokio::select! {
            ready = tokio::time::timeout(PATIENCE, greeting) => ready
                .map_err(|_elapsed| io::Error::other("it did not finish its imports in time"))??,
            never = hurried => match never {},
        };
        let imports = Imports::new(&recipe.packages, names)?;
        give_way(false);
        let waiting = Rc::new(Waiting::default());
        let reader = tokio::task::spawn_local(Rc::clone(&waiting).read(Rc::clone(&control))).abort_handle();
        let den = RefCell::new(Some(den));
        let (next, spare, makes_spare) = Default::default();
        Ok(Rc::new(Self { den, process, control, imports, waiting, reader, next, spare, makes_spare }))
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
        let child = self.answered(answer).await?;
        sandbox.adopt(child.pidfd.as_fd()).map_err(io::Error::other)?;
        if let Some(leaf) = sandbox.cgroup() {
            leaf.add(child.pid).map_err(io::Error::other)?;
        }
        send_once(&gate, b".", &[])?;
        Ok(Forked::new(child, gate))
    }

    /// Waits for a fork, as long as the zygote makes any: it makes one after the other, and there may be many before this one.
    async fn answered(&self, mut answer: oneshot::Receiver<Result<Child, String>>) -> io::Result<Child> {
        loop {
            match tokio::time::timeout(FORK_PATIENCE, &mut answer).await {
                Ok(Ok(child)) => return child.map_err(io::Error::other),
                Ok(Err(_dropped)) => return Err(io::Error::other("the zygote died")),
                Err(_elapsed) if self.waiting.has_heard_within(FORK_PATIENCE) => {}
                Err(_elapsed) => return Err(io::Error::other("it did not fork in time")),
            }
        }
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
            exchanged: sandbox.is_exchanged(),
        };
        let mut fds = vec![gate];
        fds.extend(sandbox.landlock());
        fds.extend(sandbox.init());
        self.control.send(&serde_json::to_vec(&order)?, &fds).await
    }

    /// Whether it can still fork.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.waiting.is_closed() && self.den.borrow().is_some()
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

async fn greet(control: &Packets, recipe: &Recipe, seccomp: bool, pid: Pid) -> io::Result<Names> {
    let programs = if seccomp { sandbox::seccomp::programs(Role::Program) } else { Ok(Vec::new()) };
    let programs = programs.map_err(io::Error::other)?;
    let filters =
        programs.iter().map(|program| STANDARD.encode(sandbox::seccomp::as_bytes(program))).collect();
    let Recipe { runner, rehearsal, packages: paths, merge, .. } = recipe;
    let order = Order::Setup { runner, rehearsal, paths, filters, merge: *merge };
    let own = memory_of(pid);
    let fds: Vec<_> = own.iter().flatten().map(AsFd::as_fd).collect();
    control.send(&serde_json::to_vec(&order)?, &fds).await?;
    drop(own);
    let (bytes, _fds) =
        control.receive().await?.ok_or_else(|| io::Error::other("it died during its imports"))?;
    match serde_json::from_slice(&bytes)? {
        Reply::Ready { single: true, names } => Ok(names),
        Reply::Ready { single: false, .. } => {
            Err(io::Error::other("a library started a thread when it was imported"))
        }
        Reply::Started { .. } | Reply::Failed { .. } => Err(io::Error::other("it spoke out of turn")),
    }
}

/// What the kernel tells of a process's memory, for itself: a forker has no `/proc`. `None` where it is not the keeper's to read.
fn memory_of(pid: Pid) -> Option<[File; 2]> {
    let open = |name| File::open(format!("/proc/{}/{name}", pid.as_raw_nonzero()));
    Some([open("maps").ok()?, open("pagemap").ok()?])
}
