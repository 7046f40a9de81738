//! What lasts: a hundred previews at once with five hundred who read their logs, then a thousand launches and stops one after the
//! other. Nothing may grow. `BENCH_CYCLES` and `BENCH_CROWD` make it shorter or longer.

use std::time::{Duration, Instant, SystemTime};

use futures_util::future::try_join_all;
use reqwest::Method;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::answers::small;
use crate::logs::{age_of, message_of};
use crate::measure::{Samples, Table};
use crate::processes::{below_keeper, descriptors, keeper_of, share_mb};
use crate::server::{Preview, Server, resident_mb};

/// Who reads the log of each preview of the crowd.
const READERS: usize = 5;
/// How often the cycles are looked at.
const LOOKS: usize = 10;
/// For a line to reach everybody.
const PATIENCE: Duration = Duration::from_secs(60);

fn setting(name: &str, default: usize) -> Outcome<usize> {
    Ok(std::env::var(name).ok().map(|value| value.parse()).transpose()?.unwrap_or(default))
}

/// With a server of its own, whose processes are looked at.
pub async fn measure(table: &mut Table) -> Outcome<()> {
    let (crowd_size, cycles) = (setting("BENCH_CROWD", 100)?, setting("BENCH_CYCLES", 1000)?);
    let server = Server::start(2, &[("LAUNCH_TIMEOUT", "300")]).await?;
    crowd(&server, crowd_size, table).await?;
    run_cycles(&server, cycles.div_ceil(LOOKS)).await?;
    server.end().await
}

async fn crowd(server: &Server, size: usize, table: &mut Table) -> Outcome<()> {
    let mut generations = Vec::new();
    for _ in 0..size {
        generations.push(server.upload(&small()).await?);
    }
    // The environment is made once, and is no part of it.
    server.launch(&generations[0]).await?;
    server.stop(&generations[0]).await?;
    let began = Instant::now();
    let previews = try_join_all(generations.iter().map(|generation| server.launch(generation))).await?;
    table.told(&format!("{size} launches at once, until all serve: s"), began.elapsed().as_secs_f64());
    let mut readers = JoinSet::new();
    for generation in generations.iter().flat_map(|generation| std::iter::repeat_n(generation, READERS)) {
        let path = format!("/api/generations/{generation}/preview/logs/stream?source=app&tail=0");
        readers.spawn(first_line(server.request(Method::GET, &path).timeout(PATIENCE).send().await?));
    }
    try_join_all(previews.iter().map(|preview| say(server, preview))).await?;
    let mut ages = Samples::default();
    while let Some(age) = readers.join_next().await {
        ages.add(age??);
    }
    let what = format!("{size} previews that print at once, {} subscribers: a line, ", ages.len());
    table.told(&format!("{what}median: ms"), ages.median());
    table.told(&format!("{what}the last: ms"), ages.quantile(1.0));
    let look = Look::at(server)?;
    table.told(&format!("{size} previews and their subscribers: serve, MB"), look.serve_mb);
    table.told(&format!("{size} previews and their subscribers: keeper, MB"), look.keeper_mb);
    let share = share_mb(&below_keeper(&server.data_dir)?)? / size as f64;
    table.told(&format!("{size} previews: proportional share of each, MB"), share);
    let began = Instant::now();
    try_join_all(generations.iter().map(|generation| server.stop(generation))).await?;
    table.told(&format!("{size} stops at once, until nothing is left: s"), began.elapsed().as_secs_f64());
    Ok(())
}

async fn say(server: &Server, preview: &Preview) -> Outcome<()> {
    let call = server.client.get(format!("{}/print", preview.base_url));
    call.header("x-preview-token", &preview.token).send().await?.error_for_status()?;
    Ok(())
}

/// The age of the first line that comes.
async fn first_line(mut stream: reqwest::Response) -> Outcome<Duration> {
    let mut text = String::new();
    loop {
        let chunk = stream.chunk().await?.ok_or("the stream ended")?;
        let now = SystemTime::now();
        text.push_str(std::str::from_utf8(&chunk)?);
        let age = text.split("\n\n").find_map(|event| age_of(message_of(event)?, now));
        if let Some(age) = age {
            return Ok(age);
        }
    }
}

/// What the two long-lived processes hold.
struct Look {
    serve_mb: f64,
    keeper_mb: f64,
    serve_descriptors: usize,
    keeper_descriptors: usize,
}

impl Look {
    fn at(server: &Server) -> Outcome<Self> {
        let (serve, keeper) = (server.pid()?, keeper_of(&server.data_dir)?);
        Ok(Self {
            serve_mb: server.resident_mb()?,
            keeper_mb: resident_mb(u32::try_from(keeper)?)?,
            serve_descriptors: descriptors(serve)?,
            keeper_descriptors: descriptors(keeper)?,
        })
    }
}

/// A table of its own: how things are after each part of the cycles.
async fn run_cycles(server: &Server, each: usize) -> Outcome<()> {
    println!();
    println!(
        "| cycles | launch, median ms | stop, median ms | serve MB | keeper MB | serve, descriptors | keeper, descriptors |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let generation = server.upload(&small()).await?;
    for part in 1..=LOOKS {
        let (mut launches, mut stops) = (Samples::default(), Samples::default());
        for _ in 0..each {
            let began = Instant::now();
            server.launch(&generation).await?;
            launches.add(began.elapsed());
            let began = Instant::now();
            server.stop(&generation).await?;
            stops.add(began.elapsed());
        }
        let Look { serve_mb, keeper_mb, serve_descriptors, keeper_descriptors } = Look::at(server)?;
        let (cycles, launch, stop) = (part * each, launches.median(), stops.median());
        println!(
            "| {cycles} | {launch:.1} | {stop:.1} | {serve_mb:.1} | {keeper_mb:.1} | {serve_descriptors} | {keeper_descriptors} |"
        );
    }
    Ok(())
}
