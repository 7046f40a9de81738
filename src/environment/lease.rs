//! Who uses which environment, and who is making one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

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
    /// Waits for its turn; `waiting` is called if there is somebody to wait for.
    pub(super) async fn enter(&self, key: &str, waiting: impl FnOnce()) -> OwnedMutexGuard<()> {
        let flight = self.get(key, tokio::sync::Mutex::default);
        if let Ok(guard) = Arc::clone(&flight).try_lock_owned() {
            return guard;
        }
        waiting();
        flight.lock_owned().await
    }
}
