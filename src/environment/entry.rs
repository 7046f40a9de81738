//! One requirement: `name[extra]>=1.0 ; python_version < "3.13"`.
//!
//! The library that reads names and versions panics on some malformed names and keeps every marker for ever, so
//! names are checked first, and markers are only split into words here; the installer is what understands them.

use std::str::FromStr;

use pep508_rs::{Requirement, VersionOrUrl};

/// Longest requirement, in bytes.
const MAX_LENGTH: usize = 500;

/// What a marker may ask about, and the words that join it.
const MARKER_WORDS: [&str; 16] = [
    "python_version",
    "python_full_version",
    "os_name",
    "sys_platform",
    "platform_release",
    "platform_system",
    "platform_version",
    "platform_machine",
    "platform_python_implementation",
    "implementation_name",
    "implementation_version",
    "extra",
    "and",
    "or",
    "not",
    "in",
];

/// A requirement, normalised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The package's normalised name.
    pub name: String,
    /// All of it, as an installer reads it.
    pub text: String,
    /// Whether a marker limits it to some systems.
    pub conditional: bool,
}

/// Why something is not taken as a requirement: the reason, to follow the place, and what to do.
pub(super) type Refusal = (&'static str, &'static str);

impl FromStr for Entry {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        const MALFORMED: Refusal =
            ("is not a valid requirement", "Write a name with an optional version, as in fastapi>=0.110.");
        check_kind(text)?;
        let (head, marker) = text.split_once(';').map_or((text, None), |(head, rest)| (head, Some(rest)));
        if !has_sound_names(head) {
            return Err(MALFORMED);
        }
        let requirement = Requirement::<pep508_rs::VerbatimUrl>::from_str(head).map_err(|_| MALFORMED)?;
        if matches!(requirement.version_or_url, Some(VersionOrUrl::Url(_))) {
            return Err(MALFORMED);
        }
        let marker = marker.map(|marker| words_of(marker).ok_or(MALFORMED)).transpose()?;
        Ok(Self {
            name: requirement.name.to_string(),
            conditional: marker.is_some(),
            text: marker
                .map_or_else(|| requirement.to_string(), |marker| format!("{requirement} ; {marker}")),
        })
    }
}

/// Refuses what is meant as something else than a released package.
fn check_kind(text: &str) -> Result<(), Refusal> {
    if text.starts_with('-') {
        return Err((
            "is an option",
            "Options (-r, -e, --index-url and so on) are not taken: list the packages.",
        ));
    }
    if text.split_whitespace().any(|word| word.starts_with("--")) {
        return Err((
            "has an option",
            "Options after a requirement (--hash and so on) are not taken: leave them out.",
        ));
    }
    if text.contains('@') || text.contains("://") {
        return Err(("is a URL", "Packages come from the package index only: name a released version."));
    }
    if text.starts_with('.') || text.contains(['/', '\\']) {
        return Err((
            "is a path",
            "Packages come from the package index only; the project's own code needs no entry.",
        ));
    }
    if text.len() > MAX_LENGTH {
        return Err(("is longer than 500 bytes", "Shorten it to a name with a version."));
    }
    Ok(())
}

/// Whether the name and each extra start and end with a letter or a digit.
fn has_sound_names(head: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
    let is_sound = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(is_inner)
    };
    let head = head.trim();
    let (name, rest) = head.split_at(head.find(|c| !is_inner(c)).unwrap_or(head.len()));
    let extras = rest.trim_start().strip_prefix('[').map(|rest| rest.split(']').next().unwrap_or_default());
    is_sound(name)
        && extras
            .is_none_or(|extras| extras.trim().is_empty() || extras.split(',').map(str::trim).all(is_sound))
}

/// A marker's words with one space between them; `None` where something is no word of a marker.
fn words_of(marker: &str) -> Option<String> {
    let mut words = Vec::new();
    let mut rest = marker.trim();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => 1,
            '\'' | '"' => rest[1..].find(first)? + 2,
            _ if is_operator(first) => rest.find(|c| !is_operator(c)).unwrap_or(rest.len()),
            _ => rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(length);
        words.push(marker_word(word)?);
        rest = after.trim_start();
    }
    (!words.is_empty()).then(|| words.join(" "))
}

fn is_operator(c: char) -> bool {
    ['<', '>', '=', '!', '~'].contains(&c)
}

fn marker_word(word: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._-*+,".contains(c);
    if let Some(quoted) = word.strip_prefix(['\'', '"']) {
        let text = quoted.strip_suffix(['\'', '"'])?;
        return text.chars().all(plain).then(|| format!("'{text}'"));
    }
    let known = ["(", ")", "==", "!=", "<=", ">=", "<", ">", "~=", "==="].contains(&word);
    (known || MARKER_WORDS.contains(&word)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(given: &str) -> String {
        Entry::from_str(given).unwrap().text
    }

    #[test]
    fn spellings_of_one_requirement_are_one() {
        for given in ["Foo.Bar[B,a] >=1, <2", "foo-bar[b,a](>=1,<2)", "foo_bar [b , a]>=1,<2"] {
            assert_eq!(text_of(given), "foo-bar[b,a]>=1,<2");
        }
        assert_eq!(text_of("a[]"), "a");
        assert_eq!(text_of("a==1.*"), "a==1.*");
    }

    #[test]
    fn markers_are_kept() {
        assert_eq!(
            text_of("a;(python_version<\"3.13\" or os_name  =='nt')and sys_platform not in 'win32'"),
            "a ; ( python_version < '3.13' or os_name == 'nt' ) and sys_platform not in 'win32'"
        );
        for marker in [
            "",
            "secret == 'x'",
            "os_name == 'x",
            "os_name =< 'x'",
            "os_name == '\u{e9}'",
            "os_name == '$(x)'",
        ] {
            assert!(Entry::from_str(&format!("a ; {marker}")).is_err(), "{marker}");
        }
    }

    #[test]
    fn malformed_names_do_not_reach_the_library() {
        for given in ["a-", "a-'", "a[b-]", "a[b", "-a", "_a", "a.", "é", "a b", "a[b]c", "", " ", "[a]"] {
            assert!(Entry::from_str(given).is_err(), "{given}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(
            text in "([a-z0-9 ;@#<>=~!.,'\"()\\[\\]_-]|and |or |python_version|in |not |[ab]\\[|>=1){0,40}|.{0,60}"
        ) {
            if let Ok(entry) = Entry::from_str(&text) {
                prop_assert_eq!(Entry::from_str(&entry.text).unwrap(), entry);
            }
        }
    }
}
