//! From `print` in a preview to the event in a client's hands.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::{Method, RequestBuilder};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::Outcome;
use crate::answers::small;
use crate::measure::{Samples, Table};
use crate::plain::{Plain, SHORT};
use crate::server::Server;

const LINES: usize = 300;
/// For one line.
const PATIENCE: Duration = Duration::from_secs(10);

/// One line at a time; the reference reads the pipe of plain uvicorn.
pub async fn measure(server: &Server, table: &mut Table) -> Outcome<()> {
    let generation = server.upload(&small()).await?;
    let preview = server.launch(&generation).await?;
    let path = format!("/api/generations/{generation}/preview/logs/stream?source=app&tail=0");
    let stream = server.request(Method::GET, &path).timeout(Duration::from_secs(600)).send().await?;
    let shout = server.client.get(format!("{}/print", preview.base_url));
    let shout = shout.header("x-preview-token", &preview.token);
    let received = from_stream(stream, &shout).await?;
    let plain = Plain::new(&server.data_dir, "fastapi", server.client.clone()).await?;
    let mut serving = plain.start(&small(), SHORT).await?;
    let mut lines = BufReader::new(serving.stdout()?).lines();
    let shout = server.client.get(format!("{}/print", serving.address));
    let mut read = Samples::default();
    while read.len() < LINES {
        shout.try_clone().ok_or("a body")?.send().await?.bytes().await?;
        let age = loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await??.ok_or("no more output")?;
            if let Some(age) = age_of(&line, SystemTime::now()) {
                break age;
            }
        };
        read.add(age);
    }
    table.compared("a log line, printed to received, median: ms", received.median(), read.median(), None);
    table.bounded("a log line, 1 subscriber, median: ms", received.median(), 5.0);
    table.bounded("a log line, 99 of 100: ms", received.quantile(0.99), 50.0);
    serving.stop().await?;
    server.stop(&generation).await
}

async fn from_stream(mut stream: reqwest::Response, shout: &RequestBuilder) -> Outcome<Samples> {
    let mut samples = Samples::default();
    let mut text = String::new();
    while samples.len() < LINES {
        let answer = tokio::spawn(shout.try_clone().ok_or("a body")?.send());
        let age = loop {
            let chunk = tokio::time::timeout(PATIENCE, stream.chunk()).await??.ok_or("the stream ended")?;
            text.push_str(std::str::from_utf8(&chunk)?);
            let age = text.split("\n\n").find_map(|event| age_of(message_of(event)?, SystemTime::now()));
            if let Some(age) = age {
                text.clear();
                break age;
            }
        };
        samples.add(age);
        answer.await??.bytes().await?;
    }
    Ok(samples)
}

/// The message of an entry in a stream.
pub(crate) fn message_of(event: &str) -> Option<&str> {
    event.split_once("\"message\":\"")?.1.split_once('"').map(|(message, _)| message)
}

/// How long before `now` a line was printed that is the time of its printing, in nanoseconds.
pub(crate) fn age_of(line: &str, now: SystemTime) -> Option<Duration> {
    let printed: u64 = line.trim().parse().ok()?;
    now.duration_since(UNIX_EPOCH).ok()?.checked_sub(Duration::from_nanos(printed))
}
