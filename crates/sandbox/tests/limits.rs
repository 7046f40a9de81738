//! How much strangers' code can use up.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::os::unix::process::ExitStatusExt as _;

use common::{LIMITS, Range};

#[test]
fn a_fork_bomb_stays_small() {
    let range = Range::new();
    let mut sandbox = range.sandbox();
    let script = "
import os, time
count = 0
try:
    while count < 1000:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        count += 1
except OSError as error:
    print(error.errno, count)
";
    let line = range.start(&mut sandbox, script, Vec::new()).line();
    sandbox.destroy().unwrap();
    let (errno, count) = line.split_once(' ').expect("an error");
    assert_eq!(errno, libc::EAGAIN.to_string());
    assert!(count.parse::<u64>().unwrap() < LIMITS.tasks, "{count}");
}

#[test]
fn memory_is_bounded_and_told() {
    let range = Range::new();
    let mut sandbox = range.sandbox();
    let script = "
try:
    blocks = [bytearray(b'x' * (16 << 20)) for _ in range(64)]
    print('got it all')
except MemoryError:
    print('refused')
";
    let outcome = range.start(&mut sandbox, script, Vec::new()).finish();
    if let Some(leaf) = sandbox.cgroup() {
        assert_eq!(outcome.status.signal(), Some(libc::SIGKILL), "{}", outcome.stdout);
        assert!(leaf.out_of_memory_kills() > 0);
    } else {
        assert_eq!(outcome.stdout, "refused\n");
    }
    sandbox.destroy().unwrap();
}

#[test]
fn memory_in_use_can_be_read() {
    let range = Range::new();
    let mut sandbox = range.sandbox();
    let mut running = range.start(
        &mut sandbox,
        "import time; x = b'x' * (32 << 20); print('ready'); time.sleep(60)",
        Vec::new(),
    );
    let line = running.line();
    if let Some(leaf) = sandbox.cgroup() {
        assert_eq!(line, "ready");
        assert!(leaf.memory_used().unwrap() > 32 << 20);
        assert_eq!(leaf.out_of_memory_kills(), 0);
    }
    sandbox.destroy().unwrap();
}

#[test]
fn files_are_bounded_wherever_they_are() {
    let outcome = Range::new().run(
        "
total = 0
for directory in ['/box/app', '/tmp', '/dev/shm']:
    try:
        for number in range(100):
            with open(f'{directory}/{number}', 'wb') as file:
                file.write(b'x' * (1 << 20))
            total += 1
    except OSError as error:
        print(error.errno)
print(total)
",
    );
    assert_eq!(outcome.stdout, "28\n28\n28\n16\n", "{}", outcome.stderr);
}

#[test]
fn open_files_are_bounded() {
    let outcome = Range::new().run(
        "
import resource
files = []
try:
    while True: files.append(open('/dev/null'))
except OSError as error:
    print(error.errno, len(files) < 64)
try: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
except (ValueError, OSError): print('not raised')
",
    );
    assert_eq!(outcome.stdout, "24 True\nnot raised\n", "{}", outcome.stderr);
}

#[test]
fn processor_time_is_shared_out() {
    let range = Range::new();
    let mut policy = range.policy();
    policy.limits.cpu = 0.2;
    let mut sandbox = range.workshop.prepare("slow", policy, None).unwrap();
    let script = "
import time
start = time.monotonic()
while time.process_time() < 0.3: pass
print(time.monotonic() - start)
";
    let outcome = range.start(&mut sandbox, script, Vec::new()).finish();
    let seconds: f64 = outcome.stdout.trim().parse().unwrap();
    if sandbox.cgroup().is_some() {
        assert!(seconds > 1.0, "{seconds}");
    }
    sandbox.destroy().unwrap();
}

#[test]
fn all_this_as_an_ordinary_user() {
    common::again_as_nobody();
}
