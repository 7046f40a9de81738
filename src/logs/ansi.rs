//! Terminal control sequences: colours stay, everything else goes.

use std::borrow::Cow;

/// Text as it may be shown: invalid UTF-8 is replaced, and of all control characters only tabs, line ends and
/// colour codes (`ESC [ … m`, which can do no harm) are left.
#[must_use]
pub fn clean(bytes: &[u8]) -> String {
    clean_text(String::from_utf8_lossy(bytes).into_owned())
}

/// The same of what is text already.
#[must_use]
pub fn clean_text(text: String) -> String {
    if text.chars().any(|c| c.is_control() && c != '\t') { filter(&text, true) } else { text }
}

/// The text without colour codes.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\x1b') { Cow::Owned(filter(text, false)) } else { Cow::Borrowed(text) }
}

fn filter(text: &str, colours: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '\x1b' {
            let length = sequence(rest);
            let sequence = &rest[..length];
            let is_colour = sequence.starts_with("\x1b[")
                && sequence.ends_with('m')
                && sequence[2..length - 1].bytes().all(|b| b.is_ascii_digit() || b == b';' || b == b':');
            if colours && is_colour {
                out.push_str(sequence);
            }
            rest = &rest[length..];
        } else {
            if !c.is_control() || c == '\t' || c == '\n' {
                out.push(c);
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// Bytes of the escape sequence at the start of `text` (ECMA-48: CSI, and the string controls that end with BEL or ST).
fn sequence(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes.get(1) {
        Some(b'[') => {
            let end = bytes[2..].iter().position(|b| (0x40..=0x7e).contains(b) || !b.is_ascii());
            end.map_or(bytes.len(), |at| if bytes[2 + at].is_ascii() { at + 3 } else { at + 2 })
        }
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let bell = text.find('\x07').map(|at| at + 1);
            let terminator = text[1..].find("\x1b\\").map(|at| at + 3);
            match (bell, terminator) {
                (Some(a), Some(b)) => a.min(b),
                (Some(at), None) | (None, Some(at)) => at,
                (None, None) => bytes.len(),
            }
        }
        Some(b) if b.is_ascii() => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_everything_else_goes() {
        assert_eq!(clean(b"\x1b[31mred\x1b[0m\tx"), "\x1b[31mred\x1b[0m\tx");
        assert_eq!(clean(b"a\x1b[2Jb\x1b[1;1Hc"), "abc");
        assert_eq!(clean(b"\x1b]8;;http://x\x07link\x1b]8;;\x1b\\!"), "link!");
        assert_eq!(clean(b"\x1b]0;title never ends"), "");
        assert_eq!(clean(b"nul\0bell\x07back\x08"), "nulbellback");
        assert_eq!(clean(b"\xff\xfeok"), "\u{fffd}\u{fffd}ok");
        assert_eq!(clean("\x1b[é".as_bytes()), "é");
        assert_eq!(clean(b"\x1b"), "");
        assert_eq!(plain("\x1b[1;31mERROR\x1b[0m: x"), "ERROR: x");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_cleaned_without_a_panic(bytes: Vec<u8>) {
            let text = clean(&bytes);
            proptest::prop_assert!(text.chars().all(|c| !c.is_control() || c == '\t' || c == '\n' || c == '\x1b'));
            let _ = plain(&text);
        }
    }
}
