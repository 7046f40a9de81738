//! The starts of one preview that are under way: they were asked for, and have no process that is known yet. Who asked may be gone
//! before they are over, and so may what they were for.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::Notify;

/// Those of one preview.
#[derive(Debug, Default)]
pub struct Beginnings {
    all: RefCell<BTreeMap<u32, Rc<Beginning>>>,
    fewer: Notify,
}

#[derive(Debug)]
struct Beginning {
    /// Key of the environment that it will run from.
    environment: String,
    unwanted: Cell<bool>,
}

/// One of them, for as long as this lives.
#[derive(Debug)]
pub struct Begun<'a> {
    others: &'a Beginnings,
    number: u32,
    this: Rc<Beginning>,
}

impl Beginnings {
    /// A start with this number is under way.
    pub fn begin(&self, number: u32, environment: &str) -> Begun<'_> {
        let this = Rc::new(Beginning { environment: environment.to_owned(), unwanted: Cell::new(false) });
        self.all.borrow_mut().insert(number, Rc::clone(&this));
        Begun { others: self, number, this }
    }

    /// Those that somebody still wants, with the environments that they will run from.
    pub fn wanted(&self) -> Vec<(u32, String)> {
        let all = self.all.borrow();
        let wanted = all.iter().filter(|(_, beginning)| !beginning.unwanted.get());
        wanted.map(|(number, beginning)| (*number, beginning.environment.clone())).collect()
    }

    /// Nobody wants this one any more: it ends when it has begun. `false` if there is none of this number.
    pub fn forgo(&self, number: u32) -> bool {
        self.all.borrow().get(&number).inspect(|beginning| beginning.unwanted.set(true)).is_some()
    }

    /// Nobody wants any of them. Returns when none is left.
    pub async fn end(&self) {
        self.all.borrow().values().for_each(|beginning| beginning.unwanted.set(true));
        loop {
            let fewer = self.fewer.notified();
            if self.all.borrow().is_empty() {
                return;
            }
            fewer.await;
        }
    }
}

impl Begun<'_> {
    /// Whether it is to end at once.
    pub fn is_unwanted(&self) -> bool {
        self.this.unwanted.get()
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.others.all.borrow_mut().remove(&self.number);
        self.others.fewer.notify_waiters();
    }
}
