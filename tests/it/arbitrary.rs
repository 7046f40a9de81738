//! Whatever is sent: an answer of the contract's shape, never a 5xx of ours, never a panic.

use std::net::SocketAddr;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::harness::{Server, raw};

/// Method and path; `{}` stands for a generation or a project, `{*}` for anything.
const ROUTES: &[(&str, &str)] = &[
    ("POST", "/api/projects"),
    ("GET", "/api/projects?{*}"),
    ("POST", "/api/projects/{}/generations?{*}"),
    ("POST", "/api/projects/{*}/generations"),
    ("GET", "/api/generations?projectId={*}"),
    ("GET", "/api/generations/{*}"),
    ("GET", "/api/generations/{}/files/{*}"),
    ("PATCH", "/api/generations/{}/files"),
    ("POST", "/api/generations/{}/preview/launch?wait={*}"),
    ("POST", "/api/generations/{}/preview/launch"),
    ("POST", "/api/generations/{}/preview/request"),
    ("GET", "/api/generations/{}/preview/logs?afterId={*}&limit={*}&q={*}"),
    ("GET", "/api/generations/{}/preview/logs/stream?level={*}&tail={*}"),
    ("GET", "/api/generations/{}/preview/logs/stream?ticket={*}"),
    ("GET", "/api/generations/{*}/preview/status"),
    ("DELETE", "/api/generations/{*}/preview"),
    ("GET", "/{*}"),
    ("POST", "/api/{*}"),
];

/// JSON with the words that the calls know, so that it is not refused at the first one.
fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "name",
        "files",
        "entrypoint",
        "generationId",
        "projectId",
        "env",
        "database",
        "method",
        "path",
        "query",
        "body",
        "headers",
        "bodyEncoding",
        "base64",
        "app/main.py",
        "requirements.txt",
        "keep",
        "json",
        "GET",
        "/",
    ]);
    let text = prop_oneof![words.prop_map(str::to_owned), any::<String>(), "[a-z./%\\\\]{0,40}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any_json().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(Vec::new()),
    ]
}

/// Anything that fits into a request line.
fn any_piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[!-~]{0,30}",
        "(%[0-9a-fA-F]{2}|[a-z/.]){0,20}",
        prop::sample::select(vec![
            "..",
            "%00",
            "%ff",
            "-1",
            "0",
            "18446744073709551616",
            "NaN",
            "gen_",
            "proj_x",
            "%2e%2e%2f",
            "//",
            "*"
        ])
        .prop_map(str::to_owned),
    ]
    .prop_map(|piece| piece.replace(['#', ' '], "_"))
}

fn any_kind() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "application/json",
        "application/json",
        "application/json",
        "application/zip",
        "application/gzip",
        "application/x-tar",
        "text/plain",
        "multipart/form-data",
        "application/json; charset=utf-16",
        "/",
        "",
    ])
}

#[derive(Clone, Debug)]
struct Call {
    route: (&'static str, &'static str),
    pieces: Vec<String>,
    kind: &'static str,
    body: Vec<u8>,
}

impl Call {
    fn request(&self, token: &str, project: &str, generation: &str) -> Vec<u8> {
        let own = if self.route.1.starts_with("/api/projects") { project } else { generation };
        let mut target = self.route.1.replace("{}", own);
        for piece in &self.pieces {
            target = target.replacen("{*}", piece, 1);
        }
        let head = format!(
            "{} {target} HTTP/1.1\r\nHost: previewd\r\nAuthorization: Bearer {token}\r\nContent-Type: {}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.route.0,
            self.kind,
            self.body.len()
        );
        [head.as_bytes(), &self.body].concat()
    }
}

fn any_call() -> impl Strategy<Value = Call> {
    let pieces = prop::collection::vec(any_piece(), 3);
    (prop::sample::select(ROUTES.to_vec()), pieces, any_kind(), any_body())
        .prop_map(|(route, pieces, kind, body)| Call { route, pieces, kind, body })
}

#[test]
fn no_request_is_too_odd_for_an_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let server = runtime.block_on(Server::start());
    let user = server.user("ana");
    // Nothing in it can be launched, so that a failed launch is no excuse for a 5xx.
    let app = runtime.block_on(user.upload_as(&json!({ "files": { "README.md": "" } })));
    let address: SocketAddr = server.address();
    let mut runner = TestRunner::new(Config { cases: 1500, failure_persistence: None, ..Config::default() });
    let result = runner.run(&any_call(), |call| {
        let (status, body) =
            runtime.block_on(raw(address, &call.request(&user.token, &app.project, &app.id)));
        prop_assert!(
            (200..500).contains(&status) || body.contains("\"preview_unavailable\""),
            "{status}: {body}"
        );
        // What hyper itself refuses has no body.
        if status >= 400 && !body.is_empty() && !body.starts_with('<') {
            let error: Value =
                serde_json::from_str(body.trim()).unwrap_or_else(|e| panic!("{e}: {status} {body}"));
            prop_assert!(error["error"].is_string() && error["message"].is_string(), "{error}");
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}\n{}", server.log());
    }
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
    runtime.block_on(user.get("/readyz")).expect(200);
}
