//! Which paths a generation may use: relative, plain, inside its root in every spelling.

use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};

/// Longest path, in bytes.
const MAX_PATH: usize = 1024;
/// Longest name between two slashes, in bytes: what file systems take.
const MAX_SEGMENT: usize = 255;
/// Most characters of an offending name that an error repeats.
const MAX_SHOWN: usize = 256;

/// A file's path without its leading `./`, or why it is refused.
pub(super) fn file(given: &str) -> Result<String> {
    let path = strip_dot(given);
    check(path).map_err(|why| refused(given, why))?;
    Ok(path.to_owned())
}

/// A directory's path without `./` and a closing slash; `None` for the root itself.
pub(super) fn directory(given: &str) -> Result<Option<String>> {
    let path = strip_dot(given);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() && given.starts_with('.') || path == "." {
        return Ok(None);
    }
    check(path).map_err(|why| refused(given, why))?;
    Ok(Some(path.to_owned()))
}

/// The name of a file, or of an archive's entry, as text.
pub(super) fn text(raw: &[u8]) -> Result<&str> {
    std::str::from_utf8(raw).map_err(|_| refused(&String::from_utf8_lossy(raw), "is not UTF-8"))
}

/// The error for an entry of this name: `field` names it, the message says why.
pub(super) fn refused(given: &str, why: &str) -> Error {
    let shown: String = given.chars().take(MAX_SHOWN).collect();
    let message = format!("The file {shown:?} is refused: its path {why}.");
    Error::invalid(shown, message)
}

fn strip_dot(mut path: &str) -> &str {
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    path
}

fn check(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("is empty");
    }
    if path.len() > MAX_PATH {
        return Err("is longer than 1,024 bytes");
    }
    if path.starts_with('/') || has_drive(path) {
        return Err("is absolute; paths are relative to the project's root");
    }
    path.split('/').try_for_each(check_segment)
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    match segment {
        "" => Err("has an empty segment"),
        "." => Err("has a `.` segment"),
        _ if segment.len() > MAX_SEGMENT => Err("has a segment longer than 255 bytes"),
        _ if decoded == ".." => Err("has a `..` segment"),
        _ if decoded.contains('\\') => Err("has a backslash; use `/`"),
        _ if decoded.contains('/') => Err("has an encoded slash"),
        _ if decoded.contains(char::is_control) => Err("has a control character"),
        _ => Ok(()),
    }
}

/// `C:` at the start, which is absolute elsewhere and a directory nobody means here.
fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_kept() {
        for path in ["app/main.py", ".env.example", "a b/ü.txt", "...", "100%", "a..b/c", "~/x"] {
            assert_eq!(file(path).unwrap(), path);
        }
        assert_eq!(file("././app/main.py").unwrap(), "app/main.py");
    }

    #[test]
    fn paths_that_leave_the_root_are_refused_in_every_spelling() {
        for path in [
            "..",
            "../x",
            "a/../x",
            "a/..",
            "./../x",
            "/etc/passwd",
            "//x",
            ".//x",
            "\\x",
            "..\\x",
            "a\\b",
            "C:/x",
            "c:x",
            "%2e%2e/x",
            "a/%2E./x",
            "a%2fb",
            "..%5cx",
            "a%00b",
        ] {
            assert!(file(path).is_err(), "{path}");
        }
    }

    #[test]
    fn odd_names_are_refused() {
        let long = "a".repeat(256);
        let deep = "a/".repeat(600) + "b";
        for path in ["", ".", "./", "a//b", "a/./b", "a/", "a\0b", "a\nb", "a\x7f", "a\u{85}", &long, &deep] {
            assert!(file(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn the_error_names_the_entry() {
        let Err(Error::InvalidRequest { field, message }) = file("a/../b") else { panic!("taken") };
        assert_eq!(field.as_deref(), Some("a/../b"));
        assert!(message.contains(".."), "{message}");
    }

    #[test]
    fn directories_may_close_with_a_slash() {
        assert_eq!(directory("app/").unwrap().as_deref(), Some("app"));
        assert_eq!(directory("./app").unwrap().as_deref(), Some("app"));
        assert_eq!(directory("./").unwrap(), None);
        assert_eq!(directory(".").unwrap(), None);
        for path in ["/", "", "../", "a//", "/etc/"] {
            assert!(directory(path).is_err(), "{path:?}");
        }
    }
}
