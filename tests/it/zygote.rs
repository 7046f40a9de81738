//! Forking out of a zygote into sandboxes, with real processes, as root and as an ordinary user.

mod memory;

use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use previewd::environment::Interpreter;
use previewd::keeper::zygote::{Forked, Handover, Recipe, Zygote};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus};
use sandbox::{Cgroups, Helper, Limits, Policy, Sandbox, Workshop};
use tokio::sync::Notify;

const LIMITS: Limits = Limits { memory: 256 << 20, tasks: 64, open_files: 256, disk: 16 << 20, cpu: 1.0 };
/// A runner that evaluates its instructions and prints what comes of it.
const RUNNER: &str = "
import os
def main(spec, listener_fd, records_fd, give_back=None):
    os.chdir(spec['dir'])
    os.write(records_fd, b'a record')
    print(eval(spec['eval'], {'os': os, 're': __import__('re'), 'sys': __import__('sys'), 'give_back': give_back}))
if __name__ == '__main__':
    import json
    main(json.load(open(3)), 4, 5)
";

/// A directory with a zygote's programs and a project, and where to make sandboxes.
struct Nest {
    workshop: Workshop,
    directory: PathBuf,
}

impl Nest {
    fn new(name: &str) -> Self {
        let name = format!("zygote-test-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(directory.join("app")).unwrap();
        std::fs::write(directory.join("runner.py"), RUNNER).unwrap();
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("runner");
        for program in ["zygote.py", "density.py", "template.py"] {
            std::fs::copy(programs.join(program), directory.join(program)).unwrap();
        }
        let library = include_bytes!(concat!(env!("OUT_DIR"), "/template.so"));
        std::fs::write(directory.join("template.so"), library).unwrap();
        std::fs::write(directory.join("rehearsal.py"), "def rehearse(enough=None): pass").unwrap();
        let helper = Helper::program(env!("CARGO_BIN_EXE_previewd"));
        let layers = sandbox::probe(&helper).unwrap().layers();
        Self { workshop: Workshop { helper, cgroups: Cgroups::open(&name), layers }, directory }
    }

    fn recipe(&self) -> Recipe {
        let privileged = sandbox::is_privileged();
        Recipe {
            python: "/usr/bin/python3".into(),
            zygote: self.directory.join("zygote.py"),
            runner: self.directory.join("runner.py"),
            rehearsal: self.directory.join("rehearsal.py"),
            packages: vec![self.directory.join("packages")],
            visible: vec![self.directory.clone()],
            egress: false,
            merge: false,
            identity: privileged.then_some(209_999),
            delegated: privileged.then_some((210_000, 1000)),
        }
    }

    /// One of another Python.
    async fn zygote_of(&self, python: &Interpreter) -> Rc<Zygote> {
        let mut recipe = self.recipe();
        recipe.python.clone_from(&python.executable);
        recipe.visible.push(python.base_prefix.clone());
        Zygote::start(&self.workshop, "zygote", &recipe, &Notify::new()).await.unwrap()
    }

    async fn zygote(&self) -> Rc<Zygote> {
        Zygote::start(&self.workshop, "zygote", &self.recipe(), &Notify::new()).await.unwrap()
    }

    async fn sandbox(&self, zygote: &Zygote) -> Sandbox {
        self.sandbox_with(zygote, &[]).await
    }

    async fn sandbox_with(&self, zygote: &Zygote, visible: &[PathBuf]) -> Sandbox {
        let mut policy = Policy::new(LIMITS);
        policy.identity = sandbox::is_privileged().then_some(210_001);
        policy.read_only = vec![self.directory.clone()];
        policy.read_only.extend_from_slice(visible);
        policy.files = Some(self.directory.join("app"));
        zygote.prepare(&self.workshop, "preview", policy).await.unwrap()
    }

    /// Lets a preview of its own evaluate an expression: what it printed, and its status.
    async fn evaluate(&self, zygote: &Zygote, expression: &str) -> (String, i32) {
        let mut sandbox = self.sandbox(zygote).await;
        let (handover, ends) = handover(expression);
        let forked = zygote.fork(&mut sandbox).await.unwrap();
        forked.go(&handover).unwrap();
        let outcome = finish(&forked, handover, ends);
        sandbox.destroy().unwrap();
        outcome
    }
}

impl Drop for Nest {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).unwrap();
        let name = self.directory.file_name().unwrap().to_str().unwrap();
        if !std::thread::panicking() {
            Cgroups::open(name).close().expect("nothing is left in the cgroup");
        }
    }
}

/// The other ends of what a preview is handed.
struct Ends {
    stdout: std::io::PipeReader,
    stderr: std::io::PipeReader,
    records: std::io::PipeReader,
}

