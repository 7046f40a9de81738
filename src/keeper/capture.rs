//! From a pipe to lines in the journal.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::held::Held;
use super::journal::{Kind, MAX_LINE};
use super::readiness::watched;

/// Bytes of one read; the kernel's pipe holds as much.
const CHUNK: usize = 64 * 1024;

/// Reads `pipe` to its end. Stops reading while serve is too far behind, so that a runaway printer
/// is slowed by its own pipe and not kept in anybody's memory.
pub async fn capture(held: Rc<Held>, pipe: OwnedFd, kind: Kind, slot: u16) -> io::Result<()> {
    let pipe = watched(pipe)?;
    let mut lines = Lines::default();
    let mut chunk = vec![0_u8; CHUNK];
    loop {
        held.room_in_journal().await;
        let mut ready = pipe.readable().await?;
        let read = match ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut chunk)?)) {
            Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => continue,
            Ok(result) => result?,
            Err(_would_block) => continue,
        };
        drop(ready);
        if read == 0 {
            lines.end(|line, cut| held.write(kind, slot, line, cut));
            held.flush();
            return Ok(());
        }
        lines.feed(&chunk[..read], |line, cut| held.write(kind, slot, line, cut));
        held.flush();
        // Other pipes and previews get their turn between two chunks of a runaway printer.
        tokio::task::yield_now().await;
    }
}

/// Splits at `\n`, takes one `\r` before it away, and cuts what is longer than [`MAX_LINE`].
#[derive(Debug, Default)]
struct Lines {
    partial: Vec<u8>,
    overlong: bool,
}

impl Lines {
    fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8], bool)) {
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            let (head, rest) = bytes.split_at(at);
            bytes = &rest[1..];
            if self.partial.is_empty() && !self.overlong && head.len() <= MAX_LINE {
                line(head.strip_suffix(b"\r").unwrap_or(head), false);
            } else {
                self.keep(head);
                self.finish(&mut line);
            }
        }
        self.keep(bytes);
    }

    fn end(&mut self, mut line: impl FnMut(&[u8], bool)) {
        if !self.partial.is_empty() {
            self.finish(&mut line);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE - self.partial.len();
        self.overlong |= bytes.len() > room;
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn finish(&mut self, line: &mut impl FnMut(&[u8], bool)) {
        let text = self.partial.strip_suffix(b"\r").unwrap_or(&self.partial);
        line(text, self.overlong);
        self.partial.clear();
        self.overlong = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for chunk in chunks {
            lines.feed(chunk, |line, cut| out.push((line.to_vec(), cut)));
        }
        lines.end(|line, cut| out.push((line.to_vec(), cut)));
        out
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        let text = b"one\r\n\ntwo\nthree";
        let whole = split(&[text]);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(whole, split(&bytes));
        let lines: Vec<&[u8]> = whole.iter().map(|(line, _)| line.as_slice()).collect();
        assert_eq!(lines, [&b"one"[..], b"", b"two", b"three"]);
    }

    #[test]
    fn a_line_over_the_limit_is_cut_and_flagged_and_the_next_is_whole() {
        let long = vec![b'x'; MAX_LINE + 10];
        let out = split(&[&long, b"\nnext\n"]);
        assert_eq!(out[0], (vec![b'x'; MAX_LINE], true));
        assert_eq!(out[1], (b"next".to_vec(), false));
        let exact = vec![b'x'; MAX_LINE];
        assert!(!split(&[&exact, b"\n"])[0].1);
    }
}
