//! The wall clock is set under previews that run, by an hour, forward and back. Ends come after the time that was promised all the
//! same: they are kept by a clock that nobody sets.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use crate::harness::{Server, asgi, eventually, shim, unique};

/// What a session lasts, and what may come on top on a busy machine.
const SESSION: Duration = Duration::from_secs(20);
const LATE: Duration = Duration::from_secs(12);
const HOUR: i64 = 3600;

/// Stands between a program and the system's wall clock, which nobody may set for a test.
const SHIM: &str = r#"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *at) {
    long failed = syscall(SYS_clock_gettime, id, at);
    char text[32] = {0};
    int fd = !failed && id == CLOCK_REALTIME ? open(PLACE, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) > 0) at->tv_sec += atol(text);
        close(fd);
    }
    return failed;
}
"#;

/// A wall clock that can be set.
struct Clock {
    directory: PathBuf,
    library: PathBuf,
}

impl Clock {
    fn new() -> Self {
        let directory = std::env::temp_dir().join(unique("previewd-clock"));
        std::fs::create_dir(&directory).unwrap();
        let library = shim(&directory, SHIM, &directory.join("offset"));
        Self { directory, library }
    }

    fn set(&self, seconds: i64) {
        let aside = self.directory.join("aside");
        std::fs::write(&aside, seconds.to_string()).unwrap();
        std::fs::rename(aside, self.directory.join("offset")).unwrap();
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A keeper with that clock; `serve` passes none of its own variables on to one that it starts.
fn start_keeper(server: &Server) -> Child {
    let data_dir = server.data_dir();
    let mut keeper = server.command(&["keeper", data_dir.to_str().unwrap()]);
    let mut keeper = keeper.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
    keeper
}

async fn with_clock(clock: &Clock) -> (Server, Child) {
    let server = Server::with(&[("SESSION_TIMEOUT", &SESSION.as_secs().to_string())]).await;
    server.preload(&clock.library);
    server.terminate_serve();
    let over = async || server.keeper().is_none().then_some(());
    eventually("the end of a keeper with nothing to keep", over).await;
    let keeper = start_keeper(&server);
    // It would leave before the server comes if nobody were connected.
    let _connected = connect(&server.data_dir().join("keeper.sock"));
    server.serve_again().await;
    assert_eq!(server.keeper_pid(), keeper.id().cast_signed());
    (server, keeper)
}

fn connect(socket: &Path) -> OwnedFd {
    let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    rustix::net::connect(&fd, &SocketAddrUnix::new(socket).unwrap()).unwrap();
    fd
}

#[tokio::test]
async fn a_clock_that_is_set_neither_shortens_nor_lengthens_a_life() {
    let clock = Clock::new();
    let (server, mut keeper) = with_clock(&clock).await;
    let app = server.user("ana").upload(&asgi("")).await;
    let preview = app.launch().await;
    let began = Instant::now();
    clock.set(HOUR);
    // The owner looks at the time whenever somebody wants something of it.
    let patched = serde_json::json!({ "files": { "note.txt": "new" } });
    app.user.patch(&app.path("/files"), &patched).await.expect(200);
    assert_eq!(preview.get("/x").await.text(), "you asked for /x");
    assert_eq!(app.status().await.expect(200)["status"], "running");
    clock.set(-HOUR);
    app.user.patch(&app.path("/files"), &patched).await.expect(200);
    let gone = app.until_status("gone").await;
    assert_eq!(gone["details"]["lastPreview"]["stopReason"], "expired", "{gone}");
    assert!(began.elapsed() < SESSION + LATE, "{:?}", began.elapsed());

    app.launch().await;
    let began = Instant::now();
    server.kill_serve();
    clock.set(-3 * HOUR);
    let over =
        async || (server.preview_processes().is_empty() && server.ports().held().is_empty()).then_some(());
    eventually("the end that the keeper sees to", over).await;
    assert!((SESSION / 2..SESSION + LATE).contains(&began.elapsed()), "{:?}", began.elapsed());
    clock.set(0);
    server.serve_again().await;
    app.until_status("gone").await;
    drop(server);
    let _ended_with_the_server = keeper.wait();
}
