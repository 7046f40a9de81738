//! What a preview puts out, on its way to the journal, and how far serve is with it.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};
use std::time::Duration;

use serde_json::json;

use super::Held;
use crate::keeper::journal::Kind;
use crate::keeper::protocol::Message;

/// Bytes of journal that serve has not read yet, beyond which output waits in its pipe.
const MAX_UNREAD: u64 = 64 * 1024 * 1024;
/// The same while the journal goes on in memory.
const MAX_UNREAD_IN_MEMORY: u64 = 4 * 1024 * 1024;
/// Between two tries to write what the disk did not take.
const RETRY: Duration = Duration::from_secs(1);

impl Held {
    /// Adds a line to the journal's batch.
    pub fn write(&self, kind: Kind, slot: u16, payload: &[u8], cut: bool) {
        // Ours are few.
        if kind != Kind::Note && self.journal.borrow().is_full() {
            self.lost.set(self.lost.get() + 1);
            return;
        }
        let lost = self.lost.take();
        if lost > 0 {
            let told =
                format!("{lost} lines were lost: the server had no room for them, on disk or in memory");
            self.note(slot, "WARN", "server", &told);
        }
        let micros = jiff::Timestamp::now().as_microsecond().unsigned_abs();
        self.journal.borrow_mut().push(kind, slot, micros, payload, cut);
        if matches!(kind, Kind::Stderr | Kind::Record) {
            let told = self.slots.borrow().get(&u32::from(slot)).and_then(|slot| slot.told.hear(payload));
            if let Some(sentence) = told {
                self.note(slot, "WARN", "server", &sentence);
            }
        }
    }

    /// Adds a line of ours.
    pub(super) fn note(&self, slot: u16, level: &str, source: &str, message: &str) {
        let note = json!({ "level": level, "source": source, "message": message });
        self.write(Kind::Note, slot, note.to_string().as_bytes(), false);
    }

    /// Writes the batch and tells serve. If the disk does not take it, the journal goes on in memory: nobody waits.
    pub fn flush(self: &Rc<Self>) {
        let flushed = self.journal.borrow_mut().flush();
        match flushed {
            Ok(None) => self.announce(),
            Ok(Some(refused)) => self.go_on_in_memory(&refused),
            Err(e) => {
                tracing::error!(preview = self.id, error = %e, "lines are lost: the journal cannot be written");
                self.lost.set(self.lost.get() + self.journal.borrow_mut().discard());
            }
        }
    }

    fn go_on_in_memory(self: &Rc<Self>, refused: &io::Error) {
        tracing::error!(preview = self.id, error = %refused, "the journal cannot be written; it goes on in memory");
        let told =
            "The server's disk takes no more of this log; the newest lines are in memory until it does";
        self.note(0, "WARN", "server", told);
        tokio::task::spawn_local(write_out(Rc::downgrade(self)));
        self.announced.set(false);
        self.flush();
    }

    /// Tries to give the disk what it did not take.
    fn writes_out(self: &Rc<Self>) -> bool {
        if !self.journal.borrow_mut().catch_up() {
            return false;
        }
        self.note(0, "INFO", "server", "The server's disk takes this log again");
        self.announced.set(false);
        self.flush();
        self.room.notify_waiters();
        true
    }

    fn announce(&self) {
        let unread = self.journal.borrow().end() > self.consumed.get();
        if unread && !self.announced.replace(true) {
            self.outbox.send_with(Message::Output { preview: self.id.clone() }, self.memory());
        }
    }

    /// What the disk did not take of the journal.
    pub fn memory(&self) -> Option<OwnedFd> {
        self.journal.borrow().memory()
    }

    /// Serve has read up to `offset`.
    pub fn consumed(&self, offset: u64) {
        self.consumed.set(offset.max(self.consumed.get()));
        self.announced.set(false);
        self.announce();
        self.room.notify_waiters();
    }

    /// A new serve reads from where it likes, and has been told nothing yet.
    pub fn reader_changed(&self) {
        self.announced.set(false);
        self.announce();
    }

    /// Gives the part before `offset` back to the disk.
    pub fn trim(&self, offset: u64, first_id: u64) -> io::Result<()> {
        self.journal.borrow_mut().trim(offset, first_id)
    }

    /// Nobody reads any more: who waited for that goes on while there is room.
    pub fn reader_left(&self) {
        self.room.notify_waiters();
    }

    /// Returns once serve is not too far behind. Without one, nobody waits for more room in memory: what has none is lost.
    pub async fn room_in_journal(&self) {
        loop {
            let room = self.room.notified();
            let in_memory = self.journal.borrow().is_in_memory();
            let most = if in_memory { MAX_UNREAD_IN_MEMORY } else { MAX_UNREAD };
            let unread = self.journal.borrow().end() - self.consumed.get();
            if unread <= most || (in_memory && !self.outbox.is_connected()) {
                return;
            }
            room.await;
        }
    }
}

/// Gives the disk what it did not take as soon as it takes it, for as long as the journal is there.
async fn write_out(held: Weak<Held>) {
    loop {
        tokio::time::sleep(RETRY).await;
        if held.upgrade().is_none_or(|held| held.writes_out()) {
            return;
        }
    }
}
