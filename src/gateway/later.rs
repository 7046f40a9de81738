//! What is to be let go of once a connection has nothing more to do: a client waits for its answer, and not for what is freed, counted and
//! taken down behind it.

use std::cell::RefCell;

type Kept = Vec<Box<dyn Send>>;

thread_local! {
    /// Of the connection that this thread is serving, if it is serving one.
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// Keeps what is given up while something is done, and lets go of it then.
#[derive(Default)]
pub(super) struct Later(Kept);

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Later")
    }
}

impl Later {
    /// Does it.
    pub(super) fn after<T>(&mut self, done: impl FnOnce() -> T) -> T {
        let outer = KEPT.replace(Some(std::mem::take(&mut self.0)));
        let _restored = Restored(Some((self, outer)));
        done()
    }
}

/// Also where something panics.
struct Restored<'a>(Option<(&'a mut Later, Option<Kept>)>);

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        if let Some((later, outer)) = self.0.take() {
            later.0 = KEPT.replace(outer).unwrap_or_default();
            // What is let go of may let go of more, which is nobody's to keep then.
            later.0.clear();
        }
    }
}

/// Lets go of it later, or at once where nobody is served here.
pub(super) fn let_go(value: impl Send + 'static) {
    let left = KEPT.with_borrow_mut(|kept| match kept {
        Some(kept) => {
            kept.push(Box::new(value));
            None
        }
        None => Some(value),
    });
    drop(left);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_given_up_is_let_go_of_behind_what_is_done() {
        let mut later = Later::default();
        let thing = Arc::new(());
        let done = later.after(|| {
            let_go(Arc::clone(&thing));
            Arc::strong_count(&thing)
        });
        assert_eq!((done, Arc::strong_count(&thing)), (2, 1));
        let_go(Arc::clone(&thing));
        assert_eq!(Arc::strong_count(&thing), 1, "at once where nothing is done");
    }

    #[test]
    fn one_thing_done_within_another_keeps_its_own() {
        struct LetsGo(Arc<()>);
        impl Drop for LetsGo {
            fn drop(&mut self) {
                let_go(Arc::clone(&self.0));
            }
        }
        let (mut outer, mut inner) = (Later::default(), Later::default());
        let thing = Arc::new(());
        outer.after(|| {
            let_go(Arc::clone(&thing));
            inner.after(|| let_go(LetsGo(Arc::clone(&thing))));
            assert_eq!(
                Arc::strong_count(&thing),
                3,
                "the outer one's, and what the inner one's gave up at its end"
            );
        });
        assert_eq!(Arc::strong_count(&thing), 1);
    }

    #[test]
    fn a_panic_lets_go_as_well() {
        let mut later = Later::default();
        let thing = Arc::new(());
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            later.after(|| {
                let_go(Arc::clone(&thing));
                panic!("on purpose");
            })
        }));
        assert!(caught.is_err());
        assert_eq!(Arc::strong_count(&thing), 1);
    }
}
