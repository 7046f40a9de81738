//! The built binary, serving a data directory of its own. When it is dropped, nothing may be left of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::fs::Mode;
use rustix::process::{Pid, Signal, kill_process, umask};

use super::path::path;
use super::ports::Ports;
use super::shared::Shared;
use super::{PATIENCE, User, environments, leftovers, litter, output_of};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_previewd");

/// What the installers may take from whoever runs the tests.
const PASSED: [&str; 3] = ["PIP_", "UV_", "SSL_"];

/// One server. Clients hold what they need of it in [`Shared`].
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    ports: Ports,
    settings: BTreeMap<String, String>,
    serve: Mutex<Option<Child>>,
    preload: Mutex<Option<PathBuf>>,
    binary: Mutex<PathBuf>,
    /// The process namespaces of every sandbox that was seen.
    namespaces: Mutex<leftovers::Namespaces>,
}

impl Server {
    /// With the default settings, but for the ports.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With these settings, named without `PREVIEW_`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::within(settings, |_| ()).await
    }

    /// The same, in a data directory that was made ready before.
    pub async fn within(settings: &[(&str, &str)], prepare: impl FnOnce(&Path)) -> Self {
        environments::made_ready().await;
        Self::at_once(settings, prepare).await
    }

    /// The same, whatever environments there are.
    pub(super) async fn at_once(settings: &[(&str, &str)], prepare: impl FnOnce(&Path)) -> Self {
        let root = litter::new_root();
        prepare(&root.join("data"));
        environments::share(&root.join("data"), !settings.contains(&("ISOLATION", "off")));
        let ports = Ports::reserve();
        // On a busy machine a launch takes longer than anybody waits who looks at a page.
        let own = [
            ("PORT_MIN", ports.min.to_string()),
            ("PORT_MAX", ports.max.to_string()),
            ("LAUNCH_TIMEOUT", (PATIENCE * 3).as_secs().to_string()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let given = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = own.into_iter().chain(given).collect();
        let server = Self {
            shared: Arc::new(Shared::new(root)),
            ports,
            settings,
            serve: Mutex::default(),
            preload: Mutex::default(),
            binary: Mutex::new(PathBuf::from(BINARY)),
            namespaces: Mutex::default(),
        };
        server.serve_again().await;
        server
    }

    /// Starts `serve`, after it was killed or has ended, and waits until it accepts connections.
    pub async fn serve_again(&self) {
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).unwrap();
        let listen = self.settings.iter().find(|(name, _)| *name == "LISTEN");
        let listen = listen.map_or("127.0.0.1:0", |(_, address)| address.as_str());
        let mut command = self.command(&["serve", "--listen", listen]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            line
        });
        // It may have long logs to read first.
        let line = tokio::time::timeout(PATIENCE * 4, read).await.expect("a line on stdout").unwrap();
        let said = line.trim_end().strip_prefix("listening on http");
        let address = said.and_then(|said| said.trim_start_matches('s').strip_prefix("://")?.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address: {line:?}; {}", self.log()));
        self.shared.answers_at(address);
        *self.serve() = Some(child);
    }

    /// The binary with these arguments, for this data directory, in a scrubbed environment and with the strictest umask: what it
    /// makes must not depend on whoever starts it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&*self.binary.lock().unwrap());
        command.args(arguments).current_dir(self.shared.root()).env_clear();
        command.env("PATH", path()).env("HOME", self.shared.root());
        command
            .envs(std::env::vars().filter(|(name, _)| PASSED.iter().any(|prefix| name.starts_with(prefix))));
        command.env("PREVIEW_DATA_DIR", self.shared.data_dir());
        command.envs(self.preload.lock().unwrap().iter().map(|library| ("LD_PRELOAD", library)));
        command.envs(self.settings.iter().map(|(name, value)| (variable(name), value)));
        let strict = || {
            umask(Mode::RWXG | Mode::RWXO);
            Ok(())
        };
        // SAFETY: between fork and exec there is one system call.
        unsafe { command.pre_exec(strict) };
        command
    }

    /// What starts from now on is linked with this library first.
    pub fn preload(&self, library: &Path) {
        *self.preload.lock().unwrap() = Some(library.to_owned());
    }

    /// What starts from now on is this file.
    pub fn run_file(&self, binary: &Path) {
        *self.binary.lock().unwrap() = binary.to_owned();
    }

    /// A user of the free tier.
    pub fn user(&self, name: &str) -> User {
        self.user_of("free", name)
    }

    /// A user, with a token from the command line.
    pub fn user_of(&self, tier: &str, name: &str) -> User {
        self.with_token(output_of(&mut self.command(&["token", "--user", name, "--tier", tier])).trim())
    }

    /// Whoever has this token.
    pub fn with_token(&self, token: &str) -> User {
        User::new(Arc::clone(&self.shared), token)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn data_dir(&self) -> PathBuf {
        self.shared.data_dir()
    }

    pub fn address(&self) -> SocketAddr {
        self.shared.address()
    }

    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Process number of `serve`.
    pub fn serve_pid(&self) -> i32 {
        self.serve().as_ref().map(|child| child.id().cast_signed()).expect("a server that runs")
    }

    /// Process number of the keeper.
    pub fn keeper_pid(&self) -> i32 {
        self.keeper().expect("a keeper that runs")
    }

    /// The same, if there is one at the moment.
    pub fn keeper(&self) -> Option<i32> {
        leftovers::keeper_of(&self.data_dir())
    }

    /// Ends `serve` without any warning.
    pub fn kill_serve(&self) {
        let mut child = self.serve().take().expect("a server that runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks `serve` to end, and waits for it.
    pub fn terminate_serve(&self) -> ExitStatus {
        let mut child = self.serve().take().expect("a server that runs");
        signal(child.id().cast_signed(), Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "serve goes on after SIGTERM");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Ends the keeper without any warning.
    pub fn kill_keeper(&self) {
        self.preview_processes();
        signal(self.keeper_pid(), Signal::KILL);
    }

    /// What `serve` has to say about itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Files of previews that are there.
    pub fn preview_files(&self) -> Vec<PathBuf> {
        leftovers::files(&self.data_dir())
    }

    /// Where files of previews are that are in memory.
    pub fn files_in_memory(&self) -> PathBuf {
        leftovers::in_memory(&self.data_dir())
    }

    /// Processes of previews that run, whether their keeper lives or not.
    pub fn preview_processes(&self) -> Vec<i32> {
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        let keeper = leftovers::keeper_of(&self.data_dir());
        namespaces.extend(keeper.map(leftovers::namespaces_below).unwrap_or_default());
        let mut all = leftovers::marked(&self.shared.previews());
        all.extend(leftovers::inside(&namespaces));
        all
    }

    fn log_path(&self) -> PathBuf {
        self.shared.root().join("serve.log")
    }

    fn serve(&self) -> MutexGuard<'_, Option<Child>> {
        self.serve.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.log());
            self.kill_everything();
        } else {
            self.end_in_order();
        }
        litter::remove(self.shared.root());
    }
}

