//! Edits of a directory, told once things are quiet again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// Without a further change for so long, an edit is complete: editors write in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// Watches a directory and everything below it.
pub(super) struct Watch {
    changed: Arc<Notify>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Begins to watch. Changes below `except` do not count.
    pub(super) fn new(directory: &Path, except: PathBuf) -> notify::Result<Self> {
        let changed = Arc::new(Notify::new());
        let told = Arc::clone(&changed);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error is a reason to look as well: events may have been lost.
            if event.as_ref().map_or(true, |event| counts(event, &except)) {
                told.notify_one();
            }
        })?;
        watcher.watch(directory, RecursiveMode::Recursive)?;
        Ok(Self { changed, _watcher: watcher })
    }

    /// Returns once something has changed and it is quiet again.
    pub(super) async fn edited(&self) {
        self.changed.notified().await;
        while tokio::time::timeout(QUIET, self.changed.notified()).await.is_ok() {}
    }
}

/// Reading a file is no change of it; without this, looking would be a reason to look again.
fn counts(event: &Event, except: &Path) -> bool {
    !matches!(event.kind, EventKind::Access(_))
        && (event.paths.is_empty() || event.paths.iter().any(|path| !path.starts_with(except)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::TempDir;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn edits_are_told_and_reads_and_what_is_excepted_are_not() {
        let root = TempDir::new();
        let directory = root.path();
        std::fs::create_dir(directory.join("storage")).unwrap();
        std::fs::write(directory.join("main.py"), "1").unwrap();
        let watch = Watch::new(directory, directory.join("storage")).unwrap();
        std::fs::write(directory.join("storage/previewd.db"), "x").unwrap();
        std::fs::read(directory.join("main.py")).unwrap();
        assert!(tokio::time::timeout(3 * QUIET, watch.edited()).await.is_err());
        std::fs::write(directory.join("main.py"), "2").unwrap();
        tokio::time::timeout(PATIENCE, watch.edited()).await.unwrap();
        std::fs::create_dir(directory.join("app")).unwrap();
        tokio::time::timeout(PATIENCE, watch.edited()).await.unwrap();
        std::fs::write(directory.join("app/new.py"), "3").unwrap();
        tokio::time::timeout(PATIENCE, watch.edited()).await.unwrap();
    }
}
