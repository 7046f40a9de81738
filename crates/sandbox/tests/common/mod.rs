//! A sandbox to attack, and programs to run in it.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sandbox::{Cgroups, Helper, Limits, Policy, Program, Sandbox, Workshop};

/// The interpreter of the system, which every sandbox sees.
pub const PYTHON: &str = "/usr/bin/python3";

pub const LIMITS: Limits = Limits { memory: 192 << 20, tasks: 48, open_files: 64, disk: 16 << 20, cpu: 1.0 };

/// A user id that nobody has.
const NOBODYS: u32 = 210_000;

pub struct Range {
    pub workshop: Workshop,
    name: String,
}

pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Range {
    /// All layers that the host offers.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let helper = Helper::program(env!("CARGO_BIN_EXE_sandbox-helper"));
        let name = format!("sandbox-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let layers = sandbox::probe(&helper).expect("probe").layers();
        Self { workshop: Workshop { helper, cgroups: Cgroups::open(&name), layers }, name }
    }

    pub fn policy(&self) -> Policy {
        let mut policy = Policy::new(LIMITS);
        policy.identity = sandbox::is_privileged().then_some(NOBODYS);
        policy
    }

    pub fn sandbox(&self) -> Sandbox {
        self.workshop.prepare("one", self.policy(), None).expect("prepare a sandbox")
    }

    /// Starts Python with a script inside.
    pub fn start(&self, sandbox: &mut Sandbox, script: &str, fds: Vec<(OwnedFd, i32)>) -> Running {
        let (stdout, out) = std::io::pipe().expect("pipe");
        let (stderr, err) = std::io::pipe().expect("pipe");
        let program = Program {
            path: PYTHON.into(),
            arguments: ["-I", "-S", "-u", "-c", script].map(Into::into).into(),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
            stdout: Stdio::from(out),
            stderr: Stdio::from(err),
            fds,
        };
        let process = sandbox.spawn(&self.workshop.helper, program).and_then(sandbox::PendingProcess::wait);
        let process = process.expect("start a program");
        sandbox.adopt(process.pidfd()).expect("adopt it");
        Running { process, stdout, stderr }
    }

    /// Runs a script in a fresh sandbox to its end.
    pub fn run(&self, script: &str) -> Outcome {
        let mut sandbox = self.sandbox();
        let outcome = self.start(&mut sandbox, script, Vec::new()).finish();
        sandbox.destroy().expect("destroy the sandbox");
        outcome
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            Cgroups::open(&self.name).close().expect("nothing is left in the cgroup");
        }
    }
}

pub struct Running {
    pub process: sandbox::Process,
    pub stdout: std::io::PipeReader,
    pub stderr: std::io::PipeReader,
}

impl Running {
    pub fn finish(mut self) -> Outcome {
        let mut outcome =
            Outcome { status: ExitStatus::default(), stdout: String::new(), stderr: String::new() };
        self.stdout.read_to_string(&mut outcome.stdout).expect("read stdout");
        self.stderr.read_to_string(&mut outcome.stderr).expect("read stderr");
        outcome.status = self.process.wait().expect("wait");
        outcome
    }

    /// Reads one line of stdout.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while self.stdout.read(&mut byte).expect("read stdout") == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).expect("text")
    }
}

/// Polls until it holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A directory that others may enter, removed in the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sandbox-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("make a directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("remove a directory");
    }
}

/// Runs all other tests of this binary again as a user without rights, where this one has some.
pub fn again_as_nobody() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let output = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"])
        .arg(std::env::current_exe().expect("this binary"))
        .args(["--skip", "as_an_ordinary_user"])
        .env("TMPDIR", "/tmp")
        .output()
        .expect("run setpriv");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && !text.contains(" 0 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
