//! Applications that are imported in a sandbox to be asked what they offer.

use serde_json::{Value, json};

use crate::harness::{
    Generation, Process, REQUIREMENTS, Server, command_line, descendants, eventually, is_alive,
};

/// A project whose routes its source does not tell. `at_import` is run when there is an application.
fn open_ended(at_import: &str) -> Value {
    open_ended_after("", at_import)
}

/// The same, which runs something before it imports a library.
fn open_ended_after(first: &str, at_import: &str) -> Value {
    let source = format!(
        r#"import os
import socket
import sys
{first}
from fastapi import FastAPI

app = FastAPI()
{at_import}


def reaches(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


for name in sorted(set(os.environ) & {{"PORT", "HOME"}}):
    app.add_api_route("/of/" + name.lower(), lambda: {{}}, name=name)
app.add_api_route("/server/" + ("reached" if reaches(int(os.environ.get("THE_SERVER", "1"))) else "away"), lambda: {{}})
print("not among the answer")
"#
    );
    json!({ "app/main.py": source, "requirements.txt": REQUIREMENTS })
}

fn paths(listing: &Value) -> Vec<&str> {
    listing["endpoints"].as_array().unwrap().iter().filter_map(|one| one["path"].as_str()).collect()
}

/// Processes that import applications.
fn imports(server: &Server) -> Vec<Process> {
    let is_import =
        |(pid, _): &Process| command_line(*pid).split('\0').any(|argument| argument == "describe");
    descendants(server.serve_pid()).into_iter().filter(|one| is_import(one) && is_alive(*one)).collect()
}

/// The first warning, once the packages are there and the application was asked.
async fn told(app: &Generation) -> String {
    eventually("an answer after an import", async || {
        let listing = app.get("/endpoints").await.expect(200);
        assert_eq!(listing["source"], "static", "{listing}");
        let first = listing["warnings"][0].clone();
        first["file"].is_null().then(|| first["message"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

#[tokio::test]
async fn what_the_source_leaves_open_is_asked_of_the_application() {
    let server = Server::start().await;
    let at_import = format!("os.environ['THE_SERVER'] = '{}'", server.address().port());
    let app = server.user("ana").upload(&open_ended(&at_import)).await;
    let listing = eventually("the application's own word", async || {
        let listing = app.get("/endpoints").await.expect(200);
        let asked = listing["warnings"][0]["file"].is_null();
        assert!(listing["source"] == "openapi" || !asked, "{listing}");
        (listing["source"] == "openapi").then_some(listing)
    })
    .await;
    assert_eq!(paths(&listing), ["/of/home", "/of/port", "/server/away"], "{listing}");
    assert_eq!(listing["warnings"], json!([]));
    app.status().await.error(404, "no_active_preview");
    assert_eq!(server.preview_files(), Vec::<std::path::PathBuf>::new());
    // A change of the files is asked for anew.
    let changed = open_ended("app.add_api_route('/more', lambda: {})")["app/main.py"].clone();
    app.user
        .patch(&format!("/api/generations/{}/files", app.id), &json!({ "files": { "app/main.py": changed } }))
        .await
        .expect(200);
    let again = app.get("/endpoints").await.expect(200);
    assert!(paths(&again).contains(&"/more"), "{again}");
}

#[tokio::test]
async fn an_import_that_does_not_answer_is_over_in_time_and_leaves_nothing() {
    let no_end = [
        "while True:\n    pass",
        "while True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
    ];
    let no_end = no_end.map(|first| (open_ended_after(first, ""), "takes too long"));
    imports_come_to_nothing("2", &no_end).await;
    // These are over by themselves, however busy the machine is.
    let over = [
        (open_ended_after("os._exit(7)", ""), "importing it fails"),
        (open_ended_after("sys.exit('not today')", ""), "not today"),
        (open_ended_after("import no_such_module", ""), "no_such_module"),
        (open_ended("app.openapi = lambda: {'x': 'y' * (9 << 20)}"), "too large"),
        (open_ended_after("os.write(1, b'{}' * 100)\nos.close(1)\nos._exit(0)", ""), "fails"),
        (open_ended_after("x = bytearray(1 << 30)", ""), "importing it fails"),
    ];
    imports_come_to_nothing("30", &over).await;
}

async fn imports_come_to_nothing(timeout: &str, cases: &[(Value, &str)]) {
    let server = Server::with(&[("LAUNCH_TIMEOUT", timeout), ("MEMORY_LIMIT_MB", "256")]).await;
    let user = server.user("ana");
    for (files, expected) in cases {
        let app = user.upload(files).await;
        let told = told(&app).await;
        assert!(told.contains(expected), "{files}: {told}");
        assert!(!told.contains("/tmp") && !told.contains("/box"), "{told}");
        eventually(&format!("nothing left of {files}"), async || imports(&server).is_empty().then_some(()))
            .await;
    }
    assert_eq!(server.preview_files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn an_import_ends_with_the_server_that_began_it() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&open_ended("while True:\n    pass")).await;
    let asking = tokio::spawn(async move {
        loop {
            // Until the packages are there it answers at once; the one that hangs is cut by the kill.
            if app
                .user
                .call(reqwest::Method::GET, &format!("/api/generations/{}/endpoints", app.id))
                .send()
                .await
                .is_err()
            {
                return;
            }
        }
    });
    let begun = eventually("an import", async || Some(imports(&server)).filter(|all| !all.is_empty())).await;
    server.kill_serve();
    asking.await.unwrap();
    eventually("the end of all of it", async || (!begun.iter().any(|one| is_alive(*one))).then_some(()))
        .await;
    server.serve_again().await;
    assert_eq!(server.preview_files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn nothing_is_imported_without_isolation() {
    let server = Server::with(&[("ISOLATION", "off")]).await;
    let app = server.user("ana").upload(&open_ended("open('/tmp/' + 'imported', 'w')")).await;
    let told = told(&app).await;
    assert!(told.contains("every layer of isolation"), "{told}");
}
