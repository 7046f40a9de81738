//! Server-sent events, read byte by byte as the WHATWG's text says.

use std::collections::VecDeque;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde_json::Value;

use super::PATIENCE;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `message` where the stream names none.
    pub kind: String,
    pub data: String,
    /// The id that stands in the event itself.
    pub own_id: Option<String>,
    /// What a browser would send as `Last-Event-ID` afterwards.
    pub last_id: String,
}

impl Event {
    /// A log line's id; panics for what is none.
    pub fn id(&self) -> u64 {
        self.own_id.as_deref().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no line: {self:?}"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn is_line(&self) -> bool {
        self.kind == "message"
    }

    /// The message of a log line; empty for anything else.
    pub fn message(&self) -> String {
        if !self.is_line() {
            return String::new();
        }
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// From bytes to events.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    data: String,
    kind: String,
    own_id: Option<String>,
    last_id: String,
    /// How many comments there were.
    pub comments: usize,
    /// Milliseconds to wait before coming back, if the stream says so.
    pub retry: Option<u64>,
    begun: bool,
}

impl Parser {
    pub fn push(&mut self, byte: u8) -> Option<Event> {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            b'\n' if after_cr => None,
            b'\n' | b'\r' => self.end_of_line(),
            _ => {
                self.line.push(byte);
                None
            }
        }
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let line = String::from_utf8(std::mem::take(&mut self.line)).expect("events are UTF-8");
        // One byte order mark at the start of the stream is none of its text.
        let first = !std::mem::replace(&mut self.begun, true);
        let line = line.strip_prefix('\u{feff}').filter(|_| first).unwrap_or(&line).to_owned();
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => self.comments += 1,
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "event" => value.clone_into(&mut self.kind),
            "id" if !value.contains('\0') => {
                value.clone_into(&mut self.last_id);
                self.own_id = Some(value.to_owned());
            }
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok();
            }
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let (mut data, mut kind) = (std::mem::take(&mut self.data), std::mem::take(&mut self.kind));
        let own_id = self.own_id.take();
        data.pop()?;
        if kind.is_empty() {
            "message".clone_into(&mut kind);
        }
        Some(Event { kind, data, own_id, last_id: self.last_id.clone() })
    }
}

/// An open stream.
pub struct Stream {
    bytes: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    parser: Parser,
    ready: VecDeque<Event>,
}

impl Stream {
    pub fn new(response: reqwest::Response) -> Self {
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        let (parser, ready) = (Parser::default(), VecDeque::new());
        Self { bytes: response.bytes_stream().boxed(), parser, ready }
    }

    /// The next event; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Event> {
        let read = async {
            loop {
                if let Some(event) = self.ready.pop_front() {
                    return Some(event);
                }
                // A server that is killed breaks the stream off, which is an end as well.
                let chunk = self.bytes.next().await?.ok()?;
                for byte in chunk {
                    let event = self.parser.push(byte);
                    self.ready.extend(event);
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("an event or the end of the stream")
    }

    /// Everything up to the first event that is wanted, that one included.
    pub async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut seen = Vec::new();
        while let Some(event) = self.next().await {
            let found = wanted(&event);
            seen.push(event);
            if found {
                return seen;
            }
        }
        panic!("the stream ended before; it had {seen:#?}");
    }

    /// Everything up to the line that has this message.
    pub async fn until_message(&mut self, message: &str) -> Vec<Event> {
        self.until(|event| event.message() == message).await
    }

    /// Everything that is left.
    pub async fn rest(&mut self) -> Vec<Event> {
        let mut seen = Vec::new();
        while let Some(event) = self.next().await {
            seen.push(event);
        }
        seen
    }
}

#[test]
fn events_are_told_apart_as_browsers_do() {
    let mut parser = Parser::default();
    let text = "\u{feff}: hi\rid: 1\r\ndata: a\ndata:  b\n\nevent: x\ndata\n\nid: 2\n\nid: a\0b\ndata: c\n\nretry: 1s\nretry: 250\n\
         \u{feff}data: d\nid\ndata:e\nEVENT: no\r\n\r\ndata: cut";
    let events: Vec<_> = text.bytes().filter_map(|byte| parser.push(byte)).collect();
    let event = |kind: &str, data: &str, own_id: Option<&str>, last_id: &str| Event {
        kind: kind.to_owned(),
        data: data.to_owned(),
        own_id: own_id.map(str::to_owned),
        last_id: last_id.to_owned(),
    };
    let expected = [
        event("message", "a\n b", Some("1"), "1"),
        event("x", "", None, "1"),
        event("message", "c", None, "2"),
        // An id without a value takes the last one away; field names are exact.
        event("message", "e", Some(""), ""),
    ];
    assert_eq!(events, expected);
    assert_eq!((parser.comments, parser.retry), (1, Some(250)));
}
