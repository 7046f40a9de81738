//! One entry of a log.

use std::borrow::Cow;
use std::io::Write as _;
use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Fields, ansi};
use crate::config::LogLevel;
use crate::store::LogRow;
use crate::time::UnixMillis;

/// Bytes of events that share a piece of memory.
const PIECE: usize = 64 * 1024;
/// Bytes of a usual event.
const USUAL: usize = 512;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Resolving and installing the requirements.
    Install,
    /// From the start of the process to its first answer.
    Startup,
    /// The application itself.
    App,
    /// A request that it answered.
    Request,
    /// previewd.
    Server,
}

impl Source {
    /// Reads the name on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Install, Self::Startup, Self::App, Self::Request, Self::Server];
        all.into_iter().find(|source| source.as_str() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Startup => "startup",
            Self::App => "app",
            Self::Request => "request",
            Self::Server => "server",
        }
    }
}

/// Where an entry was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamName {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// By previewd.
    System,
}

impl StreamName {
    /// Reads the name on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Stdout, Self::Stderr, Self::System].into_iter().find(|stream| stream.as_str() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::System => "system",
        }
    }
}

/// An entry that has no id yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// When it was read.
    pub micros: u64,
    /// How grave.
    pub level: LogLevel,
    /// What it is about.
    pub source: Source,
    /// Where it was written to.
    pub stream: StreamName,
    /// The text, with colour codes as the program wrote them.
    pub message: String,
    /// Further fields: `logger`, `requestId`, `method`, `path`, `statusCode`, `durationMs`, ….
    pub fields: Fields,
    /// Which start of the code said it; 0 for previewd itself.
    pub slot: u16,
    /// Where its first record begins in the output.
    pub offset: u64,
    /// Whether reading can begin at `offset` and gives the same entries from here on.
    pub clean: bool,
}

#[derive(Serialize)]
struct Wire<'a> {
    id: u64,
    timestamp: UnixMillis,
    level: LogLevel,
    message: &'a str,
    /// Where the message has colours: the message without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    plain: Option<&'a str>,
    source: Source,
    stream: StreamName,
}

/// Where an entry is in its event.
struct Place {
    json: Range<usize>,
    fields: usize,
}

/// An entry as it is kept: serialised once, shared by all who read it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Counts up by one from 1.
    pub id: u64,
    /// How grave.
    pub level: LogLevel,
    /// What it is about.
    pub source: Source,
    /// Which start of the code said it; 0 for previewd itself, and for an entry that came from the store.
    pub slot: u16,
    /// Where its first record begins in the output; 0 for an entry that came from the store.
    pub offset: u64,
    /// Whether reading can begin there.
    pub clean: bool,
    frame: Bytes,
    json: Range<usize>,
    /// Where the further fields begin: with a comma, or with the brace behind the others where there are none.
    fields: usize,
}

impl Entry {
    /// Gives a draft its id.
    #[must_use]
    pub fn new(id: u64, draft: &Draft) -> Self {
        let mut frame = Vec::new();
        let place = write(id, draft, &mut frame);
        Self::of(id, draft, Bytes::from(frame), place)
    }

    /// Gives drafts their ids, from `first_id` on. Many share one piece of memory, which goes with the last of them:
    /// a hundred thousand small pieces would keep the holes between them from being used again.
    #[must_use]
    pub fn all(first_id: u64, drafts: &[Draft]) -> Vec<Self> {
        let mut entries = Vec::with_capacity(drafts.len());
        let mut rest = (first_id..).zip(drafts).peekable();
        while rest.peek().is_some() {
            let (mut piece, mut places) = (Vec::with_capacity(PIECE.min(drafts.len() * USUAL)), Vec::new());
            while piece.len() < PIECE
                && let Some((id, draft)) = rest.next()
            {
                let from = piece.len();
                let place = write(id, draft, &mut piece);
                places.push((id, draft, from..piece.len(), place));
            }
            piece.shrink_to_fit();
            let piece = Bytes::from(piece);
            let of_place = |(id, draft, frame, place)| Self::of(id, draft, piece.slice(frame), place);
            entries.extend(places.into_iter().map(of_place));
        }
        entries
    }

    fn of(id: u64, draft: &Draft, frame: Bytes, Place { json, fields }: Place) -> Self {
        let &Draft { level, source, slot, offset, clean, .. } = draft;
        Self { id, level, source, slot, offset, clean, frame, json, fields }
    }

    /// An entry that the store kept.
    #[must_use]
    pub fn from_row(row: &LogRow) -> Option<Self> {
        let fields: Option<Map<String, Value>> =
            row.fields.as_deref().and_then(|fields| serde_json::from_str(fields).ok());
        let draft = Draft {
            micros: u64::try_from(row.at.0).ok()? * 1000,
            level: row.level,
            source: Source::parse(&row.source)?,
            stream: StreamName::parse(&row.stream)?,
            message: row.message.clone(),
            fields: fields.unwrap_or_default().into(),
            slot: 0,
            offset: 0,
            clean: false,
        };
        Some(Self::new(u64::try_from(row.id).ok()?, &draft))
    }

