//! The layers of isolation, and what a host offers of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One thing that a host may offer, by the name that reports use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Rights over namespaces of one's own, and a user id of one's own.
    UserNamespace,
    /// A file system view of one's own.
    MountNamespace,
    /// Others' processes are invisible, one's own end together.
    PidNamespace,
    /// A network of one's own.
    NetworkNamespace,
    /// Rules on files and sockets.
    Landlock,
    /// Rules on system calls.
    Seccomp,
    /// A bound on memory.
    CgroupMemory,
    /// A bound on processes and threads.
    CgroupPids,
    /// A bound on processor time.
    CgroupCpu,
    /// A bound on files.
    DiskLimit,
}

impl Layer {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::UserNamespace,
        Self::MountNamespace,
        Self::PidNamespace,
        Self::NetworkNamespace,
        Self::Landlock,
        Self::Seccomp,
        Self::CgroupMemory,
        Self::CgroupPids,
        Self::CgroupCpu,
        Self::DiskLimit,
    ];

    /// What an operator can do about a missing one.
    #[must_use]
    pub fn fix(self) -> &'static str {
        match self {
            Self::UserNamespace | Self::MountNamespace | Self::PidNamespace | Self::NetworkNamespace => {
                "allow unprivileged user namespaces (user.max_user_namespaces, kernel.unprivileged_userns_clone, \
                 kernel.apparmor_restrict_unprivileged_userns; in a container: a seccomp profile that permits them), \
                 or run as root with CAP_SYS_ADMIN"
            }
            Self::Landlock => {
                "use Linux 5.13 or later with landlock among its security modules (lsm=landlock,…)"
            }
            Self::Seccomp => "use a kernel with CONFIG_SECCOMP_FILTER",
            Self::CgroupMemory | Self::CgroupPids | Self::CgroupCpu => {
                "run where cgroups may be made: as root, or with systemd-run --user --scope -p Delegate=yes"
            }
            Self::DiskLimit => "allow mount namespaces: the limit is that of a tmpfs",
        }
    }
}

/// What a host offers of one layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether it worked when it was tried.
    pub available: bool,
    /// What was seen, in a few words.
    pub detail: String,
    /// How to get it, where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// What a host offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Report {
    /// One finding for each layer.
    pub findings: BTreeMap<Layer, Finding>,
}

impl Report {
    /// Whether a layer worked.
    #[must_use]
    pub fn has(&self, layer: Layer) -> bool {
        self.findings.get(&layer).is_some_and(|finding| finding.available)
    }

    /// The layers that did not work.
    pub fn missing(&self) -> impl Iterator<Item = (Layer, &Finding)> {
        self.findings
            .iter()
            .filter(|(_, finding)| !finding.available)
            .map(|(layer, finding)| (*layer, finding))
    }

    /// Everything that this host offers, to use.
    #[must_use]
    pub fn layers(&self) -> Layers {
        let namespaces =
            [Layer::UserNamespace, Layer::MountNamespace, Layer::PidNamespace, Layer::NetworkNamespace];
        let cgroups = [Layer::CgroupMemory, Layer::CgroupPids, Layer::CgroupCpu];
        Layers {
            namespaces: namespaces.into_iter().all(|layer| self.has(layer)),
            landlock: self.has(Layer::Landlock),
            seccomp: self.has(Layer::Seccomp),
            cgroups: cgroups.into_iter().any(|layer| self.has(layer)),
        }
    }
}

/// Which layers a sandbox uses. Namespaces go together: one without the others keeps nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// User, mount, pid, network, ipc and uts namespaces, and with them the limit on files.
    pub namespaces: bool,
    /// The landlock ruleset.
    pub landlock: bool,
    /// The seccomp programs.
    pub seccomp: bool,
    /// A cgroup, with what controllers there are.
    pub cgroups: bool,
}
