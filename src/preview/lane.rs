//! Which start of the code serves, and who is still being answered by it.

use std::sync::{Mutex, PoisonError};

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The start that serves. A reload and a wake put another in its place.
#[derive(Debug, Default)]
pub(super) struct Lane(Mutex<Start>);

#[derive(Debug, Default)]
struct Start {
    slot: u32,
    answering: TaskTracker,
}

/// A request in the hands of one start of the code. It is not asked to end while somebody holds one, within limits.
#[derive(Debug)]
pub struct Place {
    /// Number of the start.
    pub slot: u32,
    _answered: TaskTrackerToken,
}

impl Lane {
    /// The start that serves; 0 before there is one.
    pub fn slot(&self) -> u32 {
        self.lock().slot
    }

    /// A place in the start that serves.
    pub fn enter(&self) -> Place {
        let start = self.lock();
        Place { slot: start.slot, _answered: start.answering.token() }
    }

    /// Another start serves from now on. Gives the requests that the one before is still answering.
    pub fn move_to(&self, slot: u32) -> TaskTracker {
        let new = Start { slot, answering: TaskTracker::new() };
        let old = std::mem::replace(&mut *self.lock(), new);
        old.answering.close();
        old.answering
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Start> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn whoever_entered_before_the_move_is_waited_for() {
        let lane = Lane::default();
        lane.move_to(1);
        let place = lane.enter();
        let old = lane.move_to(2);
        let later = lane.enter();
        assert_eq!((place.slot, later.slot, lane.slot()), (1, 2, 2));
        assert!(old.wait().now_or_never().is_none());
        drop(place);
        assert!(old.wait().now_or_never().is_some(), "whoever came later is not");
    }
}
