//! The database of a preview, fresh or kept.

use serde_json::json;

use crate::harness::{Generation, Guest, Preview, REQUIREMENTS, Server, probe};

async fn count(app: &Generation, preview: &Preview) -> u64 {
    let answer = app.fetch(preview, "/count").await;
    answer["data"]["count"].as_u64().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn a_launch_begins_with_an_empty_database_unless_it_keeps_one() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    for how in [json!({}), json!({ "database": "fresh" })] {
        let preview = app.launch_with(&how).await;
        assert_eq!((count(&app, &preview).await, count(&app, &preview).await), (1, 2));
        app.stop().await.expect(200);
    }
    let keep = json!({ "database": "keep" });
    for expected in [1, 2] {
        let preview = app.launch_with(&keep).await;
        assert_eq!(count(&app, &preview).await, expected, "it outlives stops");
        app.stop().await.expect(200);
    }
    let preview = app.launch().await;
    assert_eq!(count(&app, &preview).await, 1, "a fresh one beside the one that is kept");
    app.stop().await.expect(200);
    let preview = app.launch_with(&keep).await;
    assert_eq!(count(&app, &preview).await, 3);
    // A crash of the server does not lose it either.
    server.kill_serve();
    server.serve_again().await;
    assert_eq!(count(&app, &preview).await, 4);
    let kept = server.data_dir().join("previews");
    assert!(std::fs::read_dir(&kept).unwrap().count() > 0);
    assert_eq!(app.user.delete(&app.path("")).await.status, 204);
    assert_eq!(std::fs::read_dir(&kept).unwrap().count(), 0, "it goes with the generation");
}

#[tokio::test]
async fn generations_do_not_share_what_they_keep() {
    let server = Guest::arrive().await;
    let user = server.user();
    let (one, other) = (user.upload(&probe()).await, user.upload(&probe()).await);
    let keep = json!({ "database": "keep" });
    let (first, second) = (one.launch_with(&keep).await, other.launch_with(&keep).await);
    assert_eq!((count(&one, &first).await, count(&one, &first).await), (1, 2));
    assert_eq!(count(&other, &second).await, 1);
}

#[tokio::test]
async fn a_reload_keeps_the_database() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&probe()).await;
    let preview = app.launch().await;
    assert_eq!(count(&app, &preview).await, 1);
    let patched =
        app.user.patch(&app.path("/files"), &json!({ "files": { "note.txt": "new" } })).await.expect(200);
    assert_eq!(patched["reloaded"], true, "{patched}");
    assert_eq!(count(&app, &preview).await, 2);
}

#[tokio::test]
async fn an_async_engine_gets_an_async_url_and_a_driver() {
    let source = r#"
import os
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"])
app = FastAPI()

@app.get("/two")
async def two():
    async with engine.connect() as connection:
        return {"two": (await connection.execute(text("select 1 + 1"))).scalar(), "url": os.environ["DATABASE_URL"]}
"#;
    let server = Guest::arrive().await;
    let requirements = format!("{REQUIREMENTS}sqlalchemy>=2,<3\n");
    let app = server.user().upload(&json!({ "app/main.py": source, "requirements.txt": requirements })).await;
    let preview = app.launch().await;
    let answer = app.fetch(&preview, "/two").await;
    assert_eq!(answer["data"], json!({ "two": 2, "url": "sqlite+aiosqlite:///./preview.db" }), "{answer}");
    let log = app.log().await;
    let added = log.iter().find(|line| line["message"].as_str().unwrap().contains("aiosqlite"));
    assert_eq!(added.expect("a line says so")["source"], "install");
}
