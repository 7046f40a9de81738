//! The zygotes that there are: one for each environment and user, the least recently used ended first.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use sandbox::Workshop;
use tokio::sync::{Notify, watch};

use super::identity::{Block, Identities};
use super::zygote::{Recipe, Zygote};

/// Bytes that all zygotes may hold together; what they share is counted for each.
const MEMORY_CAP: u64 = 1 << 30;
/// A launch that finds a zygote on its way waits so long for it, and is then started without: on a busy machine
/// importing everything can take longer than importing what one application needs.
const PATIENCE: Duration = Duration::from_millis(1500);
/// One that began less long ago has most of its imports before it: a launch does its own meanwhile, which are fewer.
const YOUNG: Duration = Duration::from_millis(600);
/// Starting one costs a second of processor time, which belongs to the launch that it would disturb.
const LATER: Duration = Duration::from_secs(3);

/// One that could not be used is tried again by a launch so long after it began.
const AGAIN: Duration = Duration::from_secs(60);

/// How far one is.
#[derive(Clone, Debug)]
enum Stage {
    Starting,
    Ready(Rc<Zygote>),
    /// It cannot be used, and why.
    Refused(String),
}

#[derive(Debug)]
struct Entry {
    stage: watch::Sender<Stage>,
    last_used: Cell<u64>,
    began: Instant,
    recipe: Recipe,
    /// A launch waits for it.
    hurry: Notify,
    /// The user ids of it and its previews, where the keeper may give any.
    _block: Option<Rc<Block>>,
}

/// All of them.
#[derive(Debug)]
pub struct Zygotes {
    workshop: Rc<Workshop>,
    entries: RefCell<BTreeMap<String, Rc<Entry>>>,
    identities: Rc<Identities>,
    clock: Cell<u64>,
}

impl Entry {
    /// What kept it from starting may have passed: it was killed, or the machine had no room.
    fn may_be_tried_again(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Refused(_)) && self.began.elapsed() > AGAIN
    }

    fn is_young(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Starting) && self.began.elapsed() < YOUNG
    }

    /// What came of it, once that is known.
    async fn settled(&self) -> Option<Rc<Zygote>> {
        let mut stage = self.stage.subscribe();
        let settled = stage.wait_for(|stage| !matches!(stage, Stage::Starting)).await.ok()?;
        match &*settled {
            Stage::Ready(zygote) => Some(Rc::clone(zygote)),
            Stage::Starting | Stage::Refused(_) => None,
        }
    }
}

impl Zygotes {
    /// None yet.
    pub fn new(workshop: Rc<Workshop>, identities: Rc<Identities>) -> Rc<Self> {
        Rc::new(Self { workshop, entries: RefCell::default(), identities, clock: Cell::new(0) })
    }

    /// Starts one in the background, unless there is one.
    pub fn begin(self: &Rc<Self>, key: &str, mut recipe: Recipe) {
        if self.entries.borrow().get(key).is_some_and(|entry| !entry.may_be_tried_again()) {
            return;
        }
        let block = match sandbox::is_privileged().then(|| self.identities.block(key)).transpose() {
            Ok(block) => block,
            Err(e) => return tracing::warn!(environment = key, error = %e, "no zygote"),
        };
        recipe.identity = block.as_ref().map(|block| block.first());
        recipe.delegated = block.as_ref().map(|block| block.others());
        let entry = Rc::new(Entry {
            stage: watch::Sender::new(Stage::Starting),
            last_used: Cell::new(self.tick()),
            began: Instant::now(),
            recipe: recipe.clone(),
            hurry: Notify::new(),
            _block: block,
        });
        self.entries.borrow_mut().insert(key.to_owned(), Rc::clone(&entry));
        tokio::task::spawn_local(Rc::clone(self).bring_up(key.to_owned(), recipe, entry));
    }

    /// As [`Self::begin`], but not at once.
    pub fn begin_later(self: &Rc<Self>, key: &str, recipe: Recipe) {
        let (zygotes, key) = (Rc::clone(self), key.to_owned());
        tokio::task::spawn_local(async move {
            tokio::time::sleep(LATER).await;
            zygotes.begin(&key, recipe);
        });
    }

    async fn bring_up(self: Rc<Self>, key: String, recipe: Recipe, entry: Rc<Entry>) {
        let name = format!("zygote-{}", self.tick());
        let stage = match Zygote::start(&self.workshop, &name, &recipe, &entry.hurry).await {
            Ok(zygote) => Stage::Ready(zygote),
            Err(e) => {
                tracing::warn!(environment = key, error = %e, "no zygote");
                Stage::Refused(format!("Started without a fork: {e}"))
            }
        };
        entry.stage.send_replace(stage);
        self.trim(&key);
    }

    /// One that can fork, waiting a moment while it starts, unless it has just begun to.
    pub async fn ready(&self, key: &str) -> Option<Rc<Zygote>> {
        let entry = self.entries.borrow().get(key).cloned()?;
        entry.last_used.set(self.tick());
        if entry.is_young() {
            return None;
        }
        entry.hurry.notify_one();
        let zygote = tokio::time::timeout(PATIENCE, entry.settled()).await.ok()??;
        if zygote.is_alive() {
            return Some(zygote);
        }
        self.drop_dead(key);
        None
    }

