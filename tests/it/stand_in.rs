//! The first launch of requirements that nobody has had: the zygote of another environment forks for it, if it has imported the same.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Generation, Server, User, descendants, eventually, is_alive, signal};

/// Tells where its packages are, which of some it has, and how its process was made.
const TELLS: &str = r#"
import importlib.util
import json

import uvicorn

names = [name for name in ("six", "httptools", "iniconfig") if importlib.util.find_spec(name)]
with open("/proc/self/comm") as file:
    comm = file.read().strip()
with open("preview.db", "a") as file:
    file.write("x")
with open("preview.db") as file:
    starts = len(file.read())


async def app(scope, receive, send):
    body = {"uvicorn": uvicorn.__file__, "names": names, "comm": comm, "starts": starts}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
"#;

/// With one zygote, that of `uvicorn` alone, and where that has its packages.
async fn with_zygote() -> (Server, User, String) {
    let server = Server::start().await;
    let user = server.user_of("pro", "ana");
    let app = upload(&user, "uvicorn\n").await;
    app.launch().await;
    eventually("a zygote that forks", async || {
        descendants(server.keeper_pid()).into_iter().any(|(pid, _)| name(pid) == "spare").then_some(())
    })
    .await;
    app.stop().await.expect(200);
    let told = told(&app).await;
    assert_eq!(told["comm"], "preview");
    app.stop().await.expect(200);
    (server, user, told["uvicorn"].as_str().unwrap().to_owned())
}

async fn upload(user: &User, requirements: &str) -> Generation {
    user.upload(&json!({ "app/main.py": TELLS, "requirements.txt": requirements })).await
}

/// What it tells once it is launched.
async fn told(app: &Generation) -> Value {
    app.launch().await.get("/").await.expect(200)
}

fn name(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// Those that are no forks of others.
fn zygotes(server: &Server) -> BTreeSet<i32> {
    let all = descendants(server.keeper_pid()).into_iter().filter(|process| is_alive(*process));
    let all: BTreeSet<i32> = all.map(|(pid, _)| pid).filter(|pid| name(*pid) == "zygote").collect();
    let field = |pid: i32, name: &str| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned())
    };
    let is_fork = |pid: i32| {
        let parent = field(pid, "PPid:").and_then(|parent| parent.parse().ok());
        // A fork has another number in its sandbox.
        parent.is_none_or(|parent| all.contains(&parent)) || field(pid, "NSpid:") != Some(pid.to_string())
    };
    all.iter().copied().filter(|pid| !is_fork(*pid)).collect()
}

/// Uploads requirements, and holds the zygote that is begun for them.
async fn upload_and_hold(server: &Server, user: &User, requirements: &str) -> (Generation, i32) {
    let before = zygotes(server);
    let app = upload(user, requirements).await;
    let new = async || zygotes(server).difference(&before).next().copied();
    let new = eventually("a zygote of its own", new).await;
    signal(new, Signal::STOP);
    (app, new)
}

#[tokio::test]
async fn it_is_forked_by_who_has_imported_the_same() {
    let (server, user, place) = with_zygote().await;
    let (app, held) = upload_and_hold(&server, &user, "uvicorn\nsix\n").await;
    let preview = app.launch().await;
    let expected = json!({ "uvicorn": place, "names": ["six"], "comm": "preview", "starts": 1 });
    assert_eq!(preview.get("/").await.json(), expected, "in the other's place, with its own packages");
    // New code of it, too: with the same user id, and so the same database.
    let changed = json!({ "files": { "extra.py": "" } });
    let answer = user.patch(&app.path("/files"), &changed).await.expect(200);
    assert_eq!(answer["reloaded"], true, "{answer}");
    assert_eq!(
        preview.get("/").await.json(),
        json!({ "uvicorn": place, "names": ["six"], "comm": "preview", "starts": 2 })
    );
    app.stop().await.expect(200);
    // Once it has its own, that is what forks.
    signal(held, Signal::CONT);
    let own = async || {
        let told = told(&app).await;
        app.stop().await.expect(200);
        (told["uvicorn"] != json!(place)).then_some(told)
    };
    let own = eventually("its own zygote", own).await;
    assert_eq!(own["names"], json!(["six"]));
    // And for others in turn; what is missing there is missing in the fork.
    let (app, held) = upload_and_hold(&server, &user, "uvicorn\niniconfig\n").await;
    let told = told(&app).await;
    assert_eq!(told["names"], json!(["iniconfig"]), "{told}");
    assert_eq!(told["comm"], "preview");
    signal(held, Signal::CONT);
}

#[tokio::test]
async fn it_is_not_where_its_libraries_would_have_found_more() {
    let (server, user, place) = with_zygote().await;
    let (app, held) = upload_and_hold(&server, &user, "uvicorn\nhttptools\n").await;
    let told = told(&app).await;
    assert_eq!(told["names"], json!(["httptools"]));
    assert!(told["uvicorn"] != json!(place) && told["comm"] != "preview", "{told}");
    signal(held, Signal::CONT);
}

#[tokio::test]
async fn it_is_not_that_of_another_user() {
    let (server, _ana, place) = with_zygote().await;
    let ben = server.user_of("pro", "ben");
    let (app, held) = upload_and_hold(&server, &ben, "uvicorn\nsix\n").await;
    let told = told(&app).await;
    assert!(told["uvicorn"] != json!(place) && told["comm"] != "preview", "{told}");
    signal(held, Signal::CONT);
}
