//! What the tests share: the built binary in a data directory of its own, and clients of it.

mod answer;
mod apps;
mod disk;
mod environments;
mod guest;
mod leftovers;
mod litter;
mod path;
mod ports;
mod postgres;
mod raw;
mod server;
mod shared;
mod shim;
mod sse;
mod user;

use std::process::Command;
use std::time::Duration;

pub use answer::Answer;
pub use apps::{
    NO_MORE_THAN_A_SERVER, REQUIREMENTS, WITH_WEBSOCKETS, asgi, directory, example, fastapi, packages, probe,
    probe_with_websockets,
};
pub use disk::Disk;
pub use environments::again_as_an_ordinary_user;
pub use guest::Guest;
pub use leftovers::{
    Process, cgroups, command_line, descendants, descriptors, descriptors_but_the_stores, is_ahead, is_alive,
    is_spare, spares,
};
pub use postgres::new_database as postgres_database;
pub use raw::{raw, raw_head};
pub use server::{BINARY, Server, signal};
pub use shim::shim;
pub use sse::{Event, Parser, Stream};
pub use user::{Generation, Preview, User};

/// How long anything may take that is bound to come. Long, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until `look` finds something, more and more rarely: looking costs more than what is waited for.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = tokio::time::Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        let waited = began.elapsed();
        assert!(waited < PATIENCE, "never came: {what}");
        tokio::time::sleep(before_another_look(waited)).await;
    }
}

/// How long to wait before looking again for what was waited for so long.
pub fn before_another_look(waited: Duration) -> Duration {
    (waited / 20).clamp(Duration::from_millis(10), Duration::from_millis(200))
}

/// Where a file of `testdata` is.
pub fn testdata(name: &str) -> String {
    format!("{}/tests/it/testdata/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// What a program says that succeeds.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Text that nobody else has.
pub fn unique(prefix: &str) -> String {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).unwrap();
    format!("{prefix}-{}", hex::encode(bytes))
}