fn handover(expression: &str) -> (Handover, Ends) {
    let spec = serde_json::json!({"dir": "/box/app", "eval": expression}).to_string();
    let memfd = rustix::fs::memfd_create("spec", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let mut file = std::fs::File::from(memfd);
    file.write_all(spec.as_bytes()).unwrap();
    file.rewind().unwrap();
    let (stdout, out) = std::io::pipe().unwrap();
    let (stderr, err) = std::io::pipe().unwrap();
    let (records, rec) = std::io::pipe().unwrap();
    let (listener, _client) = std::os::unix::net::UnixStream::pair().unwrap();
    let handover = Handover {
        spec: file.into(),
        listener: listener.into(),
        records: rec.into(),
        stdout: out.into(),
        stderr: err.into(),
    };
    (handover, Ends { stdout, stderr, records })
}

fn finish(forked: &Forked, handover: Handover, mut ends: Ends) -> (String, i32) {
    drop(handover);
    let (mut text, mut record) = (String::new(), String::new());
    ends.stdout.read_to_string(&mut text).unwrap();
    ends.stderr.read_to_string(&mut text).unwrap();
    ends.records.read_to_string(&mut record).unwrap();
    assert_eq!(record, "a record", "{text}");
    (text, reap(forked).exit_status().unwrap_or(-1))
}

/// Whether a process ends, within ten seconds.
fn ended(pidfd: &OwnedFd) -> bool {
    let deadline = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
    rustix::event::poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&deadline)) == Ok(1)
}

/// Waits for the end of a fork, which is a child of this process only once the one between them has ended.
fn reap(forked: &Forked) -> WaitIdStatus {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match rustix::process::waitid(WaitId::PidFd(forked.pidfd.as_fd()), WaitIdOptions::EXITED) {
            Ok(status) => return status.unwrap(),
            Err(Errno::CHILD) if Instant::now() < deadline => std::thread::yield_now(),
            Err(e) => panic!("the fork cannot be reaped: {e}"),
        }
    }
}

/// Runs a test as the keeper's only thread would.
fn alone<T>(test: impl Future<Output = T>) -> T {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

#[test]
fn forks_into_a_sandbox_without_rights() {
    let nest = Nest::new("rights");
    alone(async {
        let zygote = nest.zygote().await;
        let (text, status) = nest.evaluate(&zygote, "open('/proc/self/status').read()").await;
        assert_eq!(status, 0, "{text}");
        let rights =
            ["CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Uid:\t1000\t1000"];
        for line in rights {
            assert!(text.contains(line), "{line} in {text}");
        }
        let filters = text.lines().find(|line| line.starts_with("Seccomp_filters")).unwrap();
        assert_eq!(filters, "Seccomp_filters:\t5", "two of the zygote's, three of its own");
    });
}

#[test]
fn hands_over_its_descriptors_and_no_other() {
    let nest = Nest::new("descriptors");
    alone(async {
        let zygote = nest.zygote().await;
        let open =
            "[fd for fd in range(256) if os.path.exists(f'/proc/self/fd/{fd}')], os.getcwd(), os.getpid()";
        let (text, _) = nest.evaluate(&zygote, open).await;
        assert_eq!(text, "([0, 1, 2, 4, 5], '/box/app', 2)\n");
    });
}

#[test]
fn its_previews_cannot_reach_each_other() {
    let nest = Nest::new("siblings");
    alone(async {
        let zygote = nest.zygote().await;
        let (text, _) = nest.evaluate(&zygote, "open('/box/tmp/note', 'w').write('mine')").await;
        assert_eq!(text, "4\n");
        let look = "os.path.exists('/box/tmp/note'), [p for p in os.listdir('/proc') if p.isdigit()]";
        assert_eq!(nest.evaluate(&zygote, look).await.0, "(False, ['2'])\n");
        let join = "__import__('ctypes').CDLL(None).unshare(0)";
        assert_eq!(nest.evaluate(&zygote, join).await.0, "-1\n");
    });
}

#[test]
fn tells_how_a_program_ended() {
    let nest = Nest::new("status");
    alone(async {
        let zygote = nest.zygote().await;
        assert_eq!(nest.evaluate(&zygote, "sys.exit(7)").await.1, 7);
        let (text, status) = nest.evaluate(&zygote, "1 / 0").await;
        assert!(status == 1 && text.contains("ZeroDivisionError"), "{text}");
        let late = "__import__('atexit').register(print, 'bye') and None";
        assert_eq!(nest.evaluate(&zygote, late).await.0, "None\nbye\n");
    });
}

#[test]
fn a_project_that_shadows_a_library_gets_a_fresh_interpreter() {
    let nest = Nest::new("shadow");
    std::fs::write(nest.directory.join("app/statistics.py"), "").unwrap();
    alone(async {
        let zygote = nest.zygote().await;
        let (text, status) = nest.evaluate(&zygote, "'sqlite3' in sys.modules").await;
        assert_eq!((text.as_str(), status), ("False\n", 0));
    });
}

#[test]
fn a_fork_rehearses_until_it_is_needed() {
    let nest = Nest::new("rehearsal");
    let rehearsal = "import os\n\ndef rehearse(enough=lambda: True):\n    while not enough():\n        pass\n    os.environ['REHEARSED'] = str(os.getpid())\n";
    std::fs::write(nest.directory.join("rehearsal.py"), rehearsal).unwrap();
    alone(async {
        let zygote = nest.zygote().await;
        let (text, _) = nest.evaluate(&zygote, "os.environ['REHEARSED'], os.getpid()").await;
        assert_eq!(text, "('2', 2)\n");
    });
}

#[test]
fn a_fork_has_its_own_limits_and_not_its_zygotes() {
    let nest = Nest::new("limits");
    alone(async {
        let zygote = nest.zygote().await;
        let limit = |of| format!("__import__('resource').getrlimit(__import__('resource').RLIMIT_{of})[1]");
        let expression = format!("[{}, {}]", limit("NOFILE"), limit("FSIZE"));
        let (text, _) = nest.evaluate(&zygote, &expression).await;
        let told: [u64; 2] = serde_json::from_str(&text).unwrap();
        assert_eq!(told, [LIMITS.open_files, LIMITS.disk]);
    });
}

#[test]
fn a_fork_that_is_never_needed_ends() {
    let nest = Nest::new("unneeded");
    alone(async {
        let zygote = nest.zygote().await;
        let mut sandbox = nest.sandbox(&zygote).await;
        let forked = zygote.fork(&mut sandbox).await.unwrap();
        assert!(forked.is_alive());
        let pidfd = forked.pidfd.try_clone().unwrap();
        drop(forked);
        assert!(ended(&pidfd));
        sandbox.destroy().unwrap();
    });
}

/// The Pythons of this machine, as far as this user may run them.
async fn pythons() -> Vec<Interpreter> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let mut found = Vec::new();
    for directory in [PathBuf::from("/usr/bin"), "/usr/local/bin".into(), home.join(".pyenv/versions")] {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().into_string().unwrap();
            let minor =
                name.strip_prefix("python3.").is_some_and(|minor| minor.bytes().all(|b| b.is_ascii_digit()));
            let program = if minor { path } else { path.join("bin/python3") };
            if let Ok(python) = Interpreter::find(Some(&program)).await {
                found.push(python);
            }
        }
    }
    found
}

