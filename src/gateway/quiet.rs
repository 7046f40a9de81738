//! Connections that go on at once where they have woken themselves.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Looks at a future before others get their turn.
const AT_ONCE: usize = 16;

/// Polls a future again where it was woken meanwhile, as the two sides of a connection wake each other. The scheduler would put the
/// task at the end of its queue and have another thread look for it there, which costs more than a small request itself.
#[derive(Debug)]
pub struct Quiet<F> {
    future: F,
    bell: Arc<Bell>,
    waker: Waker,
}

/// Rings for the future's task, unless that is awake anyway.
#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    is_awake: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::SeqCst);
        // Whoever falls asleep says so first and listens then.
        if !self.is_awake.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

impl<F: Future + Unpin> Quiet<F> {
    /// Around a future.
    pub fn new(future: F) -> Self {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        Self { future, bell, waker }
    }
}

impl<F: Future + Unpin> Future for Quiet<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, bell, waker } = &mut *self;
        bell.task.register(cx.waker());
        for _ in 0..AT_ONCE {
            bell.is_awake.store(true, Ordering::SeqCst);
            bell.rung.store(false, Ordering::SeqCst);
            let polled = Pin::new(&mut *future).poll(&mut Context::from_waker(waker));
            bell.is_awake.store(false, Ordering::SeqCst);
            if polled.is_ready() || !bell.rung.load(Ordering::SeqCst) {
                return polled;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    /// Counts how often a task is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_wakes_himself_is_polled_again_and_nobody_is_told() {
        let told = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&told));
        let mut left = 3;
        let mut future = Quiet::new(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            left -= 1;
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        }));
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_ready());
        assert_eq!(told.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn who_wakes_himself_for_ever_lets_others_go_first() {
        let told = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&told));
        let mut polls = 0;
        let mut future = Quiet::new(poll_fn(|cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(future);
        assert_eq!((polls, told.0.load(Ordering::SeqCst)), (AT_ONCE, 1));
    }

    /// Each item comes from another thread, most of them while the future is being polled.
    #[tokio::test]
    async fn no_wake_of_another_thread_is_lost() {
        const ITEMS: usize = 20_000;
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let thread = std::thread::spawn(move || (0..ITEMS).try_for_each(|item| sender.blocking_send(item)));
        let all = Box::pin(async {
            let mut seen = 0;
            while receiver.recv().await.is_some() {
                seen += 1;
            }
            seen
        });
        let seen = tokio::time::timeout(Duration::from_secs(60), Quiet::new(all)).await;
        assert_eq!(seen.expect("no wake is missing"), ITEMS);
        thread.join().unwrap().unwrap();
    }
}
