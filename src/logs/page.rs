//! Choosing entries.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Entry, Source, ansi};
use crate::config::LogLevel;

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// This one and graver.
    pub level: Option<LogLevel>,
    /// About this.
    pub source: Option<Source>,
    /// Text that the message contains, in either case.
    pub text: Option<String>,
    /// Of this request.
    pub request_id: Option<String>,
}

impl Filter {
    /// Whether an entry is wanted.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        self.level.is_none_or(|level| entry.level >= level)
            && self.source.is_none_or(|source| entry.source == source)
            && self.matches_content(entry)
    }

    fn matches_content(&self, entry: &Entry) -> bool {
        if self.text.is_none() && self.request_id.is_none() {
            return true;
        }
        let parsed = entry.read();
        let id = parsed.fields.get("requestId").and_then(|id| id.as_str());
        let contains =
            |text: &String| ansi::plain(&parsed.message).to_lowercase().contains(&text.to_lowercase());
        self.text.as_ref().is_none_or(contains)
            && self.request_id.as_ref().is_none_or(|wanted| id == Some(wanted))
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
    /// The first `limit` of `entries` that are wanted.
    pub fn of<'a>(entries: impl Iterator<Item = &'a Entry>, limit: usize, filter: &Filter) -> Self {
        let mut wanted = entries.filter(|entry| filter.matches(entry));
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
