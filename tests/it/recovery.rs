//! What is killed or replaced, and what goes on all the same.

use std::path::Path;

use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{BINARY, Generation, Server, asgi, eventually, probe, signal};

/// Ids count up by one from 1: no gaps, no repeats.
async fn whole_log(app: &Generation) -> Vec<Value> {
    let log = app.log().await;
    let ids: Vec<_> = log.iter().map(|line| line["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    log
}

fn messages(log: &[Value], prefix: &str) -> Vec<String> {
    let texts = log.iter().map(|line| line["message"].as_str().unwrap());
    texts.filter(|text| text.starts_with(prefix)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_preview_survives_the_death_of_the_server() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    let before = app.status().await.expect(200);
    preview.get("/print?text=early+{n}&times=50").await.expect(200);
    app.line("early 49").await;
    let log_before = whole_log(&app).await;
    let count = app.fetch(&preview, "/count").await["data"]["count"].clone();

    server.kill_serve();
    let processes = server.preview_processes();
    assert!(!processes.is_empty(), "it goes on without a server");
    server.serve_again().await;

    let after = app.status().await.expect(200);
    for field in ["previewInstanceId", "baseUrl", "createdAt", "startedAt", "expiresAt", "status", "revision"]
    {
        assert_eq!(before[field], after[field], "{field}");
    }
    assert_eq!(server.preview_processes(), processes);
    assert_eq!(app.fetch(&preview, "/count").await["data"]["count"], count.as_u64().unwrap() + 1);
    preview.get("/print?text=late+{n}&times=50").await.expect(200);
    app.line("late 49").await;
    let log = whole_log(&app).await;
    assert_eq!(log[..log_before.len()], log_before, "what was told once stays as it was");
    assert_eq!(messages(&log, "early ").len(), 50);
    assert_eq!(messages(&log, "late ").len(), 50);
}

#[tokio::test]
async fn no_line_is_lost_or_repeated_when_the_server_is_killed_while_it_reads() {
    let server = Server::start().await;
    let speaker = "
import threading, time

def speak():
    for number in range(6000):
        print(f'line {number}', flush=True)
        if number % 20 == 0:
            time.sleep(0.002)

threading.Thread(target=speak, daemon=True).start()
";
    let app = server.user("ana").upload(&asgi(speaker)).await;
    app.launch().await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let mut stream = app.stream("").await;
        let seen = stream.until(|event| event.is_line() && event.id() > 400 + told.len() as u64).await;
        let lines = seen.into_iter().filter(|event| event.is_line()).map(|event| event.json());
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines[..told.len()], told, "the same lines with the same ids after a restart");
        told = lines;
        server.kill_serve();
        server.serve_again().await;
    }
    app.line("line 5999").await;
    let log = whole_log(&app).await;
    let expected: Vec<_> = (0..6000).map(|number| format!("line {number}")).collect();
    assert_eq!(messages(&log, "line "), expected);
    assert_eq!(log[..told.len()], told);
}

#[tokio::test]
async fn a_launch_goes_on_after_the_death_of_the_server() {
    let server = Server::start().await;
    let slow = "import time\nprint('importing', flush=True)\ntime.sleep(1.5)\nprint('imported', flush=True)";
    let app = server.user("ana").upload(&asgi(slow)).await;
    let began = app.launch_unawaited().await;
    app.line("importing").await;
    server.kill_serve();
    server.serve_again().await;
    let status = app.until_status("running").await;
    assert_eq!(status["previewInstanceId"], began.id);
    assert_eq!(status["baseUrl"], began.base_url);
    assert_eq!(began.get("/x").await.text(), "you asked for /x");
    let log = whole_log(&app).await;
    assert_eq!(messages(&log, "import"), ["importing", "imported"], "started once");
}

#[tokio::test]
async fn a_launch_is_whole_or_nothing_wherever_the_server_is_killed() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    for delay in [0, 1, 3, 6, 10, 20, 40, 80, 160] {
        let waiting = app.clone();
        let launch = tokio::spawn(async move {
            // The answer may be cut off with the server.
            let _ = waiting.user.call(reqwest::Method::POST, &waiting.path("/preview/launch")).send().await;
        });
        tokio::time::sleep(std::time::Duration::from_millis(delay)).await;
        server.kill_serve();
        launch.await.unwrap();
        server.serve_again().await;
        let settled = async || {
            let status = app.status().await;
            (status.status == 404 || status.json()["status"] != "launching").then_some(status)
        };
        // What was not begun in earnest is told as a failure.
        let status = eventually("running, failed or not there", settled).await;
        if status.status == 200 {
            whole_log(&app).await;
            app.stop().await.expect(200);
        }
        assert_eq!((server.preview_processes(), server.ports().held()), (vec![], vec![]), "after {delay} ms");
        assert_eq!(server.preview_files(), Vec::<std::path::PathBuf>::new(), "after {delay} ms");
    }
    app.launch().await;
}

