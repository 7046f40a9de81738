//! What comes into a sandbox, and what is left of it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::os::unix::fs::PermissionsExt as _;

use common::{Range, Scratch, eventually};
use sandbox::{Kept, Program};

/// Leaves the session and the parent, ignores every signal it can, and prints that it is there.
const DAEMON: &str = "
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        print('daemon')
        time.sleep(600)
    os._exit(0)
os.wait()
time.sleep(600)
";

fn alive(marker: &str) -> usize {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker))
    })
    .count()
}

#[test]
fn files_are_copied_and_belong_to_the_inside() {
    let scratch = Scratch::new("files");
    std::fs::create_dir_all(scratch.0.join("package/deep")).unwrap();
    std::fs::write(scratch.0.join("package/deep/module.py"), "content").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", scratch.0.join("link")).unwrap();
    std::fs::set_permissions(scratch.0.join("package"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let range = Range::new();
    let mut policy = range.policy();
    policy.files = Some(scratch.0.clone());
    let mut sandbox = range.workshop.prepare("one", policy, None).unwrap();
    let script = "
import os
print(open('package/deep/module.py').read(), sorted(os.listdir('.')), os.stat('package/deep/module.py').st_uid)
open('package/deep/module.py', 'w').write('changed')
open('new.py', 'w').write('new')
";
    let outcome = range.start(&mut sandbox, script, Vec::new()).finish();
    assert_eq!(outcome.stdout, "content ['package'] 1000\n", "{}", outcome.stderr);
    sandbox.destroy().unwrap();
    assert_eq!(std::fs::read_to_string(scratch.0.join("package/deep/module.py")).unwrap(), "content");
    assert!(!scratch.0.join("new.py").exists());
}

#[test]
fn a_directory_is_shown_read_only_in_the_place_of_another() {
    let (scratch, other) = (Scratch::new("exchanged"), Scratch::new("original"));
    std::fs::write(scratch.0.join("library.py"), "new").unwrap();
    std::fs::write(other.0.join("library.py"), "old").unwrap();
    let range = Range::new();
    let mut policy = range.policy();
    policy.exchanged = vec![(scratch.0.clone(), other.0.clone())];
    let mut sandbox = range.workshop.prepare("one", policy.clone(), None).unwrap();
    let (path, inside) = (scratch.0.display(), other.0.display());
    let script = format!(
        "
import os
print(open('{inside}/library.py').read(), os.path.exists('{path}'))
try: open('{inside}/library.py', 'w'); print('WORKED')
except OSError as error: print(error.errno in (1, 13, 30))
"
    );
    let outcome = range.start(&mut sandbox, &script, Vec::new()).finish();
    assert_eq!(outcome.stdout, "new False\nTrue\n", "{}", outcome.stderr);
    sandbox.destroy().unwrap();
    policy.read_only = vec![other.0.clone()];
    assert!(range.workshop.prepare("two", policy, None).is_err(), "what is shown is not hidden again");
}

#[test]
fn directories_are_shown_read_only_at_their_own_path() {
    let scratch = Scratch::new("shown");
    std::fs::write(scratch.0.join("library.py"), "content").unwrap();
    let range = Range::new();
    let mut policy = range.policy();
    policy.read_only = vec![scratch.0.clone(), "/usr/lib".into()];
    let mut sandbox = range.workshop.prepare("one", policy, None).unwrap();
    let path = scratch.0.display();
    let script = format!(
        "
import os
print(open('{path}/library.py').read())
for attempt in (lambda: open('{path}/library.py', 'w'), lambda: open('{path}/new', 'w'), lambda: os.chmod('{path}/library.py', 0o777), lambda: os.unlink('{path}/library.py')):
    try: attempt(); print('WORKED')
    except OSError as error: print(error.errno in (1, 13, 30))
"
    );
    let outcome = range.start(&mut sandbox, &script, Vec::new()).finish();
    assert_eq!(outcome.stdout, "content\nTrue\nTrue\nTrue\nTrue\n", "{}", outcome.stderr);
    sandbox.destroy().unwrap();
}

#[test]
fn a_kept_directory_outlives_the_sandbox() {
    let scratch = Scratch::new("kept");
    let range = Range::new();
    let script = "
import sqlite3
database = sqlite3.connect('preview.db')
database.execute('create table if not exists visits (id integer primary key)')
database.execute('insert into visits default values')
database.commit()
print(database.execute('select count(*) from visits').fetchone()[0])
";
    for visit in 1..=2 {
        let mut policy = range.policy();
        // Another user each time, as every sandbox has one of its own.
        policy.identity = policy.identity.map(|id| id + visit);
        let links = vec!["preview.db".to_owned()];
        policy.kept = vec![Kept { source: scratch.0.clone(), name: "keep".into(), links }];
        let mut sandbox = range.workshop.prepare("one", policy, None).unwrap();
        let outcome = range.start(&mut sandbox, script, Vec::new()).finish();
        assert_eq!(outcome.stdout, format!("{visit}\n"), "{}", outcome.stderr);
        sandbox.destroy().unwrap();
    }
    assert!(scratch.0.join("preview.db").exists());
}

#[test]
fn a_writable_directory_is_where_it_is_and_files_can_be_linked_in_it() {
    let scratch = Scratch::new("writable");
    let range = Range::new();
    let mut policy = range.policy();
    for name in ["from", "to", "closed"] {
        let directory = scratch.0.join(name);
        std::fs::create_dir(&directory).unwrap();
        if let Some(owner) = policy.identity.filter(|_| name != "closed") {
            std::os::unix::fs::chown(&directory, Some(owner), Some(owner)).unwrap();
        }
    }
    policy.writable = vec![scratch.0.clone()];
    let script = format!(
        "
import os
os.chdir('{}')
open('from/file', 'w').write('kept')
os.link('from/file', 'to/file')
try:
    open('closed/file', 'w')
except PermissionError:
    print('closed')
",
        scratch.0.display()
    );
    let mut sandbox = range.workshop.prepare("one", policy, None).unwrap();
    let outcome = range.start(&mut sandbox, &script, Vec::new()).finish();
    sandbox.destroy().unwrap();
    assert_eq!(std::fs::read_to_string(scratch.0.join("to/file")).unwrap(), "kept", "{}", outcome.stderr);
    // Where the caller is root, what is not the sandbox's own stays closed to it.
    assert_eq!(outcome.stdout == "closed\n", sandbox::is_privileged(), "{}", outcome.stderr);
}

#[test]
fn a_daemonised_grandchild_dies_with_the_sandbox() {
    let marker = format!("# marker-daemon-{}", std::process::id());
    let range = Range::new();
    let mut sandbox = range.sandbox();
    let mut running = range.start(&mut sandbox, &format!("{DAEMON}{marker}"), Vec::new());
    assert_eq!(running.line(), "daemon");
    // The one between them may still be leaving.
    eventually("only the two are left", || alive(&marker) == 2);
    sandbox.destroy().unwrap();
    assert_eq!(alive(&marker), 0);
}

#[test]
fn everything_dies_with_the_caller() {
    let marker = format!("# marker-orphan-{}", std::process::id());
    let range = Range::new();
    let mut sandbox = range.sandbox();
    let mut running = range.start(&mut sandbox, &format!("{DAEMON}{marker}"), Vec::new());
    assert_eq!(running.line(), "daemon");
    // What a caller's death does: its end of the init's socket closes.
    std::mem::drop(sandbox);
    running.process.wait().unwrap();
    eventually("everything inside dies", || alive(&marker) == 0);
}

#[test]
fn a_program_that_cannot_start_says_why() {
    let range = Range::new();
    let mut sandbox = range.sandbox();
    let program = Program {
        path: "/no/such/program".into(),
        arguments: Vec::new(),
        environment: Vec::new(),
        stdout: std::process::Stdio::null(),
        stderr: std::process::Stdio::null(),
        fds: Vec::new(),
    };
    let started = sandbox.spawn(&range.workshop.helper, program).unwrap().wait();
    assert!(started.unwrap_err().to_string().contains("execute /no/such/program"));
    sandbox.destroy().unwrap();
}

#[test]
fn a_policy_that_cannot_be_met_says_why_and_leaves_nothing() {
    let range = Range::new();
    let mut policy = range.policy();
    policy.read_only = vec!["/no/such/directory".into()];
    let refused = range.workshop.prepare("one", policy, None).unwrap_err();
    assert!(refused.to_string().contains("/no/such/directory"), "{refused}");
}

/// The first process of a sandbox waits until all inside is gone, and a child of somebody outside is gone when he has noticed.
#[test]
fn a_sandbox_that_was_killed_does_not_live_while_it_ends() {
    let range = Range::new();
    let mut sandbox = range.sandbox();
    let child = range.start(&mut sandbox, "import time; time.sleep(600)", Vec::new()).process;
    assert!(sandbox.is_alive() && sandbox::lives(child.pidfd()));
    sandbox.kill().unwrap();
    let stat = format!("/proc/{}/stat", child.pid().as_raw_nonzero());
    eventually("its end", || std::fs::read_to_string(&stat).unwrap().contains(") Z "));
    assert!(!sandbox.is_alive() && !sandbox::lives(child.pidfd()));
    sandbox.destroy().unwrap();
}

#[test]
fn all_this_as_an_ordinary_user() {
    common::again_as_nobody();
}
