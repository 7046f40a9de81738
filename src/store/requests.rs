use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::pools::Backend;
use super::{Result, Store, StoreError, Transaction};
use crate::id::{GenerationId, PreviewId};
use crate::time::UnixMillis;

/// Rows of one INSERT.
const ROWS_AT_ONCE: usize = 50;
/// What a list shows; a detail is as long as two bodies.
const SUMMARY: &str = "generation_id, id, preview_id, revision, at, request_id, via, method, target, status, \
                       duration_micros, request_bytes, response_bytes";

/// What a preview was asked, and what it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Counts up from 1 within a generation; given when it is saved.
    pub id: i64,
    /// Which launch it was.
    pub preview_id: PreviewId,
    /// Revision of the code that answered.
    pub revision: i64,
    /// When it was asked.
    pub at: UnixMillis,
    /// Its name in the log.
    pub request_id: String,
    /// `address`, `api` or `replay`.
    pub via: String,
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub target: String,
    /// The answer's status; `None` if there was no answer.
    pub status: Option<i64>,
    /// From sending to the last byte.
    pub duration_micros: i64,
    /// Bytes of its body.
    pub request_bytes: i64,
    /// Bytes of the answer's body.
    pub response_bytes: i64,
}

/// Which requests of a generation are wanted.
#[derive(Clone, Debug, Default)]
pub struct RequestQuery {
    /// Only those before this one.
    pub before_id: Option<i64>,
    /// At most so many.
    pub limit: usize,
    /// With this method.
    pub method: Option<String>,
    /// With this status, or one of this hundred if it is below 10.
    pub status: Option<i64>,
    /// With this in method, target or request id, whatever the case.
    pub q: Option<String>,
}

impl RequestQuery {
    fn takes(&self, row: &RequestRow) -> bool {
        let has = |text: &str, q: &str| text.to_lowercase().contains(&q.to_lowercase());
        let matches =
            |q: &String| [&row.method, &row.target, &row.request_id].iter().any(|text| has(text, q));
        let status_is = |wanted: i64| {
            row.status
                .is_some_and(|status| if wanted < 10 { status / 100 == wanted } else { status == wanted })
        };
        self.method.as_ref().is_none_or(|method| row.method.eq_ignore_ascii_case(method))
            && self.status.is_none_or(status_is)
            && self.q.as_ref().is_none_or(matches)
    }
}

impl Store {
    /// Keeps these requests of a generation with their details, oldest first, and forgets all but the last `keep`.
    ///
    /// # Errors
    /// If there is no such generation, or the store fails.
    pub async fn save_requests(
        &self,
        generation: &GenerationId,
        requests: &[(RequestRow, String)],
        keep: i64,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let newest = "SELECT COALESCE(MAX(id), 0) FROM requests WHERE generation_id = $1";
        let newest: i64 = sqlx::query_scalar(newest).bind(generation.as_str()).fetch_one(&mut *tx).await?;
        let mut next = newest + 1;
        for requests in requests.chunks(ROWS_AT_ONCE) {
            next = insert(&mut tx, self.backend, generation, requests, next).await?;
        }
        sqlx::query("DELETE FROM requests WHERE generation_id = $1 AND id < $2")
            .bind(generation.as_str())
            .bind(next - keep)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// The kept requests that the query takes, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn requests(&self, generation: &GenerationId, query: &RequestQuery) -> Result<Vec<RequestRow>> {
        let statement =
            format!("SELECT {SUMMARY} FROM requests WHERE generation_id = $1 AND id < $2 ORDER BY id DESC");
        let rows = sqlx::query(AssertSqlSafe(statement))
            .bind(generation.as_str())
            .bind(query.before_id.unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
        let mut found = Vec::new();
        // Filtered here: upper and lower case beyond ASCII are not the same to every database.
        for row in &rows {
            let row = from_row(row)?;
            if query.takes(&row) && found.len() < query.limit {
                found.push(row);
            }
        }
        Ok(found)
    }

    /// One kept request with its detail.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn request(&self, generation: &GenerationId, id: i64) -> Result<Option<(RequestRow, String)>> {
        let found = sqlx::query("SELECT * FROM requests WHERE generation_id = $1 AND id = $2")
            .bind(generation.as_str())
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        found.map(|row| Ok((from_row(&row)?, row.try_get("detail")?))).transpose()
    }
}

async fn insert(
    tx: &mut Transaction,
    backend: Backend,
    generation: &GenerationId,
    requests: &[(RequestRow, String)],
    first: i64,
) -> Result<i64> {
    let values = backend.placeholders(requests.len(), 14);
    let statement = format!("INSERT INTO requests ({SUMMARY}, detail) VALUES {values}");
    let mut query = sqlx::query(AssertSqlSafe(statement));
    let mut next = first;
    for (row, detail) in requests {
        query = query
            .bind(generation.as_str())
            .bind(next)
            .bind(row.preview_id.as_str())
            .bind(row.revision)
            .bind(row.at.0)
            .bind(&row.request_id)
            .bind(&row.via)
            .bind(&row.method)
            .bind(&row.target)
            .bind(row.status)
            .bind(row.duration_micros)
            .bind(row.request_bytes)
            .bind(row.response_bytes)
            .bind(detail);
        next += 1;
    }
    query.execute(&mut **tx).await?;
    Ok(next)
}

fn from_row(row: &AnyRow) -> Result<RequestRow> {
    let preview: String = row.try_get("preview_id")?;
    Ok(RequestRow {
        id: row.try_get("id")?,
        preview_id: PreviewId::parse(&preview).ok_or_else(|| StoreError::row("preview_id"))?,
        revision: row.try_get("revision")?,
        at: UnixMillis(row.try_get("at")?),
        request_id: row.try_get("request_id")?,
        via: row.try_get("via")?,
        method: row.try_get("method")?,
        target: row.try_get("target")?,
        status: row.try_get("status")?,
        duration_micros: row.try_get("duration_micros")?,
        request_bytes: row.try_get("request_bytes")?,
        response_bytes: row.try_get("response_bytes")?,
    })
}
