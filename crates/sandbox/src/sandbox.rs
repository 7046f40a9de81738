//! One sandbox, from the caller's side.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use crate::alive::lives;
use crate::cgroup::{Cgroups, Leaf};
use crate::confine::{Confinement, rlimits};
use crate::conversation::{Conversation, News, readable};
use crate::enter::{self, Joins};
use crate::error::{Context as _, Error, Result};
use crate::furnish::Furnisher;
use crate::helper::Helper;
use crate::init;
use crate::layers::Layers;
use crate::policy::{INNER_ID, Network, Policy, Role, WORK_DIR};
use crate::privilege::is_privileged;
use crate::process::{PendingProcess, Program};
use crate::rules::{Rules, ruleset};
use crate::wire::{self, Reply};

/// How long everything inside may take to vanish once it is killed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Milliseconds in which a process whose parent is ending becomes the caller's, as a rule.
const HANDED_OVER: i64 = 2;

/// Where sandboxes are made: what helps, what bounds them, and which layers are used.
#[derive(Debug)]
pub struct Workshop {
    /// The program with the hidden commands.
    pub helper: Helper,
    /// Where cgroups are made.
    pub cgroups: Cgroups,
    /// Layers that are used; the host must offer them.
    pub layers: Layers,
}

/// A sandbox that is being made.
#[derive(Debug)]
pub struct Pending {
    talk: Conversation,
    unfinished: Unfinished,
    made: Made,
}

/// An init that is being made. Killed and reaped when this is dropped: somebody may have stopped it.
#[derive(Debug, Default)]
struct Unfinished(Option<OwnedFd>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(pidfd) = self.0.take() {
            let _gone_already = pidfd_send_signal(&pidfd, Signal::KILL);
            let _reaped_already = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
        }
    }
}

/// What the caller knows of a sandbox.
#[derive(Debug)]
struct Made {
    leaf: Option<Leaf>,
    confinement: Confinement,
    joins: Option<Joins>,
    work_dir: PathBuf,
    /// Whose, on the host, its files are.
    owner: u32,
    /// Whether it shows directories in the place of others.
    exchanged: bool,
}

/// How far the making is.
#[derive(Debug)]
pub enum Preparation {
    /// Not there yet.
    Pending(Pending),
    /// Ready to enter.
    Ready(Sandbox),
}

/// Namespaces with an init of ours, a cgroup, and what a process needs to confine itself.
///
/// Everything inside dies with the init, and that dies with the thread that made it at the latest: make sandboxes on a
/// thread that lives as long as they shall.
#[derive(Debug)]
pub struct Sandbox {
    init: Option<Init>,
    landlock: Option<OwnedFd>,
    /// The work directory, where it is not one of the host.
    files: Option<OwnedFd>,
    made: Made,
    children: Vec<OwnedFd>,
}

#[derive(Debug)]
struct Init {
    pidfd: OwnedFd,
    /// The init ends when this is closed.
    _lifeline: OwnedFd,
}

impl Workshop {
    /// Makes a sandbox and waits until it is ready: see [`Workshop::begin`].
    pub fn prepare(&self, name: &str, policy: Policy, within: Option<&Sandbox>) -> Result<Sandbox> {
        let mut preparation = self.begin(name, policy, within)?;
        loop {
            match preparation {
                Preparation::Ready(sandbox) => return Ok(sandbox),
                Preparation::Pending(pending) => {
                    pending.talk.wait()?;
                    preparation = pending.progress()?;
                }
            }
        }
    }

    /// Begins to make a sandbox, without waiting for more than the start of a helper process. `name` is that
    /// of its cgroup. Processes in the sandbox that it is made `within` may join it.
    pub fn begin(&self, name: &str, policy: Policy, within: Option<&Sandbox>) -> Result<Preparation> {
        let leaf = if self.layers.cgroups { Some(self.cgroups.leaf(name, &policy.limits)?) } else { None };
        let bounded = |controller| leaf.is_some() && self.cgroups.has(controller);
        let privileged = is_privileged();
        let confinement = Confinement {
            // Without namespaces the files are where they are, and whose they are.
            identity: self.layers.namespaces.then_some(INNER_ID),
            drop_groups: privileged,
            rlimits: rlimits(&policy.limits, policy.role, bounded),
            seccomp: self.layers.seccomp.then_some(policy.role),
        };
        if !self.layers.namespaces {
            return self.without_namespaces(&policy, leaf, confinement).map(Preparation::Ready);
        }
        let joins =
            Some(Joins { network: policy.network == Network::None, processes: policy.role == Role::Program });
        let (helper, socket) = self.helper.make()?;
        let talk = Conversation::new(helper, socket);
        if let (Some(leaf), Some(pid)) = (&leaf, talk.helper_pid()) {
            // Before the helper makes anything: what the files take counts from the start.
            leaf.add(pid)?;
        }
        let outer = within.and_then(Sandbox::init);
        let owner = init::outer_id(&policy);
        let exchanged = !policy.exchanged.is_empty();
        let order = init::Order { policy, landlock: self.layers.landlock, within: outer.is_some() };
        wire::send_order(talk.socket(), &order, outer.as_slice())?;
        let made = Made { leaf, confinement, joins, work_dir: WORK_DIR.into(), owner, exchanged };
        Ok(Preparation::Pending(Pending { talk, unfinished: Unfinished::default(), made }))
    }