impl Server {
    /// Stops what runs, ends `serve` and the keeper, and looks for what they left.
    fn end_in_order(&self) {
        let keeper = leftovers::keeper_of(&self.data_dir());
        let mut started = keeper.map(leftovers::descendants).unwrap_or_default();
        started.extend(keeper.and_then(leftovers::process));
        if self.serve().is_some() {
            self.shared.delete_previews();
            assert!(self.terminate_serve().success(), "serve failed: {}", self.log());
        }
        let deadline = Instant::now() + PATIENCE;
        while let Some(left) = self.left(&started) {
            if Instant::now() > deadline {
                self.kill_everything();
                panic!("left behind: {left}\n{}", self.log());
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
    }

    fn left(&self, started: &BTreeSet<leftovers::Process>) -> Option<String> {
        let alive: Vec<_> = started.iter().filter(|process| leftovers::is_alive(**process)).collect();
        // What follows looks at every process of the machine.
        if !alive.is_empty() {
            return Some(format!("the keeper or what it started: {alive:?}"));
        }
        let (processes, ports) = (self.preview_processes(), self.ports.held());
        let (files, keeper) = (self.preview_files(), leftovers::keeper_of(&self.data_dir()));
        let nothing = processes.is_empty() && ports.is_empty() && files.is_empty();
        (!nothing || keeper.is_some())
            .then(|| format!("keeper {keeper:?}, processes {processes:?}, ports {ports:?}, files {files:?}"))
    }

    fn kill_everything(&self) {
        if let Some(mut child) = self.serve().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let keeper = leftovers::keeper_of(&self.data_dir());
        let started = keeper.map(leftovers::descendants).unwrap_or_default();
        let rest = started.into_iter().filter(|process| leftovers::is_alive(*process)).map(|(pid, _)| pid);
        for pid in keeper.into_iter().chain(rest).chain(self.preview_processes()) {
            signal(pid, Signal::KILL);
        }
    }
}

/// What is not a setting of ours has its whole name.
fn variable(name: &str) -> String {
    let is_whole = name == "RUST_LOG" || name.starts_with("OTEL_");
    if is_whole { name.to_owned() } else { format!("PREVIEW_{name}") }
}

pub fn signal(pid: i32, signal: Signal) {
    let _gone_already = kill_process(Pid::from_raw(pid).unwrap(), signal);
}
