//! A data directory, store and journals and all, on a disk that is full.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Disk, Event, Generation, NO_MORE_THAN_A_SERVER, Preview, Server, Stream, eventually};
use crate::log_history::metric;

/// More than a journal may have in memory.
const ROUNDS: usize = 5;
const LINES: usize = 500;
/// Bytes that the keeper may hold of one journal, and then some.
const MAX_IN_MEMORY: u64 = 17 << 20;
const IN_MEMORY: &str =
    "The server's disk takes no more of this log; the newest lines are in memory until it does";
const ON_DISK: &str = "The server's disk takes this log again";

const SPEAKER: &str = r#"
import asyncio, os, threading
from urllib.parse import parse_qsl

def speak(name, lines):
    for number in range(lines):
        print(f"{name} {number} " + "x" * 8000)

async def app(scope, receive, send):
    assert scope["type"] == "http"
    asked = dict(parse_qsl(scope["query_string"].decode()))
    speaks = lambda: speak(asked["name"], int(asked["lines"]))
    if scope["path"] == "/speak":
        await asyncio.to_thread(speaks)
    elif scope["path"] == "/speak-and-leave":
        threading.Thread(target=lambda: (speaks(), os._exit(0))).start()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})
"#;

/// What the keeper has in memory of its journals.
fn bytes_in_memory(server: &Server) -> u64 {
    let fds = std::fs::read_dir(format!("/proc/{}/fd", server.keeper_pid())).unwrap().flatten();
    let is_journal = |path: &Path| {
        std::fs::read_link(path).is_ok_and(|file| file.to_string_lossy().contains("memfd:journal"))
    };
    let journals = fds.map(|fd| fd.path()).filter(|path| is_journal(path));
    journals.map(|path| std::fs::metadata(path).map_or(0, |file| file.blocks() * 512)).sum()
}

async fn delayed_histories(server: &Server, count: &str) {
    let look = async || (metric(server, "previewd_log_history_delayed").await == count).then_some(());
    eventually("a change of the delay", look).await;
}

/// The number of a line of the speaker.
fn number(message: &str, name: &str) -> Option<usize> {
    message.strip_prefix(name)?.split(' ').nth(1)?.parse().ok()
}

fn numbers(log: &[Value], name: &str) -> Vec<usize> {
    log.iter().filter_map(|line| number(line["message"].as_str().unwrap(), name)).collect()
}

#[tokio::test]
async fn it_delays_history_and_stops_nobody() {
    let mut disk = None;
    let server =
        Server::within(&[("MAX_LOG_LINES", "200")], |data_dir| disk = Disk::on(data_dir, "size=48m")).await;
    let Some(disk) = disk else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let speaker = json!({ "app/main.py": SPEAKER, "requirements.txt": NO_MORE_THAN_A_SERVER });
    let app = server.user("ana").upload(&speaker).await;
    let preview = app.launch().await;
    let mut stream = app.stream("").await;
    let mut newest = 0;
    let ballast = disk.fill();
    for round in 0..ROUNDS {
        preview.get(&format!("/speak?name=round{round}&lines={LINES}")).await.expect(200);
        let seen = until_line(&mut stream, &format!("round{round}"), LINES - 1).await;
        for event in seen.iter().filter(|event| event.is_line()) {
            assert_eq!(event.id(), newest + 1, "neither loss nor repeat");
            newest = event.id();
        }
        assert!(seen.iter().all(|event| event.kind != "gap"));
    }
    assert!((1..MAX_IN_MEMORY).contains(&bytes_in_memory(&server)), "{}", bytes_in_memory(&server));
    assert_eq!(app.line(IN_MEMORY).await["level"], "WARN");
    delayed_histories(&server, "1").await;
    let unready = app.user.get("/readyz").await.expect(503);
    assert_eq!(unready["failing"], json!(["dataDirectory"]), "{unready}");

    // There is room again, and nothing has happened.
    std::fs::remove_file(ballast).unwrap();
    delayed_histories(&server, "0").await;
    app.user.get("/readyz").await.expect(200);
    let told = app.line(ON_DISK).await["id"].as_u64().unwrap();
    assert_eq!(bytes_in_memory(&server), 0);
    let before = last_lines(&app, told, 200).await;
    server.kill_serve();
    server.serve_again().await;
    assert_eq!(last_lines(&app, told, 200).await, before, "the same lines with the same ids after a restart");

    nobody_waits_for_a_server(&server, &app, &preview, &disk).await;
    drop(server);
}

/// Without a server lines are lost in the end, and how many is told.
async fn nobody_waits_for_a_server(server: &Server, app: &Generation, preview: &Preview, disk: &Disk) {
    const ALONE: usize = 4000;
    let ballast = disk.fill();
    preview.get(&format!("/speak-and-leave?name=alone&lines={ALONE}")).await.expect(200);
    server.kill_serve();
    let over = async || server.preview_processes().is_empty().then_some(());
    eventually("the end of a program that says much", over).await;
    assert!(bytes_in_memory(server) < MAX_IN_MEMORY, "{}", bytes_in_memory(server));
    std::fs::remove_file(ballast).unwrap();
    server.serve_again().await;
    app.until_status("failed").await;
    let log = app.log().await;
    let said = numbers(&log, "alone");
    assert!(said.len() > 150 && said.windows(2).all(|pair| pair[1] == pair[0] + 1), "{said:?}");
    let told = log.iter().find_map(|line| line["message"].as_str().unwrap().split_once(" lines were lost"));
    let lost: usize = told.unwrap_or_else(|| panic!("{:#?}", log.last())).0.parse().unwrap();
    assert_eq!(said.last().unwrap() + 1 + lost, ALONE, "each line is there, or told to be lost");
    assert!(lost > 0);
    let first = Stream::new(app.open_stream("", Some(1)).await).next().await.unwrap();
    assert_eq!((first.kind.as_str(), &first.json()["from"]), ("gap", &Value::from(2)));
}

async fn until_line(stream: &mut Stream, name: &str, last: usize) -> Vec<Event> {
    stream.until(|event| number(&event.message(), name) == Some(last)).await
}

/// Those up to an id.
async fn last_lines(app: &Generation, up_to: u64, count: u64) -> Vec<Value> {
    let page = app.get(&format!("/preview/logs?afterId={}&limit={count}", up_to - count)).await.expect(200);
    page["logs"].as_array().unwrap().clone()
}
