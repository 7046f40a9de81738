//! How long answers take: of the API at many connections, of a preview through its gateway.

use std::sync::Arc;
use std::time::Instant;

use reqwest::{Method, RequestBuilder};

use crate::Outcome;
use crate::measure::{Samples, Table};
use crate::plain::{Plain, SHORT};
use crate::server::Server;

const CONNECTIONS: usize = 32;
const REQUESTS_EACH: usize = 100;
const IN_A_ROW: usize = 1000;

/// An application that does next to nothing.
pub const SMALL: &str = r#"import time

from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.get("/print")
async def print_the_time():
    print(time.time_ns())
    return {}
"#;

/// The files of the small application.
pub fn small() -> Vec<(String, String)> {
    vec![
        ("app/main.py".to_owned(), SMALL.to_owned()),
        ("requirements.txt".to_owned(), "fastapi\nuvicorn\n".to_owned()),
    ]
}

/// The calls that a page makes again and again, then requests to a preview.
pub async fn measure(server: &Server, table: &mut Table) -> Outcome<()> {
    let generation = server.upload(&small()).await?;
    let preview = server.launch(&generation).await?;
    for call in ["preview/status", "preview/config", "endpoints"] {
        let path = format!("/api/generations/{generation}/{call}");
        let samples = at_once(server.request(Method::GET, &path)).await?;
        let what = format!("{call} at {CONNECTIONS} connections");
        table.bounded(&format!("{what}, median: ms"), samples.median(), 5.0);
        table.bounded(&format!("{what}, 99 of 100: ms"), samples.quantile(0.99), 5.0 * 4.0);
    }
    let plain = Plain::new(&server.data_dir, "fastapi", server.client.clone()).await?;
    let serving = plain.start(&small(), SHORT).await?;
    let (mut through, mut direct) = (Samples::default(), Samples::default());
    let gateway =
        server.client.get(format!("{}/health", preview.base_url)).header("x-preview-token", &preview.token);
    let straight = server.client.get(format!("{}/health", serving.address));
    for _ in 0..IN_A_ROW {
        timed(&gateway, &mut through).await?;
        timed(&straight, &mut direct).await?;
    }
    table.compared("a request through the gateway: ms", through.median(), direct.median(), None);
    serving.stop().await?;
    server.stop(&generation).await
}

async fn at_once(request: RequestBuilder) -> Outcome<Samples> {
    let request = Arc::new(request);
    let clients = (0..CONNECTIONS).map(|_| {
        let request = Arc::clone(&request);
        tokio::spawn(async move {
            let mut samples = Samples::default();
            // The first opens the connection.
            timed(&request, &mut Samples::default()).await?;
            for _ in 0..REQUESTS_EACH {
                timed(&request, &mut samples).await?;
            }
            Outcome::Ok(samples)
        })
    });
    let mut all = Samples::default();
    for client in clients.collect::<Vec<_>>() {
        all.extend(client.await??);
    }
    if all.len() != CONNECTIONS * REQUESTS_EACH {
        return Err("requests are missing".into());
    }
    Ok(all)
}

async fn timed(request: &RequestBuilder, samples: &mut Samples) -> Outcome<()> {
    let request = request.try_clone().ok_or("the request has a body")?;
    let began = Instant::now();
    let response = request.send().await?.error_for_status()?;
    response.bytes().await?;
    samples.add(began.elapsed());
    Ok(())
}
