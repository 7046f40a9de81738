use std::collections::{BTreeMap, BTreeSet};

use super::files::{drop_unused, insert_files, remove_file};
use super::pools::Backend;
use super::projects::ensure_user;
use super::quota::Growth;
use super::{Found, Generation, KeepError, Result, Store, StoreError, Transaction, next_number};
use crate::id::{GenerationId, ProjectId, UserId};
use crate::time::UnixMillis;

/// An upload to keep.
pub struct NewGeneration {
    /// Where it belongs.
    pub project_id: ProjectId,
    /// Whose it is.
    pub user_id: UserId,
    /// What its user calls it.
    pub name: String,
    /// The entry point that the upload named.
    pub entrypoint: Option<String>,
    /// The entry point that its source has, if it was looked for.
    pub found: Option<String>,
    /// Contents by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Store {
    /// Keeps an upload as revision 1.
    ///
    /// # Errors
    /// If the project does not exist, the user would keep more than is allowed, or the store or the source of
    /// randomness fails.
    pub async fn create_generation(&self, new: NewGeneration) -> Result<Generation, KeepError> {
        let id = GenerationId::random().map_err(|source| StoreError::new("no id could be made", source))?;
        let now = UnixMillis::now();
        let mut tx = self.write().await?;
        let number = next_number(&mut tx, "generations").await?;
        ensure_user(&mut tx, &new.user_id, now).await?;
        let growth = Growth::begin(&mut tx, self.quotas, &new.user_id).await?;
        sqlx::query(
            "INSERT INTO generations (id, number, project_id, user_id, name, revision, entrypoint, \
             found_entrypoint, found_revision, file_count, total_bytes, created_at) \
             VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, 0, 0, $9)",
        )
        .bind(id.as_str())
        .bind(number)
        .bind(new.project_id.as_str())
        .bind(&new.user_id.0)
        .bind(&new.name)
        .bind(&new.entrypoint)
        .bind(&new.found)
        .bind(new.found.as_ref().map(|_| 1_i64))
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        let files: Vec<_> =
            new.files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
        insert_files(&mut tx, self.backend, &id, &files).await?;
        let generation = recount(&mut tx, &id, 0).await?;
        growth.check(&mut tx).await?;
        tx.commit().await?;
        Ok(generation.ok_or_else(|| StoreError::row("generations.id"))?)
    }

    /// A user's generations, of one project or all, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn generations(&self, user: &UserId, project: Option<&ProjectId>) -> Result<Vec<Generation>> {
        let rows = match project {
            None => {
                sqlx::query("SELECT * FROM generations WHERE user_id = $1 ORDER BY number DESC").bind(&user.0)
            }
            Some(project) => sqlx::query(
                "SELECT * FROM generations WHERE user_id = $1 AND project_id = $2 ORDER BY number DESC",
            )
            .bind(&user.0)
            .bind(project.as_str()),
        };
        rows.fetch_all(&self.readers).await?.iter().map(Generation::from_row).collect()
    }

    /// One generation, whosever it is.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn generation(&self, id: &GenerationId) -> Result<Option<Generation>> {
        let row = sqlx::query("SELECT * FROM generations WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(Generation::from_row).transpose()
    }

    /// Keeps what was found by reading a revision, so that listings need not read it again.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn keep_found(&self, id: &GenerationId, found: &Found) -> Result<()> {
        sqlx::query("UPDATE generations SET found_entrypoint = $2, found_revision = $3 WHERE id = $1")
            .bind(id.as_str())
            .bind(&found.entrypoint)
            .bind(found.revision)
            .execute(self.writers()?)
            .await?;
        Ok(())
    }

    /// Removes a generation with its files, previews and logs. `false`, and nothing is removed, if it has an active preview.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delete_generation(&self, id: &GenerationId) -> Result<bool> {
        let mut tx = self.write().await?;
        next_number(&mut tx, "generations").await?;
        // No launch gets a place until this is over.
        next_number(&mut tx, "previews").await?;
        let active =
            "SELECT COUNT(*) FROM previews WHERE generation_id = $1 AND status IN ('launching', 'running')";
        let active: i64 = sqlx::query_scalar(active).bind(id.as_str()).fetch_one(&mut *tx).await?;
        if active > 0 {
            return Ok(false);
        }
        let contents = sqlx::query_scalar("SELECT DISTINCT sha256 FROM files WHERE generation_id = $1")
            .bind(id.as_str())
            .fetch_all(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM generations WHERE id = $1").bind(id.as_str()).execute(&mut *tx).await?;
        drop_unused(&mut tx, contents.into_iter().collect()).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Writes or (with `None`) removes files, all of them or none, as the next revision.
    /// `None` if there is no such generation.
    ///
    /// # Errors
    /// If the user would keep more than is allowed, or the store fails; then nothing has changed.
    pub async fn patch_files(
        &self,
        id: &GenerationId,
        changes: BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Option<Generation>, KeepError> {
        let mut tx = self.write().await?;
        next_number(&mut tx, "generations").await?;
        let owner = sqlx::query_scalar("SELECT user_id FROM generations WHERE id = $1").bind(id.as_str());
        let Some(owner) = owner.fetch_optional(&mut *tx).await?.map(UserId) else { return Ok(None) };
        let growth = Growth::begin(&mut tx, self.quotas, &owner).await?;
        let mut replaced = BTreeSet::new();
        for path in changes.keys() {
            replaced.extend(remove_file(&mut tx, id, path).await?);
        }
        let Some(generation) = patch(&mut tx, self.backend, id, &changes).await? else {
            return Ok(None);
        };
        growth.check(&mut tx).await?;
        drop_unused(&mut tx, replaced).await?;
        tx.commit().await?;
        Ok(Some(generation))
    }
}

async fn patch(
    tx: &mut Transaction,
    backend: Backend,
    id: &GenerationId,
    changes: &BTreeMap<String, Option<Vec<u8>>>,
) -> Result<Option<Generation>> {
    if recount(tx, id, 1).await?.is_none() {
        return Ok(None);
    }
    let written = changes.iter().filter_map(|(path, content)| Some((path.as_str(), content.as_deref()?)));
    insert_files(tx, backend, id, &written.collect::<Vec<_>>()).await?;
    recount(tx, id, 0).await
}

/// Writes the totals of what files there are, and moves the revision on.
async fn recount(tx: &mut Transaction, id: &GenerationId, revisions: i64) -> Result<Option<Generation>> {
    let row = sqlx::query(
        "UPDATE generations SET revision = revision + $2, \
         file_count = (SELECT COUNT(*) FROM files WHERE generation_id = $1), \
         total_bytes = (SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM files WHERE generation_id = $1) \
         WHERE id = $1 RETURNING *",
    )
    .bind(id.as_str())
    .bind(revisions)
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(Generation::from_row).transpose()
}
