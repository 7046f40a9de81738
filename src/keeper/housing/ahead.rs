//! What is made ahead of its use: zygotes, and sandboxes with a process that waits.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::Housing;
use super::policy::policy;
use crate::keeper::identity::Identity;
use crate::keeper::protocol::Warm;
use crate::keeper::spare::{Purpose, Spare};
use crate::keeper::zygote::Recipe;

/// A spare is made this long after the last was used: the launch that took it needs the processors first.
pub(super) const REFILL: Duration = Duration::from_millis(400);
/// One that could not be made is tried again after each of these pauses: what was in the way may have passed.
const AGAIN: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120)];

/// Previews for each of which a spare is kept at once: each holds some tens of megabytes.
const SUCCESSORS: usize = 4;

impl Housing {
    /// Makes a zygote and a sandbox ready, if the host has what that needs.
    pub fn warm(self: &Rc<Self>, warm: &Warm) {
        if self.workshop.layers.namespaces {
            self.zygotes.begin(&warm.zygote, Recipe::of(warm));
            self.refill_after(Duration::ZERO, warm);
        }
    }

    pub(super) fn warm_later(&self, warm: &Warm) {
        if self.workshop.layers.namespaces {
            self.zygotes.begin_later(&warm.zygote, Recipe::of(warm));
        }
    }

    pub(super) fn refill_after(self: &Rc<Self>, pause: Duration, warm: &Warm) {
        let (housing, warm) = (Rc::downgrade(self), warm.clone());
        tokio::task::spawn_local(async move {
            for pause in [pause].into_iter().chain(AGAIN) {
                tokio::time::sleep(pause).await;
                let Some(housing) = housing.upgrade() else { return };
                match housing.refill(&warm).await {
                    Ok(()) => return,
                    Err(e) => {
                        tracing::warn!(environment = warm.zygote, error = %e, "no sandbox could be made ahead");
                    }
                }
            }
        });
    }

    /// Makes a sandbox ahead of its use, unless there is one or nothing to fork it from.
    async fn refill(&self, warm: &Warm) -> io::Result<()> {
        let Some(zygote) = self.zygotes.settled(&warm.zygote).await else { return Ok(()) };
        let making = zygote.make_spare(|| async {
            let identity = self.block(&warm.zygote)?.map(|block| block.take()).transpose()?;
            let name = self.name("spare");
            let policy = policy(warm, self.spares.join(&name), None);
            Spare::make(&self.workshop, &zygote, &name, policy, identity, Purpose::Any).await
        });
        making.await
    }

    /// Makes ahead what the next code of a preview needs, unless enough others have that or it cannot be.
    ///
    /// # Errors
    /// What kept it from being made.
    pub async fn successor(
        &self,
        warm: &Warm,
        database: PathBuf,
        identity: Option<Rc<Identity>>,
    ) -> io::Result<Option<Spare>> {
        if Rc::strong_count(&self.successors) > SUCCESSORS {
            return Ok(None);
        }
        let Some(forker) = self.forker(warm, identity.as_ref()).await? else { return Ok(None) };
        let purpose = Purpose::One { _counted: Rc::clone(&self.successors) };
        let name = self.name("successor");
        let policy = policy(warm, database, forker.instead_of.as_deref());
        Spare::make(&self.workshop, &forker.zygote, &name, policy, identity, purpose).await.map(Some)
    }
}
