//! The environments and the installer that all servers of all runs have.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::{PATIENCE, Server, fastapi};

fn shared() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("it")
}

/// What only the user who made it can use.
fn shared_by_user() -> PathBuf {
    match rustix::process::geteuid() {
        root if root.is_root() => shared(),
        other => shared().join(other.as_raw().to_string()),
    }
}

/// Runs tests of this binary again, as a user without rights and with what every user has.
pub async fn again_as_an_ordinary_user(tests: &str) {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // All share the installer, and only who runs the tests may put it where it is.
    made_ready().await;
    let place = shared().join(NOBODY.to_string());
    std::fs::create_dir_all(&place).unwrap();
    std::os::unix::fs::chown(&place, Some(NOBODY), Some(NOBODY)).unwrap();
    let output = Command::new("setpriv")
        .args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups"])
        .arg("--bounding-set=-all")
        .arg(std::env::current_exe().unwrap())
        .args([tests, "--skip", "as_an_ordinary_user"])
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !text.contains(" 0 passed"), "{text}");
}

/// Environments are expensive and made to be shared: all servers of all runs use the same, but for those that isolate nothing. The
/// installers of these are the server's own user, who takes what they keep from the others.
pub fn share(data_dir: &Path, is_isolated: bool) {
    let environments = if is_isolated { shared_by_user() } else { shared_by_user().join("not-isolated") };
    for (name, place) in [("environments", environments), ("tools", shared())] {
        std::fs::create_dir_all(place.join(name)).unwrap();
        std::os::unix::fs::symlink(place.join(name), data_dir.join(name)).unwrap();
    }
}

/// Waits for the environment that most projects have, with its bytecode. A server compiles when there is nothing else to do; with
/// hundreds of launches beside it that takes minutes, in which each of them compiles what it imports.
pub async fn made_ready() {
    static READY: OnceCell<()> = OnceCell::const_new();
    let make = async || {
        if !is_compiled() {
            let server = Server::at_once(&[], |_| ()).await;
            server.user("ann").upload(&fastapi("")).await.launch().await;
            let deadline = Instant::now() + PATIENCE;
            while !is_compiled() && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    READY.get_or_init(|| Box::pin(make())).await;
}

fn is_compiled() -> bool {
    let ready =
        std::fs::read_dir(shared_by_user().join("environments/ready")).into_iter().flatten().flatten();
    let mut compiled =
        ready.map(|entry| entry.path()).filter(|environment| environment.join("compiled").exists());
    compiled.any(|environment| {
        ["fastapi", "websockets"].iter().all(|name| environment.join("site-packages").join(name).exists())
    })
}