    /// What is left without namespaces: landlock (by the host's paths), seccomp, rlimits, the cgroup.
    fn without_namespaces(
        &self,
        policy: &Policy,
        leaf: Option<Leaf>,
        confinement: Confinement,
    ) -> Result<Sandbox> {
        let work_dir = policy.files.clone().unwrap_or_else(|| PathBuf::from("/"));
        let mut readable: Vec<PathBuf> =
            ["/usr", "/bin", "/lib", "/lib64", "/etc", "/proc", "/dev"].map(PathBuf::from).into();
        readable.extend(policy.read_only.iter().cloned());
        let mut writable: Vec<PathBuf> = policy.files.iter().cloned().collect();
        writable.extend(policy.kept.iter().map(|kept| kept.source.clone()));
        writable.extend(policy.writable.iter().cloned());
        let rules = Rules { readable: &readable, writable: &writable, listable: &[], bind_tcp: false };
        let landlock = if self.layers.landlock { ruleset(&rules)? } else { None };
        let owner = init::outer_id(policy);
        let made = Made { leaf, confinement, joins: None, work_dir, owner, exchanged: false };
        Ok(Sandbox { init: None, landlock, files: None, made, children: Vec::new() })
    }
}

impl Pending {
    /// Readable whenever [`Pending::progress`] is worth a call.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.talk.socket()
    }

    /// Takes notice of what has happened; never waits.
    pub fn progress(mut self) -> Result<Preparation> {
        match self.talk.news()? {
            News::Nothing => Ok(Preparation::Pending(self)),
            News::Said(Reply::Begun, fds) => {
                self.unfinished = Unfinished(fds.into_iter().next());
                Ok(Preparation::Pending(self))
            }
            News::Said(Reply::Ready, fds) => self.complete(fds).map(Preparation::Ready),
            News::Said(Reply::Failed(reason), _) => Err(Error::Helper(reason)),
            News::Said(Reply::Started { .. } | Reply::Furnished, _) | News::Over => {
                Err(Error::Helper("the sandbox's init died while it was made".into()))
            }
        }
    }

    fn complete(mut self, fds: Vec<OwnedFd>) -> Result<Sandbox> {
        let mut fds = fds.into_iter();
        let (Some(pidfd), Some(files)) = (fds.next(), fds.next()) else {
            return Err(Error::Helper("the init named no process".into()));
        };
        let init = Some(Init { pidfd, _lifeline: self.talk.finish()? });
        self.unfinished.0 = None;
        let (landlock, files) = (fds.next(), Some(files));
        Ok(Sandbox { init, landlock, files, made: self.made, children: Vec::new() })
    }
}

impl Sandbox {
    /// Starts a helper that gives the work directory its files once they are known.
    pub fn furnisher(&self, helper: &Helper) -> Result<Furnisher> {
        let target =
            self.files.as_ref().ok_or_else(|| Error::Helper("there is nothing to furnish".into()))?;
        let target = target.try_clone().step("copy a descriptor")?;
        let (child, socket) = helper.furnish()?;
        let talk = Conversation::new(child, socket);
        if let (Some(leaf), Some(pid)) = (&self.made.leaf, talk.helper_pid()) {
            leaf.add(pid)?;
        }
        Ok(Furnisher::new(talk, target, self.made.owner))
    }

