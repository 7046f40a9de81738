//! What a preview was launched with may hold secrets, and goes with its end. Its row has it no more, and SQLite overwrites what
//! rows leave in its file (`secure_delete`). The write-ahead file beside it still has the page as it was, until it is emptied.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::{ConnectOptions as _, Connection as _};

use super::pools::Backend;
use super::{Result, Store};

/// From an end until the file is emptied, so that ends in a row share one emptying; and before the second try.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Store {
    /// Sees to it that the write-ahead file is emptied, and waits for nothing. PostgreSQL knows itself when it removes what was.
    pub(super) fn forget_soon(&self) {
        if self.backend != Backend::Sqlite || self.forgetting.swap(true, Ordering::AcqRel) {
            return;
        }
        let store = self.clone();
        tokio::spawn(async move {
            let mut pause = PAUSE;
            loop {
                tokio::time::sleep(pause).await;
                // What ends from now on may come too late for this.
                store.forgetting.store(false, Ordering::Release);
                let emptied = store.empty_write_ahead_file().await;
                if matches!(emptied, Ok(true)) || store.forgetting.swap(true, Ordering::AcqRel) {
                    return;
                }
                tracing::debug!(?emptied, "the store's write-ahead file is not emptied yet");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
    }

    /// `false` if somebody still reads what is in it. Nobody is waited for: whoever writes would wait as well, and a backup
    /// reads for long.
    pub(super) async fn empty_write_ahead_file(&self) -> Result<bool> {
        let _no_other_writer = self.writers()?.acquire().await?;
        let mut connection = self.readers.connect_options().connect().await?;
        sqlx::raw_sql("PRAGMA busy_timeout = 0").execute(&mut connection).await?;
        let (busy, _, _): (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(busy == 0)
    }
}