#[test]
fn forks_on_every_python_that_there_is() {
    let nest = Nest::new("pythons");
    alone(async {
        let pythons = pythons().await;
        assert!(!pythons.is_empty(), "python3 is a link to one");
        for python in pythons {
            let zygote = nest.zygote_of(&python).await;
            let mut sandbox = nest.sandbox_with(&zygote, std::slice::from_ref(&python.base_prefix)).await;
            let (handover, ends) = handover("sys.version.split()[0]");
            let forked = zygote.fork(&mut sandbox).await.unwrap();
            forked.go(&handover).unwrap();
            let (text, status) = finish(&forked, handover, ends);
            sandbox.destroy().unwrap();
            assert_eq!((text.trim(), status), (python.version_text().as_str(), 0));
        }
    });
}

#[test]
fn its_previews_outlive_it() {
    let nest = Nest::new("lives");
    alone(async {
        let zygote = nest.zygote().await;
        assert!(zygote.is_alive() && zygote.memory_bytes() > 1 << 20);
        let mut sandbox = nest.sandbox(&zygote).await;
        let (handover, ends) = handover("__import__('time').sleep(0.2)");
        let forked = zygote.fork(&mut sandbox).await.unwrap();
        forked.go(&handover).unwrap();
        zygote.end();
        assert!(!zygote.is_alive());
        assert_eq!(finish(&forked, handover, ends).1, 0);
        sandbox.destroy().unwrap();
    });
}

#[test]
fn a_dead_one_says_so() {
    let nest = Nest::new("dead");
    alone(async {
        let zygote = nest.zygote().await;
        let mut sandbox = nest.sandbox(&zygote).await;
        rustix::process::kill_process(zygote.pid(), rustix::process::Signal::KILL).unwrap();
        let refused = zygote.fork(&mut sandbox).await.unwrap_err().to_string();
        assert!(refused.contains("the zygote died") || refused.contains("Broken pipe"), "{refused}");
        sandbox.destroy().unwrap();
    });
}

#[test]
fn a_library_that_starts_a_thread_is_not_forked_from() {
    let nest = Nest::new("thread");
    std::fs::create_dir_all(nest.directory.join("packages")).unwrap();
    let module =
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()";
    std::fs::write(nest.directory.join("packages/yaml.py"), module).unwrap();
    alone(async {
        let refused = Zygote::start(&nest.workshop, "zygote", &nest.recipe(), &Notify::new())
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains("thread"), "{refused}");
        nest.workshop.cgroups.sweep().unwrap();
    });
}

#[tokio::test]
async fn all_this_as_an_ordinary_user() {
    crate::harness::again_as_an_ordinary_user("zygote::").await;
}