#[tokio::test]
async fn a_preview_dies_with_the_keeper_and_can_be_launched_again() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    let spawned = app.fetch(&preview, "/spawn").await["data"]["pid"].as_i64();
    assert!(spawned.is_some_and(|pid| pid > 0));
    let processes = server.preview_processes();
    assert!(processes.len() >= 2, "it and its grandchild: {processes:?}");
    server.kill_keeper();
    let status = app.until_status("failed").await;
    assert_eq!(status["previewInstanceId"], preview.id);
    assert!(status["errorMessage"].is_string() && status["failure"].is_object(), "{status}");
    let nothing =
        async || (server.preview_processes().is_empty() && server.ports().held().is_empty()).then_some(());
    eventually("nothing left of what the dead keeper kept", nothing).await;
    let again = app.launch().await;
    assert_ne!(again.id, preview.id);
    assert_eq!(app.fetch(&again, "/health").await["statusCode"], 200);
    app.stop().await.expect(200);
    assert_eq!(server.preview_files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn when_both_are_killed_the_next_start_cleans_up() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    app.fetch(&preview, "/spawn").await;
    server.kill_serve();
    server.kill_keeper();
    server.serve_again().await;
    let status = app.until_status("failed").await;
    assert_eq!(status["previewInstanceId"], preview.id);
    let nothing = async || {
        let left = (server.preview_processes(), server.ports().held(), server.preview_files());
        (left.0.is_empty() && left.1.is_empty() && left.2.is_empty()).then_some(())
    };
    eventually("nothing left", nothing).await;
    app.launch().await;
}

#[tokio::test]
async fn the_server_ends_on_sigterm_and_the_preview_goes_on() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    let processes = server.preview_processes();
    let keeper = server.keeper_pid();
    assert!(server.terminate_serve().success());
    assert_eq!(server.preview_processes(), processes);
    // Clients queue on the socket that the keeper holds, and are served by the next server.
    let waiting = tokio::spawn({
        let call = preview.call(reqwest::Method::GET, "/health");
        async move { call.send().await.unwrap().status() }
    });
    server.serve_again().await;
    assert_eq!(waiting.await.unwrap(), 200);
    assert_eq!(server.keeper_pid(), keeper);
    assert_eq!(app.status().await.expect(200)["previewInstanceId"], preview.id);
}

#[tokio::test]
async fn a_crash_while_nobody_serves_is_told_afterwards() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    preview.get("/print?text=last+words").await.expect(200);
    server.kill_serve();
    for process in server.preview_processes() {
        signal(process, Signal::SEGV);
    }
    let ended = async || server.preview_processes().is_empty().then_some(());
    eventually("its end", ended).await;
    server.serve_again().await;
    let crashed = app.until_status("failed").await;
    assert_eq!(
        (&crashed["failure"]["signal"], &crashed["previewInstanceId"]),
        (&json!("SIGSEGV"), &json!(preview.id))
    );
    app.line("last words").await;
    whole_log(&app).await;
    assert_eq!((server.ports().held(), server.preview_files()), (vec![], vec![]));
    app.launch().await;
}

