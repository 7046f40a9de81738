//! Namespaces, a root of its own, landlock, seccomp, rlimits and cgroups around one process tree.
//!
//! Knows nothing of what runs inside. Works for root, who gives every sandbox a user id of its own, and for
//! ordinary users, through unprivileged user namespaces. The binary that uses this crate calls
//! [`helper::dispatch`] first in its `main`: the work is done by short-lived processes of it.
//!
//! ```no_run
//! # fn main() -> Result<(), sandbox::Error> {
//! use sandbox::{Cgroups, Helper, Limits, Policy, Workshop};
//!
//! let helper = Helper::this_program();
//! let layers = sandbox::probe(&helper)?.layers();
//! let workshop = Workshop { helper, cgroups: Cgroups::open("mine"), layers };
//! let limits = Limits { memory: 512 << 20, tasks: 128, open_files: 1024, disk: 256 << 20, cpu: 1.0 };
//! let sandbox = workshop.prepare("first", Policy::new(limits), None)?;
//! sandbox.destroy()
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod alive;
mod cgroup;
mod confine;
mod conversation;
mod copy;
mod enter;
mod error;
mod furnish;
pub mod helper;
mod init;
mod layers;
mod merging;
mod policy;
mod privilege;
mod probe;
mod process;
mod root;
mod rules;
mod sandbox;
pub mod seccomp;
mod sys;
mod syscalls;
mod wire;

pub use alive::lives;
pub use cgroup::{Cgroups, Controller, Leaf};
pub use confine::Confinement;
pub use error::{Error, Result};
pub use furnish::{Furnisher, Furnishing};
pub use helper::Helper;
pub use layers::{Finding, Layer, Layers, Report};
pub use merging::memory_merging;
pub use policy::{HOME, INNER_ID, Kept, Limits, Network, Policy, Role, WORK_DIR};
pub use privilege::is_privileged;
pub use probe::probe;
pub use process::{PendingProcess, Process, Program, Progress};
pub use sandbox::{Pending, Preparation, Sandbox, Workshop};
