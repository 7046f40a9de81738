//! Launching and stopping the sample project.

use std::path::Path;
use std::time::Instant;

use reqwest::Method;
use serde_json::Value;

use crate::Outcome;
use crate::measure::{Samples, Table};
use crate::plain::Plain;
use crate::server::Server;

/// Rounds that count, after those that warm up.
const ROUNDS: usize = 9;
const WARM_UP: usize = 3;

/// In turns: previewd's launch and stop, then uvicorn's start and end.
pub async fn measure(server: &Server, table: &mut Table) -> Outcome<()> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bookshop");
    let files = previewd::generation::read_directory(&sample, Path::new("/nonexistent"))?;
    let files: Vec<_> = files
        .into_iter()
        .map(|(path, content)| Ok((path, String::from_utf8(content)?)))
        .collect::<Outcome<_>>()?;
    let generation = server.upload(&files).await?;
    server.launch(&generation).await?;
    server.stop(&generation).await?;
    let plain = Plain::new(&server.data_dir, "sqlalchemy", server.client.clone()).await?;
    let (mut launch, mut stop, mut start, mut end) =
        (Samples::default(), Samples::default(), Samples::default(), Samples::default());
    let (mut memory, mut plain_memory) = (0.0, 0.0);
    for round in 0..WARM_UP + ROUNDS {
        let began = Instant::now();
        server.launch(&generation).await?;
        let launched = began.elapsed();
        memory = memory_mb(server, &generation).await?;
        let began = Instant::now();
        server.stop(&generation).await?;
        let stopped = began.elapsed();
        let began = Instant::now();
        let serving = plain.start(&files).await?;
        let started = began.elapsed();
        plain_memory = serving.resident_mb()?;
        let began = Instant::now();
        serving.stop().await?;
        if round >= WARM_UP {
            launch.add(launched);
            stop.add(stopped);
            start.add(started);
            end.add(began.elapsed());
        }
    }
    table.compared("launch of the sample, environment known: ms", launch.median(), start.median(), Some(1.1));
    table.compared("stop: ms", stop.median(), end.median(), None);
    table.compared("a preview of the sample: resident MB", memory, plain_memory, None);
    Ok(())
}

async fn memory_mb(server: &Server, generation: &str) -> Outcome<f64> {
    let path = format!("/api/generations/{generation}/preview/status");
    let status: Value = server.request(Method::GET, &path).send().await?.json().await?;
    let bytes = status["memoryBytes"].as_f64().ok_or("memoryBytes is missing")?;
    Ok(bytes / 1024.0 / 1024.0)
}
