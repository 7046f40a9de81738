//! Where installers work: confined as far as this host can, under a user id of their own where the server is root,
//! with the network, the package cache and the directory that they fill, and nothing else of the server's.

use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::{Limits, Network, Policy};
use tokio::process::Command;

use super::tool::{self, Output};
use crate::confined::{Confiner, Job};

/// The user id of the host that installers have: below those of previews, above those of people and services.
const INSTALLERS_ID: u32 = 1_999_999_999;
/// What one run may use. Resolving reads many documents and installing starts many threads; files go to the cache.
const LIMITS: Limits = Limits { memory: 4 << 30, tasks: 1024, open_files: 65_536, disk: 4 << 30, cpu: 64.0 };

/// The place, and who works there.
pub(super) struct Yard {
    confiner: Option<Confiner>,
    /// What is writable, as far as it is the installers' own.
    work: PathBuf,
    /// What is readable besides the system.
    visible: Vec<PathBuf>,
    patience: Duration,
}

impl Yard {
    /// Without a confiner, installers are plain children of the server. `own` are the directories that they keep.
    pub(super) fn new(
        confiner: Option<Confiner>,
        work: PathBuf,
        own: &[PathBuf],
        visible: Vec<PathBuf>,
        patience: Duration,
    ) -> io::Result<Self> {
        let yard = Self { confiner, work, visible, patience };
        for directory in own {
            yard.give(directory)?;
        }
        Ok(yard)
    }

    /// The user id that installers have, if it is another than the server's.
    fn identity(&self) -> Option<u32> {
        let layers = self.confiner.as_ref()?.layers()?;
        (layers.namespaces && sandbox::is_privileged()).then_some(INSTALLERS_ID)
    }

    /// Makes an empty directory that installers may fill.
    pub(super) fn make(&self, directory: &Path) -> io::Result<()> {
        super::shelf::remove(directory);
        std::fs::create_dir_all(directory)?;
        self.give(directory)
    }

    /// Gives a directory to the installers, with what is in it if it was somebody else's. It is theirs last of all: one that was
    /// given in part is given once more.
    fn give(&self, directory: &Path) -> io::Result<()> {
        let owner = self.identity().unwrap_or(rustix::process::geteuid().as_raw());
        if std::fs::symlink_metadata(directory)?.uid() == owner {
            return Ok(());
        }
        let mut open = vec![directory.to_owned()];
        while let Some(path) = open.pop() {
            for entry in std::fs::read_dir(&path)? {
                let entry = entry?;
                lchown(entry.path(), Some(owner), Some(owner))?;
                if entry.file_type()?.is_dir() {
                    open.push(entry.path());
                }
            }
        }
        lchown(directory, Some(owner), Some(owner))
    }

    /// Runs an installer to its end with this on its stdin. Dropping the future ends it.
    pub(super) async fn run(&self, mut command: Command, input: &str) -> io::Result<Output> {
        if self.confiner.is_none() {
            return tool::run(&mut command, input).await;
        }
        let mut policy = self.policy();
        policy.network = Network::Host;
        policy.read_only.push(PathBuf::from(command.as_std().get_program()));
        policy.read_only.extend(tool::named_paths());
        self.confined(command, input, policy).await
    }

    /// Runs a program that reads `seen` and reaches no network.
    pub(super) async fn run_offline(&self, mut command: Command, seen: &Path) -> io::Result<Output> {
        if self.confiner.is_none() {
            return tool::run(&mut command, "").await;
        }
        let mut policy = self.policy();
        policy.read_only.push(seen.to_owned());
        self.confined(command, "", policy).await
    }

    fn policy(&self) -> Policy {
        let mut policy = Policy::new(LIMITS);
        policy.identity = self.identity();
        policy.read_only.clone_from(&self.visible);
        policy.writable = vec![self.work.clone()];
        policy
    }

    async fn confined(&self, command: Command, input: &str, policy: Policy) -> io::Result<Output> {
        let confiner = self.confiner.as_ref().ok_or_else(|| io::Error::other("no confiner"))?;
        let job = Job {
            command: command.into_std(),
            input: input.into(),
            policy,
            patience: self.patience,
            max_stdout: tool::MAX_ANSWER,
            max_stderr: tool::MAX_SAID,
        };
        let finished = confiner.run(job).await?;
        let success = finished.status.is_some_and(|status| status.success());
        Ok(Output::of(success, &finished.stdout, &finished.stderr))
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

    use super::*;
    use crate::test_support::TempDir;

    const SOMEBODY: u32 = 210_001;

    #[test]
    fn what_was_given_in_part_is_given_once_more() {
        if !sandbox::is_privileged() {
            return;
        }
        let directory = TempDir::new();
        let cache = directory.path().join("cache");
        let (deep, file) = (cache.join("deep"), cache.join("some/file"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::create_dir(&deep).unwrap();
        std::fs::write(&file, "").unwrap();
        let all = [&file, file.parent().unwrap(), &deep, &cache];
        for path in all {
            lchown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        }
        // Paths have up to 4,096 bytes: what is further down cannot be given.
        let name = "x".repeat(255);
        let mut bottom = openat(CWD, &deep, OFlags::PATH, Mode::empty()).unwrap();
        for _ in 0..17 {
            mkdirat(&bottom, &name, Mode::RWXU).unwrap();
            bottom = openat(&bottom, &name, OFlags::PATH, Mode::empty()).unwrap();
        }
        let own = [cache.clone()];
        let yard = || Yard::new(None, cache.clone(), &own, Vec::new(), Duration::ZERO).map(drop);
        let owner = |path: &Path| std::fs::symlink_metadata(path).unwrap().uid();
        assert!(yard().is_err());
        assert_eq!(owner(&cache), SOMEBODY);
        std::fs::remove_dir_all(deep.join(&name)).unwrap();
        yard().unwrap();
        for path in all {
            assert_eq!(owner(path), rustix::process::geteuid().as_raw(), "{}", path.display());
        }
    }
}
