//! Looking for text in entries. A page of a long log must not take each of its entries apart: most are told by a look
//! at their JSON, which has the message with few characters escaped.

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

use super::{Entry, ansi};

/// Text that a message contains, without its colours and in either case.
#[derive(Clone, Debug)]
pub struct Text {
    folded: String,
    /// Found in the JSON of every entry that has the text, and in some others.
    hint: Option<Regex>,
}

impl Text {
    /// `None` for no text at all.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let folded = text.to_lowercase();
        (!folded.is_empty()).then(|| Self { hint: hint(&folded), folded })
    }

    /// In lower case.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }

    pub(super) fn is_in(&self, entry: &Entry) -> bool {
        self.hint.as_ref().is_none_or(|hint| hint.is_match(entry.json().as_bytes()))
            && ansi::plain(&entry.read().message).to_lowercase().contains(&self.folded)
    }
}

/// The longest part whose characters have no other case than ASCII's, as JSON writes it. A `k` or an `i` is also the
/// lower case of a character beyond ASCII.
fn hint(folded: &str) -> Option<Regex> {
    let parts = folded.split(|c: char| !c.is_ascii() || c == 'k' || c == 'i');
    let part = parts.max_by_key(|part| part.len()).filter(|part| !part.is_empty())?;
    let json = serde_json::Value::from(part).to_string();
    let written = regex::escape(json.trim_matches('"').trim_end_matches('\\'));
    RegexBuilder::new(&written).case_insensitive(true).unicode(false).build().ok()
}

/// The request that entries name.
#[derive(Clone, Debug)]
pub struct RequestId {
    id: String,
    hint: Finder<'static>,
}

impl RequestId {
    /// That of this id, exactly.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let json = serde_json::Value::from(id).to_string();
        Self { id: id.to_owned(), hint: Finder::new(json.as_bytes()).into_owned() }
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.id
    }

    pub(super) fn is_of(&self, entry: &Entry) -> bool {
        self.hint.find(entry.json().as_bytes()).is_some()
            && entry.fields().get("requestId").and_then(|id| id.as_str()) == Some(&self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::StreamName;
    use super::super::structured::plain;
    use super::*;

    fn entry(message: &str) -> Entry {
        Entry::new(1, &plain(1, 0, StreamName::Stdout, message.to_owned()))
    }

    fn finds(text: &str, message: &str) -> bool {
        Text::new(text).is_none_or(|text| text.is_in(&entry(message)))
    }

    #[test]
    fn text_is_found_in_either_case_and_without_colours() {
        for (text, message) in [
            ("LINE 4", "line 42"),
            ("say \"hi\"", "they SAY \"hi\" there"),
            ("\"", "a\"b"),
            ("c:\\temp", "C:\\TEMP\\x"),
            ("\\", "a\\b"),
            ("grüß gott", "GRÜß Gott"),
            ("日本", "日本語"),
            ("red apple", "\x1b[31mred\x1b[0m apple"),
            ("a\tb", "A\tB"),
            ("kilo", "\u{212a}ilo"),
            ("", "anything"),
        ] {
            assert!(finds(text, message), "{text} in {message}");
        }
        for (text, message) in
            [("31m", "\x1b[31mred"), ("info", "stdout"), ("line 5", "line 42"), ("timestamp", "x")]
        {
            assert!(!finds(text, message), "{text} in {message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_part_of_a_message_is_always_found(before: String, part in "\\PC{1,12}", after: String) {
            let message = format!("{before}{part}{after}");
            proptest::prop_assume!(message.to_lowercase().contains(&part.to_lowercase()) && !message.contains('\x1b'));
            proptest::prop_assert!(finds(&part, &message));
        }
    }
}
