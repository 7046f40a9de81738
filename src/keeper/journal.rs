//! A preview's journal: everything that was printed, recorded or noted, in one order, in one append-only file.
//!
//! Its only writer is the keeper, so the order of its records is the order of the log, for every reader and across
//! every restart of serve. Offsets never change; what nobody needs any more is punched out of the file.
//!
//! ```text
//! header: magic "PVJ1", 4 zero bytes, u64 kept_from (bytes), u64 first_id    (24 bytes, little endian)
//! record: u32 length of the payload, u8 kind, u8 flags, u16 slot, u64 microseconds since the epoch, payload
//! ```

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::FallocateFlags;

/// Bytes before the first record.
pub const HEADER: u64 = 24;
/// Bytes before a record's payload.
const RECORD_HEADER: usize = 16;
const MAGIC: &[u8; 8] = b"PVJ1\0\0\0\0";
/// Longest line that is kept whole, in bytes; the rest of a longer one is dropped and the record is flagged.
pub const MAX_LINE: usize = 64 * 1024;
/// Longest payload that a reader believes in.
const MAX_PAYLOAD: usize = 4 * MAX_LINE;
/// The line went on beyond [`MAX_LINE`].
const FLAG_CUT: u8 = 1;

/// Where a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A line on standard output.
    Stdout,
    /// A line on standard error.
    Stderr,
    /// A structured record of the runner's side channel, JSON.
    Record,
    /// A line of serve's own, JSON.
    Note,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Stdout => 1,
            Self::Stderr => 2,
            Self::Record => 3,
            Self::Note => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Stdout),
            2 => Some(Self::Stderr),
            3 => Some(Self::Record),
            4 => Some(Self::Note),
            _ => None,
        }
    }
}

/// One record as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it comes from.
    pub kind: Kind,
    /// Whether the line was longer than [`MAX_LINE`].
    pub cut: bool,
    /// Which start of the preview.
    pub slot: u16,
    /// When the keeper read it, in microseconds since the epoch.
    pub micros: u64,
    /// The line without its end, as the program wrote it.
    pub payload: Vec<u8>,
    /// Where the next record begins.
    pub next_offset: u64,
}

