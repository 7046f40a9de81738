//! One cgroup: its limits, what it uses, and its end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Controller, Version};
use crate::error::{Context as _, Error, Result};
use crate::policy::Limits;

/// Microseconds over which processor time is shared out.
const PERIOD: u64 = 100_000;
/// How long killed processes may take to vanish.
const PATIENCE: Duration = Duration::from_secs(2);

/// One group, in one directory (version 2) or one per controller (version 1). Whatever is in it is killed when this
/// is dropped.
#[derive(Debug)]
pub struct Leaf {
    version: Version,
    paths: BTreeMap<Controller, PathBuf>,
    removed: bool,
}

impl Leaf {
    pub(super) fn at(version: Version, paths: impl Iterator<Item = (Controller, PathBuf)>) -> Self {
        Self { version, paths: paths.collect(), removed: false }
    }

    pub(super) fn create(&self, limits: &Limits) -> Result<()> {
        for path in self.dirs() {
            match fs::create_dir(path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(Error::Step { step: format!("make {}", path.display()), source: error });
                }
                _ => {}
            }
        }
        for (controller, path) in &self.paths {
            match (self.version, controller) {
                (Version::V2, Controller::Memory) => {
                    set(path, "memory.max", limits.memory)?;
                    set_if_there(path, "memory.swap.max", 0)?;
                }
                (Version::V1, Controller::Memory) => {
                    set(path, "memory.limit_in_bytes", limits.memory)?;
                    set_if_there(path, "memory.memsw.limit_in_bytes", limits.memory)?;
                }
                (_, Controller::Pids) => set(path, "pids.max", limits.tasks)?,
                (Version::V2, Controller::Cpu) => {
                    set(path, "cpu.max", format!("{} {PERIOD}", quota(limits.cpu)))?;
                }
                (Version::V1, Controller::Cpu) => {
                    set(path, "cpu.cfs_period_us", PERIOD)?;
                    set(path, "cpu.cfs_quota_us", quota(limits.cpu))?;
                }
            }
        }
        Ok(())
    }

    /// Moves a process here, with what it starts from now on.
    pub fn add(&self, pid: Pid) -> Result<()> {
        for path in self.dirs() {
            set(path, "cgroup.procs", pid.as_raw_nonzero())?;
        }
        Ok(())
    }

    /// Lets processes here have processor time only when nobody else wants it, or as everybody. Without effect
    /// where processor time is not shared out by groups.
    pub fn give_way(&self, gives: bool) {
        let (file, least, usual) = match self.version {
            Version::V1 => ("cpu.shares", 2, 1024),
            Version::V2 => ("cpu.weight", 1, 100),
        };
        if let Some(path) = self.paths.get(&Controller::Cpu) {
            // Nothing depends on it.
            let _ = set(path, file, if gives { least } else { usual });
        }
    }

    /// Bytes of memory in use, files in the sandbox's home included.
    #[must_use]
    pub fn memory_used(&self) -> Option<u64> {
        let file = match self.version {
            Version::V1 => "memory.usage_in_bytes",
            Version::V2 => "memory.current",
        };
        fs::read_to_string(self.paths.get(&Controller::Memory)?.join(file)).ok()?.trim().parse().ok()
    }

    /// How often the kernel killed a process here because the group was out of memory.
    #[must_use]
    pub fn out_of_memory_kills(&self) -> u64 {
        let file = match self.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        let count = || -> Option<u64> {
            let text = fs::read_to_string(self.paths.get(&Controller::Memory)?.join(file)).ok()?;
            text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
        };
        count().unwrap_or(0)
    }

    /// How often a process or thread was refused here because there were as many as there may be.
    #[must_use]
    pub fn refused_tasks(&self) -> u64 {
        let count = || -> Option<u64> {
            let text = fs::read_to_string(self.paths.get(&Controller::Pids)?.join("pids.events")).ok()?;
            text.lines().find_map(|line| line.strip_prefix("max "))?.trim().parse().ok()
        };
        count().unwrap_or(0)
    }

    /// Kills whatever is here and removes the group.
    pub fn remove(mut self) -> Result<()> {
        self.removed = true;
        self.take_away()
    }

    fn take_away(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for path in self.dirs() {
            loop {
                match fs::remove_dir(path) {
                    Ok(()) => break,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
                    Err(_) if Instant::now() < deadline => {
                        self.kill_members(path);
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Err(source) => {
                        return Err(Error::Step { step: format!("remove {}", path.display()), source });
                    }
                }
            }
        }
        Ok(())
    }

    fn kill_members(&self, path: &Path) {
        if self.version == Version::V2 && fs::write(path.join("cgroup.kill"), "1").is_ok() {
            return;
        }
        let members = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
        for pid in members.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
            // Gone by itself meanwhile is as good.
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    fn dirs(&self) -> BTreeSet<&PathBuf> {
        self.paths.values().collect()
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        if !self.removed {
            // Whoever wants to know calls `remove`.
            let _ = self.take_away();
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of cores, far below the limits"
)]
fn quota(cores: f64) -> u64 {
    ((cores.max(0.01) * PERIOD as f64) as u64).max(1000)
}

fn set(path: &Path, file: &str, value: impl std::fmt::Display) -> Result<()> {
    fs::write(path.join(file), value.to_string()).step(format!("set {file}"))
}

fn set_if_there(path: &Path, file: &str, value: impl std::fmt::Display) -> Result<()> {
    if path.join(file).exists() { set(path, file, value) } else { Ok(()) }
}
