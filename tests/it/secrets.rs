//! Keys and tokens are where they are used, and nowhere else: not in files, logs, errors, metrics or lists of processes.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::json;

use crate::harness::{Generation, Preview, Server, descendants, eventually, probe};

const KEY: &str = "the-key-of-this-server-5f0c2b1d7e9a";
const OF_THE_LAUNCH: &str = "what-the-launch-was-given-77aa31";

/// What may be seen by those whom it is not for, with where it was seen.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// Every file below, those of environments excepted: they come from elsewhere and are shared with other servers.
    fn add_files(&mut self, directory: &Path) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.add_files(&path),
                Ok(kind) if kind.is_file() => {
                    let bytes = std::fs::read(&path).unwrap_or_default();
                    self.add(path.display().to_string(), bytes);
                }
                _ => {}
            }
        }
    }

    fn add_process(&mut self, pid: i32, with_environment: bool) {
        let files: &[&str] =
            if with_environment { &["cmdline", "environ", "comm"] } else { &["cmdline", "comm"] };
        for file in files {
            let path = PathBuf::from(format!("/proc/{pid}/{file}"));
            self.add(path.display().to_string(), std::fs::read(&path).unwrap_or_default());
        }
    }

    fn places_of(&self, secret: &str) -> Vec<&str> {
        let finder = memchr::memmem::Finder::new(secret);
        self.0
            .iter()
            .filter(|(_, bytes)| finder.find(bytes).is_some())
            .map(|(place, _)| place.as_str())
            .collect()
    }
}

/// Sends tokens in every way there is, the wrong ones with them, and gives the answers that are errors.
async fn use_them(seen: &mut Seen, server: &Server, app: &Generation, preview: &Preview, ticket: &str) {
    let (user, token) = (&app.user, &preview.token);
    let cookie = format!("preview_token_{}={token}", preview.id.trim_start_matches("preview_"));
    let request =
        |path: &str| json!({ "method": "GET", "path": path, "headers": { "X-Preview-Token": token } });
    for call in [
        preview.call(Method::GET, "/echo/header"),
        preview.anonymous(Method::GET, "/echo/bearer").bearer_auth(token),
        preview.anonymous(Method::POST, &format!("/echo/query?preview_token={token}")),
        preview.anonymous(Method::GET, &format!("/echo/trade?preview_token={token}")),
        preview.anonymous(Method::GET, "/echo/cookie").header("cookie", &cookie),
        preview.call(Method::GET, "/print?text=printed"),
    ] {
        assert!(call.send().await.unwrap().status().as_u16() < 400);
    }
    user.post(&app.path("/preview/request"), &request("/echo/inner")).await.expect(200);
    app.request(preview, &json!({ "method": "GET", "path": "/echo/outer" })).await.expect(200);
    for (path, body) in [
        ("/preview/request", request("no path")),
        ("/preview/launch", json!({ "env": { "A": 1 } })),
        ("/preview/launch", json!({ "env": { "A": OF_THE_LAUNCH } })),
    ] {
        let answer = user.post(&app.path(path), &body).await;
        assert!(answer.status >= 400, "{path}");
        seen.add(format!("the error of {path}"), answer.bytes);
    }
    let url = format!("http://{}{}", server.address(), app.path("/preview/logs/stream"));
    let opened = user.client().get(format!("{url}?ticket={ticket}")).send().await.unwrap();
    assert_eq!(opened.status(), 200);
    drop(opened);
    for wrong in [
        user.client().get(format!("{url}?ticket={ticket}")),
        user.client().get(format!("{url}?token={}", user.token)),
        user.client().get(&url).header("authorization", &user.token),
        user.client().get(&url).bearer_auth(format!("{}x", user.token)),
        preview.anonymous(Method::GET, "/x").bearer_auth(&user.token),
        preview.anonymous(Method::GET, &format!("/x?preview_token={token}x")),
    ] {
        let answer = user.send(wrong).await;
        assert!(answer.status == 401 || answer.status == 403, "{}", answer.status);
        seen.add("the error of a wrong token", answer.bytes);
    }
}

/// No process of ours leaves its memory behind when it crashes.
#[track_caller]
fn leaves_no_core(pid: i32) {
    let Ok(limits) = std::fs::read_to_string(format!("/proc/{pid}/limits")) else { return };
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let soft = line.split_whitespace().nth(4).unwrap();
    assert!(soft == "0" || soft == "1", "{pid}: {line}");
}

/// Once the preview has ended, neither the store's file nor those beside it have what it was launched with, not even where no row is.
async fn is_forgotten(data: &Path) {
    let gone = async || {
        let mut seen = Seen::default();
        seen.add_files(data);
        assert!(!seen.places_of("preview_").is_empty(), "it looks at something");
        seen.places_of(OF_THE_LAUNCH).is_empty().then_some(())
    };
    eventually("a store that has forgotten", gone).await;
}

#[tokio::test]
async fn no_secret_is_left_where_it_is_not_used() {
    let server = Server::with(&[("JWT_SECRET", KEY), ("RUST_LOG", "debug")]).await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch_with(&json!({ "env": { "API_KEY": OF_THE_LAUNCH } })).await;
    let ticket =
        app.post("/preview/logs/ticket", &json!({})).await.expect(200)["ticket"].as_str().unwrap().to_owned();
    let mut seen = Seen::default();
    use_them(&mut seen, &server, &app, &preview, &ticket).await;

    // While it runs.
    let keeper = server.keeper_pid();
    let ours = [server.serve_pid(), keeper];
    let started: Vec<i32> = descendants(keeper).into_iter().map(|(pid, _)| pid).collect();
    seen.add_process(server.serve_pid(), false);
    seen.add_process(keeper, true);
    for pid in &started {
        let is_the_preview =
            std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default() == "preview\n";
        seen.add_process(*pid, !is_the_preview);
    }
    ours.iter().chain(&started).for_each(|pid| leaves_no_core(*pid));
    for rest in [
        "/preview/requests.har",
        "/preview/requests?limit=500",
        "/preview/logs?limit=1000",
        "/preview/logs/download",
    ] {
        seen.add(rest, app.get(rest).await.bytes);
    }
    for path in ["/metrics", "/openapi.json"] {
        seen.add(path, app.user.get(path).await.bytes);
    }
    let (memory, data) = (server.files_in_memory(), server.data_dir());
    seen.add_files(&memory);
    seen.add_files(&data);
    // After a crash, a takeover and the end.
    server.kill_serve();
    server.serve_again().await;
    preview.call(Method::GET, "/echo/after").send().await.unwrap();
    app.stop().await.expect(200);
    seen.add_files(&memory);
    seen.add_files(&data);
    seen.add("the server's log", server.log());
    is_forgotten(&data).await;

    assert!(
        !seen.places_of("printed").is_empty() && !seen.places_of(&preview.id).is_empty(),
        "it looks at something"
    );
    let signature = app.user.token.rsplit('.').next().unwrap();
    for secret in [KEY, signature, preview.token.as_str(), ticket.as_str()] {
        assert_eq!(seen.places_of(secret), Vec::<&str>::new(), "{secret}");
    }
    // The store has it for as long as the preview lives, which may be woken or taken over; see `is_forgotten`.
    let elsewhere: Vec<_> =
        seen.places_of(OF_THE_LAUNCH).into_iter().filter(|place| !place.contains("/previewd.db")).collect();
    assert_eq!(elsewhere, Vec::<&str>::new());
}
