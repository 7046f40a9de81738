//! Who uses which environment, and who is making one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedMutexGuard, watch};

/// One per environment in use.
#[derive(Debug)]
pub(super) struct Lease;

/// Shared values by key, forgotten when nobody holds them any more.
pub(super) struct Shared<T>(Mutex<HashMap<String, Weak<T>>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<T> Shared<T> {
    /// The value that others hold, or else a new one.
    pub(super) fn get(&self, key: &str, new: impl FnOnce() -> T) -> Arc<T> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = values.get(key).and_then(Weak::upgrade) {
            return value;
        }
        values.retain(|_, value| value.strong_count() > 0);
        let value = Arc::new(new());
        values.insert(key.to_owned(), Arc::downgrade(&value));
        value
    }

    /// Whether anybody holds it.
    pub(super) fn is_held(&self, key: &str) -> bool {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(key).is_some_and(|value| value.strong_count() > 0)
    }
}

/// Lets one task at a time work on a key.
pub(super) type Flights = Shared<tokio::sync::Mutex<()>>;

impl Flights {
    /// Waits for its turn.
    pub(super) async fn enter(&self, key: &str) -> OwnedMutexGuard<()> {
        self.get(key, tokio::sync::Mutex::default).lock_owned().await
    }
}

/// What has been said while something was made, for whoever waits for the same.
#[derive(Debug, Default)]
pub(super) struct Story(watch::Sender<Vec<String>>);

impl Story {
    /// Goes on with it.
    pub(super) fn add(&self, line: String) {
        self.0.send_modify(|lines| lines.push(line));
    }

    /// Tells it from its beginning, for as long as the turn does not come.
    pub(super) async fn told_to<T>(
        &self,
        tell: &(dyn Fn(String) + Send + Sync),
        turn: impl Future<Output = T>,
    ) -> T {
        let mut lines = self.0.subscribe();
        let mut told = 0;
        let mut go_on = |lines: &mut watch::Receiver<Vec<String>>| {
            let all = lines.borrow_and_update();
            all[told..].iter().cloned().for_each(tell);
            told = all.len();
        };
        tokio::pin!(turn);
        tokio::select! {
            biased;
            come = &mut turn => return come,
            () = std::future::ready(()) => {}
        }
        loop {
            go_on(&mut lines);
            tokio::select! {
                come = &mut turn => {
                    go_on(&mut lines);
                    return come;
                }
                _lives_with_self = lines.changed() => {}
            }
        }
    }
}
