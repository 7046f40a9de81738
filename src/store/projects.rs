use super::quota::Growth;
use super::{KeepError, Project, Result, Store, Transaction};
use crate::id::{ProjectId, UserId};
use crate::time::UnixMillis;

impl Store {
    /// Makes a project. Its user needs no registration.
    ///
    /// # Errors
    /// If the user has as many as are allowed, or the store or the source of randomness fails.
    pub async fn create_project(&self, user: &UserId, name: &str) -> Result<Project, KeepError> {
        let project = Project {
            id: ProjectId::random()
                .map_err(|source| super::StoreError::new("no id could be made", source))?,
            user_id: user.clone(),
            name: name.to_owned(),
            created_at: UnixMillis::now(),
        };
        let mut tx = self.write().await?;
        ensure_user(&mut tx, user, project.created_at).await?;
        let growth = Growth::begin(&mut tx, self.quotas, user).await?;
        sqlx::query("INSERT INTO projects (id, user_id, name, created_at) VALUES ($1, $2, $3, $4)")
            .bind(project.id.as_str())
            .bind(&user.0)
            .bind(name)
            .bind(project.created_at.0)
            .execute(&mut *tx)
            .await?;
        growth.check(&mut tx).await?;
        tx.commit().await?;
        Ok(project)
    }

    /// A user's projects, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn projects(&self, user: &UserId) -> Result<Vec<Project>> {
        let rows = sqlx::query("SELECT * FROM projects WHERE user_id = $1 ORDER BY created_at, id")
            .bind(&user.0)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(Project::from_row).collect()
    }

    /// One project, whosever it is.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn project(&self, id: &ProjectId) -> Result<Option<Project>> {
        let row = sqlx::query("SELECT * FROM projects WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(Project::from_row).transpose()
    }
}

/// A valid token's `sub` is a user from its first use on.
pub(super) async fn ensure_user(tx: &mut Transaction, user: &UserId, now: UnixMillis) -> Result<()> {
    sqlx::query("INSERT INTO users (id, created_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
        .bind(&user.0)
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
