//! What is made before it is needed: a zygote, and a sandbox with a process for the next launch; and whose it then is.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::harness::{
    Generation, Preview, Server, asgi, command_line, descendants, eventually, is_ahead, is_alive, is_spare,
    spares,
};

/// A process in a sandbox: its number there, and which sandbox.
struct Inside {
    pid: i32,
    number: u32,
    sandbox: PathBuf,
}

/// Everything in the sandboxes of a keeper.
fn inside(server: &Server) -> Vec<Inside> {
    let below = descendants(server.keeper_pid()).into_iter().filter(|process| is_alive(*process));
    let found = below.filter_map(|(pid, _)| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let sandbox = std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()?;
        (numbers.len() > 1).then(|| Inside { pid, number: numbers[numbers.len() - 1], sandbox })
    });
    found.collect()
}

impl Inside {
    /// Whether it runs an application.
    fn serves(&self) -> bool {
        self.number > 1 && !is_ahead(self.pid)
    }
}

/// The sandboxes with a process that does not run an application yet.
fn waiting(server: &Server) -> BTreeSet<PathBuf> {
    inside(server).into_iter().filter(|one| is_spare(one.pid)).map(|one| one.sandbox).collect()
}

fn niceness(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().parse().unwrap()
}

/// Whether it is one, or is about to be.
fn is_zygote(pid: i32) -> bool {
    command_line(pid).contains("zygote.py")
}

async fn spare(server: &Server) -> PathBuf {
    eventually("a sandbox made ahead", async || waiting(server).into_iter().next()).await
}

/// A server with a zygote that has forked once.
async fn warmed() -> (Server, Generation) {
    let server = Server::start().await;
    let app = server.user_of("pro", "ana").upload(&writes()).await;
    app.launch().await;
    app.stop().await.expect(200);
    (server, app)
}

/// An application that adds a line to its database, which is any file, at each start, and prints how many there are.
fn writes() -> serde_json::Value {
    asgi(
        "with open('preview.db', 'a') as file:
    file.write('started\\n')
with open('preview.db') as file:
    print('lines', len(file.readlines()), flush=True)
open('app/from_the_copy', 'w').close()",
    )
}

/// Says of two modules whether there is bytecode that Python takes for them, and what the first one holds. Python warns of the second.
const MODULES: &str = r#"
import importlib.util, json
from app import noisy, other

def is_compiled(module):
    try:
        with open(module.__cached__, "rb") as bytecode, open(module.__file__, "rb") as source:
            return bytecode.read(16)[8:] == importlib.util.source_hash(source.read())
    except FileNotFoundError:
        return False

async def app(scope, receive, send):
    told = json.dumps([is_compiled(other), is_compiled(noisy), other.value(), other.value.__code__.co_filename])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": told.encode()})
"#;

#[tokio::test]
async fn modules_are_compiled_before_they_are_imported_and_never_taken_for_others() {
    let server = Server::start().await;
    let mut files = asgi("");
    files["app/main.py"] = json!(MODULES);
    files["app/other.py"] = json!("def value():\n    return 1\n");
    files["app/noisy.py"] = json!("assert 1 is 1\n");
    let app = server.user("ana").upload(&files).await;
    let told = async |preview: &Preview| -> serde_json::Value {
        serde_json::from_str(&preview.get("/").await.text()).unwrap()
    };
    let preview = eventually("bytecode", async || {
        let preview = app.launch().await;
        if told(&preview).await[0] == true {
            return Some(preview);
        }
        // What was not compiled after the upload is compiled once this has run for a second, if nobody hurries it.
        tokio::time::sleep(Duration::from_secs(2)).await;
        app.stop().await.expect(200);
        None
    });
    let preview = preview.await;
    assert_eq!(told(&preview).await, json!([true, false, 1, "/box/app/app/other.py"]));
    // As at each launch.
    app.line_with("SyntaxWarning").await;
    let edit = json!({ "files": { "app/other.py": "def value():\n    return 2\n" } });
    app.user.patch(&app.path("/files"), &edit).await.expect(200);
    assert_eq!(told(&preview).await, json!([false, false, 2, "/box/app/app/other.py"]));
}

