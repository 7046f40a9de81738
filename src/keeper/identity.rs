//! User ids of the host for what runs: each its own, never shared, in blocks of one environment and user, since what forks into
//! a sandbox must have been given the sandbox's ids before.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::{Rc, Weak};

/// High above the ids of people and services: a range for each data directory, and in it the blocks.
const FIRST_ID: u32 = 2_000_000_000;
const BLOCK: u32 = 1 << 8;
const BLOCKS: u32 = 1 << 12;
const RANGES: u32 = 1 << 11;

/// All blocks of a data directory.
#[derive(Debug)]
pub struct Identities {
    first: u32,
    blocks: RefCell<BTreeMap<String, Weak<Block>>>,
}

/// The ids of one environment and user: the first is the zygote's, the others are previews'. Free again when nobody holds
/// it.
#[derive(Debug)]
pub struct Block {
    first: u32,
    taken: RefCell<BTreeSet<u32>>,
}

/// An id that nobody else has while this is held.
#[derive(Debug)]
pub struct Identity {
    block: Rc<Block>,
    id: u32,
}

impl Identities {
    /// `seed` chooses the range: the same for the same data directory.
    pub fn new(seed: u16) -> Self {
        let first = FIRST_ID + u32::from(seed) % RANGES * BLOCKS * BLOCK;
        Self { first, blocks: RefCell::default() }
    }

    /// The block of a key. The same for as long as somebody holds it.
    ///
    /// # Errors
    /// If all are in use.
    pub fn block(&self, key: &str) -> io::Result<Rc<Block>> {
        let mut blocks = self.blocks.borrow_mut();
        if let Some(block) = blocks.get(key).and_then(Weak::upgrade) {
            return Ok(block);
        }
        blocks.retain(|_, block| block.strong_count() > 0);
        let held: BTreeSet<_> = blocks.values().filter_map(Weak::upgrade).map(|block| block.first).collect();
        let all = (0..BLOCKS).map(|number| self.first + number * BLOCK);
        let first = all.into_iter().find(|first| !held.contains(first)).ok_or_else(none_left)?;
        let block = Rc::new(Block { first, taken: RefCell::default() });
        blocks.insert(key.to_owned(), Rc::downgrade(&block));
        Ok(block)
    }
}

impl Block {
    /// The zygote's.
    pub fn first(&self) -> u32 {
        self.first
    }

    /// Those of previews: the first, and how many.
    pub fn others(&self) -> (u32, u32) {
        (self.first + 1, BLOCK - 1)
    }

    /// One that nobody has.
    ///
    /// # Errors
    /// If all are taken.
    pub fn take(self: &Rc<Self>) -> io::Result<Rc<Identity>> {
        let (first, count) = self.others();
        let mut taken = self.taken.borrow_mut();
        let id = (first..first + count).find(|id| !taken.contains(id)).ok_or_else(none_left)?;
        taken.insert(id);
        Ok(Rc::new(Identity { block: Rc::clone(self), id }))
    }
}

impl Identity {
    /// As the host knows it.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether it is one of these.
    pub fn is_of(&self, block: &Rc<Block>) -> bool {
        Rc::ptr_eq(&self.block, block)
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        self.block.taken.borrow_mut().remove(&self.id);
    }
}

fn none_left() -> io::Error {
    io::Error::other("no user id is left for another preview")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_that_live_have_the_same_id() {
        let identities = Identities::new(7);
        let (ana, ben) = (identities.block("env.ana").unwrap(), identities.block("env.ben").unwrap());
        let mut held: Vec<_> = (1..BLOCK).map(|_| ana.take().unwrap()).collect();
        assert!(ana.take().is_err(), "never shared");
        held.push(ben.take().unwrap());
        let mut ids: BTreeSet<_> = held.iter().map(|identity| identity.id()).collect();
        ids.extend([ana.first(), ben.first()]);
        assert_eq!(ids.len(), held.len() + 2);
        let freed = held.swap_remove(5).id();
        assert_eq!(ana.take().unwrap().id(), freed);
    }

    #[test]
    fn a_block_is_kept_while_one_of_its_ids_is() {
        let identities = Identities::new(0);
        let identity = identities.block("a").unwrap().take().unwrap();
        assert_ne!(identities.block("b").unwrap().first(), identity.block.first());
        let again = identities.block("a").unwrap();
        assert!(identity.is_of(&again));
        assert_ne!(again.take().unwrap().id(), identity.id());
    }
}
