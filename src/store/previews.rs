use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use super::projects::ensure_user;
use super::{BeginError, Health, Preview, Result, Store, StoreError, Transaction, next_number};
use crate::error::LaunchFailure;
use crate::id::{GenerationId, PreviewId, ProjectId, UserId};
use crate::time::UnixMillis;

/// A launch that asks for its place.
#[derive(Clone, Debug)]
pub struct NewPreview {
    /// Its id.
    pub id: PreviewId,
    /// What is launched.
    pub generation_id: GenerationId,
    /// Where that belongs.
    pub project_id: ProjectId,
    /// Whose it is.
    pub user_id: UserId,
    /// Revision of the code.
    pub revision: i64,
    /// When it was asked for.
    pub created_at: UnixMillis,
    /// When its time is over.
    pub expires_at: UnixMillis,
    /// The launch request, for whoever has to do it again.
    pub launch: String,
}

impl Store {
    /// Gives a launch its place and the lowest free port of `ports` that is not among `taken` ones.
    /// Racing calls are decided one after the other: the limit holds, and a generation has one active preview.
    ///
    /// # Errors
    /// If it may not begin; then nothing has changed, unless that is [`BeginError::Doubtful`].
    pub async fn begin_preview(
        &self,
        new: NewPreview,
        limit: u32,
        ports: RangeInclusive<u16>,
        taken: &[u16],
    ) -> Result<u16, BeginError> {
        let mut tx = self.write().await?;
        let number = next_number(&mut tx, "previews").await?;
        check_place(&mut tx, &new, limit).await?;
        let port = free_port(&mut tx, &self.server, ports, taken).await?.ok_or(BeginError::PortsExhausted)?;
        ensure_user(&mut tx, &new.user_id, new.created_at).await?;
        sqlx::query(
            "INSERT INTO previews (id, number, generation_id, project_id, user_id, status, port, revision, \
             created_at, expires_at, health, launch, server) \
             VALUES ($1, $2, $3, $4, $5, 'launching', $6, $7, $8, $9, 'unknown', $10, $11)",
        )
        .bind(new.id.as_str())
        .bind(number)
        .bind(new.generation_id.as_str())
        .bind(new.project_id.as_str())
        .bind(&new.user_id.0)
        .bind(i64::from(port))
        .bind(new.revision)
        .bind(new.created_at.0)
        .bind(new.expires_at.0)
        .bind(&new.launch)
        .bind(self.server.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await.map_err(|e| BeginError::Doubtful(e.into()))?;
        Ok(port)
    }

    /// Takes a launch back that never got as far as having an address. `false` if it is not launching.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn withdraw_preview(&self, id: &PreviewId) -> Result<bool> {
        let statement = "DELETE FROM previews WHERE id = $1 AND status = 'launching'";
        self.end(sqlx::query(statement).bind(id.as_str())).await
    }

    /// Moves an active preview to another port. `false` if it is not active.
    ///
    /// # Errors
    /// If the port is another active preview's, or the store fails.
    pub async fn set_port(&self, id: &PreviewId, port: u16) -> Result<bool> {
        let statement = "UPDATE previews SET port = $2 WHERE id = $1 AND status IN ('launching', 'running')";
        self.change(sqlx::query(statement).bind(id.as_str()).bind(i64::from(port))).await
    }

