//! `make bench`: what previewd costs, each number beside that of the plain thing, measured in turns in the same run.
//! Compare the ratios; the milliseconds are the machine's. `cargo bench --bench previewd -- logs flood` measures these only.

mod answers;
mod crowds;
mod endpoints;
mod environments;
mod flood;
mod gateway;
mod idle;
mod lasting;
mod launches;
mod load;
mod logs;
mod measure;
mod merging;
mod nginx;
mod plain;
mod processes;
mod server;

use std::error::Error;

use measure::Table;
use server::Server;

/// The benches stop at the first thing that does not work.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let named: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::start(0, &[]).await?;
        let mut table = Table::new();
        table.bounded("serve, idle: resident MB", server.resident_mb()?, 25.0);
        if wanted("launches") {
            launches::measure(&server, &mut table).await?;
        }
        if wanted("crowds") {
            crowds::measure(&server, &mut table).await?;
        }
        if wanted("answers") {
            answers::measure(&server, &mut table).await?;
        }
        if wanted("gateway") {
            gateway::measure(&server, &mut table).await?;
        }
        if wanted("idle") {
            idle::measure(&server, &mut table).await?;
        }
        if wanted("endpoints") {
            endpoints::measure(&server, &mut table).await?;
        }
        if wanted("logs") {
            logs::measure(&server, &mut table).await?;
        }
        if wanted("environments") {
            environments::measure(&server, &mut table).await?;
        }
        table.bounded("serve, after all of this: resident MB", server.resident_mb()?, 25.0);
        server.end().await?;
        if wanted("flood") {
            flood::measure(&mut table).await?;
        }
        // It takes minutes: only where it is named.
        if named.iter().any(|name| name == "lasting") {
            lasting::measure(&mut table).await?;
        }
        Ok(())
    })
}
