//! What previewd remembers. The only module that names the database crate: SQLite by default,
//! PostgreSQL for many servers, with the same statements on both.

mod error;
mod files;
mod forget;
mod generations;
mod logs;
mod place;
mod pools;
mod previews;
mod projects;
mod quota;
mod records;
mod requests;
mod servers;

use std::path::{Path, PathBuf};

use sqlx::AnyPool;

pub use self::error::{BeginError, KeepError, StoreError};
pub use self::generations::NewGeneration;
pub use self::logs::{LogQuery, LogRow};
use self::pools::Backend;
pub use self::previews::NewPreview;
pub use self::quota::Usage;
pub use self::records::{FileEntry, Found, Generation, Health, Preview, Project, Status};
pub use self::requests::{RequestQuery, RequestRow};
use crate::config::Quotas;

type Result<T, E = StoreError> = std::result::Result<T, E>;
type Transaction = sqlx::Transaction<'static, sqlx::Any>;

/// A handle to the store; clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    readers: AnyPool,
    /// With SQLite the one connection that writes, so that writers queue here and in order.
    writers: AnyPool,
    backend: Backend,
    /// With SQLite its file.
    place: Option<std::sync::Arc<place::Place>>,
    quotas: Quotas,
    /// Whose previews it is asked for; empty where it is not shared.
    server: std::sync::Arc<str>,
    /// Whether what ended previews were launched with is about to be removed.
    forgetting: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Store {
    /// Connects and brings the schema up to date. `url` is `sqlite://FILE` (made if missing) or `postgres://…`.
    ///
    /// # Errors
    /// If the database cannot be reached, or holds a schema that is not ours or newer.
    pub async fn open(url: &str) -> Result<Self> {
        pools::open(url).await
    }

    /// The same, with limits to what each user keeps.
    #[must_use]
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Self { quotas, ..self }
    }

    /// Connects and changes nothing. `false` if there is no database yet and it would be made: a file of SQLite.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn reach(url: &str) -> Result<bool> {
        pools::reach(url).await
    }

    /// The database's file, if it is SQLite.
    #[must_use]
    pub fn place(url: &str) -> Option<PathBuf> {
        pools::file(url)
    }

    /// Copies a database of SQLite into a new file, whole and as of one moment, whoever writes to it meanwhile.
    /// `false`: it is in no file.
    ///
    /// # Errors
    /// If there is none, or it cannot be copied.
    pub async fn copy(url: &str, to: &Path) -> Result<bool> {
        pools::copy(url, to).await
    }

    /// Succeeds if the database answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        self.writers().map(|_| ())
    }

    /// Number of the newest migration that the schema has.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn schema_version(&self) -> Result<i64> {
        Ok(sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(&self.readers).await?)
    }

    /// For what writes: the file is still there.
    fn writers(&self) -> Result<&AnyPool> {
        self.place.as_ref().map_or(Ok(()), |place| place.check())?;
        Ok(&self.writers)
    }

    async fn write(&self) -> Result<Transaction> {
        match self.writers()?.begin_with(self.backend.begin()).await {
            // A full disk makes SQLite end a transaction by itself, of which its driver knows nothing: that connection
            // is of no use any more.
            Err(sqlx::Error::InvalidSavePointStatement | sqlx::Error::BeginFailed) => {
                let _broken = self.writers.acquire().await?.close().await;
                Ok(self.writers.begin_with(self.backend.begin()).await?)
            }
            begun => Ok(begun?),
        }
    }
}

/// The next number of a counter. Until the transaction ends, others that ask for the same counter wait.
async fn next_number(tx: &mut Transaction, counter: &'static str) -> Result<i64> {
    let statement = "UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value";
    Ok(sqlx::query_scalar(statement).bind(counter).fetch_one(&mut **tx).await?)
}

#[cfg(test)]
mod tests;