    /// Of another environment of the same user, one that has imported nothing that would be another thing in that of `recipe`, and whose
    /// key `suits`; with that and the recipe of its own. Where there are several, that which has most packages in common.
    pub fn like(
        &self,
        key: &str,
        recipe: &Recipe,
        suits: impl Fn(&str) -> bool,
    ) -> Option<(String, Recipe, Rc<Zygote>)> {
        let whose = |key: &str| key.split_once('.').map(|(_environment, user)| user.to_owned());
        let entries = self.entries.borrow();
        let of_this_user =
            entries.iter().filter(|(other, _)| *other != key && whose(other) == whose(key) && suits(other));
        let alike = of_this_user.filter_map(|(other, entry)| {
            let Stage::Ready(zygote) = &*entry.stage.borrow() else { return None };
            let may = zygote.is_alive() && entry.recipe.differs_in_packages_only(recipe);
            // What cannot be read is no better than what is not alike.
            let shared = may.then(|| zygote.imports.shared_with(&recipe.packages).ok().flatten())??;
            Some((shared, other, entry, Rc::clone(zygote)))
        });
        let (_, other, entry, zygote) = alike.max_by_key(|(shared, ..)| *shared)?;
        entry.last_used.set(self.tick());
        Some((other.clone(), entry.recipe.clone(), zygote))
    }

    /// Whether there is one that can fork at once.
    pub fn is_ready(&self, key: &str) -> bool {
        let entries = self.entries.borrow();
        entries
            .get(key)
            .is_some_and(|entry| matches!(&*entry.stage.borrow(), Stage::Ready(zygote) if zygote.is_alive()))
    }

    /// One that can fork, however long it takes to start.
    pub async fn settled(&self, key: &str) -> Option<Rc<Zygote>> {
        let entry = self.entries.borrow().get(key).cloned()?;
        entry.settled().await.filter(|zygote| zygote.is_alive())
    }

    /// Why there is none that can be used, if that is known.
    pub fn why_not(&self, key: &str) -> Option<String> {
        match &*self.entries.borrow().get(key)?.stage.borrow() {
            Stage::Refused(why) => Some(why.clone()),
            Stage::Starting | Stage::Ready(_) => None,
        }
    }

    /// Forgets one that does not fork any more, so that another can be started.
    pub fn drop_dead(&self, key: &str) {
        self.entries.borrow_mut().remove(key);
    }

    /// Their processes.
    pub fn pids(&self) -> Vec<Pid> {
        self.alive().into_iter().map(|(_, _, zygote)| zygote.pid()).collect()
    }

    /// Ends all of them.
    pub fn end_all(&self) {
        for (_, _, zygote) in self.alive() {
            zygote.end();
        }
        self.entries.borrow_mut().clear();
    }

    fn alive(&self) -> Vec<(String, u64, Rc<Zygote>)> {
        let entries = self.entries.borrow();
        let ready = entries.iter().filter_map(|(key, entry)| match &*entry.stage.borrow() {
            Stage::Ready(zygote) => Some((key.clone(), entry.last_used.get(), Rc::clone(zygote))),
            Stage::Starting | Stage::Refused(_) => None,
        });
        ready.collect()
    }

    /// Ends the least recently used while they hold too much together; never the newest.
    fn trim(&self, newest: &str) {
        let alive = self.alive();
        let others = alive.iter().filter(|(key, ..)| key != newest);
        let held = alive.iter().filter(|(key, ..)| key == newest).map(|(_, _, zygote)| zygote.memory_bytes());
        let room = MEMORY_CAP.saturating_sub(held.sum());
        for (key, zygote) in
            surplus(others.map(|(key, used, zygote)| (*used, zygote.memory_bytes(), (key, zygote))), room)
        {
            zygote.end();
            self.drop_dead(key);
        }
    }

    fn tick(&self) -> u64 {
        self.clock.set(self.clock.get() + 1);
        self.clock.get()
    }
}

/// Those that there is no room for, of what was used last at a time and holds so much: what was used least recently goes first.
fn surplus<T>(all: impl Iterator<Item = (u64, u64, T)>, mut room: u64) -> Vec<T> {
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(used, ..)| std::cmp::Reverse(*used));
    let mut too_many = Vec::new();
    for (_, bytes, one) in all {
        match room.checked_sub(bytes).filter(|_| too_many.is_empty()) {
            Some(left) => room = left,
            None => too_many.push(one),
        }
    }
    too_many
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_least_recently_makes_room() {
        let all = [(3, 40, "c"), (1, 10, "a"), (2, 40, "b")];
        let gone = |room| surplus(all.into_iter(), room);
        assert_eq!(gone(90), [""; 0]);
        assert_eq!(gone(89), ["a"]);
        assert_eq!(gone(79), ["b", "a"], "though there were room for the smaller one");
        assert_eq!(gone(0), ["c", "b", "a"]);
    }
}
