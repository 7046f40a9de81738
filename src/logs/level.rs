//! The level of a line of text, where a level's place has one.
//!
//! A word alone decides nothing: `GET /errors 200` and `ERROR` printed by itself are ordinary lines. What counts is
//! the place where the usual formatters put a level: at the start before a colon, a dash or a bar, in brackets,
//! behind a timestamp (`logging`, loguru, structlog, rich, gunicorn), or a field of a JSON object.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::config::LogLevel;

const UPPER: &str = "DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL|TRACE|SUCCESS|NOTICE";

struct Places {
    at_start: Regex,
    after_time: Regex,
    in_brackets: Regex,
}

// A literal that does not compile fails the tests below, so that none is ever missing in a build that passed them.
static PLACES: LazyLock<Option<Places>> = LazyLock::new(|| {
    let time = r"^[\[(<]?\d{1,4}[-/.:]\d{1,2}[-/.:]\d{1,4}[T\d:.,+Z/ -]*[\])>]?";
    Some(Places {
        at_start: Regex::new(&format!(r"^(?:\[(?i:({UPPER}))\s*\]|({UPPER})\s*(?::|\s-\s|\|))")).ok()?,
        after_time: Regex::new(&format!(
            r"{time}(?:\s*[-|:]?\s*[\[(]?[\w.\-]+[\])]?\s*[-|: ]){{0,2}}?\s*[-|:]?\s*[\[(]?({UPPER})\s*(?:[\])|:-]|\s)"
        ))
        .ok()?,
        in_brackets: Regex::new(&format!(r"{time}\s*\[(?i:({UPPER}))\s*\]")).ok()?,
    })
});

/// The level that `line`, without colours, names in a level's place.
#[must_use]
pub fn of_line(line: &str) -> Option<LogLevel> {
    let first = line.as_bytes().first()?;
    if *first == b'{' {
        return of_json(line);
    }
    // Nearly every line of a program's output ends here, before any pattern is tried.
    if !(first.is_ascii_uppercase() || first.is_ascii_digit() || matches!(first, b'[' | b'(' | b'<')) {
        return None;
    }
    let places = PLACES.as_ref()?;
    let found = places
        .at_start
        .captures(line)
        .or_else(|| places.in_brackets.captures(line))
        .or_else(|| places.after_time.captures(line))?;
    of_name(found.iter().skip(1).flatten().next()?.as_str())
}

fn of_json(line: &str) -> Option<LogLevel> {
    const LONGEST: usize = 16 * 1024;
    if line.len() > LONGEST || !line.ends_with('}') {
        return None;
    }
    let Value::Object(fields) = serde_json::from_str(line).ok()? else { return None };
    let name = ["level", "levelname", "severity", "log.level", "lvl"];
    name.iter().find_map(|key| of_name(fields.get(*key)?.as_str()?))
}

/// The level that a program means by a name, in either case.
#[must_use]
pub fn of_name(name: &str) -> Option<LogLevel> {
    match name.to_ascii_uppercase().as_str() {
        "TRACE" | "DEBUG" => Some(LogLevel::Debug),
        "INFO" | "SUCCESS" | "NOTICE" => Some(LogLevel::Info),
        "WARN" | "WARNING" => Some(LogLevel::Warn),
        "ERROR" | "CRITICAL" | "FATAL" => Some(LogLevel::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_in_its_place_is_found() {
        for (line, level) in [
            ("ERROR:    Exception in ASGI application", LogLevel::Error),
            ("INFO:     Started server process [7]", LogLevel::Info),
            ("WARNING:root:careful", LogLevel::Warn),
            ("[ERROR] it broke", LogLevel::Error),
            ("[error    ] it broke   key=1", LogLevel::Error),
            ("CRITICAL - it broke", LogLevel::Error),
            ("2025-10-20 12:20:05,123 - app.db - ERROR - it broke", LogLevel::Error),
            ("2025-10-20 12:20:05.123 | WARNING  | app.main:go:12 - careful", LogLevel::Warn),
            ("2025-10-20T12:20:05Z [error    ] it broke   key=1", LogLevel::Error),
            ("2025-10-20 12:20.05 [info     ] fine", LogLevel::Info),
            ("[2025-10-20 12:20:05 +0000] [7] [WARNING] careful", LogLevel::Warn),
            ("[10/20/25 12:20:05] ERROR    it broke        main.py:12", LogLevel::Error),
            ("12:20:05 DEBUG detail", LogLevel::Debug),
            (r#"{"event": "x", "level": "error"}"#, LogLevel::Error),
            (r#"{"severity": "WARNING", "message": "x"}"#, LogLevel::Warn),
        ] {
            assert_eq!(of_line(line), Some(level), "{line}");
        }
    }

    #[test]
    fn a_word_elsewhere_is_none() {
        for line in [
            "",
            "ERROR",
            "GET /errors 200",
            "no error here",
            "ERRORS: 3",
            "[errors] 3",
            "Error: not a level's spelling",
            "error",
            "INFORMATION: x",
            r#"{"level": 3}"#,
            r#"{"level": "error""#,
            "2025-10-20 was a day without ERRORs",
            "10 errors, 3 warnings",
            "{}",
            "{",
        ] {
            assert_eq!(of_line(line), None, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_looked_at_without_a_panic(line: String) {
            let _ = of_line(&line);
        }
    }
}
