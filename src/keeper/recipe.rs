//! What a zygote is made of.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;

use sandbox::{Limits, Network, Policy, Program, Role};

use super::protocol::Warm;

/// What it may use: it holds libraries, no application.
const LIMITS: Limits = Limits { memory: 768 << 20, tasks: 64, open_files: 1024, disk: 1 << 20, cpu: 2.0 };

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
    /// Whether the kernel may merge its memory, and that of its forks, with equal memory.
    pub merge: bool,
    /// The host's user id that it has, where the keeper may give one.
    pub identity: Option<u32>,
    /// The host's user ids that its previews may have, first and how many.
    pub delegated: Option<(u32, u32)>,
}

impl Recipe {
    /// As `serve` describes it.
    pub(super) fn of(warm: &Warm) -> Self {
        Self {
            python: warm.python.clone(),
            zygote: warm.zygote_program.clone(),
            egress: warm.egress,
            merge: warm.merge,
            runner: warm.runner.clone(),
            rehearsal: warm.rehearsal.clone(),
            packages: warm.packages.clone(),
            visible: warm.visible.clone(),
            identity: None,
            delegated: None,
        }
    }

    /// Whether it is as this one in all but the packages and the ids.
    pub(super) fn differs_in_packages_only(&self, other: &Self) -> bool {
        let without = |recipe: &Self| {
            let mut all = recipe.clone();
            all.visible.retain(|directory| !recipe.packages.contains(directory));
            all.packages.clear();
            (all.identity, all.delegated) = (None, None);
            all
        };
        without(self) == without(other)
    }

    /// What it may do and see.
    pub(super) fn policy(&self) -> Policy {
        let mut policy = Policy::new(LIMITS);
        policy.identity = self.identity;
        policy.delegated = self.delegated;
        policy.role = Role::Forker;
        policy.network = if self.egress { Network::Host } else { Network::None };
        policy.read_only.clone_from(&self.visible);
        policy
    }

    /// Starts it; `control` is its socket to the keeper.
    pub(super) fn program(&self, control: OwnedFd) -> Program {
        let options = ["-I", "-S", "-u", "-X", "utf8"].map(OsString::from);
        Program {
            path: self.python.clone(),
            arguments: options.into_iter().chain([self.zygote.clone().into_os_string()]).collect(),
            environment: vec![
                ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
                ("LANG".into(), "C.UTF-8".into()),
            ],
            stdout: Stdio::null(),
            stderr: Stdio::null(),
            fds: vec![(control, 3)],
        }
    }
}