/// The keeper's end.
#[derive(Debug)]
pub struct Writer {
    file: File,
    end: u64,
    kept_from: u64,
    batch: Vec<u8>,
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
        Ok(Self { file, end: HEADER, kept_from: HEADER, batch: Vec::new() })
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
    }

    /// Writes what was pushed. On an error (a full disk) the batch is kept for the next try.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(&self.batch, self.end)?;
        self.end += self.batch.len() as u64;
        self.batch.clear();
        // One large burst must not keep its memory for ever.
        self.batch.shrink_to(MAX_LINE);
        Ok(())
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
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.file, flags, HEADER, offset - HEADER) {
            // A file system without holes keeps the bytes until the preview ends.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

/// Serve's end.
#[derive(Debug)]
pub struct Reader {
    file: File,
    /// Where the next read from the file begins.
    file_offset: u64,
    buffer: Vec<u8>,
    /// What of the buffer is parsed.
    parsed: usize,
    /// Id of the first entry that the journal still holds.
    pub first_id: u64,
}

impl Reader {
    /// Opens a journal at the oldest record that it still holds.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut header = [0_u8; HEADER as usize];
        file.read_exact_at(&mut header, 0)?;
        if &header[..8] != MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a journal"));
        }
        let number = |at: usize| {
            let mut bytes = [0_u8; 8];
            bytes.copy_from_slice(&header[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        Ok(Self { file, file_offset: number(8), buffer: Vec::new(), parsed: 0, first_id: number(16) })
    }

    /// Where the next record begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.file_offset - (self.buffer.len() - self.parsed) as u64
    }

    /// The next whole record; `None` when there is no more of it yet.
    ///
    /// # Errors
    /// If the file cannot be read, or holds what no keeper wrote.
    pub fn next_record(&mut self) -> io::Result<Option<Record>> {
        loop {
            if let Some(record) = self.parse()? {
                return Ok(Some(record));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.parsed);
        self.parsed = 0;
        let have = self.buffer.len();
        self.buffer.resize(have + 256 * 1024, 0);
        let read = self.file.read_at(&mut self.buffer[have..], self.file_offset);
        self.buffer.truncate(have + read.as_ref().map_or(0, |n| *n));
        let read = read?;
        self.file_offset += read as u64;
        if read == 0 {
            self.buffer.shrink_to(MAX_LINE);
        }
        Ok(read > 0)
    }

    fn parse(&mut self) -> io::Result<Option<Record>> {
        let rest = &self.buffer[self.parsed..];
        let Some((head, rest)) = rest.split_at_checked(RECORD_HEADER) else { return Ok(None) };
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if length > MAX_PAYLOAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "journal record over its limit"));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let kind = Kind::from_code(head[4])
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unknown kind of journal record"))?;
        let mut micros = [0_u8; 8];
        micros.copy_from_slice(&head[8..16]);
        let record = Record {
            kind,
            cut: head[5] & FLAG_CUT != 0,
            slot: u16::from_le_bytes([head[6], head[7]]),
            micros: u64::from_le_bytes(micros),
            payload: payload.to_vec(),
            next_offset: 0,
        };
        self.parsed += RECORD_HEADER + length;
        Ok(Some(Record { next_offset: self.offset(), ..record }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temp(name: &str) -> (crate::test_support::TempDir, std::path::PathBuf) {
        let dir = crate::test_support::TempDir::new();
        let path = dir.path().join(name);
        (dir, path)
    }

    #[test]
    fn records_come_back_in_order_while_it_is_written() {
        let (_dir, path) = temp("journal");
        let mut writer = Writer::create(&path).unwrap();
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(reader.next_record().unwrap(), None);
        writer.push(Kind::Stdout, 1, 10, b"one", false);
        writer.push(Kind::Stderr, 2, 11, b"", true);
        writer.flush().unwrap();
        let one = reader.next_record().unwrap().unwrap();
        assert_eq!(
            (one.kind, one.slot, one.micros, one.payload.as_slice()),
            (Kind::Stdout, 1, 10, &b"one"[..])
        );
        let two = reader.next_record().unwrap().unwrap();
        assert!(two.cut && two.payload.is_empty());
        assert_eq!(reader.next_record().unwrap(), None);
        assert_eq!(reader.offset(), writer.end());
        writer.push(Kind::Note, 0, 12, b"{}", false);
        writer.flush().unwrap();
        assert_eq!(reader.next_record().unwrap().unwrap().kind, Kind::Note);
    }

    #[test]
    fn a_record_that_is_half_written_is_waited_for() {
        let (_dir, path) = temp("journal");
        let mut writer = Writer::create(&path).unwrap();
        writer.push(Kind::Stdout, 0, 1, b"whole", false);
        writer.flush().unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(size - 2).unwrap();
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(reader.next_record().unwrap(), None);
    }

    #[test]
    fn after_a_trim_a_reader_begins_at_the_kept_entry() {
        let (_dir, path) = temp("journal");
        let mut writer = Writer::create(&path).unwrap();
        writer.push(Kind::Stdout, 0, 1, b"old", false);
        writer.flush().unwrap();
        let at = writer.end();
        writer.push(Kind::Stdout, 0, 2, b"new", false);
        writer.flush().unwrap();
        writer.trim(at, 2).unwrap();
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(reader.first_id, 2);
        assert_eq!(reader.next_record().unwrap().unwrap().payload, b"new");
    }

    #[test]
    fn garbage_is_an_error_and_no_allocation() {
        let (_dir, path) = temp("journal");
        let mut bytes = Vec::from(&MAGIC[..]);
        bytes.extend_from_slice(&HEADER.to_le_bytes());
        bytes.extend_from_slice(&1_u64.to_le_bytes());
        bytes.extend_from_slice(&[0xff; 64]);
        std::fs::write(&path, bytes).unwrap();
        assert!(Reader::open(&path).unwrap().next_record().is_err());
    }
}