    /// For the store.
    #[must_use]
    pub fn to_row(&self) -> Option<LogRow> {
        let parsed = self.read();
        let at: jiff::Timestamp = parsed.timestamp.parse().ok()?;
        Some(LogRow {
            id: i64::try_from(self.id).ok()?,
            at: UnixMillis(at.as_millisecond()),
            level: self.level,
            source: self.source.as_str().to_owned(),
            searched: ansi::plain(&parsed.message).to_lowercase(),
            stream: parsed.stream.to_owned(),
            message: parsed.message.into_owned(),
            fields: self.fields_json(),
        })
    }

    /// The entry as a server-sent event. JSON has no line ends, so one `data` line holds it.
    #[must_use]
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The entry as JSON text.
    #[must_use]
    pub fn json(&self) -> &str {
        std::str::from_utf8(&self.frame[self.json.clone()]).unwrap_or_default()
    }

    /// What is not known without reading the entry.
    #[must_use]
    pub fn read(&self) -> Parsed<'_> {
        serde_json::from_str(self.json()).unwrap_or_default()
    }

    /// The further fields.
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        self.fields_json().and_then(|fields| serde_json::from_str(&fields).ok()).unwrap_or_default()
    }

    /// The same as a JSON object, if there are any.
    fn fields_json(&self) -> Option<String> {
        let fields = std::str::from_utf8(self.frame.get(self.fields + 1..self.json.end)?).ok()?;
        (!fields.is_empty()).then(|| format!("{{{fields}"))
    }

    /// Bytes that it occupies.
    #[must_use]
    pub fn size(&self) -> usize {
        self.frame.len() + size_of::<Self>()
    }
}

/// Appends a draft as an event.
fn write(id: u64, draft: &Draft, out: &mut Vec<u8>) -> Place {
    let plain = ansi::plain(&draft.message);
    let wire = Wire {
        id,
        timestamp: UnixMillis(i64::try_from(draft.micros / 1000).unwrap_or(i64::MAX)),
        level: draft.level,
        message: &draft.message,
        plain: matches!(plain, Cow::Owned(_)).then_some(plain.as_ref()),
        source: draft.source,
        stream: draft.stream,
    };
    let from = out.len();
    // Strings, numbers and maps with string keys, into memory: this cannot fail.
    let _infallible = write!(out, "id: {id}\ndata: ");
    let json = out.len() - from;
    let _infallible = serde_json::to_writer(&mut *out, &wire);
    // Behind the others, so that the store gets them as they are, and nobody has to read them to tell them from these.
    let brace = out.len() - 1;
    if !draft.fields.is_empty() {
        out.truncate(brace);
        let _infallible = serde_json::to_writer(&mut *out, &draft.fields);
        out[brace] = b',';
    }
    let end = out.len() - from;
    out.extend_from_slice(b"\n\n");
    Place { json: json..end, fields: brace - from }
}

/// What [`Entry::read`] gives back.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Parsed<'a> {
    /// RFC 3339.
    pub timestamp: &'a str,
    /// The text.
    #[serde(borrow)]
    pub message: Cow<'a, str>,
    /// `stdout`, `stderr` or `system`.
    pub stream: &'a str,
}

#[cfg(test)]
mod tests {
    use super::super::structured::plain;
    use super::*;

    fn draft(message: &str) -> Draft {
        plain(1_760_962_805_123_456, 24, StreamName::Stdout, message.to_owned())
    }

    #[test]
    fn entries_that_share_memory_are_like_others() {
        let drafts: Vec<_> = (0..3000).map(|n| draft(&format!("line {n} {}", "x".repeat(n)))).collect();
        let entries = Entry::all(5, &drafts);
        assert_eq!(entries.len(), 3000);
        for ((id, draft), entry) in (5..).zip(&drafts).zip(&entries) {
            let alone = Entry::new(id, draft);
            assert_eq!((entry.id, entry.frame(), entry.json()), (id, alone.frame(), alone.json()));
        }
    }

    #[test]
    fn an_entry_is_the_same_after_the_store_kept_it() {
        let fields = Fields::of([("logger", Some("a\"b".to_owned())), ("requestId", Some("r1".to_owned()))]);
        for fields in [fields, Fields::default()] {
            let draft = Draft { fields, ..draft("\x1b[1mBold\x1b[0m \"quoted\"") };
            let entry = Entry::all(6, &[draft.clone(), draft]).pop().unwrap();
            let row = entry.to_row().unwrap();
            assert_eq!(
                (row.message.as_str(), row.searched.as_str()),
                ("\x1b[1mBold\x1b[0m \"quoted\"", "bold \"quoted\"")
            );
            assert_eq!((row.at, row.stream.as_str()), (UnixMillis(1_760_962_805_123), "stdout"));
            assert_eq!(Entry::from_row(&row).unwrap().json(), entry.json());
        }
    }

    #[test]
    fn what_a_program_prints_cannot_forge_an_event() {
        let draft = draft("x\ndata: {}\r\nid: 9\n\nevent: end");
        let entry = Entry::new(7, &draft);
        let frame = std::str::from_utf8(entry.frame()).unwrap();
        assert!(
            frame.starts_with("id: 7\ndata: {\"id\":7,\"timestamp\":\"2025-10-20T12:20:05.123Z\""),
            "{frame}"
        );
        assert_eq!(frame.lines().count(), 3);
        assert!(!frame.contains('\r'));
        assert_eq!(entry.read().message, draft.message);
    }
}
