//! Colours, for people at a terminal only.

use std::io::IsTerminal as _;

/// Colours text, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    on: bool,
}

/// The colours, by what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Good,
    Careful,
    Bad,
    Quiet,
    Strong,
}

impl Paint {
    /// Colours if stdout is a terminal and `NO_COLOR` is not set.
    pub(super) fn stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { on: wanted && std::io::stdout().is_terminal() }
    }

    /// Never colours.
    #[cfg(test)]
    pub(super) fn plain() -> Self {
        Self { on: false }
    }

    /// Whether it colours at all.
    pub(super) fn is_on(self) -> bool {
        self.on
    }

    /// Text that brings its own colours, with an end to them.
    pub(super) fn close(self, text: &str) -> String {
        if text.contains('\x1b') { format!("{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The text in this colour.
    pub(super) fn paint(self, colour: Colour, text: &str) -> String {
        if !self.on {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Good => 32,
            Colour::Careful => 33,
            Colour::Bad => 31,
            Colour::Quiet => 90,
            Colour::Strong => 1,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
