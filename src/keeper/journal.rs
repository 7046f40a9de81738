//! A preview's journal: everything that was printed, recorded or noted, in one order, in one append-only file.
//!
//! Its only writer is the keeper, so the order of its records is the order of the log, for every reader and across
//! every restart of serve. Offsets never change; what nobody needs any more is punched out of the file. What the disk
//! does not take, because it is full or broken, is in memory for that long, at the same offsets.
//!
//! ```text
//! header: magic "PVJ1", 4 zero bytes, u64 kept_from (bytes), u64 first_id    (24 bytes, little endian)
//! record: u32 length of the payload, u8 kind, u8 flags, u16 slot, u64 microseconds since the epoch, payload
//! ```

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

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

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

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
    fn many_and_long_records_come_back_whole() {
        let (_dir, path) = temp("journal");
        let mut writer = Writer::create(&path).unwrap();
        let lengths: Vec<_> =
            (0..3000).map(|n| n % 90).chain([MAX_LINE, 1, 4 * 1024 - RECORD_HEADER, 2]).collect();
        for length in &lengths {
            writer.push(Kind::Stdout, 1, 10, &vec![b'x'; *length], false);
        }
        writer.flush().unwrap();
        let mut reader = Reader::open(&path).unwrap();
        let read = std::iter::from_fn(|| reader.next_record().unwrap()).map(|record| record.payload.len());
        assert_eq!(read.collect::<Vec<_>>(), lengths);
        assert_eq!(reader.offset(), writer.end());
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
