//! What is killed, ended or stopped for a while, and at which step: a launch, a reload, a stop, an expiry. Whatever it is, what
//! follows is clear, the next try works, and nothing is left. `killed` does more of it for launches.

use std::os::unix::fs::FileTypeExt as _;
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Answer, Generation, Preview, Server, asgi, descendants, eventually, signal};

/// Into a step, in milliseconds. Each fault meets each step at one of them or another.
const MOMENTS: [u64; 5] = [0, 8, 25, 60, 120];
/// For how long something is stopped that goes on then.
const PAUSE: Duration = Duration::from_millis(150);

pub const PARTS: [Part; 5] = [Part::Serve, Part::Keeper, Part::Zygote, Part::Init, Part::Preview];

/// What a preview needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    Serve,
    Keeper,
    Zygote,
    Init,
    Preview,
}

impl Part {
    /// The processes of it that there are.
    pub fn pids(self, server: &Server) -> Vec<i32> {
        match self {
            Self::Serve => vec![server.serve_pid()],
            Self::Keeper => server.keeper().into_iter().collect(),
            Self::Zygote => children(server, |pid| text(pid, "comm") == "zygote\n"),
            Self::Init => children(server, |pid| text(pid, "cmdline").contains("sandbox-hold")),
            Self::Preview => server.preview_processes(),
        }
    }
}

fn children(server: &Server, wanted: impl Fn(i32) -> bool) -> Vec<i32> {
    let below = server.keeper().map(descendants).unwrap_or_default();
    below.into_iter().map(|(pid, _)| pid).filter(|pid| wanted(*pid)).collect()
}

fn text(pid: i32, file: &str) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What happens to it.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    Kill,
    Terminate,
    /// And it goes on a moment later.
    Pause,
}

impl Fault {
    pub async fn strikes(self, part: Part, server: &Server) {
        match (self, part) {
            (Self::Kill, Part::Serve) => server.kill_serve(),
            (Self::Terminate, Part::Serve) => assert!(server.terminate_serve().success()),
            (Self::Kill, _) => part.pids(server).into_iter().for_each(|pid| signal(pid, Signal::KILL)),
            (Self::Terminate, _) => part.pids(server).into_iter().for_each(|pid| signal(pid, Signal::TERM)),
            (Self::Pause, _) => {
                let pids = part.pids(server);
                pids.iter().for_each(|pid| signal(*pid, Signal::STOP));
                tokio::time::sleep(PAUSE).await;
                pids.iter().for_each(|pid| signal(*pid, Signal::CONT));
            }
        }
        if part == Part::Serve && !matches!(self, Self::Pause) {
            server.serve_again().await;
        }
    }
}

/// What is under way.
#[derive(Clone, Copy, Debug)]
enum Step {
    Launch,
    Reload,
    Stop,
}

impl Step {
    /// Its call. It may be cut off, with whoever answers it.
    async fn call(self, app: &Generation, number: usize) -> Option<Answer> {
        let call = match self {
            Self::Launch => app.user.call(Method::POST, &app.path("/preview/launch")),
            Self::Reload => app
                .user
                .call(Method::PATCH, &app.path("/files"))
                .json(&json!({ "files": { "note.txt": number.to_string() } })),
            Self::Stop => app.user.call(Method::DELETE, &app.path("/preview")),
        };
        Some(Answer::of(call.send().await.ok()?).await)
    }
}

/// Strikes at each step, and looks each time for what is left and whether the next launch works.
async fn strikes(part: Part, faults: &[Fault]) {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    let mut moments = MOMENTS.iter().cycle();
    for step in [Step::Launch, Step::Reload, Step::Stop] {
        for (number, fault) in faults.iter().enumerate() {
            let moment = *moments.next().unwrap();
            let what = format!("{fault:?} of {part:?}, {moment} ms into {step:?}");
            if !matches!(step, Step::Launch) {
                app.launch().await;
            }
            let caller = app.clone();
            let call = tokio::spawn(async move { step.call(&caller, number).await });
            tokio::time::sleep(Duration::from_millis(moment)).await;
            fault.strikes(part, &server).await;
            check(call.await.unwrap(), &what);
            clear(&app, &what).await;
            nothing_is_left(&server, &what).await;
            let next = app.launch().await;
            assert_eq!(next.get("/x").await.text(), "you asked for /x", "{what}");
            app.stop().await.expect(200);
        }
    }
}

/// Whoever is told of a failure is told what it was.
fn check(answer: Option<Answer>, what: &str) {
    let Some(answer) = answer.filter(|answer| answer.status >= 400) else { return };
    let body = answer.json();
    assert!(body["message"].as_str().is_some_and(|message| message.len() > 10), "{what}: {body}");
    assert_ne!(body["error"], "internal_error", "{what}: {body}");
}

