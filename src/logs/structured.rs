//! Records that say more than a line of text, as entries: those of the runner's side channel, and our own notes.

use std::fmt::Write as _;

use serde::Deserialize;

use super::entry::{Draft, Source, StreamName};
use super::{Fields, Note, ansi};
use crate::config::LogLevel;
use crate::runtime::Record;

/// Bytes of what a request's line says behind method and path, with a usual phrase.
const OUTCOME: usize = 48;

/// A record of the runner's side channel. It is written by a process that runs strangers' code: anything may be in it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Told")]
pub(super) enum Structured {
    Log {
        levelno: i64,
        logger: String,
        message: String,
        stream: StreamName,
        request_id: Option<String>,
    },
    /// A line that was printed while a request was handled.
    Print {
        message: String,
        stream: StreamName,
        request_id: Option<String>,
    },
    Request {
        method: String,
        path: String,
        status: Option<u16>,
        millis: f64,
        client: Option<String>,
        request_id: Option<String>,
    },
    ImportFailed {
        exception: String,
        error: String,
        message: String,
    },
}

/// Such a record as it is written; each kind has some of this. Where `kind` was looked for first, everything before it would have
/// to be kept until then: there is one of these for each request.
#[derive(Deserialize)]
struct Told {
    kind: RecordKind,
    levelno: Option<i64>,
    logger: Option<String>,
    message: Option<String>,
    stream: Option<StreamName>,
    #[serde(rename = "requestId")]
    request_id: Option<String>,
    method: Option<String>,
    path: Option<String>,
    status: Option<u16>,
    millis: Option<f64>,
    client: Option<String>,
    #[serde(rename = "type")]
    exception: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RecordKind {
    Log,
    Print,
    Request,
    ImportFailed,
}

impl TryFrom<Told> for Structured {
    type Error = &'static str;

    fn try_from(told: Told) -> Result<Self, Self::Error> {
        Self::of(told).ok_or("the record has not all that its kind has")
    }
}

impl Structured {
    fn of(told: Told) -> Option<Self> {
        let Told { message, stream, request_id, .. } = told;
        Some(match told.kind {
            RecordKind::Log => Self::Log {
                levelno: told.levelno?,
                logger: told.logger?,
                message: message?,
                stream: stream?,
                request_id,
            },
            RecordKind::Print => Self::Print { message: message?, stream: stream?, request_id },
            RecordKind::Request => Self::Request {
                method: told.method?,
                path: told.path?,
                status: told.status,
                millis: told.millis?,
                client: told.client,
                request_id,
            },
            RecordKind::ImportFailed => {
                Self::ImportFailed { exception: told.exception?, error: told.error?, message: message? }
            }
        })
    }
}

pub(super) fn plain(micros: u64, offset: u64, stream: StreamName, message: String) -> Draft {
    Draft {
        micros,
        level: LogLevel::Info,
        source: Source::App,
        stream,
        message,
        fields: Fields::default(),
        slot: 0,
        offset,
        clean: false,
    }
}

pub(super) fn note(record: &Record, offset: u64) -> Option<Draft> {
    let note: Note = serde_json::from_slice(&record.payload).ok()?;
    let draft = plain(record.micros, offset, StreamName::System, note.message);
    Some(Draft { level: note.level, source: note.source, ..draft })
}

pub(super) fn structured(record: &Record, parsed: Option<Structured>, offset: u64) -> Draft {
    let draft = |message: String| plain(record.micros, offset, StreamName::System, ansi::clean_text(message));
    match parsed {
        Some(Structured::Log { levelno, logger, message, stream, request_id }) => {
            // What uvicorn has to warn of is the application's doing.
            let is_servers = logger.starts_with("uvicorn") && levelno < 30;
            let source = if is_servers { Source::Startup } else { Source::App };
            let fields = Fields::of([("logger", Some(logger)), ("requestId", request_id)]);
            Draft { level: of_number(levelno), source, stream, fields, ..draft(message) }
        }
        Some(Structured::Request { method, path, status, millis, client, request_id }) => {
            let mut message = String::with_capacity(method.len() + path.len() + OUTCOME);
            // Into memory: this cannot fail.
            let _infallible = match status {
                None => write!(message, "{method} {path} no response"),
                Some(status) => match reason_phrase(status) {
                    None => write!(message, "{method} {path} {status}"),
                    Some(reason) => write!(message, "{method} {path} {status} {reason}"),
                },
            };
            let _infallible = write!(message, " in {} ms", millis.round());
            let texts = [
                ("requestId", request_id),
                ("method", Some(method)),
                ("path", Some(path)),
                ("client", client),
            ];
            let mut fields = Fields::of(texts);
            fields.add("durationMs", Some(millis));
            fields.add("statusCode", status);
            let failed = status.is_none_or(|s| s >= 500);
            let level = if failed { LogLevel::Error } else { LogLevel::Info };
            Draft { level, source: Source::Request, stream: StreamName::Stdout, fields, ..draft(message) }
        }
        Some(Structured::ImportFailed { exception, error, message }) => Draft {
            level: LogLevel::Error,
            source: Source::Startup,
            stream: StreamName::Stderr,
            fields: Fields::of([("exceptionType", Some(exception)), ("exceptionMessage", Some(error))]),
            ..draft(message)
        },
        // Whatever else the program wrote there: shown as it is.
        Some(Structured::Print { .. }) | None => draft(String::from_utf8_lossy(&record.payload).into_owned()),
    }
}

fn reason_phrase(status: u16) -> Option<&'static str> {
    axum::http::StatusCode::from_u16(status).ok()?.canonical_reason()
}

/// Python's numbers, and those that programs put between them.
fn of_number(levelno: i64) -> LogLevel {
    match levelno {
        40.. => LogLevel::Error,
        30.. => LogLevel::Warn,
        20.. => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}
