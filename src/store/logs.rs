use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::pools::Backend;
use super::records::read;
use super::{Result, Store, Transaction};
use crate::config::LogLevel;
use crate::id::PreviewId;
use crate::time::UnixMillis;

/// Rows of one INSERT.
const ROWS_AT_ONCE: usize = 100;
/// Between two previews' keys: no preview has so many lines.
const KEYS_OF_A_PREVIEW: i64 = 1 << 32;
/// Characters of a search that the index is asked for; what it finds is looked at anyway.
const INDEXED: usize = 48;

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
    /// What a search looks at: the message without colours, in lower case.
    pub searched: String,
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
    /// With this in what is searched; lower case.
    pub q: Option<String>,
    /// Of this request only.
    pub request_id: Option<String>,
}

impl Store {
    /// Adds lines to a preview's, in the order of their ids, and keeps its last `keep`. Lines that are there already are
    /// left as they are. `false` if there is no such preview any more.
    ///
    /// NUL, which PostgreSQL cannot hold, is shown as U+FFFD.
    ///
    /// # Errors
    /// If the store fails; then nothing has changed.
    pub async fn append_logs(&self, id: &PreviewId, rows: &[LogRow], keep: usize) -> Result<bool> {
        let mut tx = self.write().await?;
        let statement = "SELECT number FROM previews WHERE id = $1";
        let number: Option<i64> =
            sqlx::query_scalar(statement).bind(id.as_str()).fetch_optional(&mut *tx).await?;
        let (Some(number), Some(newest)) = (number, rows.last()) else { return Ok(number.is_some()) };
        for rows in rows.chunks(ROWS_AT_ONCE) {
            insert(&mut tx, self.backend, number, rows).await?;
        }
        let first = number * KEYS_OF_A_PREVIEW;
        let dropped = newest.id.saturating_sub(i64::try_from(keep).unwrap_or(i64::MAX)).max(0);
        sqlx::query("DELETE FROM log_lines WHERE key > $1 AND key <= $2")
            .bind(first)
            .bind(first + dropped)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The kept lines that the query takes, in order.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn logs(&self, id: &PreviewId, query: &LogQuery) -> Result<Vec<LogRow>> {
        let statement = "SELECT number FROM previews WHERE id = $1";
        let number: Option<i64> =
            sqlx::query_scalar(statement).bind(id.as_str()).fetch_optional(&self.readers).await?;
        let Some(number) = number else { return Ok(Vec::new()) };
        let first = number * KEYS_OF_A_PREVIEW;
        let search = Search::of(query, self.backend);
        let mut statement = sqlx::query(AssertSqlSafe(search.statement))
            .bind(first + query.after_id.clamp(0, KEYS_OF_A_PREVIEW - 1))
            .bind(first + KEYS_OF_A_PREVIEW - 1)
            .bind(query.limit);
        for text in search.texts {
            statement = statement.bind(text);
        }
        statement.fetch_all(&self.readers).await?.iter().map(from_row).collect()
    }

    /// Id of the last kept line; 0 if there is none.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn last_log_id(&self, id: &PreviewId) -> Result<i64> {
        let statement = "SELECT COALESCE(MAX(log_lines.id), 0) FROM log_lines \
                         JOIN previews ON previews.number = log_lines.preview WHERE previews.id = $1";
        Ok(sqlx::query_scalar(statement).bind(id.as_str()).fetch_one(&self.readers).await?)
    }
}

/// A query as a statement; its texts come after the bounds of the keys and the limit.
struct Search {
    statement: String,
    texts: Vec<String>,
}

impl Search {
    fn of(query: &LogQuery, backend: Backend) -> Self {
        let (mut wheres, mut texts) = (Vec::new(), Vec::new());
        let mut add = |condition: &str, text: String| {
            texts.push(text);
            wheres.push(condition.replace('?', &format!("${}", texts.len() + 3)));
        };
        let trigrams = query.q.as_deref().filter(|_| backend == Backend::Sqlite).and_then(trigrams);
        // Found in the order of the keys, so that a page of a word that is everywhere is found at once.
        let (from, key) = match trigrams {
            Some(trigrams) => {
                add("log_index MATCH ?", trigrams);
                ("log_index CROSS JOIN log_lines ON log_lines.key = log_index.rowid", "log_index.rowid")
            }
            None => ("log_lines", "log_lines.key"),
        };
        if let Some(q) = &query.q {
            add(r"log_lines.searched LIKE ? ESCAPE '\'", containing(&without_nul(q)));
        }
        if let Some(source) = &query.source {
            add("source = ?", without_nul(source));
        }
        if let Some(id) = &query.request_id {
            let field = serde_json::Value::from(id.as_str());
            // Exactly: to SQLite's LIKE upper and lower case are the same.
            add("replace(fields, ?, '') <> fields", format!("\"requestId\":{field}"));
        }
        if let Some(level) = query.level {
            let levels = LogLevel::ALL.into_iter().filter(|other| *other >= level);
            let names: Vec<_> = levels.map(|level| format!("'{level}'")).collect();
            wheres.push(format!("level IN ({})", names.join(", ")));
        }
        let wheres: String = wheres.iter().map(|condition| format!(" AND {condition}")).collect();
        let statement = format!(
            "SELECT log_lines.* FROM {from} WHERE {key} > $1 AND {key} <= $2{wheres} ORDER BY {key} LIMIT $3"
        );
        Self { statement, texts }
    }
}

/// What the index is asked for; nothing where the text is too short to be in it.
fn trigrams(text: &str) -> Option<String> {
    let characters: Vec<char> = without_nul(text).chars().take(INDEXED).collect();
    let quoted = |three: &[char]| format!("\"{}\"", three.iter().collect::<String>().replace('"', "\"\""));
    let all: Vec<_> = characters.windows(3).map(quoted).collect();
    (!all.is_empty()).then(|| all.join(" AND "))
}

fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + "%"
}

fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

async fn insert(tx: &mut Transaction, backend: Backend, number: i64, rows: &[LogRow]) -> Result<()> {
    let statement = format!(
        "INSERT INTO log_lines (key, preview, id, at, level, source, stream, message, searched, fields) \
         VALUES {} ON CONFLICT (key) DO NOTHING",
        backend.placeholders(rows.len(), 10)
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for row in rows {
        query = query
            .bind(number * KEYS_OF_A_PREVIEW + row.id)
            .bind(number)
            .bind(row.id)
            .bind(row.at.0)
            .bind(row.level.as_str())
            .bind(&row.source)
            .bind(&row.stream)
            .bind(without_nul(&row.message))
            .bind(without_nul(&row.searched))
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
        searched: row.try_get("searched")?,
        fields: row.try_get("fields")?,
    })
}
