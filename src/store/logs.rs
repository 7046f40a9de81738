use futures_util::TryStreamExt as _;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::records::read;
use super::{Result, Store, Transaction, placeholders};
use crate::config::LogLevel;
use crate::id::PreviewId;
use crate::time::UnixMillis;

/// Rows of one INSERT.
const ROWS_AT_ONCE: usize = 100;

/// One kept line of a preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Counts up by one from 1 within a preview.
    pub id: i64,
    /// When it was printed.
    pub at: UnixMillis,
    /// How grave it is.
    pub level: LogLevel,
    /// `install`, `startup`, `app`, `request` or `server`.
    pub source: String,
    /// `stdout`, `stderr` or `system`.
    pub stream: String,
    /// What it says.
    pub message: String,
    /// Further fields, as a JSON object.
    pub fields: Option<String>,
}

/// Which lines of a preview are wanted.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Only those after this one.
    pub after_id: i64,
    /// At most so many.
    pub limit: i64,
    /// That level and worse ones.
    pub level: Option<LogLevel>,
    /// From there only.
    pub source: Option<String>,
    /// With this in the message, whatever the case.
    pub q: Option<String>,
}

impl LogQuery {
    /// Whether the line is wanted, the limit aside.
    #[must_use]
    pub fn takes(&self, row: &LogRow) -> bool {
        row.id > self.after_id
            && self.level.is_none_or(|level| row.level >= level)
            && self.source.as_ref().is_none_or(|source| row.source == *source)
            && self.q.as_ref().is_none_or(|q| row.message.to_lowercase().contains(&q.to_lowercase()))
    }
}

impl Store {
    /// Keeps these lines of a preview in place of what was kept. NUL, which PostgreSQL cannot hold, is shown as U+FFFD.
    ///
    /// # Errors
    /// If there is no such preview, or the store fails; then the old lines are still there.
    pub async fn save_logs(&self, id: &PreviewId, rows: &[LogRow]) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM logs WHERE preview_id = $1").bind(id.as_str()).execute(&mut *tx).await?;
        for rows in rows.chunks(ROWS_AT_ONCE) {
            insert(&mut tx, id, rows).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The kept lines that the query takes, in order.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn logs(&self, id: &PreviewId, query: &LogQuery) -> Result<Vec<LogRow>> {
        let limit = usize::try_from(query.limit).unwrap_or(0);
        let mut found = Vec::new();
        // Filtered here: upper and lower case beyond ASCII are not the same to every database.
        let mut rows = sqlx::query("SELECT * FROM logs WHERE preview_id = $1 AND id > $2 ORDER BY id")
            .bind(id.as_str())
            .bind(query.after_id)
            .fetch(&self.readers);
        while found.len() < limit {
            let Some(row) = rows.try_next().await? else { break };
            let row = from_row(&row)?;
            if query.takes(&row) {
                found.push(row);
            }
        }
        Ok(found)
    }

    /// Id of the last kept line; 0 if there is none.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn last_log_id(&self, id: &PreviewId) -> Result<i64> {
        let statement = "SELECT COALESCE(MAX(id), 0) FROM logs WHERE preview_id = $1";
        Ok(sqlx::query_scalar(statement).bind(id.as_str()).fetch_one(&self.readers).await?)
    }
}

async fn insert(tx: &mut Transaction, id: &PreviewId, rows: &[LogRow]) -> Result<()> {
    let statement = format!(
        "INSERT INTO logs (preview_id, id, at, level, source, stream, message, fields) VALUES {}",
        placeholders(rows.len(), 8)
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for row in rows {
        query = query
            .bind(id.as_str())
            .bind(row.id)
            .bind(row.at.0)
            .bind(row.level.as_str())
            .bind(&row.source)
            .bind(&row.stream)
            .bind(row.message.replace('\0', "\u{FFFD}"))
            .bind(&row.fields);
    }
    query.execute(&mut **tx).await?;
    Ok(())
}

fn from_row(row: &AnyRow) -> Result<LogRow> {
    Ok(LogRow {
        id: row.try_get("id")?,
        at: UnixMillis(row.try_get("at")?),
        level: read(row, "level", LogLevel::parse)?,
        source: row.try_get("source")?,
        stream: row.try_get("stream")?,
        message: row.try_get("message")?,
        fields: row.try_get("fields")?,
    })
}
