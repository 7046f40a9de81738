//! Servers that share a store. Each holds its own previews; the store says which.

use std::sync::Arc;

use super::pools::Backend;
use super::{Result, Store};
use crate::id::GenerationId;
use crate::time::UnixMillis;

impl Store {
    /// Whether other servers may use it at the same time.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.backend == Backend::Postgres
    }

    /// As the server with this id uses it, which the others find at `address`. What runs and is nobody's is its own: it ran
    /// before stores were shared.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn of_server(self, id: &str, address: &str) -> Result<Self> {
        let mut tx = self.write().await?;
        let known = "INSERT INTO servers (id, address) VALUES ($1, $2) \
                     ON CONFLICT (id) DO UPDATE SET address = excluded.address";
        sqlx::query(known).bind(id.to_owned()).bind(address.to_owned()).execute(&mut *tx).await?;
        let adopt =
            "UPDATE previews SET server = $1 WHERE server = '' AND status IN ('launching', 'running')";
        sqlx::query(adopt).bind(id.to_owned()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Self { server: Arc::from(id), ..self })
    }

    /// The address of the server that holds the active preview of a generation, if that is another one.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn held_elsewhere(&self, generation: &GenerationId) -> Result<Option<String>> {
        let statement = "SELECT servers.address FROM previews JOIN servers ON servers.id = previews.server \
                         WHERE previews.generation_id = $1 AND previews.status IN ('launching', 'running') \
                         AND previews.server <> $2";
        let query = sqlx::query_scalar(statement).bind(generation.as_str()).bind(self.server.to_string());
        Ok(query.fetch_optional(&self.readers).await?)
    }

    /// Records the end of other servers' previews whose time was over at `moment`. Their server has not: it is gone, and
    /// nothing of them outlived their time. Says how many there were.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn expire_forgotten(&self, moment: UnixMillis) -> Result<u64> {
        let statement = "UPDATE previews SET status = 'stopped', launch = '{}', stop_reason = 'expired', \
                         stopped_at = expires_at WHERE status IN ('launching', 'running') AND server <> $1 AND expires_at < $2";
        let query = sqlx::query(statement).bind(self.server.to_string()).bind(moment.0);
        Ok(query.execute(self.writers()?).await?.rows_affected())
    }
}