/// Stops what there is, or clears what has failed.
async fn clear(app: &Generation, what: &str) {
    let settled = async || {
        let body = app.status().await.json();
        (body["status"] != "launching").then_some(body)
    };
    let status = eventually(what, settled).await;
    if status["status"] == "failed" {
        assert!(status["failure"]["message"].as_str().unwrap().len() > 10, "{what}: {status}");
    }
    // It may end in this moment by itself.
    let stopped = app.stop().await;
    assert!([200, 404].contains(&stopped.status), "{what}: {}", stopped.text());
    app.status().await.error(404, "no_active_preview");
}

async fn nothing_is_left(server: &Server, what: &str) {
    let look = async || {
        let left = (server.preview_processes(), server.ports().held(), server.preview_files());
        (left.0.is_empty() && left.1.is_empty() && left.2.is_empty()).then_some(())
    };
    eventually(&format!("nothing left after {what}"), look).await;
}

#[tokio::test]
async fn of_the_server() {
    strikes(Part::Serve, &[Fault::Kill, Fault::Terminate, Fault::Pause]).await;
}

#[tokio::test]
async fn of_the_keeper() {
    strikes(Part::Keeper, &[Fault::Kill, Fault::Terminate, Fault::Pause]).await;
}

#[tokio::test]
async fn of_a_zygote() {
    strikes(Part::Zygote, &[Fault::Kill, Fault::Terminate, Fault::Pause]).await;
}

#[tokio::test]
async fn of_a_sandboxs_first_process() {
    strikes(Part::Init, &[Fault::Kill, Fault::Terminate, Fault::Pause]).await;
}

#[tokio::test]
async fn of_the_preview() {
    strikes(Part::Preview, &[Fault::Kill, Fault::Terminate, Fault::Pause]).await;
}

#[tokio::test]
async fn at_the_end_of_its_time() {
    let server = Server::with(&[("SESSION_TIMEOUT", "15")]).await;
    let app = server.user("ana").upload(&asgi("")).await;
    let preview = app.launch().await;
    let until: jiff::Timestamp = preview.body["expiresAt"].as_str().unwrap().parse().unwrap();
    // Nobody looks at the time in the moment that it is over.
    let pids: Vec<_> = PARTS.iter().flat_map(|part| part.pids(&server)).collect();
    pids.iter().for_each(|pid| signal(*pid, Signal::STOP));
    eventually("the end of its time", async || (jiff::Timestamp::now() > until).then_some(())).await;
    for part in [Part::Zygote, Part::Keeper, Part::Serve] {
        part.pids(&server).into_iter().for_each(|pid| signal(pid, Signal::CONT));
    }
    // The code does not hear that it is to end, nor does its sandbox's first process.
    let gone = app.until_status("gone").await;
    assert_eq!(gone["details"]["lastPreview"]["stopReason"], "expired", "{gone}");
    nothing_is_left(&server, "an expiry that nobody saw").await;
    assert_eq!(app.launch().await.get("/x").await.text(), "you asked for /x");
}

#[tokio::test]
async fn at_the_end_of_its_time_all_are_killed() {
    all_meet_it_at_the_end_of_its_time(Fault::Kill).await;
}

#[tokio::test]
async fn at_the_end_of_its_time_all_are_ended() {
    all_meet_it_at_the_end_of_its_time(Fault::Terminate).await;
}

/// In that moment, and one after the other.
async fn all_meet_it_at_the_end_of_its_time(fault: Fault) {
    let server = Server::with(&[("SESSION_TIMEOUT", "15")]).await;
    let app = server.user("ana").upload(&asgi("")).await;
    let preview = app.launch().await;
    let until: jiff::Timestamp = preview.body["expiresAt"].as_str().unwrap().parse().unwrap();
    eventually("the end of its time", async || (jiff::Timestamp::now() > until).then_some(())).await;
    for part in PARTS.iter().rev() {
        fault.strikes(*part, &server).await;
    }
    clear(&app, "an expiry that all met").await;
    nothing_is_left(&server, "an expiry that all met").await;
    assert_eq!(app.launch().await.get("/x").await.text(), "you asked for /x");
}

/// Nothing answers that is stopped: it is told, and ended when it is to end.
#[tokio::test]
async fn a_preview_that_is_stopped_for_good() {
    let server = Server::with(&[("LAUNCH_TIMEOUT", "8"), ("REQUEST_TIMEOUT", "1")]).await;
    let slow = "import time\nprint('importing', flush=True)\ntime.sleep(0.5)";
    let app = server.user("ana").upload(&asgi(slow)).await;
    app.launch_unawaited().await;
    app.line("importing").await;
    Part::Preview.pids(&server).into_iter().for_each(|pid| signal(pid, Signal::STOP));
    let failed = app.until_status("failed").await;
    assert_eq!(failed["failure"]["reason"], "launch_timeout", "{failed}");
    nothing_is_left(&server, "a launch that was stopped").await;
    let preview = app.launch().await;
    Part::Preview.pids(&server).into_iter().for_each(|pid| signal(pid, Signal::STOP));
    let late = app.request(&preview, &json!({ "method": "GET", "path": "/x" })).await;
    late.error(504, "request_timeout");
    app.stop().await.expect(200);
    nothing_is_left(&server, "a preview that was stopped").await;
}

