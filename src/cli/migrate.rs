use std::process::ExitCode;

use super::fail;
use crate::config::Config;
use crate::store::{Store, StoreError};

/// Migrates and says where the schema is.
pub(super) fn run(config: &Config) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error),
    };
    match runtime.block_on(migrate(&config.store_url)) {
        Ok(version) => {
            println!("the store's schema is at version {version}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(1, &error),
    }
}

async fn migrate(url: &str) -> Result<i64, StoreError> {
    Store::open(url).await?.schema_version().await
}
