use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Entry;

/// What is written to, and what was before it.
const NEWER: &str = "audit.log";
const OLDER: &str = "audit.1.log";

/// The file that grows; once it has half of the limit it becomes the older one, in the place of that.
pub(super) struct Log {
    directory: PathBuf,
    file: File,
    bytes: u64,
    half: u64,
}

impl Log {
    pub(super) fn open(directory: &Path, limit: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(directory.join(NEWER))?;
        let bytes = file.metadata()?.len();
        Ok(Self { directory: directory.to_owned(), file, bytes, half: limit / 2 })
    }

    /// Adds whole lines.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.bytes > 0 && self.bytes + lines.len() as u64 > self.half {
            std::fs::rename(self.directory.join(NEWER), self.directory.join(OLDER))?;
            *self = Self::open(&self.directory, self.half * 2)?;
        }
        if let Err(e) = self.file.write_all(lines) {
            // What was written of a line must not stand before the next one.
            let _full = self.file.set_len(self.bytes);
            return Err(e);
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }
}

/// All entries that are kept, the oldest first. Lines that are no entries are left out.
///
/// # Errors
/// If a file is there and cannot be read.
pub fn read(data_dir: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for name in [OLDER, NEWER] {
        let file = match File::open(data_dir.join(name)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        for line in BufReader::new(file).split(b'\n') {
            entries.extend(serde_json::from_slice::<Entry>(&line?).ok());
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::TempDir;

    #[test]
    fn the_newest_half_of_the_limit_is_always_kept() {
        let directory = TempDir::new();
        let directory = directory.path();
        let line = |n: u32| {
            let entry = Entry { user: n.to_string(), ..Entry::default() };
            let mut line = serde_json::to_vec(&entry).unwrap();
            line.push(b'\n');
            line
        };
        let size = line(10).len() as u64;
        let mut log = Log::open(directory, size * 20).unwrap();
        for n in 10..58 {
            log.append(&line(n)).unwrap();
        }
        drop(log);
        // Opened again it goes on.
        Log::open(directory, size * 20).unwrap().append(&line(58)).unwrap();
        let kept = read(directory).unwrap();
        let kept: Vec<u32> = kept.iter().map(|entry| entry.user.parse().unwrap()).collect();
        assert_eq!(kept, (40..=58).collect::<Vec<_>>());
        std::fs::write(directory.join(NEWER), "{\"half").unwrap();
        assert_eq!(read(directory).unwrap().len(), 10, "a line without its end is no entry");
    }
}
