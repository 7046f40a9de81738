//! What is made ahead for one preview, once its code was changed while it ran: edits come in bursts.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::spare::Spare;

/// It is made so long after the code that it follows was started, which needs the processors first.
const LATER: Duration = Duration::from_millis(300);
/// No edit for so long: the burst is over.
const KEPT: Duration = Duration::from_secs(120);

/// Where it is, if there is one.
#[derive(Debug, Default)]
pub struct Successor(RefCell<Option<Rc<RefCell<Option<Spare>>>>>);

impl Successor {
    /// Gives what was made. What is being made is not wanted any more.
    pub fn take(&self) -> Option<Spare> {
        self.0.take()?.take()
    }

    /// Has one made, and keeps it for a while.
    pub fn expect<F: Future<Output = io::Result<Option<Spare>>>>(&self, make: impl FnOnce() -> F + 'static) {
        let place = Rc::new(RefCell::new(None));
        let wanted = Rc::downgrade(&place);
        self.0.replace(Some(place));
        tokio::task::spawn_local(async move {
            tokio::time::sleep(LATER).await;
            if wanted.strong_count() == 0 {
                return;
            }
            let made = make().await.unwrap_or_else(|e| {
                tracing::warn!(error = %e, "nothing could be made ahead for the next edit");
                None
            });
            // Not to be taken apart half-way: whoever does not want it any more finds it complete.
            let Some(place) = wanted.upgrade() else { return };
            place.replace(made);
            drop(place);
            tokio::time::sleep(KEPT).await;
            drop(wanted.upgrade().and_then(|place| place.take()));
        });
    }
}
