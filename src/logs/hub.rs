//! The newest entries of one preview, and whoever reads them.
//!
//! There is no queue per reader: each remembers the id it has seen and takes what came after it when it likes.
//! One that does not read costs nothing, one that is too slow is told what it missed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

use super::{Entry, Filter, Page};

/// Bytes that one preview's entries may occupy beyond the lines that are always kept.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// A log with more bytes than this is worth a look at what memory is free once it is gone.
const MUCH: usize = 4 * 1024 * 1024;
/// Entries that are looked at together.
const STEP: usize = 4096;
/// Changes of state that are kept for readers who come later.
const MAX_CHANGES: usize = 64;

/// Entries, changes of state, and the end.
#[derive(Debug)]
pub struct Hub {
    ring: Mutex<Ring>,
    /// Counts every change of the ring.
    version: watch::Sender<u64>,
    /// Each reader has a share of it.
    readers: Arc<()>,
    min_lines: usize,
}

#[derive(Debug, Default)]
pub(super) struct Ring {
    pub(super) entries: VecDeque<Entry>,
    /// The id that the next entry gets.
    pub(super) next_id: u64,
    bytes: usize,
    /// Server-sent `status` events, each after the entry that was the newest then.
    pub(super) changes: VecDeque<(u64, Bytes)>,
    /// How many changes have been dropped.
    pub(super) dropped_changes: u64,
    pub(super) ended: Option<String>,
}

impl Ring {
    /// Id of the oldest entry that is kept; the next one's while there is none.
    pub(super) fn first_id(&self) -> u64 {
        self.entries.front().map_or(self.next_id, |entry| entry.id)
    }

    /// The entries after `id`.
    pub(super) fn after(&self, id: u64) -> impl Iterator<Item = &Entry> {
        let skip = (id + 1).saturating_sub(self.first_id());
        self.entries.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX))
    }

    /// Number of the first change to tell to somebody who has seen everything up to entry `seen`: those that came with
    /// it or after it, and at the least the newest, which is the present state.
    pub(super) fn first_change_for(&self, seen: u64) -> u64 {
        let before = self.changes.iter().take_while(|(after, _)| *after < seen).count();
        self.dropped_changes + before.min(self.changes.len().saturating_sub(1)) as u64
    }
}

impl Hub {
    /// An empty one that keeps at least `min_lines` entries; the first gets id `first_id`.
    #[must_use]
    pub fn new(min_lines: usize, first_id: u64) -> Arc<Self> {
        let ring = Ring { next_id: first_id.max(1), ..Ring::default() };
        Arc::new(Self {
            ring: Mutex::new(ring),
            version: watch::Sender::new(0),
            readers: Arc::default(),
            min_lines,
        })
    }

    /// One for a preview that is over, with what the store kept of it.
    #[must_use]
    pub fn of_ended(entries: Vec<Entry>, reason: &str) -> Arc<Self> {
        let next_id = entries.last().map_or(1, |entry| entry.id + 1);
        let ring =
            Ring { entries: entries.into(), next_id, ended: Some(reason.to_owned()), ..Ring::default() };
        Arc::new(Self {
            ring: Mutex::new(ring),
            version: watch::Sender::new(0),
            readers: Arc::default(),
            min_lines: 0,
        })
    }

    pub(super) fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Adds entries and gives them their ids. Returns the place before which nothing is kept any more,
    /// as offset and id, if the oldest that is kept has moved.
    pub fn append(&self, drafts: &[super::Draft]) -> Option<(u64, u64)> {
        let mut ring = self.ring();
        let before = ring.first_id();
        let entries = Entry::all(ring.next_id, drafts);
        ring.next_id += drafts.len() as u64;
        ring.bytes += entries.iter().map(Entry::size).sum::<usize>();
        ring.entries.extend(entries);
        while ring.bytes > MAX_BYTES && ring.entries.len() > self.min_lines.max(1) {
            let size = ring.entries.pop_front().map_or(0, |entry| entry.size());
            ring.bytes -= size;
        }
        let moved = (ring.first_id() > before)
            .then(|| ring.entries.iter().find(|entry| entry.clean).map(|entry| (entry.offset, entry.id)))
            .flatten();
        drop(ring);
        self.touch();
        moved
    }

    /// The first place at or after `offset` where reading may begin, as offset and id.
    #[must_use]
    pub fn place_from(&self, offset: u64) -> Option<(u64, u64)> {
        let ring = self.ring();
        let newest_first = ring.entries.iter().rev().take_while(|entry| entry.offset >= offset);
        newest_first.filter(|entry| entry.clean).last().map(|entry| (entry.offset, entry.id))
    }

    /// Tells a change of state to everybody who reads.
    pub fn announce(&self, status: &Value) {
        let mut ring = self.ring();
        let newest = ring.next_id - 1;
        ring.changes.push_back((newest, Bytes::from(format!("event: status\ndata: {status}\n\n"))));
        if ring.changes.len() > MAX_CHANGES {
            ring.changes.pop_front();
            ring.dropped_changes += 1;
        }
        drop(ring);
        self.touch();
    }

