//! What `previewd up` shows in the terminal.

use std::io::Write as _;
use std::sync::Arc;

use crate::cli::line::Line;
use crate::cli::paint::{Colour, Paint};
use crate::error::LaunchFailure;
use crate::logs::{Event, Filter, Follow, Hub, Source, Start};

/// Prints lines, with colours where the reader is a person.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    paint: Paint,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { paint: Paint::stdout() }
    }

    /// One line of ours.
    pub(super) fn say(self, text: &str) {
        // Whoever has closed the terminal reads no more; the signal that follows ends us.
        let _closed = writeln!(std::io::stdout(), "{text}");
    }

    /// A line of ours that says what happened.
    pub(super) fn tell(self, colour: Colour, what: &str, rest: &str) {
        self.say(&format!("{} {rest}", self.paint.paint(colour, what)));
    }

    /// Where to look.
    pub(super) fn addresses(self, ui: &str, preview: Option<&str>) {
        let strong = |address: &str| self.paint.paint(Colour::Strong, address);
        self.say(&format!("\n  UI       {}", strong(ui)));
        if let Some(preview) = preview {
            self.say(&format!("  Preview  {}", strong(preview)));
        }
        self.say("");
    }

    /// Why code does not run.
    pub(super) fn failure(self, what: &str, failure: &LaunchFailure) {
        self.tell(Colour::Bad, what, &failure.message);
        let exit = failure.exit_code.map(|code| format!(", exit code {code}"));
        let signal = failure.signal.as_ref().map(|signal| format!(", {signal}"));
        let reason = failure.reason.as_str();
        self.say(&format!("  reason: {reason}{}", exit.or(signal).unwrap_or_default()));
        if let Some(hint) = &failure.hint {
            self.say(&format!("  hint: {hint}"));
        }
    }

    /// Prints a log until the preview is over.
    pub(super) async fn follow(self, hub: Arc<Hub>) {
        let mut follow = Follow::new(hub, Start::Oldest, Filter::default());
        while let Event::Frames(frames) = follow.next().await {
            for line in String::from_utf8_lossy(&frames).lines() {
                // Named events, which tell what we know already, have data of another shape.
                let Some(json) = line.strip_prefix("data: ") else { continue };
                let Ok(line) = serde_json::from_str::<Line>(json) else { continue };
                // previewd's own lines are told here in other words.
                if line.source != Source::Server {
                    self.say(&line.render(self.paint));
                }
            }
        }
    }
}
