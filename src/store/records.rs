use serde::Serialize;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Result, StoreError};
use crate::error::LaunchFailure;
use crate::id::{GenerationId, PreviewId, ProjectId, UserId};
use crate::time::UnixMillis;

/// What generations are gathered under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub user_id: UserId,
    /// What its user calls it.
    pub name: String,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// One uploaded backend, without its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its id.
    pub id: GenerationId,
    /// Where it belongs.
    pub project_id: ProjectId,
    /// Whose it is.
    pub user_id: UserId,
    /// What its user calls it.
    pub name: String,
    /// 1 as uploaded, one more with each patch.
    pub revision: i64,
    /// The entry point named at the upload.
    pub entrypoint: Option<String>,
    /// What serves it, as its source was last read: the revision that was read, and what was found.
    pub found: Option<Found>,
    /// How many files it has.
    pub file_count: i64,
    /// Their sizes together.
    pub total_bytes: i64,
    /// When it was uploaded.
    pub created_at: UnixMillis,
}

/// The entry point that was found in the source of one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What was read.
    pub revision: i64,
    /// `package.module:attribute`, where there is one.
    pub entrypoint: Option<String>,
}

/// One file of a generation, without its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileEntry {
    /// Relative, with `/`.
    pub path: String,
    /// In bytes.
    pub size: i64,
    /// Of the content, in hexadecimal.
    pub sha256: String,
}

/// One launch and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Its id.
    pub id: PreviewId,
    /// What was launched.
    pub generation_id: GenerationId,
    /// Where that belongs.
    pub project_id: ProjectId,
    /// Whose it is.
    pub user_id: UserId,
    /// Where it is in its life.
    pub status: Status,
    /// Its port of the pool; the one that it had, once it has ended.
    pub port: Option<u16>,
    /// Revision of the code that serves.
    pub revision: i64,
    /// When its launch was asked for.
    pub created_at: UnixMillis,
    /// When it first served.
    pub started_at: Option<UnixMillis>,
    /// When its time is over.
    pub expires_at: UnixMillis,
    /// When it ended.
    pub stopped_at: Option<UnixMillis>,
    /// Why it ended, as the contract's `stopReason`.
    pub stop_reason: Option<String>,
    /// What went wrong.
    pub failure: Option<LaunchFailure>,
    /// What its health route last said.
    pub health: Health,
    /// When that was.
    pub last_health_check: Option<UnixMillis>,
    /// The launch request, as whoever launched wrote it.
    pub launch: String,
}

/// Where a preview is in its life. On the wire: `launching`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not serving yet.
    Launching,
    /// Serving.
    Running,
    /// Ended by itself; `failure` says how.
    Failed,
    /// Ended by us.
    Stopped,
}

impl Status {
    /// The name on the wire and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launching => "launching",
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// Whether it holds a port and a place in its user's limit.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Launching | Self::Running)
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Launching, Self::Running, Self::Failed, Self::Stopped].into_iter().find(|s| s.as_str() == name)
    }
}

/// What a preview's health route says. On the wire: `healthy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It has none, or was not asked.
    Unknown,
    /// 2xx.
    Healthy,
    /// 5xx.
    Unhealthy,
}

impl Health {
    /// The name on the wire and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Unknown, Self::Healthy, Self::Unhealthy].into_iter().find(|h| h.as_str() == name)
    }
}

impl Project {
    pub(super) fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            id: read(row, "id", ProjectId::parse)?,
            user_id: UserId(row.try_get("user_id")?),
            name: row.try_get("name")?,
            created_at: UnixMillis(row.try_get("created_at")?),
        })
    }
}

impl Generation {
    pub(super) fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            id: read(row, "id", GenerationId::parse)?,
            project_id: read(row, "project_id", ProjectId::parse)?,
            user_id: UserId(row.try_get("user_id")?),
            name: row.try_get("name")?,
            revision: row.try_get("revision")?,
            entrypoint: row.try_get("entrypoint")?,
            found: row.try_get::<Option<i64>, _>("found_revision")?.map_or(Ok(None), |revision| {
                row.try_get("found_entrypoint").map(|entrypoint| Some(Found { revision, entrypoint }))
            })?,
            file_count: row.try_get("file_count")?,
            total_bytes: row.try_get("total_bytes")?,
            created_at: UnixMillis(row.try_get("created_at")?),
        })
    }
}

impl Preview {
    pub(super) fn from_row(row: &AnyRow) -> Result<Self> {
        let failure: Option<String> = row.try_get("failure")?;
        let port: Option<i64> = row.try_get("port")?;
        Ok(Self {
            id: read(row, "id", PreviewId::parse)?,
            generation_id: read(row, "generation_id", GenerationId::parse)?,
            project_id: read(row, "project_id", ProjectId::parse)?,
            user_id: UserId(row.try_get("user_id")?),
            status: read(row, "status", Status::parse)?,
            port: port.map(u16::try_from).transpose().map_err(|_| StoreError::row("port"))?,
            revision: row.try_get("revision")?,
            created_at: UnixMillis(row.try_get("created_at")?),
            started_at: row.try_get::<Option<i64>, _>("started_at")?.map(UnixMillis),
            expires_at: UnixMillis(row.try_get("expires_at")?),
            stopped_at: row.try_get::<Option<i64>, _>("stopped_at")?.map(UnixMillis),
            stop_reason: row.try_get("stop_reason")?,
            failure: failure
                .map(|json| serde_json::from_str(&json))
                .transpose()
                .map_err(|_| StoreError::row("failure"))?,
            health: read(row, "health", Health::parse)?,
            last_health_check: row.try_get::<Option<i64>, _>("last_health_check")?.map(UnixMillis),
            launch: row.try_get("launch")?,
        })
    }
}

/// A text column that is one of a closed set of texts.
pub(super) fn read<T>(row: &AnyRow, column: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
    parse(&row.try_get::<String, _>(column)?).ok_or_else(|| StoreError::row(column))
}
