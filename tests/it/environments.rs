//! Environments as the built binary makes them: by confined installers, complete or absent whatever is killed.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{
    Answer, BINARY, Generation, Server, User, asgi, command_line, descendants, eventually, is_alive, signal,
};

/// A server whose environments nobody else has. uv is the shared one.
async fn with_own_environments(settings: &[(&str, &str)]) -> Server {
    let server = Server::with(settings).await;
    server.terminate_serve();
    std::fs::remove_file(server.data_dir().join("environments")).unwrap();
    server.serve_again().await;
    server
}

pub fn project(requirements: &str) -> Value {
    let mut files = asgi("");
    files["requirements.txt"] = json!(requirements);
    files
}

#[tokio::test]
async fn a_killed_build_leaves_nothing_that_looks_finished() {
    let server = with_own_environments(&[]).await;
    let user = server.user("ana");
    let environments = server.data_dir().join("environments");
    // Killed while it resolves, while it installs and while it compiles.
    for (requirements, at) in [
        ("uvicorn\n", "pip\0compile"),
        ("uvicorn\njinja2\n", "pip\0install"),
        ("uvicorn\nstarlette\n", "compileall"),
    ] {
        let app = user.upload(&project(requirements)).await;
        let begun = eventually(at, async || {
            let all = descendants(server.serve_pid());
            all.iter().any(|(pid, _)| command_line(*pid).contains(at)).then_some(all)
        })
        .await;
        server.kill_serve();
        eventually("the end of all of it", async || {
            (!begun.iter().any(|process| is_alive(*process))).then_some(())
        })
        .await;
        server.serve_again().await;
        assert_eq!(directories(&environments.join("work/building")), 0, "{at}");
        app.launch().await;
        app.stop().await;
    }
    // One that is stopped holds its launch up, which can be given up. Killed, it is a failed launch at most, and the next one works.
    let (app, installer) = stopped_installer(&server, &user).await;
    app.launch_unawaited().await;
    assert_eq!(app.status().await.expect(200)["status"], "launching");
    app.stop().await.expect(200);
    signal(installer, Signal::KILL);
    eventually("a launch that works", async || {
        let answer = app.try_launch(&json!({})).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

/// An upload whose installer has been stopped before it was done.
async fn stopped_installer(server: &Server, user: &User) -> (Generation, i32) {
    // On a fast machine one or another is done before it is met.
    for package in ["idna", "certifi", "six", "attrs"] {
        let app = user.upload(&project(&format!("uvicorn\n{package}\n"))).await;
        let (pid, _) = eventually("an installer", async || {
            let all = descendants(server.serve_pid());
            all.into_iter().find(|(pid, _)| command_line(*pid).contains("pip\0"))
        })
        .await;
        signal(pid, Signal::STOP);
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        if status.contains("State:\tT") {
            return (app, pid);
        }
    }
    panic!("no installer could be stopped");
}

/// Sends a signal to whatever installs while a call is under way, and gives the call's answer.
pub async fn struck(
    server: &Server,
    signal_: Signal,
    call: impl Future<Output = Answer> + Send + 'static,
) -> Answer {
    let call = tokio::spawn(call);
    let serve = server.serve_pid();
    while !call.is_finished() {
        let all = tokio::task::spawn_blocking(move || descendants(serve)).await.unwrap();
        for (pid, _) in all.into_iter().filter(|(pid, _)| command_line(*pid).contains("pip\0")) {
            signal(pid, signal_);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    call.await.unwrap()
}

#[tokio::test]
async fn an_installer_that_is_killed_fails_what_waits_for_it_and_nothing_else() {
    let server = with_own_environments(&[]).await;
    let app = server.user("ana").upload(&project("uvicorn\n")).await;
    let asks = |package: &str| json!({ "files": { "requirements.txt": format!("uvicorn\n{package}\n") } });
    let change = async |app: &Generation, package: &str| {
        app.user.patch(&app.path("/files"), &asks(package)).await.expect(200)
    };
    // A launch. One that it ended instead may have gone on.
    for (package, signal) in [("six", Signal::KILL), ("attrs", Signal::TERM)] {
        change(&app, package).await;
        let caller = app.clone();
        let answer = struck(&server, signal, async move { caller.try_launch(&json!({})).await }).await;
        if answer.status != 200 || signal == Signal::KILL {
            let failed = answer.error(500, "launch_failed");
            assert_eq!(failed["details"]["reason"], "dependency_install_failed", "{failed}");
            assert_eq!(app.launch().await.get("/x").await.text(), "you asked for /x");
        }
        app.stop().await.expect(200);
    }
    // An edit of what runs.
    let preview = app.launch().await;
    let caller = app.clone();
    let edit = asks("jinja2");
    let edited = async move { caller.user.patch(&caller.path("/files"), &edit).await };
    let edited = struck(&server, Signal::KILL, edited).await.expect(200);
    assert_eq!(edited["reloaded"], false, "{edited}");
    assert_eq!(edited["details"]["reason"], "dependency_install_failed", "{edited}");
    assert_eq!(preview.get("/x").await.text(), "you asked for /x", "the old goes on serving");
    let again = app.user.patch(&app.path("/files"), &json!({ "files": { "note.txt": "" } })).await;
    assert_eq!(again.expect(200)["reloaded"], true);
}

#[tokio::test]
async fn installers_are_confined_and_none_of_the_servers_user() {
    let server = with_own_environments(&[]).await;
    let app = server.user("ana").upload(&project("uvicorn\njinja2\n")).await;
    let seen = eventually("an installer at work", async || {
        let all = descendants(server.serve_pid());
        let (pid, _) = all.into_iter().find(|(pid, _)| command_line(*pid).contains("pip\0"))?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let namespace = std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok()?;
        // Before it has executed the installer it is a helper of ours.
        (namespace != std::fs::read_link("/proc/self/ns/mnt").unwrap()).then_some(status)
    })
    .await;
    let field = |name: &str| {
        let line = seen.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!((field("CapEff:").trim_matches('0'), field("NoNewPrivs:").as_str()), ("", "1"), "{seen}");
    assert_eq!(field("Seccomp:"), "2");
    if rustix::process::geteuid().is_root() {
        assert_eq!(field("Uid:"), "1999999999");
    }
    app.launch().await;
}

#[tokio::test]
async fn the_same_files_are_compiled_once() {
    let server = with_own_environments(&[]).await;
    let user = server.user("ana");
    let compiled = |count: usize| {
        let ready = server.data_dir().join("environments/ready");
        async move {
            eventually("bytecode", async || {
                let all = std::fs::read_dir(&ready).ok()?.flatten();
                (all.filter(|one| one.path().join("compiled").exists()).count() == count).then_some(())
            })
            .await;
        }
    };
    user.upload(&project("uvicorn\n")).await;
    compiled(1).await;
    let before = std::time::SystemTime::now();
    let second = user.upload(&project("uvicorn\nidna\n")).await;
    second.launch().await;
    let ready = server.data_dir().join("environments/ready");
    let newest = std::fs::read_dir(&ready).unwrap().flatten();
    let newest = newest.max_by_key(|one| one.metadata().unwrap().modified().unwrap()).unwrap().path();
    let own = newest.join("site-packages/uvicorn/__pycache__");
    let one = std::fs::read_dir(own).unwrap().flatten().next().unwrap();
    assert!(one.metadata().unwrap().modified().unwrap() < before, "compiled again");
    second.stop().await;
}

#[tokio::test]
async fn an_environment_in_use_outlives_the_limit_and_a_restart() {
    let server =
        with_own_environments(&[("ENVIRONMENTS_LIMIT_MB", "1"), ("MAX_INSTANCES_PER_USER", "3")]).await;
    let user = server.user("ana");
    let running = user.upload(&project("uvicorn\n")).await;
    let preview = running.launch().await;
    let ready = server.data_dir().join("environments/ready");
    let used = std::fs::read_dir(&ready).unwrap().next().unwrap().unwrap().path();
    server.kill_serve();
    server.serve_again().await;
    // Each new one is over the limit: all that nobody uses go.
    for requirements in ["uvicorn\nidna\n", "uvicorn\ncertifi\n"] {
        let other = user.upload(&project(requirements)).await;
        other.launch().await;
        other.stop().await;
    }
    assert!(used.join("site-packages/uvicorn").is_dir(), "it is in use");
    assert_eq!(preview.get("/after").await.text(), "you asked for /after");
    running.stop().await;
    user.upload(&project("uvicorn\njinja2\n")).await.launch().await;
    assert!(!used.exists(), "nobody uses it");
    let report = doctor(&server);
    let check =
        report["checks"].as_array().unwrap().iter().find(|one| one["name"] == "environments").unwrap();
    assert!(check["detail"].as_str().unwrap().contains("of 1 MiB"), "{check}");
}

fn doctor(server: &Server) -> Value {
    let output = server.command(&["doctor", "--json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{BINARY} doctor: {output:?}"))
}

fn directories(path: &Path) -> usize {
    std::fs::read_dir(path).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()).count()
}