#[tokio::test]
async fn what_is_launched_as_soon_as_it_is_uploaded_has_the_processors_for_itself() {
    let server = Server::start().await;
    let mut disturbed = true;
    // On a busy machine a launch can come late enough to be that of somebody who looked around first.
    for user in ["ana", "ben", "eve", "bo"] {
        server.user(user).upload(&writes()).await.launch().await;
        disturbed = descendants(server.keeper_pid()).into_iter().any(|(pid, _)| is_zygote(pid));
        if !disturbed {
            break;
        }
    }
    assert!(!disturbed, "something is made ready before its launch is over");
    spare(&server).await;
}

#[tokio::test]
async fn a_launch_moves_into_the_sandbox_that_is_there() {
    let (server, app) = warmed().await;
    let made = spare(&server).await;
    let first = inside(&server).into_iter().find(|one| one.sandbox == made && one.number == 1).unwrap();
    assert!(niceness(first.pid) > 0, "it is made when nobody else wants the processor");
    let preview = app.launch().await;
    assert_eq!(preview.get("/x").await.text(), "you asked for /x");
    let used: BTreeSet<_> =
        inside(&server).into_iter().filter(Inside::serves).map(|one| one.sandbox).collect();
    assert_eq!(used, BTreeSet::from([made.clone()]));
    app.line("lines 1").await;
    let next = eventually("the next one", async || waiting(&server).into_iter().next()).await;
    assert_ne!(next, made);
    // New code of the same preview has a sandbox of its own, and the same database.
    let changed = json!({ "files": { "extra.py": "" } });
    let answer = app.user.patch(&app.path("/files"), &changed).await.expect(200);
    assert_eq!(answer["reloaded"], true, "{answer}");
    app.line("lines 2").await;
    // The next edit is expected, and finds one made for it, with that database too; on a busy machine the keeper may not have heard
    // yet that its process is there.
    let (mut seen, mut moved) = (BTreeSet::from([next.clone()]), false);
    for edit in 1..=3 {
        let expected = async || waiting(&server).into_iter().find(|one| !seen.contains(one));
        let expected = eventually("one for the next edit", expected).await;
        let changed = json!({ "files": { "extra.py": edit.to_string() } });
        assert_eq!(app.user.patch(&app.path("/files"), &changed).await.expect(200)["reloaded"], true);
        app.line(&format!("lines {}", 2 + edit)).await;
        moved = inside(&server).iter().any(|one| one.serves() && one.sandbox == expected);
        if moved {
            break;
        }
        seen.insert(expected);
    }
    assert!(moved, "no edit used what was made for it");
    app.stop().await.expect(200);
    let left = async || (waiting(&server) == BTreeSet::from([next.clone()])).then_some(());
    eventually("nothing that was expected for it", left).await;
    // A fresh one for the next preview.
    app.launch().await;
    app.line("lines 1").await;
}

#[tokio::test]
async fn one_that_died_is_not_used() {
    let (server, app) = warmed().await;
    let made = spare(&server).await;
    for one in inside(&server).into_iter().filter(|one| one.sandbox == made) {
        crate::harness::signal(one.pid, rustix::process::Signal::KILL);
    }
    eventually("its end", async || inside(&server).iter().all(|one| one.sandbox != made).then_some(())).await;
    // Something is in the way of the next one, for a while.
    let place = spares(&server.data_dir());
    std::fs::remove_dir_all(&place).unwrap();
    std::fs::write(&place, "").unwrap();
    let preview = app.launch().await;
    assert_eq!(preview.get("/x").await.text(), "you asked for /x");
    let log = server.data_dir().join("keeper.log");
    let complained = async || {
        let text = std::fs::read_to_string(&log).unwrap();
        text.contains("no sandbox could be made ahead").then_some(())
    };
    eventually("a complaint", complained).await;
    std::fs::remove_file(&place).unwrap();
    spare(&server).await;
}

#[tokio::test]
async fn no_two_previews_have_the_same_user_id() {
    let server = Server::start().await;
    let user = server.user_of("pro", "ana");
    for _ in 0..3 {
        user.upload(&writes()).await.launch().await;
    }
    let uid = |one: &Inside| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", one.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap().to_owned();
        line.split_whitespace().next().unwrap().parse::<u32>().unwrap()
    };
    let ids: BTreeSet<_> = inside(&server).iter().filter(|one| one.serves()).map(uid).collect();
    let own = rustix::process::geteuid().as_raw();
    if sandbox::is_privileged() {
        assert!(ids.len() == 3 && !ids.contains(&own), "{ids:?}");
    } else {
        assert_eq!(ids, BTreeSet::from([own]));
    }
}