    /// The preview is over: readers get what is left, then the end.
    pub fn end(&self, reason: &str) {
        self.ring().ended = Some(reason.to_owned());
        self.touch();
    }

    /// The id of the newest entry; 0 while there is none.
    #[must_use]
    pub fn newest_id(&self) -> u64 {
        self.ring().next_id - 1
    }

    /// Why it is over, if it is.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        self.ring().ended.clone()
    }

    /// The last `count` entries, oldest first.
    #[must_use]
    pub fn last(&self, count: usize) -> Vec<Entry> {
        let ring = self.ring();
        ring.entries.iter().skip(ring.entries.len().saturating_sub(count)).cloned().collect()
    }

    /// The last `count` entries that one start of the code said, oldest first. Of all starts for 0.
    #[must_use]
    pub fn last_of(&self, slot: u32, count: usize) -> Vec<Entry> {
        let ring = self.ring();
        let said = ring.entries.iter().rev().filter(|entry| slot == 0 || u32::from(entry.slot) == slot);
        let mut last: Vec<_> = said.take(count).cloned().collect();
        last.reverse();
        last
    }

    /// Of the last `keep` entries those after `id`, the first `count` of them.
    #[must_use]
    pub fn newest(&self, id: u64, keep: usize, count: usize) -> Vec<Entry> {
        let ring = self.ring();
        let dropped = ring.next_id.saturating_sub(u64::try_from(keep).unwrap_or(u64::MAX).saturating_add(1));
        ring.after(id.max(dropped)).take(count).cloned().collect()
    }

    /// Told of every change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// For a reader to hold while it follows.
    pub(super) fn reader(&self) -> Arc<()> {
        Arc::clone(&self.readers)
    }

    /// Whether somebody follows, to whom each line matters at once.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        Arc::strong_count(&self.readers) > 1
    }

    /// A page of what is kept, after an id.
    #[must_use]
    pub fn page(&self, after_id: u64, limit: usize, filter: &Filter) -> Page {
        let (mut seen, mut wanted) = (after_id, Vec::new());
        while wanted.len() <= limit {
            // The writer and other readers get their turn between two steps.
            let step: Vec<_> = self.ring().after(seen).take(STEP).cloned().collect();
            let Some(last) = step.last() else { break };
            seen = last.id;
            wanted.extend(step.into_iter().filter(|entry| filter.matches(entry)));
        }
        Page::of(wanted.iter(), limit)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let mut ring = self.ring();
        if ring.bytes > MUCH {
            ring.entries = VecDeque::new();
            give_back_memory();
        }
    }
}

/// Gives free memory back to the system. The allocator keeps it otherwise: a log's lines are freed among others' that
/// are in use.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes the allocator's own locks, and touches only what is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::structured::plain;
    use super::super::{Draft, StreamName};
    use super::*;

    fn draft(message: String) -> Draft {
        Draft { slot: 1, clean: true, ..plain(1, 100, StreamName::Stdout, message) }
    }

    #[test]
    fn ids_count_up_by_one_and_memory_is_bounded() {
        let hub = Hub::new(10, 1);
        assert_eq!(hub.append(&[draft("a".into()), draft("b".into())]), None);
        assert_eq!(hub.newest_id(), 2);
        let large: Vec<_> = (0..50).map(|_| draft("x".repeat(1024 * 1024))).collect();
        let moved = hub.append(&large).unwrap();
        assert_eq!(hub.newest_id(), 52);
        assert_eq!(moved.1, hub.ring().first_id());
        assert!(hub.ring().bytes <= MAX_BYTES);
    }

    #[test]
    fn what_one_start_said_is_found_among_all_the_rest() {
        let hub = Hub::new(40, 1);
        let drafts: Vec<_> = (1..=9).map(|n| Draft { slot: n % 3, ..draft("x".into()) }).collect();
        hub.append(&drafts);
        let ids = |slot, count| hub.last_of(slot, count).iter().map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!((ids(2, 2), ids(0, 2)), (vec![5, 8], vec![8, 9]));
    }

    #[test]
    fn what_is_missing_is_taken_in_steps_and_no_further_back_than_is_kept() {
        let hub = Hub::new(40, 1);
        assert!(hub.newest(0, 10, 5).is_empty());
        hub.append(&vec![draft("x".into()); 30]);
        let ids = |id, keep, count| hub.newest(id, keep, count).iter().map(|e| e.id).collect::<Vec<_>>();
        assert_eq!((ids(0, 3, 2), ids(29, 3, 2), ids(30, 3, 2)), (vec![28, 29], vec![30], vec![]));
        assert_eq!((ids(0, 100, 2), ids(0, usize::MAX, 2)), (vec![1, 2], vec![1, 2]));
    }

    #[test]
    fn the_lines_that_are_promised_are_kept_whatever_their_size() {
        let hub = Hub::new(40, 1);
        let large: Vec<_> = (0..60).map(|_| draft("x".repeat(1024 * 1024))).collect();
        hub.append(&large);
        assert_eq!(hub.last(1000).len(), 40);
    }
}
