//! A log's entries, as they are shown in a terminal.

use serde::Deserialize;

use super::paint::{Colour, Paint};
use crate::config::LogLevel;
use crate::logs::{Source, plain};

/// One entry, as it is streamed.
#[derive(Deserialize)]
pub(super) struct Line {
    /// Counts up by one from 1.
    pub id: u64,
    /// RFC 3339.
    pub timestamp: String,
    /// How grave.
    pub level: LogLevel,
    /// What it is about.
    pub source: Source,
    /// The text, with the program's own colours.
    pub message: String,
}

impl Line {
    /// Level, source and text; a text of several lines hangs together.
    pub(super) fn render(&self, paint: Paint) -> String {
        self.hanging(paint, "", 14)
    }

    /// The same, behind the time of day.
    pub(super) fn render_with_time(&self, paint: Paint) -> String {
        let time = self.timestamp.get(11..23).unwrap_or(&self.timestamp);
        self.hanging(paint, &format!("{} ", paint.paint(Colour::Quiet, time)), 27)
    }

    fn hanging(&self, paint: Paint, before: &str, indent: usize) -> String {
        let colour = match self.level {
            LogLevel::Debug => Colour::Quiet,
            LogLevel::Info => Colour::Good,
            LogLevel::Warn => Colour::Careful,
            LogLevel::Error => Colour::Bad,
        };
        let level = paint.paint(colour, &format!("{:<5}", self.level.to_string()));
        let source = paint.paint(Colour::Quiet, &format!("{:<7}", self.source.as_str()));
        let message =
            if paint.is_on() { paint.close(&self.message) } else { plain(&self.message).into_owned() };
        let message = message.replace('\n', &format!("\n{:indent$}", ""));
        format!("{before}{level} {source} {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_its_level_and_source_and_hangs_together() {
        let json = r#"{"id":1,"timestamp":"2025-10-20T12:20:05.123Z","level":"ERROR","source":"app","message":"\u001b[31mTraceback:\u001b[0m\n  boom"}"#;
        let line: Line = serde_json::from_str(json).unwrap();
        assert_eq!(line.render(Paint::plain()), "ERROR app     Traceback:\n                boom");
        let timed = line.render_with_time(Paint::plain());
        assert_eq!(timed, "12:20:05.123 ERROR app     Traceback:\n                             boom");
    }
}
