//! From records to entries: what level, what source, and which lines are one traceback.
//!
//! A pure function of the records in their order. The time between two records is taken from the records themselves,
//! never from a clock, so that reading the same output again gives the same entries with the same ids.

use std::borrow::Cow;

use super::entry::{Draft, StreamName};
use super::structured::{Structured, note, plain, structured};
use super::{Fields, ansi, level};
use crate::config::LogLevel;
use crate::runtime::{Kind, Places, Record};

/// A traceback whose next line does not come within this time is taken to be over.
pub const PATIENCE_MICROS: u64 = 100_000;
/// The same while the line that says what was raised is still to come: whoever prints it may be interrupted on a busy machine.
const UNFINISHED_MICROS: u64 = 1_000_000;
/// Lines of one traceback; deeper ones go on in another entry.
const MAX_LINES: usize = 500;
/// Empty lines before the word on a further exception; Loguru has two.
const BLANKS: usize = 2;
const HEADLINE: &str = "Traceback (most recent call last)";
const GROUP_HEADLINE: &str = "+ Exception Group Traceback (most recent call last):";
const CHAINS: [&str; 2] = [
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
];
const CUT: &str = " … (line cut at 64 KiB)";

/// Turns records into drafts.
#[derive(Debug, Default)]
pub struct Classifier {
    places: Places,
    traceback: Option<Traceback>,
}

#[derive(Debug)]
struct Traceback {
    draft: Draft,
    lines: usize,
    state: State,
    last_micros: u64,
    /// Blank lines that belong to it only if the exception is chained.
    blank: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Frames,
    /// The exception's own line has been seen.
    Exception,
    /// Exceptions of a group, drawn as a tree.
    Group,
    /// A line that announces a further traceback has been seen.
    Chained,
}

impl State {
    /// Microseconds for the next line.
    fn patience(self) -> u64 {
        match self {
            Self::Frames | Self::Chained => UNFINISHED_MICROS,
            Self::Exception | Self::Group => PATIENCE_MICROS,
        }
    }

    /// That after the first line of a traceback: Python's own, one that Rich draws a box around, or that of a group.
    fn after_headline(bare: &str) -> Option<Self> {
        let line = bare.trim_start();
        let plain = line.strip_prefix(HEADLINE).is_some_and(|rest| rest.starts_with(':'));
        let boxed = line.starts_with('╭') && line.contains(HEADLINE);
        match line.starts_with(GROUP_HEADLINE) {
            true => Some(Self::Group),
            false => (plain || boxed).then_some(Self::Frames),
        }
    }
}

/// A line of text and where it comes from.
struct Said<'a> {
    line: &'a [u8],
    cut: bool,
    micros: u64,
    slot: u16,
    stream: StreamName,
    request_id: Option<String>,
}

impl<'a> Said<'a> {
    fn of(record: &'a Record, stream: StreamName) -> Self {
        let Record { payload, cut, micros, slot, .. } = record;
        Self { line: payload, cut: *cut, micros: *micros, slot: *slot, stream, request_id: None }
    }
}

impl Classifier {
    /// One that hides these places in what it reads.
    #[must_use]
    pub fn new(places: Places) -> Self {
        Self { places, traceback: None }
    }

    /// Takes the next record; `offset` is where it begins. Entries that are finished go to `out`.
    pub fn take(&mut self, record: &Record, offset: u64, out: &mut Vec<Draft>) {
        if self.is_overdue(record.micros) {
            self.flush(out);
        }
        let draft = match record.kind {
            Kind::Stdout => self.text(&Said::of(record, StreamName::Stdout), offset, out),
            Kind::Stderr => self.text(&Said::of(record, StreamName::Stderr), offset, out),
            Kind::Record => match serde_json::from_slice(&record.payload) {
                Ok(Structured::Print { message, stream, request_id }) => {
                    let said = Said { line: message.as_bytes(), request_id, ..Said::of(record, stream) };
                    self.text(&said, offset, out)
                }
                parsed => {
                    let parsed = parsed.ok();
                    self.end_of_request(parsed.as_ref(), out);
                    Some(structured(record, parsed, offset))
                }
            },
            Kind::Note => note(record, offset),
        };
        if let Some(mut draft) = draft {
            self.hide_places(&mut draft);
            draft.slot = record.slot;
            draft.clean = self.traceback.is_none();
            out.push(draft);
        }
    }

