use std::error::Error as StdError;

use crate::error::Error;
use crate::id::PreviewId;

/// The store could not do what was asked. For the server's log; callers of the API are told nothing of it.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct StoreError {
    doing: &'static str,
    /// The database is full, locked, slow or gone, and nothing is wrong with what was asked.
    away: bool,
    #[source]
    source: Box<dyn StdError + Send + Sync>,
}

impl StoreError {
    pub(super) fn new(doing: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { doing, away: false, source: source.into() }
    }

    /// The database cannot be used at the moment.
    pub(super) fn away(doing: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { away: true, ..Self::new(doing, source) }
    }

    /// The error with what caused it, for the server's log.
    #[must_use]
    pub fn whole(&self) -> String {
        format!("{self}: {}", self.source)
    }

    /// A row that this version would never have written.
    pub(super) fn row(column: &str) -> Self {
        Self::new("a row of the store cannot be read", format!("column {column}"))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(source: sqlx::Error) -> Self {
        let away = is_away(&source);
        let doing = match is_damaged(&source) {
            true => "the store's file is damaged: end the server, and restore a backup",
            false => "the store did not answer as it should",
        };
        Self { away, ..Self::new(doing, source) }
    }
}

/// Whether SQLite found something in its file that it has not written: `SQLITE_CORRUPT`, `SQLITE_NOTADB`.
fn is_damaged(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| matches!(code.as_ref(), "11" | "26"))
}

/// Whether it is the database's state, and neither the statement's fault nor a row's.
fn is_away(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    match error {
        E::Database(refused) => refused.kind() == sqlx::error::ErrorKind::Other,
        E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => true,
        // A full disk has ended the transaction.
        _ => matches!(error, E::BeginFailed | E::InvalidSavePointStatement),
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error.away {
            true => Self::StoreUnavailable(Box::new(error)),
            false => Self::internal(error),
        }
    }
}

/// Why something is not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The user would keep more than is allowed.
    #[error("{used} of {limit} {what} are kept")]
    OverQuota {
        /// `projects`, `generations` or `storedBytes`.
        what: &'static str,
        /// What is allowed.
        limit: u64,
        /// What there is.
        used: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for KeepError {
    fn from(source: sqlx::Error) -> Self {
        Self::Store(source.into())
    }
}

impl From<KeepError> for Error {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::OverQuota { what, limit, used } => Self::QuotaReached { what, limit, used },
            KeepError::Store(error) => error.into(),
        }
    }
}

/// Why a preview may not begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The generation was deleted meanwhile.
    #[error("there is no such generation any more")]
    GenerationGone,
    /// The generation has an active one.
    #[error("preview {0} of this generation is active")]
    AlreadyRunning(PreviewId),
    /// The user has as many as are allowed.
    #[error("{active} of {limit} previews are active")]
    LimitReached {
        /// What is allowed.
        limit: u32,
        /// What is active.
        active: u32,
    },
    /// No port of the pool is free.
    #[error("no port is free")]
    PortsExhausted,
    /// The store did not say whether it has the launch: the connection broke in that moment.
    #[error("whether it has begun is not known")]
    Doubtful(#[source] StoreError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BeginError {
    fn from(source: sqlx::Error) -> Self {
        // Of what a preview refers to, generations alone are ever removed.
        if source.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation) {
            return Self::GenerationGone;
        }
        Self::Store(source.into())
    }
}
