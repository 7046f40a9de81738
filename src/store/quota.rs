//! What one user may keep.

use super::{KeepError, Result, Store, Transaction};
use crate::config::Quotas;
use crate::id::UserId;

/// What a user keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Projects.
    pub projects: u64,
    /// Generations of all projects.
    pub generations: u64,
    /// Bytes of their files. Files that are the same count for each.
    pub stored_bytes: u64,
}

const USAGE: &str = "SELECT (SELECT COUNT(*) FROM projects WHERE user_id = $1), COUNT(*), \
                     CAST(COALESCE(SUM(total_bytes), 0) AS BIGINT) FROM generations WHERE user_id = $1";

impl Store {
    /// What a user keeps now.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn usage(&self, user: &UserId) -> Result<Usage> {
        Ok(of(sqlx::query_as(USAGE).bind(&user.0).fetch_one(&self.readers).await?))
    }
}

fn of((projects, generations, bytes): (i64, i64, i64)) -> Usage {
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    let (projects, generations) = (unsigned(projects), unsigned(generations));
    Usage { projects, generations, stored_bytes: unsigned(bytes) }
}

/// A change of what a user keeps, which may grow up to the limits and always shrink.
pub(super) struct Growth<'a> {
    quotas: Quotas,
    user: &'a UserId,
    before: Usage,
}

impl<'a> Growth<'a> {
    /// Looks before the change. Until the transaction ends, others of the same user wait.
    pub(super) async fn begin(tx: &mut Transaction, quotas: Quotas, user: &'a UserId) -> Result<Self> {
        let mut growth = Self { quotas, user, before: Usage::default() };
        if quotas != Quotas::default() {
            let lock = "UPDATE users SET created_at = created_at WHERE id = $1";
            sqlx::query(lock).bind(&user.0).execute(&mut **tx).await?;
            growth.before = usage(tx, user).await?;
        }
        Ok(growth)
    }

    /// Looks after the change.
    pub(super) async fn check(&self, tx: &mut Transaction) -> Result<(), KeepError> {
        if self.quotas == Quotas::default() {
            return Ok(());
        }
        let (before, after) = (self.before, usage(tx, self.user).await?);
        let bytes = self.quotas.stored_mb.map(|mb| mb.saturating_mul(1 << 20));
        for (what, limit, used, wanted) in [
            ("projects", self.quotas.projects, before.projects, after.projects),
            ("generations", self.quotas.generations, before.generations, after.generations),
            ("storedBytes", bytes, before.stored_bytes, after.stored_bytes),
        ] {
            if let Some(limit) = limit.filter(|limit| wanted > *limit && wanted > used) {
                return Err(KeepError::OverQuota { what, limit, used });
            }
        }
        Ok(())
    }
}

async fn usage(tx: &mut Transaction, user: &UserId) -> Result<Usage> {
    Ok(of(sqlx::query_as(USAGE).bind(&user.0).fetch_one(&mut **tx).await?))
}
