//! `previewd up`, as the person at the terminal sees it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Packages may have to be installed first, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// For so long nothing more is written when an edit is over.
const QUIET: Duration = Duration::from_millis(100);

/// `up` with a project of its own; what it prints comes line by line.
struct Up {
    root: PathBuf,
    ports: (u16, u16),
    child: Child,
    lines: Receiver<String>,
}

impl Up {
    fn start(name: &str, ports: (u16, u16), source: &str) -> Self {
        let root = std::env::temp_dir().join(format!("previewd-up-{name}-{}", std::process::id()));
        for directory in ["project/app", "data"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        share_environments(&root.join("data"));
        std::fs::write(root.join("project/requirements.txt"), "uvicorn\n").unwrap();
        write(&root, source);
        Self::run(root, ports)
    }

    fn run(root: PathBuf, ports: (u16, u16)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_previewd"));
        // What the tests themselves are told is no setting.
        let told = std::env::vars_os().map(|(name, _)| name);
        for name in told.filter(|name| name.to_string_lossy().starts_with("PREVIEW_")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(["up", "project", "--data-dir", "data", "--listen", "127.0.0.1:0"])
            .args(["--port-min", &ports.0.to_string(), "--port-max", &ports.1.to_string()])
            .current_dir(&root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { root, ports, child, lines }
    }

    /// Kills it, and starts another one in its place before it can be gone.
    fn replace(mut self) -> Self {
        self.child.kill().unwrap();
        let next = Self::run(self.root.clone(), self.ports);
        self.child.wait().unwrap();
        next
    }

    /// The next line that contains this.
    fn line(&self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = String::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(wanted) => return line,
                Ok(line) => seen += &(line + "\n"),
                Err(_) => panic!("no line with {wanted:?} after:\n{seen}"),
            }
        }
    }

    fn edit(&self, source: &str) {
        write(&self.root, source);
    }

    /// Presses Ctrl-C and returns when it has ended, and nothing of it is left.
    fn end(mut self) {
        self.stop();
        std::fs::remove_dir_all(&self.root).unwrap();
    }

    fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        until("something of it is still there", || arguments_in(&self.root.join("data")).is_empty());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Does nothing to one that has ended.
        let _ = self.child.kill();
    }
}

fn write(root: &Path, source: &str) {
    std::fs::write(root.join("project/app/main.py"), source).unwrap();
}

/// Installed once for all tests.
fn share_environments(data_dir: &Path) {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("up");
    for name in ["environments", "tools"] {
        std::fs::create_dir_all(shared.join(name)).unwrap();
        symlink(shared.join(name), data_dir.join(name)).unwrap();
    }
}

/// Arguments of processes that are in this data directory or one below it: a keeper has it, a zygote and what it forked a program.
fn arguments_in(data_dir: &Path) -> Vec<PathBuf> {
    let lines = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = lines.map(|process| std::fs::read(process.path().join("cmdline")).unwrap_or_default());
    let arguments = lines.flat_map(|line| {
        line.split(|byte| *byte == 0).map(|argument| OsStr::from_bytes(argument).into()).collect::<Vec<_>>()
    });
    arguments.filter(|argument: &PathBuf| argument.starts_with(data_dir)).collect()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An application that says this to everything.
fn saying(word: &str) -> String {
    format!(
        r#"async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"{word}"}})
"#
    )
}

/// Address and token of the line that shows them.
fn preview_of(line: &str) -> (String, String) {
    let (_, rest) = line.split_once("http://localhost:").unwrap();
    let (port, token) = rest.split_once("/?preview_token=").unwrap();
    (format!("127.0.0.1:{port}"), token.to_owned())
}

fn get((address, token): &(String, String)) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /x HTTP/1.0\r\nhost: localhost\r\nx-preview-token: {token}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn edits_reload_what_runs_and_ctrl_c_ends_all_of_it() {
    let up = Up::start("edits", (47_100, 47_120), &saying("one"));
    let ui = up.line("  UI ");
    assert!(ui.contains("/g/gen_") && ui.contains("#token="), "{ui}");
    let preview = preview_of(&up.line("  Preview "));
    assert_eq!(get(&preview), "one");
    up.line("Edits reload it");
    // What git ignores is no edit, and an edit in several steps is one, if they come as fast as an editor's.
    std::fs::write(up.root.join("project/.gitignore"), "notes.txt\n").unwrap();
    std::fs::write(up.root.join("project/notes.txt"), "ignored").unwrap();
    let began = Instant::now();
    for step in ["raise RuntimeError('half of it')", "raise RuntimeError('nearly')", &saying("two")] {
        up.edit(step);
    }
    let is_one = began.elapsed() < QUIET;
    assert!(up.line("edited:").contains("app/main.py"));
    let reloaded = up.line("reloaded: revision ");
    assert!(!is_one || reloaded.contains("revision 2 "), "{reloaded}");
    assert_eq!(get(&preview), "two");
    up.edit("raise RuntimeError('not like this')");
    assert!(up.line("not reloaded").contains("not like this"));
    up.line("reason: import_failed");
    assert_eq!(get(&preview), "two");
    up.edit(&saying("three"));
    let again = up.line("reloaded: revision ");
    assert!(!is_one || again.contains("revision 4 "), "{again}");
    assert_eq!(get(&preview), "three");
    up.end();
    assert!(TcpStream::connect(preview.0).is_err());
}

#[test]
fn what_does_not_start_is_told_and_the_next_edit_tries_again() {
    let up = Up::start("broken", (47_130, 47_150), "import nothing_like_that");
    assert!(up.line("it does not run:").contains("nothing_like_that"));
    up.line("Edits reload it");
    up.edit(&saying("now"));
    assert_eq!(get(&preview_of(&up.line("  Preview "))), "now");
    up.end();
}

#[test]
fn one_that_was_killed_is_followed_in_its_place_and_its_preview_is_stopped() {
    let up = Up::start("killed", (47_160, 47_180), &saying("one"));
    let first = preview_of(&up.line("  Preview "));
    let up = up.replace();
    let second = preview_of(&up.line("  Preview "));
    assert_eq!(get(&second), "one");
    assert!(!up.root.join("data/up-2").exists(), "it went beside one that is gone");
    assert_ne!(first, second);
    assert!(first.0 == second.0 || TcpStream::connect(first.0).is_err());
    up.end();
}

#[test]
fn ctrl_c_leaves_nothing_at_whichever_moment() {
    let mut up = Up::start("moments", (47_190, 47_210), &saying("one"));
    // It has the directory, and nothing else yet.
    until("it takes no directory", || up.root.join("data/serve.lock").exists());
    up.stop();
    up = Up::run(up.root.clone(), up.ports);
    // It has been read; it starts; it serves, and what the next launch needs begins to be made.
    for moment in ["files)", " startup ", "  Preview ", "Edits reload it"] {
        up.line(moment);
        up.stop();
        up = Up::run(up.root.clone(), up.ports);
    }
    up.line("Edits reload it");
    let is_zygote = |argument: &PathBuf| argument.ends_with("zygote.py");
    until("nothing is made ahead", || arguments_in(&up.root.join("data")).iter().any(is_zygote));
    up.end();
}
