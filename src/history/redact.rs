//! Taking secrets out of what is kept.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// Headers whose value is always a secret.
const HEADERS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
/// Parts of the names of headers and fields that hold secrets, without `-` and `_`.
const WORDS: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "authorization",
    "sessionid",
    "jwt",
    "cvv",
];

/// Whether what goes by this name is a secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    // Asked for each header of each request: one look for all words, and one piece of memory.
    static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&WORDS.join("|")).ok());
    let mut plain = String::with_capacity(name.len());
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    plain.extend(letters.map(|byte| char::from(byte.to_ascii_lowercase())));
    WORD.as_ref().is_none_or(|word| word.is_match(&plain)) || plain == "pin" || plain == "otp"
}

/// Whether this header's value is a secret.
#[must_use]
pub fn is_secret_header(name: &str) -> bool {
    HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header)) || is_secret(name)
}

/// A text without its secrets, whatever the text is: JSON (whole or cut off), a form, a query, a token in passing.
#[must_use]
pub fn text(text: &str) -> String {
    // A name in quotes and what follows the colon: a text (perhaps cut off), or a word.
    static JSON: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#""([^"\\]{1,100})"(\s*:\s*)("(?:[^"\\]|\\.)*(?:"|\\?$)|[^\s"\[\]{},]+)"#).ok()
    });
    let Some(json) = &*JSON else { return REDACTED.to_owned() };
    let in_json = where_it_has(text, b'"', |text| {
        json.replace_all(text, |found: &Captures<'_>| {
            if is_secret(&found[1]) {
                format!("\"{}\"{}\"{REDACTED}\"", &found[1], &found[2])
            } else {
                found[0].to_owned()
            }
        })
    });
    let in_pairs = where_it_has(&in_json, b'=', pairs);
    tokens(&in_pairs).into_owned()
}

/// The secrets that a header's value consists of: an application may say them again in its answer.
#[must_use]
pub fn secrets_of(value: &str) -> Vec<String> {
    const SHORTEST: usize = 4;
    let pairs = value.split(';').map(|pair| pair.trim().split_once('=').map_or(pair, |(_, value)| value));
    let words = pairs.filter_map(|pair| pair.split_whitespace().last());
    words.filter(|word| word.len() >= SHORTEST).map(str::to_owned).collect()
}

/// What is done with a text that has such a byte. Most headers have neither quotes nor pairs, and looking for both in each takes longer
/// than all else that is done with it.
fn where_it_has<'a>(text: &'a str, byte: u8, done: impl FnOnce(&'a str) -> Cow<'a, str>) -> Cow<'a, str> {
    if memchr::memchr(byte, text.as_bytes()).is_some() { done(text) } else { Cow::Borrowed(text) }
}

/// `name=value&name=value`, in a form or behind the `?` of an address.
fn pairs(text: &str) -> Cow<'_, str> {
    static PAIR: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"(^|[?&;])([A-Za-z0-9_.%\[\]-]{1,100})=([^&;\s"'<>]*)"#).ok());
    let Some(pair) = &*PAIR else { return REDACTED.into() };
    pair.replace_all(text, |found: &Captures<'_>| {
        let value = if is_secret(&found[2]) && !found[3].is_empty() { REDACTED } else { &found[3] };
        format!("{}{}={value}", &found[1], &found[2])
    })
}

/// What is a token by its looks: a JSON web token, or what follows `Bearer`.
fn tokens(text: &str) -> Cow<'_, str> {
    static TOKEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*|\b[Bb]earer [A-Za-z0-9._~+/-]{8,}=*",
        )
        .ok()
    });
    match &*TOKEN {
        Some(token) => token.replace_all(text, REDACTED),
        None => REDACTED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_consists_of_secrets() {
        assert_eq!(secrets_of("sid=abcd; b=1; theme=dark"), ["abcd", "dark"]);
        assert_eq!(secrets_of("Bearer abc.def"), ["abc.def"]);
    }

    #[test]
    fn secrets_go_and_the_rest_stays_as_it_was() {
        let cases = [
            (
                r#"{"user": "ana", "password": "a\"b", "n": 1}"#,
                r#"{"user": "ana", "password": "[redacted]", "n": 1}"#,
            ),
            (r#"{"access_token":"x.y","pin":1234}"#, r#"{"access_token":"[redacted]","pin":"[redacted]"}"#),
            (
                r#"{"a": {"client-Secret" : "s"}, "spin": 1}"#,
                r#"{"a": {"client-Secret" : "[redacted]"}, "spin": 1}"#,
            ),
            (r#"{"password": "cut of"#, r#"{"password": "[redacted]""#),
            (r#"{"password": "cut off\"#, r#"{"password": "[redacted]""#),
            ("user=ana&password=p%20w&x=1", "user=ana&password=[redacted]&x=1"),
            ("/login?next=/&api_key=k", "/login?next=/&api_key=[redacted]"),
            ("said eyJhbGciOi.eyJzdWIiOi.c2ln to it", "said [redacted] to it"),
            (r#"{"q": "a=1&token=x", "n": 1}"#, r#"{"q": "a=1&token=[redacted]", "n": 1}"#),
            ("plain = text; with [brackets]", "plain = text; with [brackets]"),
        ];
        for (given, expected) in cases {
            assert_eq!(text(given), expected);
        }
        assert!(
            is_secret_header("X-Api-Key") && is_secret_header("COOKIE") && is_secret_header("x-auth-token")
        );
        assert!(!is_secret_header("content-type") && !is_secret_header("x-request-id"));
    }
}
