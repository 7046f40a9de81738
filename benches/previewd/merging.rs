//! Previews whose equal memory the kernel merges.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::processes::{below_keeper, share_mb};
use crate::server::Server;

const KSM: &str = "/sys/kernel/mm/ksm";
/// What the kernel is told while this is measured: to look at twenty times as many pages as by itself.
const BRISKLY: [(&str, &str); 3] = [("pages_to_scan", "2000"), ("sleep_millisecs", "20"), ("run", "1")];
/// Between two looks, and how many looks without less memory mean that all has been found.
const PAUSE: Duration = Duration::from_secs(5);
const LOOKS: usize = 4;
/// Until then at the latest.
const PATIENCE: Duration = Duration::from_secs(150);

/// The proportional share of so many previews once the kernel has found what is equal, or `None` where it may not be told to look. Of what
/// was seen then, the middle: what a preview writes to is its own again until it is found once more.
pub async fn share_of(count: usize, files: &[(String, String)]) -> Outcome<Option<f64>> {
    let Some(_told) = Told::to_merge() else { return Ok(None) };
    let server = Server::start(2, &[("MEMORY_MERGE", "on")]).await?;
    let first = server.upload(files).await?;
    server.launch(&first).await?;
    server.stop(&first).await?;
    made_ahead(&server).await?;
    let mut running = Vec::new();
    for _ in 0..count {
        let generation = server.upload(files).await?;
        server.launch(&generation).await?;
        running.push(generation);
    }
    let share = settled(&server).await?;
    for generation in &running {
        server.stop(generation).await?;
    }
    server.end().await?;
    Ok(Some(share))
}

/// Waits until there is a zygote that has forked: what is executed shares nothing.
async fn made_ahead(server: &Server) -> Outcome<()> {
    let end = Instant::now() + PATIENCE;
    let is_spare =
        |pid: &i32| std::fs::read(format!("/proc/{pid}/comm")).is_ok_and(|name| name == b"spare\n");
    while !below_keeper(&server.data_dir)?.iter().any(is_spare) {
        if Instant::now() > end {
            return Err("no zygote forks".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn settled(server: &Server) -> Outcome<f64> {
    let end = Instant::now() + PATIENCE;
    let (mut least, mut since) = (f64::INFINITY, Vec::new());
    while since.len() < LOOKS && Instant::now() < end {
        tokio::time::sleep(PAUSE).await;
        let now = share_mb(&below_keeper(&server.data_dir)?)?;
        if now < least {
            least = now;
            since.clear();
        }
        since.push(now);
    }
    since.sort_by(f64::total_cmp);
    since.get(since.len() / 2).copied().ok_or_else(|| "nothing was seen".into())
}

/// The kernel's merging, as it was before once this is dropped.
struct Told(Vec<(&'static str, String)>);

impl Told {
    fn to_merge() -> Option<Self> {
        let mut before = Self(Vec::new());
        for (name, value) in BRISKLY {
            let path = Path::new(KSM).join(name);
            let was = std::fs::read_to_string(&path).ok()?;
            std::fs::write(path, value).ok()?;
            before.0.push((name, was));
        }
        Some(before)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        for (name, was) in self.0.iter().rev() {
            if let Err(error) = std::fs::write(Path::new(KSM).join(name), was.trim()) {
                eprintln!("{KSM}/{name} should be {was}: {error}");
            }
        }
    }
}
