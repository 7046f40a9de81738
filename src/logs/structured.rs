//! Records that say more than a line of text, as entries: those of the runner's side channel, and our own notes.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::entry::{Draft, Source, StreamName};
use super::{Note, ansi};
use crate::config::LogLevel;
use crate::runtime::Record;

/// A record of the runner's side channel. It is written by a process that runs strangers' code: anything may be in it.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Structured {
    Log {
        levelno: i64,
        logger: String,
        message: String,
        stream: StreamName,
        #[serde(rename = "requestId")]
        request_id: Option<String>,
    },
    /// A line that was printed while a request was handled.
    Print {
        message: String,
        stream: StreamName,
        #[serde(rename = "requestId")]
        request_id: Option<String>,
    },
    Request {
        method: String,
        path: String,
        status: Option<u16>,
        millis: f64,
        client: Option<String>,
        #[serde(rename = "requestId")]
        request_id: Option<String>,
    },
    ImportFailed {
        #[serde(rename = "type")]
        exception: String,
        error: String,
        message: String,
    },
}

pub(super) fn plain(micros: u64, offset: u64, stream: StreamName, message: String) -> Draft {
    Draft {
        micros,
        level: LogLevel::Info,
        source: Source::App,
        stream,
        message,
        fields: Map::new(),
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
    let draft =
        |message: &str| plain(record.micros, offset, StreamName::System, ansi::clean(message.as_bytes()));
    match parsed {
        Some(Structured::Log { levelno, logger, message, stream, request_id }) => {
            // What uvicorn has to warn of is the application's doing.
            let is_servers = logger.starts_with("uvicorn") && levelno < 30;
            let source = if is_servers { Source::Startup } else { Source::App };
            let fields = fields([("logger", Some(logger)), ("requestId", request_id)]);
            Draft { level: of_number(levelno), source, stream, fields, ..draft(&message) }
        }
        Some(Structured::Request { method, path, status, millis, client, request_id }) => {
            let reason = status.and_then(reason_phrase);
            let outcome = status.map_or_else(|| "no response".to_owned(), |s| s.to_string());
            let mut message = format!("{method} {path} {outcome}");
            if let Some(reason) = reason {
                message.push(' ');
                message.push_str(reason);
            }
            message.push_str(&format!(" in {} ms", millis.round()));
            let texts = [
                ("requestId", request_id),
                ("method", Some(method)),
                ("path", Some(path)),
                ("client", client),
            ];
            let mut fields = fields(texts);
            fields.insert("durationMs".to_owned(), millis.into());
            fields.extend(status.map(|s| ("statusCode".to_owned(), s.into())));
            let failed = status.is_none_or(|s| s >= 500);
            let level = if failed { LogLevel::Error } else { LogLevel::Info };
            Draft { level, source: Source::Request, stream: StreamName::Stdout, fields, ..draft(&message) }
        }
        Some(Structured::ImportFailed { exception, error, message }) => Draft {
            level: LogLevel::Error,
            source: Source::Startup,
            stream: StreamName::Stderr,
            fields: fields([("exceptionType", Some(exception)), ("exceptionMessage", Some(error))]),
            ..draft(&message)
        },
        // Whatever else the program wrote there: shown as it is.
        Some(Structured::Print { .. }) | None => draft(&String::from_utf8_lossy(&record.payload)),
    }
}

pub(super) fn fields<const N: usize>(texts: [(&str, Option<String>); N]) -> Map<String, Value> {
    texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))).collect()
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