    /// It serves. `false` if it was not launching any more.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn mark_running(
        &self,
        id: &PreviewId,
        at: UnixMillis,
        health: Health,
        revision: i64,
    ) -> Result<bool> {
        let statement = "UPDATE previews SET status = 'running', started_at = $2, health = $3, \
                         last_health_check = $2, revision = $4 WHERE id = $1 AND status = 'launching'";
        let query = sqlx::query(statement).bind(id.as_str()).bind(at.0).bind(health.as_str()).bind(revision);
        self.change(query).await
    }

    /// It ended by itself: `launch_failed` if it never served, else `crashed`. `false` if it had ended before.
    /// What it was launched with may hold secrets, and is not kept any longer.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn mark_failed(&self, id: &PreviewId, failure: &LaunchFailure, at: UnixMillis) -> Result<bool> {
        let json = serde_json::to_string(failure)
            .map_err(|source| StoreError::new("a failure cannot be written", source))?;
        let statement = "UPDATE previews SET status = 'failed', launch = '{}', failure = $2, stopped_at = $3, stop_reason = \
                         CASE status WHEN 'launching' THEN 'launch_failed' ELSE 'crashed' END \
                         WHERE id = $1 AND status IN ('launching', 'running')";
        self.end(sqlx::query(statement).bind(id.as_str()).bind(json).bind(at.0)).await
    }

    /// We ended it, or cleared a failed one. `false` if it was stopped before. What it was launched with goes likewise.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn mark_stopped(&self, id: &PreviewId, reason: &str, at: UnixMillis) -> Result<bool> {
        let statement = "UPDATE previews SET status = 'stopped', launch = '{}', stop_reason = $2, stopped_at = $3 \
                         WHERE id = $1 AND status <> 'stopped'";
        self.end(sqlx::query(statement).bind(id.as_str()).bind(reason.to_owned()).bind(at.0)).await
    }

    /// What its health route said. `false` if it does not run.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn set_health(&self, id: &PreviewId, health: Health, at: UnixMillis) -> Result<bool> {
        let statement =
            "UPDATE previews SET health = $2, last_health_check = $3 WHERE id = $1 AND status = 'running'";
        self.change(sqlx::query(statement).bind(id.as_str()).bind(health.as_str()).bind(at.0)).await
    }

    /// Another start serves now: of other code, or after a sleep. `false` if it is not active.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn set_serving(&self, id: &PreviewId, revision: i64, slot: u32) -> Result<bool> {
        let statement = "UPDATE previews SET revision = $2, slot = $3, asleep = 0 \
                         WHERE id = $1 AND status IN ('launching', 'running')";
        self.change(sqlx::query(statement).bind(id.as_str()).bind(revision).bind(i64::from(slot))).await
    }

    /// It is about to have no process until somebody asks. `false` if it does not run.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn set_asleep(&self, id: &PreviewId) -> Result<bool> {
        let statement = "UPDATE previews SET asleep = 1 WHERE id = $1 AND status = 'running'";
        self.change(sqlx::query(statement).bind(id.as_str())).await
    }

    /// All that launch or run on this server, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn active_previews(&self) -> Result<Vec<Preview>> {
        let statement = "SELECT * FROM previews WHERE status IN ('launching', 'running') AND server = $1 \
                         ORDER BY number";
        self.select(sqlx::query(statement).bind(self.server.to_string())).await
    }

    /// One preview.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn preview(&self, id: &PreviewId) -> Result<Option<Preview>> {
        let found =
            self.select(sqlx::query("SELECT * FROM previews WHERE id = $1").bind(id.as_str())).await?;
        Ok(found.into_iter().next())
    }

    /// The last preview that a generation had.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn latest_preview(&self, id: &GenerationId) -> Result<Option<Preview>> {
        let statement = "SELECT * FROM previews WHERE generation_id = $1 ORDER BY number DESC LIMIT 1";
        Ok(self.select(sqlx::query(statement).bind(id.as_str())).await?.into_iter().next())
    }

    /// The preview that was launched last.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn newest_preview(&self) -> Result<Option<Preview>> {
        let statement = "SELECT * FROM previews ORDER BY number DESC LIMIT 1";
        Ok(self.select(sqlx::query(statement)).await?.into_iter().next())
    }

    /// A user's previews, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn previews_of(&self, user: &UserId) -> Result<Vec<Preview>> {
        let statement = "SELECT * FROM previews WHERE user_id = $1 ORDER BY number DESC";
        self.select(sqlx::query(statement).bind(user.0.clone())).await
    }

    async fn change(&self, query: Query<'_, Any, AnyArguments>) -> Result<bool> {
        Ok(query.execute(self.writers()?).await?.rows_affected() > 0)
    }

    async fn end(&self, query: Query<'_, Any, AnyArguments>) -> Result<bool> {
        let ended = self.change(query).await?;
        if ended {
            self.forget_soon();
        }
        Ok(ended)
    }

    async fn select(&self, query: Query<'_, Any, AnyArguments>) -> Result<Vec<Preview>> {
        query.fetch_all(&self.readers).await?.iter().map(Preview::from_row).collect()
    }
}

async fn check_place(tx: &mut Transaction, new: &NewPreview, limit: u32) -> Result<(), BeginError> {
    let running: Option<String> = sqlx::query_scalar(
        "SELECT id FROM previews WHERE generation_id = $1 AND status IN ('launching', 'running')",
    )
    .bind(new.generation_id.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(id) = running {
        return Err(BeginError::AlreadyRunning(PreviewId::parse(&id).ok_or_else(|| StoreError::row("id"))?));
    }
    let active: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM previews WHERE user_id = $1 AND status IN ('launching', 'running')",
    )
    .bind(&new.user_id.0)
    .fetch_one(&mut **tx)
    .await?;
    let active = u32::try_from(active).unwrap_or(u32::MAX);
    if active < limit { Ok(()) } else { Err(BeginError::LimitReached { limit, active }) }
}

async fn free_port(
    tx: &mut Transaction,
    server: &str,
    ports: RangeInclusive<u16>,
    taken: &[u16],
) -> Result<Option<u16>> {
    let held: Vec<i64> = sqlx::query_scalar(
        "SELECT port FROM previews WHERE status IN ('launching', 'running') AND port IS NOT NULL AND server = $1",
    )
    .bind(server.to_owned())
    .fetch_all(&mut **tx)
    .await?;
    let held: BTreeSet<i64> = held.into_iter().chain(taken.iter().copied().map(i64::from)).collect();
    Ok(ports.into_iter().find(|port| !held.contains(&i64::from(*port))))
}
