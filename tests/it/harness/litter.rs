//! What is left of servers that could not end in order: of tests that failed, and of runs that were killed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use rustix::process::Signal;

use super::{leftovers, server, unique};

/// Roots of servers are called this, and then by the number of the process that made them.
const PREFIX: &str = "previewd-it-";

/// A new root for a server's data directory.
pub fn new_root() -> PathBuf {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(sweep);
    let root = std::env::temp_dir().join(unique(&format!("{PREFIX}{}", std::process::id())));
    std::fs::create_dir_all(root.join("data")).unwrap();
    root.canonicalize().unwrap()
}

/// Removes a root with what belongs to its data directory elsewhere. Nothing of it may run any more.
pub fn remove(root: &Path) {
    let data_dir = root.join("data");
    for parent in leftovers::cgroups(&data_dir) {
        let inside = std::fs::read_dir(&parent).into_iter().flatten().flatten().map(|entry| entry.path());
        for directory in inside.filter(|path| path.is_dir()).chain([parent.clone()]) {
            let _somebody_is_in_it = std::fs::remove_dir(directory);
        }
    }
    let _there_was_none = std::fs::remove_dir_all(leftovers::in_memory(&data_dir));
    let _ = std::fs::remove_dir_all(root);
}

/// Ends and removes what runs left that are over.
fn sweep() {
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten().map(|entry| entry.path());
    for root in entries.filter(|path| maker(path).is_some_and(|pid| leftovers::process(pid).is_none())) {
        let data_dir = root.join("data");
        let keeper = leftovers::keeper_of(&data_dir);
        let kept = keeper.map(leftovers::descendants).unwrap_or_default();
        let all = leftovers::servers_of(&data_dir).into_iter().chain(keeper);
        all.chain(kept.into_iter().map(|(pid, _)| pid)).for_each(|pid| server::signal(pid, Signal::KILL));
        // A file system for a test of its own.
        let _there_was_none = Command::new("umount").args(["--quiet", "--lazy"]).arg(&data_dir).output();
        remove(&root);
    }
}

/// The process that made a root.
fn maker(root: &Path) -> Option<i32> {
    root.file_name()?.to_str()?.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok()
}
