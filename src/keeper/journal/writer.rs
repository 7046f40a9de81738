//! The keeper's end of a journal.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FallocateFlags, MemfdFlags};

use super::{FLAG_CUT, HEADER, Kind, MAGIC, MAX_LINE, MAX_PAYLOAD};

/// Bytes of one journal that are kept in memory while the disk does not take them.
const MAX_IN_MEMORY: u64 = 16 * 1024 * 1024;

/// The keeper's end.
#[derive(Debug)]
pub struct Writer {
    file: File,
    /// What the disk did not take.
    memory: Option<Memory>,
    end: u64,
    kept_from: u64,
    batch: Vec<u8>,
    /// Records of the batch.
    batched: u64,
}

impl Writer {
    /// Makes a new journal, readable by its owner only.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        let mut header = [0_u8; HEADER as usize];
        header[..8].copy_from_slice(MAGIC);
        header[8..16].copy_from_slice(&HEADER.to_le_bytes());
        header[16..24].copy_from_slice(&1_u64.to_le_bytes());
        file.write_all_at(&header, 0)?;
        Ok(Self { file, memory: None, end: HEADER, kept_from: HEADER, batch: Vec::new(), batched: 0 })
    }

    /// Adds a record to the batch that [`Self::flush`] writes.
    pub fn push(&mut self, kind: Kind, slot: u16, micros: u64, payload: &[u8], cut: bool) {
        let payload = &payload[..payload.len().min(MAX_PAYLOAD)];
        // Bounded by MAX_PAYLOAD just above.
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.batch.extend_from_slice(&length.to_le_bytes());
        self.batch.push(kind.code());
        self.batch.push(if cut { FLAG_CUT } else { 0 });
        self.batch.extend_from_slice(&slot.to_le_bytes());
        self.batch.extend_from_slice(&micros.to_le_bytes());
        self.batch.extend_from_slice(payload);
        self.batched += 1;
    }

    /// Writes what was pushed: to the disk or, from the moment that it refuses, to memory. Tells why it did, at that moment.
    ///
    /// # Errors
    /// If not even memory takes it. Then [`Self::discard`] says how much that is.
    pub fn flush(&mut self) -> io::Result<Option<io::Error>> {
        if self.batch.is_empty() {
            return Ok(None);
        }
        let refused = match &self.memory {
            Some(memory) => memory.file.write_all_at(&self.batch, self.end).map(|()| None)?,
            None => match self.file.write_all_at(&self.batch, self.end) {
                Ok(()) => None,
                Err(refused) => {
                    self.memory = Some(Memory::holding(&self.batch, self.end)?);
                    Some(refused)
                }
            },
        };
        self.end += self.batch.len() as u64;
        self.discard();
        Ok(refused)
    }

    /// Empties the batch. Tells how many records it had.
    pub fn discard(&mut self) -> u64 {
        self.batch.clear();
        // One large burst must not keep its memory for ever.
        self.batch.shrink_to(MAX_LINE);
        std::mem::take(&mut self.batched)
    }

    /// Tries to give the disk what it did not take. `true` once nothing of that is left.
    pub fn catch_up(&mut self) -> bool {
        let written = self.memory.as_mut().is_none_or(|memory| memory.write_to(&self.file, self.end).is_ok());
        if written {
            self.memory = None;
        }
        written
    }

    /// What the disk did not take, for a reader: a file with the same offsets.
    #[must_use]
    pub fn memory(&self) -> Option<OwnedFd> {
        self.memory.as_ref().and_then(|memory| memory.file.try_clone().ok()).map(OwnedFd::from)
    }

    /// Whether the disk does not take what is written.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        self.memory.is_some()
    }

    /// Whether memory has taken all that it may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let end = self.end + self.batch.len() as u64;
        self.memory.as_ref().is_some_and(|memory| end - memory.from >= MAX_IN_MEMORY)
    }

    /// Bytes up to which the journal is written.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Remembers that log entry `first_id` begins at `offset`, and gives what lies before it back to the disk.
    pub fn trim(&mut self, offset: u64, first_id: u64) -> io::Result<()> {
        if offset <= self.kept_from || offset > self.end {
            return Ok(());
        }
        let mut head = [0_u8; 16];
        head[..8].copy_from_slice(&offset.to_le_bytes());
        head[8..].copy_from_slice(&first_id.to_le_bytes());
        self.file.write_all_at(&head, 8)?;
        self.kept_from = offset;
        if let Some(memory) = &mut self.memory {
            memory.forget(offset)?;
        }
        punch(&self.file, HEADER, offset)
    }
}

