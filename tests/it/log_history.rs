//! The log in the store: searched, downloaded, and kept whatever the store and the disk are up to.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use previewd::id::PreviewId;
use previewd::store::Store;
use serde_json::{Value, json};

use crate::harness::{Generation, Guest, Preview, Server, asgi, eventually, probe};

async fn started(server: &Server) -> (Generation, Preview) {
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    (app, preview)
}

async fn found(app: &Generation, query: &str) -> Vec<String> {
    let page = app.get(&format!("/preview/logs?limit=1000&{query}")).await.expect(200);
    page["logs"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

pub async fn metric(server: &Server, name: &str) -> String {
    let text = server.with_token("none").get("/metrics").await.text();
    let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).rsplit_once(' ').unwrap().1.to_owned()
}

#[tokio::test]
async fn a_search_finds_the_same_while_it_runs_and_afterwards() {
    let server = Server::with(&[("MAX_LOG_LINES", "5000")]).await;
    let (app, preview) = started(&server).await;
    preview.get("/print?text=line+{n}+of+many&times=4000").await.expect(200);
    let body = "\x1b[31mred\x1b[0m Äpfel, 100% \"quoted\" a_b c:\\dir\n日本語のログ\nab\n";
    let call = preview.call(reqwest::Method::POST, "/raw").body(body);
    assert_eq!(call.send().await.unwrap().status(), 200);
    app.line("ab").await;
    let apples = body.lines().next().unwrap().to_owned();
    let cases: [(&str, Vec<String>); 12] = [
        ("q=LINE+3999", vec!["line 3999 of many".to_owned()]),
        (
            "q=line+399&limit=1000",
            (3990..4000).fold(vec!["line 399 of many".to_owned()], |mut all, n| {
                all.push(format!("line {n} of many"));
                all
            }),
        ),
        ("q=red+%C3%84PFEL", vec![apples.clone()]),
        ("q=%22quoted%22", vec![apples.clone()]),
        ("q=100%25", vec![apples.clone()]),
        ("q=A_B", vec![apples.clone()]),
        ("q=c%3A%5Cdir", vec![apples]),
        ("q=%E6%9C%AC%E8%AA%9E", vec!["日本語のログ".to_owned()]),
        ("q=ab&source=app", vec!["ab".to_owned()]),
        ("q=31m", vec![]),
        ("q=line+4000", vec![]),
        ("q=line+1+of&level=ERROR", vec![]),
    ];
    let check = async || {
        for (query, expected) in &cases {
            assert_eq!(found(&app, query).await, *expected, "{query}");
        }
        let page = app.get("/preview/logs?q=of+many&limit=10").await.expect(200);
        let next = page["nextAfterId"].as_u64().unwrap();
        assert_eq!(page["logs"][9]["id"], next);
        let page = app.get(&format!("/preview/logs?q=of+many&limit=10&afterId={next}")).await.expect(200);
        assert_eq!(page["logs"][0]["message"], "line 10 of many");
    };
    check().await;
    let while_running = files(&app).await;
    app.stop().await.expect(200);
    check().await;
    let afterwards = files(&app).await;
    assert!(afterwards.0.starts_with(&while_running.0) && afterwards.1.starts_with(&while_running.1));
    let long = "x".repeat(1001);
    app.get(&format!("/preview/logs?q={long}")).await.error(400, "invalid_request");
    app.get("/preview/logs/download?format=pdf").await.error(400, "invalid_request");
}

/// The log as text and as NDJSON, which say the same.
async fn files(app: &Generation) -> (String, String) {
    let text = app.get("/preview/logs/download").await;
    let json = app.get("/preview/logs/download?format=ndjson").await;
    assert!(text.header("content-type").unwrap().starts_with("text/plain"));
    assert_eq!(json.header("content-type"), Some("application/x-ndjson"));
    assert!(json.header("content-disposition").unwrap().ends_with(".ndjson\""));
    let entries: Vec<Value> = json.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries, app.log().await);
    assert!(!text.text().contains('\x1b'), "a file has no colours");
    let red = entries.iter().find(|entry| entry["plain"].is_string()).unwrap();
    assert!(red["message"].as_str().unwrap().starts_with("\x1b[31mred\x1b[0m"), "{red}");
    assert!(text.text().contains(red["plain"].as_str().unwrap()), "{red}");
    (text.text(), json.text())
}

