//! Cgroups: what bounds memory, processes and processor time of a whole sandbox.
//!
//! Version 2 is used where it has the controllers, else version 1. All groups of one caller lie below
//! one directory of a name that it chooses, so that the next one to use that name finds what a dead
//! one left behind.

mod hierarchy;
mod leaf;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::error::{Context as _, Error, Result};
use crate::policy::Limits;

pub use leaf::Leaf;

/// What a cgroup can bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Bytes of memory.
    Memory,
    /// Processes and threads.
    Pids,
    /// Processor time.
    Cpu,
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Pids, Self::Cpu];

    /// The kernel's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Cpu => "cpu",
        }
    }
}

/// Which interface a directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The directories below which one caller's groups are made.
#[derive(Debug)]
pub struct Cgroups {
    version: Version,
    parents: BTreeMap<Controller, PathBuf>,
}

impl Cgroups {
    /// Finds, for each controller, a place where this process may make groups, and makes the directory `name` there.
    /// A host that offers nothing gives an empty set: [`Cgroups::has`] tells.
    #[must_use]
    pub fn open(name: &str) -> Self {
        let (version, parents) = hierarchy::find(name);
        Self { version, parents }
    }

    /// Whether groups made here bound what `controller` counts.
    #[must_use]
    pub fn has(&self, controller: Controller) -> bool {
        self.parents.contains_key(&controller)
    }

    /// The interface in use: 1 or 2.
    #[must_use]
    pub fn version(&self) -> u8 {
        match self.version {
            Version::V1 => 1,
            Version::V2 => 2,
        }
    }

    /// Makes a group with limits.
    pub fn leaf(&self, name: &str, limits: &Limits) -> Result<Leaf> {
        let leaf = Leaf::at(
            self.version,
            self.parents.iter().map(|(controller, path)| (*controller, path.join(name))),
        );
        leaf.create(limits)?;
        Ok(leaf)
    }

    /// Kills and removes every group that is there: what a dead predecessor left.
    pub fn sweep(&self) -> Result<()> {
        let mut names = std::collections::BTreeSet::new();
        for parent in self.parents.values() {
            for entry in fs::read_dir(parent).step(format!("read {}", parent.display()))? {
                let entry = entry.step("read a cgroup directory")?;
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    names.insert(entry.file_name());
                }
            }
        }
        for name in names {
            let paths = self.parents.iter().map(|(controller, path)| (*controller, path.join(&name)));
            Leaf::at(self.version, paths).remove()?;
        }
        Ok(())
    }

    /// Removes the directories themselves; the groups in them must be gone.
    pub fn close(&self) -> Result<()> {
        for path in self.parents.values() {
            match fs::remove_dir(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::Step { step: format!("remove {}", path.display()), source: error });
                }
                _ => {}
            }
        }
        Ok(())
    }
}
