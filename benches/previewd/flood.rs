//! Logs under load: many subscribers, many lines, one that does not read, and searching what is kept.

use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::logs::{age_of, message_of};
use crate::measure::{Samples, Table};
use crate::server::{Preview, Server};

const SUBSCRIBERS: usize = 500;
/// Lines that each of the many subscribers gets, one at a time.
const SPACED: usize = 60;
const READERS: usize = 10;
const LINES: usize = 100_000;
/// The best of so many counts: what disturbs a machine makes things slower, never faster.
const TURNS: usize = 7;
const SEARCHES: usize = 20;
/// Until the log has as many bytes as may be kept and history was written once: from then on nothing is added but for who does not read.
const FILLING: Duration = Duration::from_secs(10);

fn app() -> Vec<(String, String)> {
    let main = r#"
import sys, time
from fastapi import FastAPI

app = FastAPI()


@app.get("/print")
def say() -> None:
    print(time.time_ns())


@app.get("/flood")
def flood(lines: int, name: str) -> None:
    for number in range(lines):
        sys.stdout.write(f"{name} {number} of a program that has much to say about its shelves\n")
"#;
    let files = [("app/main.py", main), ("requirements.txt", "fastapi\nuvicorn\n")];
    files.map(|(path, content)| (path.to_owned(), content.to_owned())).to_vec()
}

/// With a server that keeps as many lines as are printed.
pub async fn measure(table: &mut Table) -> Outcome<()> {
    let server = Server::start(1, &[("MAX_LOG_LINES", "100000"), ("REQUEST_TIMEOUT", "300")]).await?;
    let generation = server.upload(&app()).await?;
    let preview = server.launch(&generation).await?;
    let stream = format!("/api/generations/{generation}/preview/logs/stream?source=app&tail=0");
    let ages = many(&server, &stream, &preview).await?;
    table.bounded("a log line, 500 subscribers, median: ms", ages.median(), 10.0);

    let before = server.resident_mb()?;
    let first = flood(&server, &stream, &preview, "first").await?;
    let per_thousand = (server.resident_mb()? - before) / (f64::from(u32::try_from(LINES)?) / 1000.0);
    let began = Instant::now();
    while began.elapsed() < FILLING {
        flood(&server, &stream, &preview, "filling").await?;
    }
    let (mut alone, mut beside) = (0.0_f64, 0.0_f64);
    let full = server.resident_mb()?;
    for _ in 0..TURNS {
        let asleep = server.request(Method::GET, &stream).send().await?;
        beside = beside.max(flood(&server, &stream, &preview, "beside").await?);
        drop(asleep);
        alone = alone.max(flood(&server, &stream, &preview, "alone").await?);
    }
    table.at_least(
        "100,000 lines to 10 subscribers, none lost: events/s in sum",
        alone.max(first),
        200_000.0,
    );
    table.bounded("serve, per 1,000 kept lines: MB", per_thousand, 1.0);
    // How many times as long the others take.
    table.compared(
        "10 subscribers beside one that never reads: s per 1,000,000 events",
        1e6 / beside,
        1e6 / alone,
        Some(1.05),
    );
    table.bounded("serve, for one that never reads: MB", server.resident_mb()? - full, 10.0);

    let search = format!("/api/generations/{generation}/preview/logs?q=alone+99");
    table.bounded("search in 100,000 lines, running, median: ms", searches(&server, &search).await?, 50.0);
    server.stop(&generation).await?;
    table.bounded("search in 100,000 lines, over, median: ms", searches(&server, &search).await?, 50.0);
    server.end().await
}

/// One line at a time to many subscribers.
async fn many(server: &Server, stream: &str, preview: &Preview) -> Outcome<Samples> {
    let mut readers = JoinSet::new();
    for _ in 0..SUBSCRIBERS {
        let mut answer = server.request(Method::GET, stream).send().await?;
        readers.spawn(async move {
            let (mut samples, mut text) = (Samples::default(), String::new());
            while samples.len() < SPACED {
                let chunk = answer.chunk().await?.ok_or("the stream ended")?;
                let now = std::time::SystemTime::now();
                text.push_str(std::str::from_utf8(&chunk)?);
                while let Some((event, rest)) = text.split_once("\n\n") {
                    message_of(event)
                        .and_then(|text| age_of(text, now))
                        .into_iter()
                        .for_each(|age| samples.add(age));
                    text = rest.to_owned();
                }
            }
            Outcome::Ok(samples)
        });
    }
    for _ in 0..SPACED {
        say(server, preview, "/print").await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut all = Samples::default();
    while let Some(samples) = readers.join_next().await {
        all.extend(samples??);
    }
    Ok(all)
}

/// Everything at once to some subscribers; events a second, in sum. Fails if one of them misses a line.
async fn flood(server: &Server, stream: &str, preview: &Preview, name: &'static str) -> Outcome<f64> {
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let mut answer = server.request(Method::GET, stream).send().await?;
        readers.spawn(async move {
            let last = format!("\"{name} {} of", LINES - 1);
            let (mut seen, mut tail) = (0, Vec::new());
            loop {
                let chunk = answer.chunk().await?.ok_or("the stream ended")?;
                // Chunks end where events end, but HTTP may cut them again.
                tail.extend_from_slice(&chunk);
                let whole = tail.windows(2).rposition(|two| two == b"\n\n").map_or(0, |at| at + 2);
                let text = std::str::from_utf8(&tail[..whole])?;
                seen += text.matches("\nid: ").count() + usize::from(text.starts_with("id: "));
                if text.contains("event: gap") {
                    return Err("lines were dropped".into());
                }
                if text.contains(&last) {
                    return Outcome::Ok(seen);
                }
                tail.drain(..whole);
            }
        });
    }
    let began = Instant::now();
    let path = format!("/flood?lines={LINES}&name={name}");
    let flooding = say(server, preview, &path);
    let counting = async {
        let mut events = 0;
        while let Some(seen) = readers.join_next().await {
            let seen = seen??;
            if seen != LINES {
                return Err(format!("{seen} lines of {LINES}").into());
            }
            events += seen;
        }
        Outcome::Ok((events, began.elapsed()))
    };
    let (flooded, counted) = tokio::join!(flooding, counting);
    flooded?;
    let (events, took) = counted?;
    Ok(f64::from(u32::try_from(events)?) / took.as_secs_f64())
}

async fn say(server: &Server, preview: &Preview, path: &str) -> Outcome<()> {
    let call =
        server.client.get(format!("{}{path}", preview.base_url)).header("x-preview-token", &preview.token);
    call.send().await?.error_for_status()?.bytes().await?;
    Ok(())
}

async fn searches(server: &Server, path: &str) -> Outcome<f64> {
    let mut samples = Samples::default();
    for _ in 0..SEARCHES {
        let began = Instant::now();
        let answer = server.request(Method::GET, path).send().await?.error_for_status()?.text().await?;
        samples.add(began.elapsed());
        if !answer.contains("alone 99") {
            return Err("the search found nothing".into());
        }
    }
    Ok(samples.median())
}
