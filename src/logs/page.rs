//! Choosing entries.

use serde::Serialize;
use serde_json::value::RawValue;

use super::search::{RequestId, Text};
use super::{Entry, Source};
use crate::config::LogLevel;
use crate::store::LogQuery;

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// This one and graver.
    pub level: Option<LogLevel>,
    /// About this.
    pub source: Option<Source>,
    /// With this in the message.
    pub text: Option<Text>,
    /// Of this request.
    pub request_id: Option<RequestId>,
}

impl Filter {
    /// Whether an entry is wanted.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        self.level.is_none_or(|level| entry.level >= level)
            && self.source.is_none_or(|source| entry.source == source)
            && self.request_id.as_ref().is_none_or(|id| id.is_of(entry))
            && self.text.as_ref().is_none_or(|text| text.is_in(entry))
    }

    /// The same choice, for the store.
    #[must_use]
    pub fn to_query(&self, after_id: u64, limit: usize) -> LogQuery {
        LogQuery {
            after_id: i64::try_from(after_id).unwrap_or(i64::MAX),
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
            level: self.level,
            source: self.source.map(|source| source.as_str().to_owned()),
            q: self.text.as_ref().map(|text| text.folded().to_owned()),
            request_id: self.request_id.as_ref().map(|id| id.as_str().to_owned()),
        }
    }
}

/// A page of entries, as `GET /preview/logs` gives it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Oldest first.
    pub logs: Vec<Box<RawValue>>,
    /// Where the next page begins, if there is more.
    pub next_after_id: Option<u64>,
}

impl Page {
    /// The first `limit` of `entries`, all of which are wanted.
    pub fn of<'a>(entries: impl Iterator<Item = &'a Entry>, limit: usize) -> Self {
        let mut wanted = entries;
        let mut page = Self { logs: Vec::new(), next_after_id: None };
        let mut last = 0;
        for entry in wanted.by_ref().take(limit) {
            last = entry.id;
            page.logs.extend(RawValue::from_string(entry.json().to_owned()));
        }
        page.next_after_id = wanted.next().map(|_| last);
        page
    }
}