/// A file that is in memory only, sparse, so that everything has the offset in it that it has in the journal.
#[derive(Debug)]
struct Memory {
    file: File,
    /// What lies before is on the disk, or nobody needs it.
    from: u64,
}

impl Memory {
    fn holding(bytes: &[u8], from: u64) -> io::Result<Self> {
        let file = File::from(rustix::fs::memfd_create("journal", MemfdFlags::CLOEXEC)?);
        file.write_all_at(bytes, from)?;
        Ok(Self { file, from })
    }

    /// What the disk takes is not held any longer.
    fn write_to(&mut self, disk: &File, end: u64) -> io::Result<()> {
        let written = self.copy_to(disk, end);
        punch(&self.file, 0, self.from)?;
        written
    }

    fn copy_to(&mut self, disk: &File, end: u64) -> io::Result<()> {
        let mut chunk = vec![0; MAX_LINE];
        while self.from < end {
            let left = usize::try_from(end - self.from).unwrap_or(usize::MAX);
            let length = left.min(chunk.len());
            self.file.read_exact_at(&mut chunk[..length], self.from)?;
            disk.write_all_at(&chunk[..length], self.from)?;
            self.from += length as u64;
        }
        Ok(())
    }

    fn forget(&mut self, before: u64) -> io::Result<()> {
        self.from = self.from.max(before);
        punch(&self.file, 0, before)
    }
}

/// Makes a hole in a file.
fn punch(file: &File, from: u64, to: u64) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match rustix::fs::fallocate(file, flags, from, to - from) {
        // A file system without holes keeps the bytes until the preview ends.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;
    use crate::test_support::TempDir;

    fn all(reader: &mut Reader) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            texts.push(String::from_utf8(record.payload).unwrap());
        }
        texts
    }

    fn say(writer: &mut Writer, text: &str) -> bool {
        writer.push(Kind::Stdout, 0, 1, text.as_bytes(), false);
        writer.flush().unwrap().is_some()
    }

    /// A journal whose disk refuses everything, as if it were full, and the disk as it is otherwise.
    fn refusing(path: &Path) -> (Writer, File) {
        let mut writer = Writer::create(path).unwrap();
        say(&mut writer, "on disk");
        let disk = std::mem::replace(&mut writer.file, File::open(path).unwrap());
        (writer, disk)
    }

    #[test]
    fn what_the_disk_refuses_is_read_from_memory_and_written_later() {
        let dir = TempDir::new();
        let path = dir.path().join("journal");
        let (mut writer, disk) = refusing(&path);
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(all(&mut reader), ["on disk"]);
        assert!(say(&mut writer, "one"), "told once");
        assert!(!say(&mut writer, "two"));
        assert!(!writer.catch_up());
        assert_eq!(all(&mut reader), [""; 0]);
        reader.memory = writer.memory().map(|fd| File::from(fd).into());
        assert_eq!(all(&mut reader), ["one", "two"]);
        assert!(reader.in_memory_from().is_some());
        // Half of a batch may have been written before the disk was full; it is written again.
        writer.file = disk;
        assert!(writer.catch_up());
        say(&mut writer, "three");
        assert_eq!(all(&mut reader), ["three"]);
        assert_eq!(reader.in_memory_from(), None);
        assert_eq!(all(&mut Reader::open(&path).unwrap()), ["on disk", "one", "two", "three"]);
    }

    #[test]
    fn memory_is_bounded_and_gives_back_what_nobody_needs() {
        let dir = TempDir::new();
        let path = dir.path().join("journal");
        let (mut writer, disk) = refusing(&path);
        let text = "x".repeat(MAX_LINE);
        while !writer.is_full() {
            say(&mut writer, &text);
        }
        let at = writer.end();
        say(&mut writer, "the last");
        writer.file = disk;
        writer.trim(at, 7).unwrap();
        assert!(!writer.is_full());
        let memory = File::from(writer.memory().unwrap());
        let blocks = std::os::unix::fs::MetadataExt::blocks(&memory.metadata().unwrap());
        assert!(blocks * 512 <= 2 * MAX_LINE as u64, "{blocks} blocks");
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!((reader.first_id, all(&mut reader)), (7, vec![]));
        reader.memory = Some(memory.into());
        assert_eq!(all(&mut reader), ["the last"]);
        assert!(writer.catch_up());
        assert_eq!(all(&mut Reader::open(&path).unwrap()), ["the last"]);
    }
}
