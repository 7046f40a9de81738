//! Where serve does what nobody waits for: logs and history on their way to the store.

use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A thread of its own for work that comes in pieces of a millisecond. On the threads that requests pass through, one that arrives
/// meanwhile would wait for such a piece. Clones share it.
#[derive(Clone, Debug)]
pub struct Background {
    thread: Handle,
    /// With the last clone the thread ends.
    _end: Arc<oneshot::Sender<()>>,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let work = move || runtime.block_on(async { drop(ended.await) });
        std::thread::Builder::new().name("background".to_owned()).spawn(work)?;
        Ok(Self { thread, _end: Arc::new(end) })
    }

    /// Begins a task there.
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.thread.spawn(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_done_there_is_done_beside_this_thread_until_nobody_needs_it() {
        let background = Background::start().unwrap();
        let clone = background.clone();
        let (asked, question) = oneshot::channel();
        let (told, answer) = std::sync::mpsc::channel();
        drop(background.spawn(async move { told.send(question.await) }));
        drop(background);
        asked.send(1).unwrap();
        // Blocks this thread: nothing but another one can answer.
        assert_eq!(answer.recv().unwrap(), Ok(1));
        let unfinished = clone.spawn(std::future::pending::<()>());
        drop(clone);
        assert!(unfinished.await.unwrap_err().is_cancelled());
    }
}
