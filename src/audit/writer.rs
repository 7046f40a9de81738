use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::Entry;
use super::file::Log;

/// Entries that wait for the disk. Beyond it they are counted and not written: no call waits for its record.
const QUEUE: usize = 8192;
/// Entries that are written together.
const BATCH: usize = 256;

/// Where entries go. Clones share it.
#[derive(Clone)]
pub struct Audit {
    queue: Arc<Mutex<Option<SyncSender<Entry>>>>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
    lost: Arc<AtomicU64>,
}

impl Audit {
    /// Opens the log of a data directory, for at most so many bytes, and starts the thread that writes.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(data_dir: &Path, limit: u64) -> io::Result<Self> {
        let log = Log::open(data_dir, limit)?;
        let (queue, entries) = sync_channel(QUEUE);
        let lost = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&lost);
        let writer = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write(log, &entries, &counted))?;
        Ok(Self {
            queue: Arc::new(Mutex::new(Some(queue))),
            writer: Arc::new(Mutex::new(Some(writer))),
            lost,
        })
    }

    /// Adds an entry, now or in a moment.
    pub fn record(&self, entry: Entry) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.as_ref().is_none_or(|queue| queue.try_send(entry).is_err()) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Entries that could not be written since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Returns when everything that came before is written. What comes later is lost.
    pub fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the audit log's writer failed");
        }
    }
}

fn write(mut log: Log, entries: &Receiver<Entry>, lost: &AtomicU64) {
    let mut told = false;
    while let Ok(first) = entries.recv() {
        let batch: Vec<_> = std::iter::once(first).chain(entries.try_iter().take(BATCH - 1)).collect();
        match log.append(&to_lines(&batch)) {
            Ok(()) => told = false,
            Err(e) => {
                lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(error = %e, "the audit log cannot be written; its entries are lost");
                }
            }
        }
    }
}

fn to_lines(batch: &[Entry]) -> Vec<u8> {
    let mut lines = Vec::new();
    for entry in batch {
        // Texts and a number: that cannot fail.
        lines.extend(serde_json::to_vec(entry).unwrap_or_default());
        lines.push(b'\n');
    }
    lines
}
