//! One reader of a log, at its own pace.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::json;
use tokio::sync::watch;

use super::hub::Ring;
use super::{Filter, Hub};

/// Bytes that are handed over at once: enough to be fast, little enough to be fair.
const CHUNK: usize = 64 * 1024;
/// A comment keeps the connection open through proxies that close silent ones.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest entry that is kept.
    Oldest,
    /// After this id. One that is beyond the newest is of another preview, and means from the start.
    After(u64),
    /// With the last so many that are wanted.
    Tail(usize),
}

/// What a reader gets next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Server-sent events, whole ones.
    Frames(Bytes),
    /// The preview is over and everything has been said.
    End,
}

/// A reader of a [`Hub`].
#[derive(Debug)]
pub struct Follow {
    hub: Arc<Hub>,
    changed: watch::Receiver<u64>,
    filter: Filter,
    /// The last id that was seen.
    seen: u64,
    next_change: u64,
    over: bool,
    _follows: Arc<()>,
}

impl Follow {
    /// Begins to read.
    #[must_use]
    pub fn new(hub: Arc<Hub>, start: Start, filter: Filter) -> Self {
        let changed = hub.changes();
        let (seen, next_change) = {
            let ring = hub.ring();
            let oldest = ring.first_id() - 1;
            let seen = match start {
                Start::After(id) if id < ring.next_id => id,
                Start::Oldest | Start::After(_) => oldest,
                Start::Tail(count) => tail(&ring, count, &filter),
            };
            (seen, ring.first_change_for(seen))
        };
        let follows = hub.reader();
        Self { hub, changed, filter, seen, next_change, over: false, _follows: follows }
    }

    /// Whether there is nothing left to tell: the preview is over, and the reader had all of it.
    #[must_use]
    pub fn has_seen_the_end(&self) -> bool {
        let ring = self.hub.ring();
        ring.ended.is_some() && self.seen + 1 == ring.next_id
    }

    /// The next events; waits when there are none, and sends a comment when there are none for long.
    pub async fn next(&mut self) -> Event {
        loop {
            if self.over {
                return Event::End;
            }
            self.changed.borrow_and_update();
            if let Some(frames) = self.take() {
                return Event::Frames(frames);
            }
            match tokio::time::timeout(KEEP_ALIVE, self.changed.changed()).await {
                Ok(Ok(())) => {}
                // The hub lives as long as this reader, so that its sender cannot be gone.
                Ok(Err(_)) => return Event::End,
                Err(_elapsed) => return Event::Frames(Bytes::from_static(b": keep-alive\n\n")),
            }
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let hub = Arc::clone(&self.hub);
        let ring = hub.ring();
        let mut out = BytesMut::new();
        self.tell_gap(&ring, &mut out);
        let mut changes = self.new_changes(&ring);
        for entry in ring.after(self.seen) {
            if out.len() >= CHUNK {
                break;
            }
            take_changes(&mut changes, &mut self.next_change, entry.id - 1, &mut out);
            self.seen = entry.id;
            if self.filter.matches(entry) {
                out.extend_from_slice(entry.frame());
            }
        }
        if self.seen + 1 >= ring.next_id {
            take_changes(&mut changes, &mut self.next_change, u64::MAX, &mut out);
            if let Some(reason) = &ring.ended {
                let end = json!({ "reason": reason });
                out.extend_from_slice(format!("event: end\ndata: {end}\n\n").as_bytes());
                self.over = true;
            }
        }
        (!out.is_empty()).then(|| out.freeze())
    }

    fn tell_gap(&mut self, ring: &Ring, out: &mut BytesMut) {
        let first = ring.first_id();
        if self.seen + 1 < first {
            let gap = json!({ "from": self.seen + 1, "to": first - 1 });
            out.extend_from_slice(format!("event: gap\ndata: {gap}\n\n").as_bytes());
            self.seen = first - 1;
        }
    }

    fn new_changes(&mut self, ring: &Ring) -> VecDeque<(u64, Bytes)> {
        let skip = self.next_change.saturating_sub(ring.dropped_changes);
        self.next_change = self.next_change.max(ring.dropped_changes);
        ring.changes.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)).cloned().collect()
    }
}

