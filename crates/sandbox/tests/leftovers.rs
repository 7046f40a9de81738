//! What is left of many sandboxes: nothing. Alone in its binary, as it counts what the process has.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Mutex;

use common::Range;

/// One test at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_hundred_sandboxes_leave_nothing() {
    let _alone = ALONE.lock().unwrap();
    let range = Range::new();
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    // Tests of the server run beside this, and mount disks where their data is.
    let is_ours = |line: &&str| !line.contains("/previewd-it-");
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().filter(is_ours).count();
    range.sandbox().destroy().unwrap();
    let before = (mounts(), files(), children());
    for _ in 0..100 {
        range.sandbox().destroy().unwrap();
    }
    assert_eq!((mounts(), files(), children()), before);
}

fn children() -> usize {
    let own = std::process::id().to_string();
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .filter(|stat| {
            let fields = stat.rsplit(')').next().unwrap_or("");
            fields.split_whitespace().nth(1) == Some(own.as_str())
        })
        .count()
}

#[test]
fn the_same_as_an_ordinary_user() {
    let _alone = ALONE.lock().unwrap();
    common::again_as_nobody();
}