#[tokio::test]
async fn time_is_over_even_if_nobody_serves() {
    let server = Server::with(&[("SESSION_TIMEOUT", "12")]).await;
    let app = server.user("ana").upload(&asgi("print('hello', flush=True)")).await;
    let preview = app.launch().await;
    server.kill_serve();
    let ended =
        async || (server.preview_processes().is_empty() && server.ports().held().is_empty()).then_some(());
    eventually("the keeper ends what has expired by itself", ended).await;
    server.serve_again().await;
    let gone = async || {
        let status = app.status().await;
        (status.status == 404 || status.json()["status"] == "failed").then_some(status)
    };
    let gone = eventually("an end", gone).await.error(404, "no_active_preview");
    let last = &gone["details"]["lastPreview"];
    assert_eq!(
        (&last["stopReason"], &last["previewInstanceId"]),
        (&json!("expired"), &json!(preview.id)),
        "{gone}"
    );
    app.line("hello").await;
    whole_log(&app).await;
}

/// Stands where the keeper of another previewd would, which no build of this one is: says a version, for as long as it is to.
fn keeper_of_another_version(data_dir: &Path, leaves: bool) -> std::thread::JoinHandle<()> {
    let socket = data_dir.join("keeper.sock");
    let _nobody_listens_there = std::fs::remove_file(&socket);
    let flags = SocketFlags::CLOEXEC;
    let listener = net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    net::bind(&listener, &SocketAddrUnix::new(&socket).unwrap()).unwrap();
    net::listen(&listener, 4).unwrap();
    std::thread::spawn(move || {
        loop {
            let connection = net::accept_with(&listener, flags).unwrap();
            let mut call = vec![0; 4096];
            let length = rustix::io::read(&connection, &mut call).unwrap();
            let call: Value = serde_json::from_slice(&call[..length]).unwrap();
            let hello = json!({ "is": "hello", "version": 1, "missing": [] });
            let answer = json!({ "say": "answer", "seq": call["seq"], "answer": hello });
            rustix::io::write(&connection, answer.to_string().as_bytes()).unwrap();
            // It goes on when nobody is connected any more.
            let _end = rustix::io::read(&connection, &mut [0; 16]);
            if leaves {
                return;
            }
        }
    })
}

#[tokio::test]
async fn a_keeper_of_another_version_is_followed_once_it_leaves_and_is_left_alone_while_it_does_not() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    assert!(server.terminate_serve().success());
    let over = async || server.keeper().is_none().then_some(());
    eventually("the end of a keeper with nothing to keep", over).await;
    let leaves = keeper_of_another_version(&server.data_dir(), true);
    server.serve_again().await;
    leaves.join().unwrap();
    assert_eq!(app.launch().await.get("/x").await.text(), "you asked for /x");

    app.stop().await.expect(200);
    assert!(server.terminate_serve().success());
    eventually("the end of a keeper with nothing to keep", over).await;
    let _stays = keeper_of_another_version(&server.data_dir(), false);
    let output = server.command(&["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("speaks version 1"), "{said}");
    std::fs::remove_file(server.data_dir().join("keeper.sock")).unwrap();
    server.serve_again().await;
}

#[tokio::test]
async fn a_server_whose_file_was_replaced_starts_what_it_is_itself() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    let (file, next) = (server.data_dir().join("../installed"), server.data_dir().join("../next"));
    std::fs::copy(BINARY, &file).unwrap();
    server.run_file(&file);
    server.terminate_serve();
    server.serve_again().await;
    let replace = || {
        std::fs::copy("/bin/false", &next).unwrap();
        std::fs::rename(&next, &file).unwrap();
    };
    let remove = || std::fs::remove_file(&file).unwrap();
    for meddle in [&replace as &dyn Fn(), &remove] {
        let before = server.keeper_pid();
        meddle();
        server.kill_keeper();
        // Nobody asks for anything.
        let another = async || server.keeper().filter(|keeper| *keeper != before);
        eventually("another keeper", another).await;
        let preview = app.launch().await;
        assert_eq!(preview.get("/x").await.status, 200);
        app.stop().await.expect(200);
    }
}
