use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions as _, Connection as _, SqlSafeStr as _};

use super::place::{Place, require_database};
use super::{Result, Store, StoreError};
use crate::config::Quotas;
use crate::private;

/// Connections for reading SQLite, or for everything with PostgreSQL.
const CONNECTIONS: u32 = 8;

/// Each connection to SQLite: no reader waits for the writer, other processes are waited for, and nothing is left of what was deleted.
const SQLITE_SETUP: &str = "PRAGMA busy_timeout = 30000; PRAGMA journal_mode = WAL; \
                            PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; \
                            PRAGMA secure_delete = ON";

/// Each connection to PostgreSQL: locks of others are waited for as long, unless its operator has set something else.
const POSTGRES_SETUP: &str =
    "SELECT set_config('lock_timeout', '30s', false) WHERE current_setting('lock_timeout') = '0'";

/// Number, name and text: for SQLite, and for PostgreSQL.
pub(super) type Step = (i64, &'static str, &'static str, &'static str);

pub(super) const MIGRATIONS: &[Step] = &[
    both(1, "first", include_str!("migrations/0001_first.sql")),
    both(2, "log history", include_str!("migrations/0002_log_history.sql")),
    (
        3,
        "log search",
        include_str!("migrations/0003_log_search.sqlite.sql"),
        include_str!("migrations/0003_log_search.postgres.sql"),
    ),
    both(4, "found", include_str!("migrations/0004_found.sql")),
    both(5, "requests", include_str!("migrations/0005_requests.sql")),
    both(6, "servers", include_str!("migrations/0006_servers.sql")),
];

const fn both(number: i64, name: &'static str, text: &'static str) -> Step {
    (number, name, text, text)
}

/// Number of the lock that migrations of PostgreSQL hold: "previewd" in ASCII.
const MIGRATION_LOCK: i64 = i64::from_be_bytes(*b"previewd");

/// How long a start waits for a database that does not answer, and a call for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which database it is; only what the standard leaves open differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    /// Starts a transaction that writes. With SQLite not a plain BEGIN: a transaction that reads first
    /// and writes later fails if another process wrote between.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// Placeholders for `rows` rows of `columns` values each: `($1, $2), ($3, $4)`. SQLite looks for a name among all others
    /// each time that it is used, which takes longer than the rows: there they have none.
    pub(super) fn placeholders(self, rows: usize, columns: usize) -> String {
        let mut text = String::new();
        for value in 0..rows * columns {
            text.push_str(match value {
                0 => "(",
                _ if value % columns == 0 => "), (",
                _ => ", ",
            });
            match self {
                Self::Sqlite => text.push('?'),
                Self::Postgres => {
                    // A text takes what is written to it.
                    let _written = write!(text, "${}", value + 1);
                }
            }
        }
        text + ")"
    }

    fn blob_type(self) -> &'static str {
        match self {
            Self::Sqlite => "BLOB",
            Self::Postgres => "BYTEA",
        }
    }

    /// A key of 64 bits that is the row's own number where rows have one.
    fn big_key(self) -> &'static str {
        match self {
            Self::Sqlite => "INTEGER",
            Self::Postgres => "BIGINT",
        }
    }
}

/// Connects to either database and migrates it.
pub(super) async fn open(url: &str) -> Result<Store> {
    let store = open_with(url, MIGRATIONS).await?;
    // A server that was killed may have left something.
    store.forget_soon();
    Ok(store)
}

/// The same as of another version, which had these migrations.
pub(super) async fn open_with(url: &str, migrations: &[Step]) -> Result<Store> {
    sqlx::any::install_default_drivers();
    let store = if url.starts_with("sqlite:") { sqlite(url).await } else { postgres(url).await }?;
    migrate(&store, migrations).await?;
    Ok(store)
}

/// Connects once, to see whether that works.
pub(super) async fn reach(url: &str) -> Result<bool> {
    sqlx::any::install_default_drivers();
    let failed = |source| StoreError::new("the store cannot be connected to", source);
    if let Some(file) = file(url) {
        if !file.exists() {
            return Ok(false);
        }
        require_database(&file)?;
    }
    let mut connection = AnyConnection::connect(url).await.map_err(failed)?;
    if file(url).is_some() {
        // SQLite reads nothing until it is asked.
        sqlx::query("SELECT COUNT(*) FROM sqlite_master").execute(&mut connection).await?;
    }
    connection.close().await.map_err(failed)?;
    Ok(true)
}

