//! Whatever is killed, and whenever: a launch has a clear end, nothing is left, and the next one works.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{
    Generation, Process, Server, asgi, command_line, descendants, eventually, is_alive, signal,
};

/// Into a launch, so that its steps are all hit by one or another.
const MOMENTS: [u64; 5] = [0, 10, 30, 70, 150];
/// For an ordinary user, whose sandboxes are made in another way, but in the same steps.
const AS_ORDINARY_USER: [u64; 2] = [10, 70];

/// Kills what the keeper started and has `name` in its command line. What was made ahead has the lowest priority: on a busy machine
/// it goes on for a while before it dies of that, and by then it may be the next launch's.
async fn kill(server: &Server, name: &str) {
    let is_meant = |(pid, _): &Process| command_line(*pid).contains(name);
    let killed: Vec<_> = descendants(server.keeper_pid()).into_iter().filter(is_meant).collect();
    killed.iter().for_each(|(pid, _)| signal(*pid, Signal::KILL));
    let dead = async || killed.iter().all(|process| !is_alive(*process)).then_some(());
    eventually("the end of what was killed", dead).await;
}

/// The word of the status, once it is not `launching`.
async fn outcome(app: &Generation) -> String {
    let look = async || {
        let answer = app.status().await;
        let body = answer.json();
        let word = body["status"].as_str().unwrap().to_owned();
        if word == "failed" {
            assert!(body["failure"]["message"].as_str().unwrap().len() > 10, "{body}");
        }
        (word != "launching").then_some(word)
    };
    eventually("the end of a launch", look).await
}

/// Launches, kills at each moment, and launches again. The server's end looks for what is left.
async fn at_each_moment(kill: impl AsyncFn(&Server)) {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    app.launch().await;
    app.stop().await.expect(200);
    let is_root = rustix::process::geteuid().is_root();
    let moments = if is_root { MOMENTS.as_slice() } else { AS_ORDINARY_USER.as_slice() };
    for moment in moments {
        app.launch_unawaited().await;
        tokio::time::sleep(Duration::from_millis(*moment)).await;
        kill(&server).await;
        let word = outcome(&app).await;
        assert!(["running", "failed", "not_found"].contains(&word.as_str()), "{word} after {moment} ms");
        app.stop().await;
        let next = app.launch().await;
        assert_eq!(next.get("/x").await.text(), "you asked for /x", "after {moment} ms");
        app.stop().await.expect(200);
    }
}

#[tokio::test]
async fn the_zygote() {
    at_each_moment(async |server| kill(server, "/zygote-").await).await;
}

#[tokio::test]
async fn the_init_of_a_sandbox() {
    at_each_moment(async |server| kill(server, "sandbox-hold").await).await;
}

#[tokio::test]
async fn a_helper_of_a_sandbox() {
    at_each_moment(async |server| kill(server, "sandbox-").await).await;
}

/// It is given up, and what waits for it goes another way or fails.
#[tokio::test]
async fn a_helper_of_a_sandbox_that_is_stopped_for_good() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    let stopped = eventually("a helper", async || launch_without_a_helper(&server, &app).await).await;
    let given_up = async || {
        if let Some(ended) = ended(&app).await {
            assert!(matches!(ended.as_str(), "running" | "host_failure"), "{ended}");
            // What was made ahead is missed by the launch that takes it, and that is the next one at the earliest.
            app.stop().await;
            app.launch_unawaited().await;
        }
        (!is_alive(stopped)).then_some(())
    };
    eventually("the end of a helper that does not answer", given_up).await;
    outcome(&app).await;
    app.stop().await.expect(200);
    assert_eq!(app.launch().await.get("/x").await.text(), "you asked for /x");
}

/// What became of a launch that is over: the word of its status, or why it failed.
async fn ended(app: &Generation) -> Option<String> {
    let body = app.status().await.json();
    let word = if body["status"] == "failed" { &body["failure"]["reason"] } else { &body["status"] };
    (word != "launching").then(|| word.as_str().unwrap().to_owned())
}

/// Launches, and stops the first helper that is met. On a fast machine one or another launch is done before one is.
async fn launch_without_a_helper(server: &Server, app: &Generation) -> Option<Process> {
    app.stop().await;
    app.launch_unawaited().await;
    loop {
        if let Some(helper) = stopped_helper(server) {
            return Some(helper);
        }
        if app.status().await.json()["status"] != "launching" {
            return None;
        }
    }
}

/// The first that there is. One that was done before the signal came has ended.
fn stopped_helper(server: &Server) -> Option<Process> {
    let all = descendants(server.keeper()?);
    let is_helper = |(pid, _): &Process| {
        let line = command_line(*pid);
        line.contains("sandbox-") && !line.contains("sandbox-hold")
    };
    let helper = all.into_iter().find(is_helper)?;
    let status = || std::fs::read_to_string(format!("/proc/{}/status", helper.0)).ok();
    // That is no helper any more, but about to be a sandbox's first process.
    if status()?.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")) {
        return None;
    }
    signal(helper.0, Signal::STOP);
    status()?.contains("State:\tT").then_some(helper)
}

#[tokio::test]
async fn the_keeper() {
    at_each_moment(async |server| server.kill_keeper()).await;
}

#[tokio::test]
async fn the_server() {
    at_each_moment(async |server| {
        server.kill_serve();
        server.serve_again().await;
    })
    .await;
}

#[tokio::test]
async fn all_this_as_an_ordinary_user() {
    crate::harness::again_as_an_ordinary_user("killed::").await;
}
