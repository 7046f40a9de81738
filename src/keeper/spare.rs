//! A sandbox made ahead, beside its zygote: making one takes longer than anything else that the keeper does for a launch.

use std::io;
use std::rc::Rc;

use sandbox::{Kept, Policy, Sandbox, Workshop};

use super::identity::Identity;
use super::zygote::Zygote;

/// What is still to be said of it when it is used: the files, and where the database is kept.
#[derive(Debug)]
pub struct Spare {
    sandbox: Option<Sandbox>,
    policy: Policy,
    identity: Option<Rc<Identity>>,
}

impl Spare {
    /// Makes one as `policy` says, at leisure. What it keeps is in directories made for it, which become the preview's.
    ///
    /// # Errors
    /// The step that the host refused.
    pub async fn make(
        workshop: &Workshop,
        zygote: &Zygote,
        name: &str,
        mut policy: Policy,
        identity: Option<Rc<Identity>>,
    ) -> io::Result<Self> {
        policy.ahead = true;
        policy.identity = identity.as_ref().map(|identity| identity.id());
        for kept in &policy.kept {
            std::fs::create_dir_all(&kept.source)?;
        }
        let mut spare = Self { sandbox: None, policy: policy.clone(), identity };
        spare.sandbox = Some(zygote.prepare(workshop, name, policy).await?);
        Ok(spare)
    }

    /// Whether it is what `policy` wants but for the files, the identity, and the place of what is kept.
    pub fn suits(&self, policy: &Policy) -> bool {
        let mut wanted = policy.clone();
        let own = &self.policy;
        (wanted.files, wanted.ahead, wanted.identity) = (None, own.ahead, own.identity);
        let names =
            |kept: &[Kept]| kept.iter().map(|k| (k.name.clone(), k.links.clone())).collect::<Vec<_>>();
        let same_names = names(&wanted.kept) == names(&own.kept);
        wanted.kept.clone_from(&own.kept);
        same_names && wanted == *own && self.sandbox.as_ref().is_some_and(Sandbox::is_alive)
    }

    /// Gives it to a preview that keeps what `policy` says, in directories that are empty. `None` if they are not.
    pub fn occupy(mut self, policy: &Policy) -> Option<(Sandbox, Option<Rc<Identity>>)> {
        for (own, wanted) in self.policy.kept.iter().zip(&policy.kept) {
            // What is mounted inside stays the same directory.
            std::fs::rename(&own.source, &wanted.source).ok()?;
        }
        Some((self.sandbox.take()?, self.identity.take()))
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            super::housing::destroy(sandbox);
        }
        for kept in &self.policy.kept {
            let _given_away = std::fs::remove_dir_all(&kept.source);
        }
    }
}
