//! Launching and stopping the sample project.

use std::path::Path;
use std::time::Instant;

use reqwest::Method;
use serde_json::Value;

use crate::Outcome;
use crate::measure::{Samples, Table};
use crate::plain::{LONG, Plain, SHORT};
use crate::server::Server;

/// Rounds that count, after those that warm up.
const ROUNDS: usize = 20;
const WARM_UP: usize = 3;
/// Milliseconds for an application that obeys.
const STOP: f64 = 50.0;

/// What each round gives.
#[derive(Default)]
struct Times {
    launch: Samples,
    start: Samples,
    stop: Samples,
    without_isolation: Samples,
    plain: Samples,
    plain_stop: Samples,
    polled: Samples,
}

/// The files of the sample.
pub fn sample() -> Outcome<Vec<(String, String)>> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bookshop");
    let files = previewd::generation::read_directory(&sample, Path::new("/nonexistent"))?;
    files.into_iter().map(|(path, content)| Ok((path, String::from_utf8(content)?))).collect()
}

/// In turns: previewd's launch and stop, the same without isolation, then uvicorn's start and end.
pub async fn measure(server: &Server, table: &mut Table) -> Outcome<()> {
    let files = sample()?;
    let open = Server::start(1, &[("ISOLATION", "off")]).await?;
    let (sealed, plainly) = (server.upload(&files).await?, open.upload(&files).await?);
    for (server, generation) in [(server, &sealed), (&open, &plainly)] {
        server.launch(generation).await?;
        server.stop(generation).await?;
    }
    let plain = Plain::new(&server.data_dir, "sqlalchemy", server.client.clone()).await?;
    let mut times = Times::default();
    let (mut memory, mut plain_memory) = (0.0, 0.0);
    for round in 0..WARM_UP + ROUNDS {
        if round == WARM_UP {
            times = Times::default();
        }
        let began = Instant::now();
        let preview = server.launch(&sealed).await?;
        times.launch.add(began.elapsed());
        times.start.add(preview.start);
        memory = memory_mb(server, &sealed).await?;
        let began = Instant::now();
        server.stop(&sealed).await?;
        times.stop.add(began.elapsed());
        let began = Instant::now();
        open.launch(&plainly).await?;
        times.without_isolation.add(began.elapsed());
        open.stop(&plainly).await?;
        let began = Instant::now();
        let serving = plain.start(&files, SHORT).await?;
        times.plain.add(began.elapsed());
        plain_memory = serving.resident_mb()?;
        let began = Instant::now();
        serving.stop().await?;
        times.plain_stop.add(began.elapsed());
        let began = Instant::now();
        let serving = plain.start(&files, LONG).await?;
        times.polled.add(began.elapsed());
        serving.stop().await?;
    }
    let launch = times.launch.median();
    table.compared("launch of the sample, environment known: ms", launch, times.plain.median(), Some(0.2));
    table.compared("the same, against polls of a second: ms", launch, times.polled.median(), Some(0.125));
    let off = times.without_isolation.median();
    table.compared("the same, against `PREVIEW_ISOLATION=off`: ms", launch, off, Some(1.15));
    table.compared("its files, sandbox and fork, of all of it: ms", times.start.median(), launch, Some(0.15));
    table.bounded("stop: ms", times.stop.median(), STOP);
    table.compared("stop, against uvicorn's: ms", times.stop.median(), times.plain_stop.median(), None);
    table.compared("a preview of the sample: resident MB", memory, plain_memory, None);
    open.end().await
}

async fn memory_mb(server: &Server, generation: &str) -> Outcome<f64> {
    let path = format!("/api/generations/{generation}/preview/status");
    let status: Value = server.request(Method::GET, &path).send().await?.json().await?;
    let bytes = status["memoryBytes"].as_f64().ok_or("memoryBytes is missing")?;
    Ok(bytes / 1024.0 / 1024.0)
}
