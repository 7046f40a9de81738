//! Serve's end of a journal.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::{FLAG_CUT, HEADER, Kind, MAGIC, MAX_LINE, MAX_PAYLOAD, RECORD_HEADER, Record};

/// Bytes of the first read where nothing more is known of how much there is: a few lines.
const FEW: usize = 4 * 1024;
/// Bytes of the largest read.
const MANY: usize = 256 * 1024;

/// Serve's end.
#[derive(Debug)]
pub struct Reader {
    file: File,
    /// Where the next read begins.
    file_offset: u64,
    buffer: Vec<u8>,
    /// Bytes that the next read asks for: more where there was more than asked for, so that a line a time costs little.
    step: usize,
    /// What of the buffer is parsed.
    parsed: usize,
    /// Id of the first entry that the journal still holds.
    pub first_id: u64,
    /// What the disk did not take, where there is such a thing: the same bytes at the same offsets.
    pub memory: Option<Arc<File>>,
    memory_from: Option<u64>,
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
        let (file_offset, first_id) = (number(8), number(16));
        let (buffer, parsed, memory, memory_from) = (Vec::new(), 0, None, None);
        Ok(Self { file, file_offset, buffer, step: FEW, parsed, first_id, memory, memory_from })
    }

    /// Where the next record begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.file_offset - (self.buffer.len() - self.parsed) as u64
    }

    /// From where on what was read is in memory only.
    #[must_use]
    pub fn in_memory_from(&self) -> Option<u64> {
        self.memory.as_ref().and(self.memory_from)
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
        self.buffer.resize(have + self.step, 0);
        let read = self.read(have);
        self.buffer.truncate(have + read.as_ref().map_or(0, |n| *n));
        let read = read?;
        self.file_offset += read as u64;
        if read == self.step {
            self.step = MANY.min(self.step * 4);
        } else {
            self.step = FEW;
            self.buffer.shrink_to(MAX_LINE);
        }
        Ok(read > 0)
    }

    /// Reads into the buffer from the disk and, what that does not have, from memory.
    fn read(&mut self, have: usize) -> io::Result<usize> {
        let (room, at) = (&mut self.buffer[have..], self.file_offset);
        let mut read = self.file.read_at(room, at)?;
        if read == 0
            && let Some(memory) = &self.memory
        {
            let in_memory = memory.read_at(room, at)?;
            // What the disk has taken meanwhile may not be in memory any more.
            read = self.file.read_at(room, at)?;
            if read == 0 && in_memory > 0 {
                self.memory_from.get_or_insert(at);
                return Ok(in_memory);
            }
        }
        if read > 0 {
            self.memory_from = None;
        }
        Ok(read)
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