    /// In the message, and in the fields that repeat it.
    fn hide_places(&self, draft: &mut Draft) {
        if let Cow::Owned(hidden) = self.places.hide(&draft.message) {
            draft.message = hidden;
        }
        for value in draft.fields.values_mut() {
            if let Some(Cow::Owned(hidden)) = value.as_str().map(|text| self.places.hide(text)) {
                *value = hidden.into();
            }
        }
    }

    /// Whether something is held back that `now` shows to be finished. A clock that was set back, by however much, shows it too.
    #[must_use]
    pub fn is_overdue(&self, now: u64) -> bool {
        self.traceback.as_ref().is_some_and(|t| now.abs_diff(t.last_micros) > t.state.patience())
    }

    /// Whether something is held back.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.traceback.is_some()
    }

    /// Finishes what is held back.
    pub fn flush(&mut self, out: &mut Vec<Draft>) {
        if let Some(mut traceback) = self.traceback.take() {
            traceback.draft.message = self.places.hide(&traceback.draft.message).into_owned();
            let Draft { offset, stream, slot, .. } = traceback.draft;
            out.push(traceback.draft);
            for _ in 0..traceback.blank {
                out.push(Draft { slot, ..plain(traceback.last_micros, offset, stream, String::new()) });
            }
        }
    }

    /// What a request printed is complete when its own record comes.
    fn end_of_request(&mut self, record: Option<&Structured>, out: &mut Vec<Draft>) {
        let Some(Structured::Request { request_id: Some(id), .. }) = record else { return };
        let waiting = self.traceback.as_ref().and_then(|t| t.draft.fields.text("requestId"));
        if waiting.is_some_and(|waiting| waiting == id) {
            self.flush(out);
        }
    }

    /// A line of text: part of a traceback, the start of one, or an entry of its own.
    fn text(&mut self, said: &Said<'_>, offset: u64, out: &mut Vec<Draft>) -> Option<Draft> {
        let mut message = ansi::clean(said.line);
        if said.cut {
            message.push_str(CUT);
        }
        let fields = Fields::of([("requestId", said.request_id.clone())]);
        // Of two requests that print at once, each has tracebacks of its own; so has the code before and after a reload.
        let by_same =
            |draft: &Draft| (draft.stream, draft.slot) == (said.stream, said.slot) && draft.fields == fields;
        if self.traceback.as_ref().is_some_and(|traceback| by_same(&traceback.draft)) {
            if self.goes_on(&message, said.micros) {
                return None;
            }
            self.flush(out);
        }
        let bare = ansi::plain(&message);
        let begun = State::after_headline(&bare);
        let level = level::of_line(&bare).unwrap_or(LogLevel::Info);
        drop(bare);
        let draft =
            Draft { level, fields, slot: said.slot, ..plain(said.micros, offset, said.stream, message) };
        let Some(state) = begun else { return Some(draft) };
        self.flush(out);
        let draft = Draft { level: LogLevel::Error, ..draft };
        self.traceback = Some(Traceback { draft, lines: 1, state, last_micros: said.micros, blank: 0 });
        None
    }

    /// Adds a line to the traceback if it belongs to it.
    fn goes_on(&mut self, line: &str, micros: u64) -> bool {
        let Some(traceback) = &mut self.traceback else { return false };
        let bare = ansi::plain(line);
        // Loguru marks the frame that caught it; the others are sides of a box.
        let indented = bare.starts_with([' ', '\t', '>', '│', '╰']);
        let of_tree = bare.trim_start().starts_with(['|', '+']);
        let next = match traceback.state {
            _ if traceback.lines >= MAX_LINES => None,
            State::Frames if indented || bare.is_empty() => Some(State::Frames),
            State::Frames => Some(State::Exception),
            State::Exception | State::Group if bare.is_empty() && traceback.blank < BLANKS => {
                traceback.blank += 1;
                traceback.last_micros = micros;
                return true;
            }
            State::Exception | State::Group if CHAINS.contains(&bare.trim()) => Some(State::Chained),
            State::Group if of_tree && traceback.blank == 0 => Some(State::Group),
            State::Exception if indented && traceback.blank == 0 => Some(State::Exception),
            State::Chained if bare.is_empty() => Some(State::Chained),
            State::Chained => State::after_headline(&bare),
            State::Exception | State::Group => None,
        };
        let Some(next) = next else { return false };
        for _ in 0..std::mem::take(&mut traceback.blank) {
            traceback.draft.message.push('\n');
        }
        traceback.draft.message.push('\n');
        traceback.draft.message.push_str(line);
        traceback.lines += 1;
        traceback.last_micros = micros;
        traceback.state = next;
        true
    }
}

#[cfg(test)]
mod tests;