#[tokio::test]
async fn a_zygote_that_is_stopped_for_good() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    app.launch().await;
    app.stop().await.expect(200);
    let is_ready = async || children(&server, |pid| text(pid, "comm") == "spare\n").first().copied();
    eventually("a zygote that has forked", is_ready).await;
    let stopped = Part::Zygote.pids(&server)[0];
    signal(stopped, Signal::STOP);
    // Of what it made ahead there is one at most.
    let mut told = false;
    for _ in 0..2 {
        assert_eq!(app.launch().await.get("/x").await.text(), "you asked for /x");
        let says_why = |line: &Value| line["message"].as_str().unwrap().starts_with("Started without a fork");
        told |= app.log().await.iter().any(says_why);
        app.stop().await.expect(200);
    }
    assert!(told, "its user is told why it took so long");
    let gone = async || (!Part::Zygote.pids(&server).contains(&stopped)).then_some(());
    eventually("the end of a zygote that does not fork", gone).await;
}

/// A launch whose start has come as far as the keeper, where it waits for a zygote that is stopped.
async fn held_up(server: &Server, app: &Generation) -> (Preview, i32) {
    app.launch().await;
    app.stop().await.expect(200);
    let is_ready = async || children(server, |pid| text(pid, "comm") == "spare\n").first().copied();
    eventually("a zygote that has forked", is_ready).await;
    let zygote = Part::Zygote.pids(server)[0];
    signal(zygote, Signal::STOP);
    // It has what was made ahead.
    app.launch().await;
    app.stop().await.expect(200);
    let preview = app.launch_unawaited().await;
    let directory = server.data_dir().join("run").join(&preview.id);
    let is_socket = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_socket());
    let begun = async || std::fs::read_dir(&directory).ok()?.flatten().any(|e| is_socket(&e)).then_some(());
    eventually("a start in the keeper", begun).await;
    (preview, zygote)
}

#[tokio::test]
async fn a_start_whose_serve_is_killed_or_whose_preview_is_stopped() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    let (preview, zygote) = held_up(&server, &app).await;
    server.kill_serve();
    server.serve_again().await;
    assert_eq!(app.status().await.expect(200)["status"], "launching", "it goes on");
    signal(zygote, Signal::CONT);
    app.until_status("running").await;
    assert_eq!(preview.get("/x").await.text(), "you asked for /x");
    app.stop().await.expect(200);
    nothing_is_left(&server, "a start that outlived its serve").await;

    let (_preview, zygote) = held_up(&server, &app).await;
    let caller = app.clone();
    let stopping = tokio::spawn(async move { caller.stop().await });
    app.line("Stopped").await;
    signal(zygote, Signal::CONT);
    stopping.await.unwrap().expect(200);
    nothing_is_left(&server, "a start whose preview was stopped").await;
    assert_eq!(app.launch().await.get("/x").await.text(), "you asked for /x");
}

#[tokio::test]
async fn a_keeper_that_is_stopped_for_good() {
    let server = Server::start().await;
    let user = server.user_of("pro", "ana");
    let (app, other) = (user.upload(&asgi("")).await, user.upload(&asgi("")).await);
    let preview = app.launch().await;
    let ended = user.upload(&asgi("")).await;
    ended.launch().await;
    let keeper = server.keeper_pid();
    signal(keeper, Signal::STOP);
    let stopping = tokio::spawn({
        let ended = ended.clone();
        async move { ended.stop().await }
    });
    let refused = other.try_launch(&json!({})).await.error(503, "preview_unavailable");
    assert!(refused["message"].as_str().unwrap().contains("does not answer"), "{refused}");
    other.status().await.error(404, "no_active_preview");
    assert_eq!(preview.get("/x").await.text(), "you asked for /x", "what runs goes on");
    assert_eq!(app.status().await.expect(200)["memoryBytes"], Value::Null);
    assert_eq!(user.get("/readyz").await.status, 503);
    assert!(!stopping.is_finished(), "a stop waits for it");
    signal(keeper, Signal::CONT);
    stopping.await.unwrap().expect(200);
    let again = other.launch().await;
    assert_eq!(again.get("/x").await.text(), "you asked for /x");
    let ports = async || (server.ports().held().len() == 2).then_some(());
    eventually("the port of a launch that was given up", ports).await;
    assert_eq!(preview.get("/x").await.text(), "you asked for /x");
}

/// Its previews end with it, but not without a word.
#[tokio::test]
async fn a_keeper_that_is_asked_to_end_lets_applications_shut_down() {
    let server = Server::start().await;
    let mut files = asgi("");
    files["app/main.py"] = json!(WITH_A_SHUTDOWN);
    let app = server.user("ana").upload(&files).await;
    app.launch().await;
    signal(server.keeper_pid(), Signal::TERM);
    app.line("the shop is closed").await;
    app.until_status("failed").await;
    nothing_is_left(&server, "the end of a keeper").await;
    app.launch().await;
}

const WITH_A_SHUTDOWN: &str = r#"
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("the shop is closed", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"open"})
"#;