pub(super) fn file(url: &str) -> Option<PathBuf> {
    let options = url.starts_with("sqlite:").then(|| SqliteConnectOptions::from_str(url));
    options?.ok().map(|options| options.get_filename().to_owned())
}

pub(super) async fn copy(url: &str, to: &Path) -> Result<bool> {
    sqlx::any::install_default_drivers();
    if file(url).is_none() {
        return Ok(false);
    }
    let failed = |source| StoreError::new("the store's file cannot be copied", source);
    let to = to.to_str().ok_or_else(|| StoreError::new("the copy's name is no text", "choose another"))?;
    let mut connection = AnyConnection::connect(url).await.map_err(failed)?;
    sqlx::raw_sql("PRAGMA busy_timeout = 30000").execute(&mut connection).await.map_err(failed)?;
    sqlx::query("VACUUM INTO $1").bind(to.to_owned()).execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(true)
}

async fn sqlite(url: &str) -> Result<Store> {
    let failed = |source| StoreError::new("the store's file cannot be opened", source);
    let file = SqliteConnectOptions::from_str(url).map_err(|source| failed(source.to_string()))?;
    let file = file.get_filename();
    make_private(file).map_err(|source| failed(source.to_string()))?;
    // A pool goes on trying and then says only that it took too long; one connection says why.
    reach(url).await?;
    let place = Place::of(file).map_err(|source| failed(source.to_string()))?;
    let writers = pool(url, 1, SQLITE_SETUP).await?;
    let readers = pool(url, CONNECTIONS, SQLITE_SETUP).await?;
    Ok(Store { place: Some(Arc::new(place)), ..store(readers, writers, Backend::Sqlite) })
}

async fn postgres(url: &str) -> Result<Store> {
    reach(url).await?;
    let pool = pool(url, CONNECTIONS, POSTGRES_SETUP).await?;
    Ok(store(pool.clone(), pool, Backend::Postgres))
}

fn store(readers: AnyPool, writers: AnyPool, backend: Backend) -> Store {
    let (quotas, server, forgetting) = (Quotas::default(), Arc::default(), Arc::default());
    Store { readers, writers, backend, place: None, quotas, server, forgetting }
}

async fn pool(url: &str, connections: u32, setup: &'static str) -> Result<AnyPool> {
    let failed = |source| StoreError::new("the store cannot be connected to", source);
    let options = AnyConnectOptions::from_str(url).map_err(failed)?.disable_statement_logging();
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(setup).execute(connection).await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .map_err(failed)
}

/// SQLite gives the files beside its own the same mode. What exists is left as it is.
fn make_private(file: &Path) -> io::Result<()> {
    if let Some(parent) = file.parent() {
        private::make_dir(parent)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(_) => {
            tracing::info!(file = %file.display(), "a new store is made: there was none");
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// All of it in one transaction, so that two processes at their first start do it one after the other.
async fn migrate(store: &Store, migrations: &[Step]) -> Result<()> {
    let failed = |source| StoreError::new("the store's schema cannot be brought up to date", source);
    let migration = |(version, name, sqlite, postgres): &Step| {
        let text = if store.backend == Backend::Sqlite { sqlite } else { postgres };
        let text = text.replace("BLOB_TYPE", store.backend.blob_type());
        let sql = AssertSqlSafe(text.replace("BIG_KEY", store.backend.big_key())).into_sql_str();
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
    };
    let mut migrator = Migrator::with_migrations(migrations.iter().map(migration).collect());
    // Its own lock would end before the transaction does.
    migrator.set_locking(false);
    let mut tx = store.write().await?;
    if store.backend == Backend::Postgres {
        // Another start may have much to do; it is waited for.
        sqlx::raw_sql("SET LOCAL lock_timeout = 0").execute(&mut *tx).await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *tx).await?;
    }
    migrator.run_direct(None, &mut *tx, false).await.map_err(failed)?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_places() {
        assert_eq!(Backend::Sqlite.placeholders(2, 3), "(?, ?, ?), (?, ?, ?)");
        assert_eq!(Backend::Postgres.placeholders(2, 2), "($1, $2), ($3, $4)");
    }
}
