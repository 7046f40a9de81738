//! Many previews: at once, and one after the other.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::launches::sample;
use crate::measure::{Samples, Table};
use crate::merging;
use crate::plain::{Plain, SHORT};
use crate::processes::{below_keeper, share_mb};
use crate::server::Server;

/// How many are launched at once.
const AT_ONCE: usize = 10;
const ROUNDS: usize = 5;
/// From then on they are as they stay while nobody asks them: a preview gives memory back when it was quiet for a while.
const SETTLED: Duration = Duration::from_secs(4);
/// How many there are when a further one is looked at.
const SIZES: [usize; 4] = [1, 10, 50, 100];

/// Ten at once against ten processes, and how things grow.
pub async fn measure(server: &Server, table: &mut Table) -> Outcome<()> {
    let files = sample()?;
    let plain = Plain::new(&server.data_dir, "sqlalchemy", server.client.clone()).await?;
    let mut generations = Vec::new();
    for _ in 0..SIZES[SIZES.len() - 1] {
        generations.push(server.upload(&files).await?);
    }
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    let (mut memory, mut plain_memory) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let launches = generations[..AT_ONCE].iter().map(|generation| server.launch(generation));
        futures_util::future::try_join_all(launches).await?;
        ours.add(began.elapsed());
        tokio::time::sleep(SETTLED).await;
        memory = share_mb(&below_keeper(&server.data_dir)?)?;
        for generation in &generations[..AT_ONCE] {
            server.stop(generation).await?;
        }
        let began = Instant::now();
        let starts = (0..AT_ONCE).map(|_| plain.start(&files, SHORT));
        let serving = futures_util::future::try_join_all(starts).await?;
        theirs.add(began.elapsed());
        let pids: Vec<_> = serving.iter().filter_map(crate::plain::Serving::pid).collect();
        tokio::time::sleep(SETTLED).await;
        plain_memory = share_mb(&pids)?;
        for one in serving {
            one.stop().await?;
        }
    }
    table.compared("ten launches at once, until all serve: ms", ours.median(), theirs.median(), Some(0.5));
    table.compared("ten previews, proportional share: MB", memory, plain_memory, Some(0.5));
    match merging::share_of(AT_ONCE, &files).await? {
        Some(merged) => {
            let what = "ten previews, proportional share, with PREVIEW_MEMORY_MERGE=on: MB";
            table.compared(what, merged, plain_memory, Some(0.5));
        }
        None => eprintln!("this machine does not let the kernel merge memory: that line is left out"),
    }
    grow(server, &generations, table).await
}

async fn grow(server: &Server, generations: &[String], table: &mut Table) -> Outcome<()> {
    let mut launched = 0;
    for size in SIZES {
        let mut samples = Samples::default();
        while launched < size {
            let began = Instant::now();
            server.launch(&generations[launched]).await?;
            samples.add(began.elapsed());
            launched += 1;
        }
        tokio::time::sleep(SETTLED).await;
        let memory = share_mb(&below_keeper(&server.data_dir)?)? / size as f64;
        table.told(&format!("up to {size} previews, a launch, median: ms"), samples.median());
        table.told(&format!("{size} previews, proportional share of each: MB"), memory);
        table.told(&format!("{size} previews, serve, resident: MB"), server.resident_mb()?);
    }
    for generation in generations {
        server.stop(generation).await?;
    }
    Ok(())
}