    /// Whether its init [`lives`].
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.init.as_ref().is_none_or(|init| lives(init.pidfd.as_fd()))
    }

    /// Starts a program inside, with a helper that becomes it.
    pub fn spawn(&mut self, helper: &Helper, program: Program) -> Result<PendingProcess> {
        let (child, socket) = helper.enter(program.stdout, program.stderr)?;
        let talk = Conversation::new(child, socket);
        if let (Some(leaf), Some(pid)) = (&self.made.leaf, talk.helper_pid()) {
            leaf.add(pid)?;
        }
        let (extra, numbers): (Vec<_>, Vec<_>) = program.fds.into_iter().unzip();
        let order = enter::Order {
            confinement: self.made.confinement.clone(),
            joins: self.made.joins,
            has_landlock: self.landlock.is_some(),
            program: program.path,
            arguments: program.arguments,
            environment: program.environment,
            work_dir: self.made.work_dir.clone(),
            fds: numbers,
        };
        let init = self.init.iter().map(|init| init.pidfd.as_fd());
        let fds: Vec<_> =
            init.chain(self.landlock.iter().map(AsFd::as_fd)).chain(extra.iter().map(AsFd::as_fd)).collect();
        wire::send_order(talk.socket(), &order, &fds)?;
        Ok(PendingProcess::new(talk))
    }

    /// Takes note of a child of the caller that runs inside, so that [`Sandbox::destroy`] reaps it.
    pub fn adopt(&mut self, pidfd: BorrowedFd<'_>) -> Result<()> {
        self.children.push(pidfd.try_clone_to_owned().step("copy a pidfd")?);
        Ok(())
    }

    /// The init's pidfd, to join its namespaces with; readable once everything inside is gone.
    #[must_use]
    pub fn init(&self) -> Option<BorrowedFd<'_>> {
        self.init.as_ref().map(|init| init.pidfd.as_fd())
    }

    /// The landlock ruleset that a process which enters puts on.
    #[must_use]
    pub fn landlock(&self) -> Option<BorrowedFd<'_>> {
        self.landlock.as_ref().map(AsFd::as_fd)
    }

    /// What a process that enters does to itself.
    #[must_use]
    pub fn confinement(&self) -> &Confinement {
        &self.made.confinement
    }

    /// Whether it shows directories in the place of others.
    #[must_use]
    pub fn is_exchanged(&self) -> bool {
        self.made.exchanged
    }

    /// Which namespaces a process joins, as flags for `setns` with [`Sandbox::init`]. The pid namespace holds
    /// for the children of who joins. `None` where there are no namespaces.
    #[must_use]
    pub fn joins(&self) -> Option<u32> {
        self.made.joins.map(|joins| joins.flags().bits())
    }

    /// Where programs start, as seen inside.
    #[must_use]
    pub fn work_dir(&self) -> &Path {
        &self.made.work_dir
    }

    /// Whether there is no room for another file, or for more in one, in what the sandbox may write to.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let room = self.files.as_ref().and_then(|files| rustix::fs::fstatvfs(files).ok());
        room.is_some_and(|room| room.f_bavail == 0 || room.f_favail == 0)
    }

    /// The cgroup, to move processes to and to read what is used.
    #[must_use]
    pub fn cgroup(&self) -> Option<&Leaf> {
        self.made.leaf.as_ref()
    }

    /// Kills everything inside, whatever it has done to stay. Does not wait.
    pub fn kill(&self) -> Result<()> {
        // Without a pid namespace the children are all that the init's death would not reach.
        for pidfd in self.init.iter().map(|init| &init.pidfd).chain(&self.children) {
            match pidfd_send_signal(pidfd, Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                other => other.step("kill a process")?,
            }
        }
        Ok(())
    }

    /// Kills everything inside, reaps it and removes the cgroup. Whoever wants to know how a child
    /// ended must have asked before.
    pub fn destroy(mut self) -> Result<()> {
        self.kill()?;
        let deadline = Instant::now() + PATIENCE;
        for child in &self.children {
            ended(child.as_fd(), deadline)?;
            reap(child.as_fd())?;
        }
        if let Some(init) = &self.init {
            // It ends when everything inside is reaped. A child that ended at once becomes the caller's a moment later, when
            // the process between them has ended too.
            while !readable(init.pidfd.as_fd(), HANDED_OVER)? {
                if Instant::now() > deadline {
                    return Err(not_ended());
                }
                self.children.iter().try_for_each(|child| reap(child.as_fd()))?;
            }
            reap(init.pidfd.as_fd())?;
        }
        match self.made.leaf.take() {
            Some(leaf) => leaf.remove(),
            None => Ok(()),
        }
    }
}

fn ended(pidfd: BorrowedFd<'_>, deadline: Instant) -> Result<()> {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    if readable(pidfd, i64::try_from(left).unwrap_or(0))? { Ok(()) } else { Err(not_ended()) }
}

fn not_ended() -> Error {
    Error::Helper("a killed process did not end".into())
}

fn reap(pidfd: BorrowedFd<'_>) -> Result<()> {
    match waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
        // Somebody else has reaped it, or it is not the caller's yet.
        Ok(_) | Err(rustix::io::Errno::CHILD) => Ok(()),
        other => other.step("reap a process").map(|_| ()),
    }
}