#[tokio::test]
async fn a_failed_launch_has_files_as_well() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&asgi("print('so far', flush=True)\nraise SystemExit(2)")).await;
    app.try_launch(&json!({})).await.error(500, "launch_failed");
    let json = app.get("/preview/logs/download?format=ndjson").await.text();
    assert!(json.contains("\"so far\""), "{json}");
    assert!(app.get("/preview/logs/download").await.text().contains("so far"));
    assert_eq!(found(&app, "q=SO+FAR").await, ["so far"]);
}

async fn kept_up_to(server: &Server, preview: &Preview, id: i64) {
    let url = format!("sqlite://{}", server.data_dir().join("previewd.db").display());
    let store = Store::open(&url).await.unwrap();
    let preview = PreviewId::parse(&preview.id).unwrap();
    let look = async || (store.last_log_id(&preview).await.unwrap() >= id).then_some(());
    eventually("lines in the store", look).await;
}

#[tokio::test]
async fn it_survives_the_death_of_everything() {
    let server = Server::start().await;
    let (app, preview) = started(&server).await;
    preview.get("/print?text=line+{n}&times=700").await.expect(200);
    let last = app.line("line 699").await["id"].as_i64().unwrap();
    kept_up_to(&server, &preview, last).await;
    let before = app.log().await;
    server.kill_serve();
    server.kill_keeper();
    // As after a machine that went down: not even the journal is there.
    for journal in journals(&server.data_dir()) {
        std::fs::remove_file(journal).unwrap();
    }
    server.serve_again().await;
    app.until_status("failed").await;
    let after = app.log().await;
    assert_eq!(after[..last as usize], before[..last as usize]);
    assert_eq!(found(&app, "q=line+699").await, ["line 699"]);
}

fn journals(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            all.extend(journals(&entry.path()));
        } else if entry.file_name().to_string_lossy().starts_with("journal") {
            all.push(entry.path());
        }
    }
    all
}

/// Another process that is in the middle of writing to the store.
pub struct Lock(Child);

impl Lock {
    pub fn of(database: &Path) -> Self {
        let script = "import sqlite3, sys\n\
                      c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)\n\
                      c.execute('BEGIN IMMEDIATE')\n\
                      print('held', flush=True)\n\
                      sys.stdin.read()";
        let mut command = Command::new("python3");
        command.args(["-c", script]).arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Self(child)
    }

    pub fn release(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn a_locked_store_delays_it_and_nothing_else() {
    let server = Server::start().await;
    let (app, preview) = started(&server).await;
    let mut stream = app.stream("").await;
    let lock = Lock::of(&server.data_dir().join("previewd.db"));
    preview.get("/print?text=line+{n}&times=100").await.expect(200);
    stream.until_message("line 99").await;
    let told = async || (metric(&server, "previewd_log_history_delayed").await == "1").then_some(());
    eventually("the delay", told).await;
    assert!(server.log().contains("log history is delayed"), "{}", server.log());
    preview.get("/print?text=and+on").await.expect(200);
    stream.until_message("and on").await;
    assert_eq!(found(&app, "q=line+99").await, ["line 99"]);
    lock.release();
    let over = async || (metric(&server, "previewd_log_history_delayed").await == "0").then_some(());
    eventually("the end of the delay", over).await;
    app.stop().await.expect(200);
    assert_eq!(found(&app, "q=line+99").await, ["line 99"]);
    assert_eq!(found(&app, "q=and+on&source=app").await, ["and on"]);
}
