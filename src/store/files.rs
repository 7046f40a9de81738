//! Contents are kept once, by their digest. Whoever changes which are used first takes the number of
//! the next generation, so that none is dropped while another upload starts to use it.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Row as _};

use super::pools::Backend;
use super::{FileEntry, Result, Store, Transaction};
use crate::id::GenerationId;

/// Rows of one INSERT: few statements for many files, far below any database's limit of parameters.
const ROWS_AT_ONCE: usize = 100;

impl Store {
    /// The files of a generation by path; none if there is no such generation.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn files(&self, id: &GenerationId) -> Result<Vec<FileEntry>> {
        let rows = sqlx::query("SELECT path, size, sha256 FROM files WHERE generation_id = $1")
            .bind(id.as_str())
            .fetch_all(&self.readers)
            .await?;
        let entry = |row: &sqlx::any::AnyRow| -> Result<FileEntry> {
            Ok(FileEntry {
                path: row.try_get("path")?,
                size: row.try_get("size")?,
                sha256: row.try_get("sha256")?,
            })
        };
        let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>>>()?;
        // Here and not in the statement: databases differ in how they order text.
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// The content of one file.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn file(&self, id: &GenerationId, path: &str) -> Result<Option<Vec<u8>>> {
        if path.contains('\0') {
            return Ok(None); // PostgreSQL would call the statement malformed.
        }
        let statement = "SELECT blobs.content FROM files JOIN blobs ON blobs.sha256 = files.sha256 \
                         WHERE files.generation_id = $1 AND files.path = $2";
        Ok(sqlx::query_scalar(statement).bind(id.as_str()).bind(path).fetch_optional(&self.readers).await?)
    }

    /// All contents of a generation by path.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn contents(&self, id: &GenerationId) -> Result<BTreeMap<String, Vec<u8>>> {
        let rows = sqlx::query(
            "SELECT files.path, blobs.content FROM files JOIN blobs ON blobs.sha256 = files.sha256 \
             WHERE files.generation_id = $1",
        )
        .bind(id.as_str())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok((row.try_get("path")?, row.try_get("content")?))).collect()
    }
}

/// Adds files whose paths are free.
pub(super) async fn insert_files(
    tx: &mut Transaction,
    backend: Backend,
    id: &GenerationId,
    files: &[(&str, &[u8])],
) -> Result<()> {
    for files in files.chunks(ROWS_AT_ONCE) {
        let mut digests = Vec::with_capacity(files.len());
        for (_, content) in files {
            digests.push(insert_content(tx, content).await?);
        }
        let values = backend.placeholders(files.len(), 4);
        let statement = format!("INSERT INTO files (generation_id, path, size, sha256) VALUES {values}");
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for ((path, content), digest) in files.iter().zip(digests) {
            let size = i64::try_from(content.len()).unwrap_or(i64::MAX);
            query = query.bind(id.as_str()).bind(*path).bind(size).bind(digest);
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

async fn insert_content(tx: &mut Transaction, content: &[u8]) -> Result<String> {
    let digest = hex::encode(Sha256::digest(content));
    sqlx::query("INSERT INTO blobs (sha256, content) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING")
        .bind(&digest)
        .bind(content)
        .execute(&mut **tx)
        .await?;
    Ok(digest)
}

/// Removes a file, if there is one, and says what its content was.
pub(super) async fn remove_file(
    tx: &mut Transaction,
    id: &GenerationId,
    path: &str,
) -> Result<Option<String>> {
    let statement = "DELETE FROM files WHERE generation_id = $1 AND path = $2 RETURNING sha256";
    Ok(sqlx::query_scalar(statement).bind(id.as_str()).bind(path).fetch_optional(&mut **tx).await?)
}

/// Drops those of these contents that no file has any more.
pub(super) async fn drop_unused(tx: &mut Transaction, digests: BTreeSet<String>) -> Result<()> {
    for digest in digests {
        sqlx::query(
            "DELETE FROM blobs WHERE sha256 = $1 AND NOT EXISTS (SELECT 1 FROM files WHERE files.sha256 = $1)",
        )
        .bind(digest)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}
