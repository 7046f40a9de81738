//! What is open and silent, what wakes, and what is edited.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;

use crate::Outcome;
use crate::answers::small;
use crate::gateway::app;
use crate::launches::sample;
use crate::measure::{Samples, Table};
use crate::plain::{Plain, SHORT};
use crate::processes::keeper_of;
use crate::server::{Preview, Server, resident_mb};

const SOCKETS: usize = 1000;
/// Rounds that count, after those that warm up.
const ROUNDS: usize = 12;
const WARM_UP: usize = 3;
/// For a preview to fall asleep.
const PATIENCE: Duration = Duration::from_secs(30);
/// For its process to end.
const MOMENT: Duration = Duration::from_millis(500);

/// All of it, with servers of their own.
pub async fn measure(server: &Server, table: &mut Table) -> Outcome<()> {
    sockets(table).await?;
    edits(server, "the sample", &sample()?, "sqlalchemy", table).await?;
    edits(server, "a small application", &small(), "fastapi", table).await?;
    wakes(table).await
}

/// Open WebSockets that say nothing.
async fn sockets(table: &mut Table) -> Outcome<()> {
    let server = Server::start(1, &[("OPEN_FILES_LIMIT", "4096"), ("CONNECTION_LIMIT", "2048")]).await?;
    let generation = server.upload(&app()).await?;
    let preview = server.launch(&generation).await?;
    let address = format!("{}/?preview_token={}", preview.base_url.replace("http", "ws"), preview.token);
    // The first of everything is no part of what each costs.
    let mut open = vec![connect_async(&address).await?.0];
    let keeper = u32::try_from(keeper_of(&server.data_dir)?)?;
    let before = server.resident_mb()? + resident_mb(keeper)?;
    while open.len() <= SOCKETS {
        open.push(connect_async(&address).await?.0);
    }
    let more = server.resident_mb()? + resident_mb(keeper)? - before;
    table.bounded("1,000 idle WebSockets, serve and keeper: MB", more, 20.0);
    drop(open);
    server.end().await
}

/// From an edit to the first answer of the new code, in turns with an end and a start of uvicorn.
async fn edits(
    server: &Server,
    what: &str,
    files: &[(String, String)],
    package: &str,
    table: &mut Table,
) -> Outcome<()> {
    let generation = server.upload(files).await?;
    let preview = server.launch(&generation).await?;
    let plain = Plain::new(&server.data_dir, package, server.client.clone()).await?;
    let main = &files.iter().find(|(path, _)| path == "app/main.py").ok_or("no app/main.py")?.1;
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    let mut serving = plain.start(files, SHORT).await?;
    for number in 0..WARM_UP + ROUNDS {
        if number == WARM_UP {
            (ours, theirs) = (Samples::default(), Samples::default());
        }
        let route = format!("/edit-{number}");
        let edited = format!("{main}\n\n@app.get(\"{route}\")\ndef edited():\n    return {{}}\n");
        let began = Instant::now();
        edit(server, &generation, &edited).await?;
        answer(server, &preview, &route).await?;
        ours.add(began.elapsed());
        let began = Instant::now();
        serving.stop().await?;
        serving = plain.start(files, SHORT).await?;
        theirs.add(began.elapsed());
    }
    serving.stop().await?;
    let told = format!("an edit of {what}, to the new code's answer: ms");
    table.compared(&told, ours.median(), theirs.median(), Some(0.125));
    server.stop(&generation).await
}

async fn edit(server: &Server, generation: &str, main: &str) -> Outcome<()> {
    let path = format!("/api/generations/{generation}/files");
    let call = server.request(Method::PATCH, &path).json(&json!({ "files": { "app/main.py": main } }));
    let answer: Value = call.send().await?.error_for_status()?.json().await?;
    if answer["reloaded"] != true {
        return Err(format!("the edit was not taken up: {answer}").into());
    }
    Ok(())
}

async fn answer(server: &Server, preview: &Preview, path: &str) -> Outcome<()> {
    let call =
        server.client.get(format!("{}{path}", preview.base_url)).header("x-preview-token", &preview.token);
    call.send().await?.error_for_status()?.bytes().await?;
    Ok(())
}

/// From a request to a sleeping preview to its answer, in turns with launches of the same.
async fn wakes(table: &mut Table) -> Outcome<()> {
    let server = Server::start(1, &[("IDLE_ACTION", "sleep"), ("INACTIVE_TIMEOUT", "1")]).await?;
    let generation = server.upload(&sample()?).await?;
    let (mut wakes, mut launches) = (Samples::default(), Samples::default());
    for round in 0..WARM_UP + ROUNDS {
        if round == WARM_UP {
            (wakes, launches) = (Samples::default(), Samples::default());
        }
        let began = Instant::now();
        let preview = server.launch(&generation).await?;
        answer(&server, &preview, "/health").await?;
        launches.add(began.elapsed());
        tokio::time::timeout(PATIENCE, asleep(&server, &generation)).await??;
        let began = Instant::now();
        answer(&server, &preview, "/health").await?;
        wakes.add(began.elapsed());
        server.stop(&generation).await?;
    }
    let what = "a request that wakes the sample, beside a launch and a request: ms";
    table.compared(what, wakes.median(), launches.median(), Some(1.3));
    server.end().await
}

async fn asleep(server: &Server, generation: &str) -> Outcome<()> {
    let path = format!("/api/generations/{generation}/preview/status");
    loop {
        let status: Value = server.request(Method::GET, &path).send().await?.json().await?;
        // It is said before the process has ended.
        tokio::time::sleep(MOMENT).await;
        if status["asleep"] == true {
            return Ok(());
        }
    }
}
