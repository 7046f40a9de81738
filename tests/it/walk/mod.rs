//! A random walk: everything that callers do and everything that may befall a server, in any order and at once, with what must
//! always hold looked at after each step.
//!
//! `PREVIEW_WALK_SECONDS` is its length, `PREVIEW_WALK_SEED` makes it take the same way again: what is done, to what, and how long
//! into it the next thing comes depend on the seed alone.

mod invariants;
mod random;
mod rows;
mod shortages;
mod steps;

use std::time::{Duration, Instant};

use crate::harness::{Disk, Generation, Server, asgi};

use random::Random;
use steps::Step;

/// How long it is if nobody says.
const SECONDS: u64 = 60;
/// A preview's time: it is over now and then within the walk.
const SESSION: &str = "15";
/// For its data, and no more than may be filled within a moment.
const DISK: &str = "size=60m,nr_inodes=2000";

/// Who does what, and what has been done.
pub struct Walk {
    server: Server,
    /// Where one can be made.
    disk: Option<Disk>,
    random: Random,
    apps: Vec<Generation>,
    seed: u64,
    trail: Vec<String>,
}

impl Walk {
    async fn begin(seed: u64) -> Self {
        let mut disk = None;
        let settings = [("SESSION_TIMEOUT", SESSION), ("LAUNCH_TIMEOUT", "20")];
        let server = Server::within(&settings, |data_dir| disk = Disk::on(data_dir, DISK)).await;
        // Three of one user, who may have three at once less often than wanted; two of another, who may have one.
        let (pro, free) = (server.user_of("pro", "ana"), server.user("bo"));
        let mut apps = Vec::new();
        for user in [&pro, &pro, &free, &free] {
            apps.push(user.upload(&speaker(0)).await);
        }
        Self { server, disk, random: Random(seed), apps, seed, trail: Vec::new() }
    }

    async fn take_steps(&mut self, length: Duration) {
        let began = Instant::now();
        while began.elapsed() < length {
            let step = Step::choose(&mut self.random, self.apps.len());
            self.trail.push(format!("{step:?}"));
            step.take(self).await;
            self.look().await;
        }
    }

    /// Nothing runs any more, so nothing is there.
    async fn finish(mut self) {
        for app in self.apps.clone() {
            app.stop().await;
        }
        self.look().await;
        let next = self.apps[0].user.upload(&speaker(0)).await;
        assert_eq!(next.launch().await.get("/x").await.text(), "you asked for /x");
        next.stop().await.expect(200);
        self.look().await;
        self.look_at_descriptors();
        println!("walked {} steps with PREVIEW_WALK_SEED={}", self.trail.len(), self.seed);
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let last = self.trail.iter().enumerate().skip(self.trail.len().saturating_sub(12));
            let last: Vec<_> = last.map(|(number, step)| format!("{number}: {step}")).collect();
            eprintln!(
                "PREVIEW_WALK_SEED={} takes this way again; it ended with\n{}",
                self.seed,
                last.join("\n")
            );
        }
    }
}

/// An application that says a little, whoever asks.
fn speaker(revision: u64) -> serde_json::Value {
    asgi(&format!("print('revision {revision}', flush=True)\nprint('and on', flush=True)"))
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
}

/// A whole walk.
pub async fn take() {
    let mut chosen = [0; 8];
    getrandom::fill(&mut chosen).unwrap();
    let seed = setting("PREVIEW_WALK_SEED").unwrap_or(u64::from_le_bytes(chosen));
    let mut walk = Walk::begin(seed).await;
    walk.take_steps(Duration::from_secs(setting("PREVIEW_WALK_SECONDS").unwrap_or(SECONDS))).await;
    walk.finish().await;
}