/// The changes that were made when entry `up_to` was the newest, or before.
fn take_changes(changes: &mut VecDeque<(u64, Bytes)>, next: &mut u64, up_to: u64, out: &mut BytesMut) {
    while changes.front().is_some_and(|(after, _)| *after <= up_to) {
        if let Some((_, frame)) = changes.pop_front() {
            out.extend_from_slice(&frame);
            *next += 1;
        }
    }
}

fn tail(ring: &Ring, count: usize, filter: &Filter) -> u64 {
    let wanted = ring.entries.iter().rev().filter(|entry| filter.matches(entry));
    match wanted.take(count).last() {
        Some(entry) => entry.id - 1,
        None => ring.next_id - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::structured::plain;
    use super::super::{Draft, StreamName};
    use super::*;
    use crate::config::LogLevel;

    fn hub_with(count: u64) -> Arc<Hub> {
        let hub = Hub::new(1000, 1);
        let drafts: Vec<_> = (1..=count)
            .map(|n| Draft {
                level: if n % 10 == 0 { LogLevel::Error } else { LogLevel::Info },
                slot: 1,
                ..plain(n, n, StreamName::Stdout, format!("line {n}"))
            })
            .collect();
        hub.append(&drafts);
        hub
    }

    fn ids(frames: &Bytes) -> Vec<u64> {
        let text = std::str::from_utf8(frames).unwrap();
        text.lines().filter_map(|l| l.strip_prefix("id: ")?.parse().ok()).collect()
    }

    async fn all(mut follow: Follow) -> (Vec<u64>, String) {
        let (mut seen, mut text) = (Vec::new(), String::new());
        while let Event::Frames(frames) = follow.next().await {
            seen.extend(ids(&frames));
            text.push_str(std::str::from_utf8(&frames).unwrap());
        }
        (seen, text)
    }

    #[tokio::test]
    async fn every_place_of_a_thousand_lines_can_be_resumed_from() {
        let hub = hub_with(1000);
        hub.end("stopped");
        for place in 0..=1000 {
            let follow = Follow::new(Arc::clone(&hub), Start::After(place), Filter::default());
            assert_eq!(follow.has_seen_the_end(), place == 1000);
            assert_eq!(all(follow).await.0, (place + 1..=1000).collect::<Vec<_>>());
        }
        let beyond = Follow::new(Arc::clone(&hub), Start::After(5000), Filter::default());
        assert_eq!(all(beyond).await.0.len(), 1000);
    }

    #[tokio::test]
    async fn dropped_lines_are_told_and_filters_narrow() {
        let hub = hub_with(100);
        hub.ring().entries.drain(..40);
        hub.end("stopped");
        let (seen, text) = all(Follow::new(Arc::clone(&hub), Start::After(10), Filter::default())).await;
        assert!(text.starts_with("event: gap\ndata: {\"from\":11,\"to\":40}\n\n"), "{text}");
        assert_eq!(seen, (41..=100).collect::<Vec<_>>());
        let errors = Filter { level: Some(LogLevel::Error), ..Filter::default() };
        let (seen, text) = all(Follow::new(Arc::clone(&hub), Start::Tail(2), errors)).await;
        assert_eq!(seen, [90, 100]);
        assert!(text.ends_with("event: end\ndata: {\"reason\":\"stopped\"}\n\n"));
    }

    #[tokio::test]
    async fn changes_of_state_stand_where_they_happened() {
        let hub = hub_with(2);
        let mut follow = Follow::new(Arc::clone(&hub), Start::Oldest, Filter::default());
        hub.announce(&json!({"status": "running"}));
        hub.end("stopped");
        let Event::Frames(frames) = follow.next().await else { panic!("frames") };
        let text = std::str::from_utf8(&frames).unwrap();
        let (line, status) = (text.find("id: 2").unwrap(), text.find("event: status").unwrap());
        assert!(line < status && status < text.find("event: end").unwrap(), "{text}");
    }
}
