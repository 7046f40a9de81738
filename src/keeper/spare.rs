//! What is made ahead, beside its zygote: a sandbox, a process in it that was forked and has rehearsed, and a helper that will
//! bring the files. Making it takes longer than anything else that is done for a launch but running the application itself.

use std::io;
use std::rc::Rc;

use sandbox::{Furnisher, Kept, Leaf, Policy, Sandbox, Workshop};

use super::identity::Identity;
use super::zygote::{Forked, Zygote};

/// What is still to be said of it when it is used: the files, and where the database is kept.
#[derive(Debug)]
pub struct Spare {
    room: Option<Room>,
    policy: Policy,
    purpose: Purpose,
}

/// Whose it will be.
#[derive(Debug)]
pub enum Purpose {
    /// The next preview's: what that keeps is in directories made for it.
    Any,
    /// That of a preview which has its directories, and its code in them; which holds what all of this kind hold, so that they can be counted.
    One { _counted: Rc<()> },
}

/// A place for a preview, with its process in it.
#[derive(Debug)]
pub struct Room {
    /// Around it.
    pub sandbox: Sandbox,
    /// Waits for the application.
    pub forked: Forked,
    /// Waits for the files.
    pub furnisher: Furnisher,
    /// The user id on the host, where the keeper may give one.
    pub identity: Option<Rc<Identity>>,
}

impl Spare {
    /// Makes one as `policy` says, at leisure.
    ///
    /// # Errors
    /// The step that the host refused.
    pub async fn make(
        workshop: &Workshop,
        zygote: &Zygote,
        name: &str,
        mut policy: Policy,
        identity: Option<Rc<Identity>>,
        purpose: Purpose,
    ) -> io::Result<Self> {
        policy.ahead = true;
        policy.identity = identity.as_ref().map(|identity| identity.id());
        let mut spare = Self { room: None, policy: policy.clone(), purpose };
        for kept in spare.made() {
            std::fs::create_dir_all(&kept.source)?;
        }
        let mut sandbox = zygote.prepare(workshop, name, policy).await?;
        give_way(&sandbox, true);
        let waiting = match sandbox.furnisher(&workshop.helper) {
            Ok(furnisher) => zygote.fork(&mut sandbox).await.map(|forked| (forked, furnisher)),
            Err(e) => Err(io::Error::other(e)),
        };
        match waiting {
            Ok((forked, furnisher)) => spare.room = Some(Room { sandbox, forked, furnisher, identity }),
            Err(e) => {
                super::housing::destroy(sandbox);
                return Err(e);
            }
        }
        Ok(spare)
    }

    /// What was made for it and becomes the preview's.
    fn made(&self) -> &[Kept] {
        match self.purpose {
            Purpose::Any => &self.policy.kept,
            Purpose::One { .. } => &[],
        }
    }

    /// Bytes of memory that it holds.
    pub fn memory_bytes(&self) -> u64 {
        let cgroup = self.room.as_ref().and_then(|room| room.sandbox.cgroup());
        cgroup.and_then(Leaf::memory_used).unwrap_or(0)
    }

    /// Whether it is what `policy` wants but for the files, the identity, and the place of what is kept if that was made for it.
    pub fn suits(&self, policy: &Policy) -> bool {
        let mut wanted = policy.clone();
        let own = &self.policy;
        (wanted.files, wanted.ahead, wanted.identity) = (None, own.ahead, own.identity);
        let names =
            |kept: &[Kept]| kept.iter().map(|k| (k.name.clone(), k.links.clone())).collect::<Vec<_>>();
        let same_names = names(&wanted.kept) == names(&own.kept);
        if matches!(self.purpose, Purpose::Any) {
            wanted.kept.clone_from(&own.kept);
        }
        let lives = |room: &Room| room.sandbox.is_alive() && room.forked.is_alive();
        same_names && wanted == *own && self.room.as_ref().is_some_and(lives)
    }

    /// Gives it to a preview that keeps what `policy` says, in its own directories or in empty ones. `None` if they are not.
    pub fn occupy(mut self, policy: &Policy) -> Option<Room> {
        for (own, wanted) in self.made().iter().zip(&policy.kept) {
            // What is mounted inside stays the same directory.
            std::fs::rename(&own.source, &wanted.source).ok()?;
        }
        let room = self.room.take()?;
        give_way(&room.sandbox, false);
        Some(room)
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if let Some(room) = self.room.take() {
            // It is in the sandbox's cgroup, which must be empty.
            drop(room.furnisher);
            super::housing::destroy(room.sandbox);
        }
        for kept in self.made() {
            let _given_away = std::fs::remove_dir_all(&kept.source);
        }
    }
}

fn give_way(sandbox: &Sandbox, gives: bool) {
    if let Some(leaf) = sandbox.cgroup() {
        leaf.give_way(gives);
    }
}
