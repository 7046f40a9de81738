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

/// Hands namespaces on at the numbers from `first`.
fn spaces(sandbox: &Sandbox, first: i32) -> Vec<(OwnedFd, i32)> {
    sandbox.spaces().iter().map(|fd| fd.try_clone().unwrap()).zip(first..).collect()
}

#[test]
fn joins_what_was_made_within_it_and_nothing_else() {
    let range = Range::new();
    let mut den_one = den(&range, "den-one");
    let den_two = den(&range, "den-two");
    let within = range.workshop.prepare("within", range.policy(), Some(&den_one)).unwrap();
    let elsewhere = range.workshop.prepare("elsewhere", range.policy(), Some(&den_two)).unwrap();
    let script = "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def join(fd):
    if libc.setns(fd, 0):
        raise OSError(ctypes.get_errno(), 'setns')
for fd in (20, 21, 22, 23, 24, 25):
    try:
        join(fd)
        print('WORKED', fd)
    except OSError as error:
        print(error.errno)
if os.fork() == 0:
    for fd in (10, 11, 12, 13, 14, 15):
        join(fd)
    pid = os.fork()
    if pid == 0:
        print('inside', os.getpid(), os.getcwd(), sorted(os.listdir('/box')), os.path.exists('/proc/self'))
        os._exit(0)
    os.waitpid(pid, 0)
    print('pid', pid > 2)
    os._exit(0)
os.wait()
";
    let fds = spaces(&within, 10).into_iter().chain(spaces(&elsewhere, 20)).collect();
    let outcome = range.start(&mut den_one, script, fds).finish();
    assert_eq!(outcome.stderr, "", "{}", outcome.stdout);
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines[..6], ["1"; 6], "every other sandbox is refused");
    assert!(lines.contains(&"inside 2 / ['app', 'shm', 'tmp'] True"), "{lines:?}");
    assert!(lines.contains(&"pid True"), "{lines:?}");
    for sandbox in [within, elsewhere, den_two, den_one] {
        sandbox.destroy().unwrap();
    }
}

#[test]
fn sees_no_process_of_the_host_and_signals_none() {
    let range = Range::new();
    let mut den = den(&range, "den");
    let script = format!(
        "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def join(fd):
    if libc.setns(fd, 0x10000000):
        raise OSError(ctypes.get_errno(), 'setns')
print(os.path.exists('/proc/self'))
for attempt in (lambda: os.kill({pid}, 0), lambda: join(os.pidfd_open({pid}))):
    try: attempt()
    except OSError as error: print(error.errno)
",
        pid = std::process::id()
    );
    let outcome = range.start(&mut den, &script, Vec::new()).finish();
    assert_eq!(outcome.stdout, "False\n1\n1\n", "{}", outcome.stderr);
    den.destroy().unwrap();
}

#[test]
fn all_this_as_an_ordinary_user() {
    common::again_as_nobody();
}
