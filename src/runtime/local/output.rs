//! Following a preview's journal.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::id::PreviewId;
use crate::keeper::journal::{Reader, Record};
use crate::keeper::protocol::Request;
use crate::keeper::{Client, Layout};
use crate::runtime::Output;

/// Records of one batch: large enough to be fast, small enough that readers see them come.
const BATCH: usize = 4096;

/// Reads a journal and tells the keeper how far.
#[derive(Debug)]
pub struct JournalOutput {
    preview: String,
    reader: Reader,
    wake: watch::Receiver<Option<Arc<File>>>,
    client: Arc<Client>,
    /// When there was a batch, until it has been looked for more.
    last: Option<Instant>,
}

impl JournalOutput {
    /// Opens the journal of a preview at its oldest record. `wake` tells when it grows, and where the rest of it is while
    /// the disk does not take it.
    pub fn open(
        layout: &Layout,
        id: &PreviewId,
        wake: watch::Receiver<Option<Arc<File>>>,
        client: Arc<Client>,
    ) -> io::Result<Self> {
        let reader = Reader::open(&layout.journal(id.as_str()))?;
        Ok(Self { preview: id.to_string(), reader, wake, client, last: None })
    }

    async fn tell_consumed(&self) {
        let request = Request::Consumed { preview: self.preview.clone(), offset: self.reader.offset() };
        // Gone: then `wake` ends, and with it the following.
        let _gone = self.client.call(request).await;
    }
}

impl Output for JournalOutput {
    fn first_id(&self) -> u64 {
        self.reader.first_id
    }

    fn next_batch(&mut self, gather: Duration) -> BoxFuture<'_, io::Result<Vec<Record>>> {
        async move {
            loop {
                self.wake.borrow_and_update();
                let batch = self.drain()?;
                if !batch.is_empty() {
                    self.last = Some(Instant::now());
                    return Ok(batch);
                }
                // As long as the keeper is told nothing, it tells nothing: each costs both sides more than a line.
                if let Some(last) = self.last.take_if(|_| !gather.is_zero()) {
                    tokio::time::sleep_until(last + gather).await;
                    continue;
                }
                self.tell_consumed().await;
                if self.wake.changed().await.is_err() {
                    // Nobody writes any more; what was written between the last look and the end is still there.
                    return self.drain();
                }
            }
        }
        .boxed()
    }

    fn drain(&mut self) -> io::Result<Vec<Record>> {
        self.reader.memory.clone_from(&self.wake.borrow());
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            match self.reader.next_record()? {
                Some(record) => batch.push(record),
                None => break,
            }
        }
        Ok(batch)
    }

    fn in_memory_from(&self) -> Option<u64> {
        self.reader.in_memory_from()
    }

    fn trim(&mut self, offset: u64, first_id: u64) -> BoxFuture<'_, ()> {
        async move {
            let request = Request::Trim { preview: self.preview.clone(), offset, first_id };
            if let Err(e) = self.client.call(request).await {
                tracing::warn!(preview = self.preview, error = %e, "the journal could not be trimmed");
            }
        }
        .boxed()
    }
}
