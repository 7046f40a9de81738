//! A process that forks into other sandboxes: where it can go, and where it cannot.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::os::fd::OwnedFd;

use common::Range;
use sandbox::{Policy, Role, Sandbox};

/// Ids that sandboxes within a den may have.
const DELEGATED: (u32, u32) = (210_000, 1000);

fn den(range: &Range, name: &str) -> Sandbox {
    let mut policy = Policy { role: Role::Forker, ..range.policy() };
    policy.identity = policy.identity.map(|_| 209_999);
    policy.delegated = sandbox::is_privileged().then_some(DELEGATED);
    range.workshop.prepare(name, policy, None).unwrap()
}

fn init(sandbox: &Sandbox) -> OwnedFd {
    sandbox.init().unwrap().try_clone_to_owned().unwrap()
}

#[test]
fn joins_what_was_made_within_it_and_nothing_else() {
    let range = Range::new();
    let mut den_one = den(&range, "den-one");
    let den_two = den(&range, "den-two");
    let within = range.workshop.prepare("within", range.policy(), Some(&den_one)).unwrap();
    let elsewhere = range.workshop.prepare("elsewhere", range.policy(), Some(&den_two)).unwrap();
    let alone = range.workshop.prepare("alone", range.policy(), None).unwrap();
    let script = format!(
        "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def join(fd):
    if libc.setns(fd, {}):
        raise OSError(ctypes.get_errno(), 'setns')
for fd in (11, 12, 13, os.pidfd_open({})):
    try:
        join(fd)
        print('WORKED', fd)
    except OSError as error:
        print(error.errno)
if os.fork() == 0:
    join(10)
    pid = os.fork()
    if pid == 0:
        print('inside', os.getpid(), os.getcwd(), sorted(os.listdir('/box')), os.path.exists('/proc/self'))
        os._exit(0)
    os.waitpid(pid, 0)
    print('pid', pid > 2)
    os._exit(0)
os.wait()
",
        within.joins().unwrap(),
        std::process::id()
    );
    let fds = vec![(init(&within), 10), (init(&elsewhere), 11), (init(&alone), 12), (init(&den_two), 13)];
    let outcome = range.start(&mut den_one, &script, fds).finish();
    assert_eq!(outcome.stderr, "", "{}", outcome.stdout);
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines[..4], ["1"; 4], "every other sandbox and the host are refused");
    assert!(lines.contains(&"inside 2 / ['app', 'shm', 'tmp'] True"), "{lines:?}");
    assert!(lines.contains(&"pid True"), "{lines:?}");
    for sandbox in [within, elsewhere, alone, den_two, den_one] {
        sandbox.destroy().unwrap();
    }
}

#[test]
fn sees_no_process_of_the_host() {
    let range = Range::new();
    let mut den = den(&range, "den");
    let script = format!(
        "
import os
print(os.path.exists('/proc/self'))
try: os.kill({}, 0)
except OSError as error: print(error.errno)
",
        std::process::id()
    );
    let outcome = range.start(&mut den, &script, Vec::new()).finish();
    // Without rights outside there is but one user, whose processes it may signal.
    let expected = if sandbox::is_privileged() { "False\n1\n" } else { "False\n" };
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
    den.destroy().unwrap();
}

#[test]
fn all_this_as_an_ordinary_user() {
    common::again_as_nobody();
}
