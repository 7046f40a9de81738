//! From an end to an explanation.

use super::hint;
use crate::error::{FailureReason, LaunchFailure};
use crate::logs::{Hub, Source};
use crate::runtime::Exit;

/// Lines of a log tail.
const TAIL: usize = 50;
/// Entries that are looked at for it.
const ENTRIES: usize = 200;

/// Why a start of the code is not running any more; 0 if it is not known which.
#[must_use]
pub fn of_exit(exit: Exit, served: bool, memory_mb: u64, hub: &Hub, slot: u32) -> LaunchFailure {
    let log_tail = tail(hub, slot);
    let import = import_failure(hub, slot).filter(|_| !served && exit != Exit::OutOfMemory);
    let (exit_code, signal) = match exit {
        Exit::Code(code) => (Some(code), None),
        Exit::Signal(number) => (None, Some(signal_name(number))),
        Exit::OutOfMemory => (None, Some("SIGKILL".to_owned())),
        Exit::Lost => (None, None),
    };
    let when = if served { "The preview ended by itself" } else { "The application ended before it served" };
    let message = match (&import, exit) {
        (Some(import), _) => format!("The application could not be imported: {}", import.summary()),
        (None, Exit::Code(code)) => format!("{when}, with exit status {code}. Its last lines say why."),
        (None, Exit::Signal(_)) => {
            format!("{when}: it was killed by {}.", signal.as_deref().unwrap_or("a signal"))
        }
        (None, Exit::OutOfMemory) => format!(
            "The preview used more than the {memory_mb} MiB of memory that it is given, and was ended. Load less at once, or ask for a higher limit."
        ),
        (None, Exit::Lost) => {
            "The process that kept the preview ended, and the preview with it. Launch it again.".to_owned()
        }
    };
    let reason = match (&import, exit) {
        (Some(_), _) => FailureReason::ImportFailed,
        (None, Exit::OutOfMemory) => FailureReason::OutOfMemory,
        (None, Exit::Lost) => FailureReason::HostFailure,
        (None, _) => FailureReason::Exited,
    };
    let hint = hint::find(import.as_ref().map(|i| i.text.as_str()), &log_tail);
    LaunchFailure { reason, message, exit_code, signal, log_tail, hint }
}

/// That start of the code never answered.
#[must_use]
pub fn of_timeout(seconds: u64, hub: &Hub, slot: u32) -> LaunchFailure {
    LaunchFailure {
        reason: FailureReason::LaunchTimeout,
        message: format!(
            "The application did not answer within {seconds} s. Look at its last lines: it may wait for something at its start."
        ),
        exit_code: None,
        signal: None,
        log_tail: tail(hub, slot),
        hint: None,
    }
}

/// The host could not start it.
#[must_use]
pub fn of_host(message: &str) -> LaunchFailure {
    LaunchFailure {
        reason: FailureReason::HostFailure,
        message: message.to_owned(),
        exit_code: None,
        signal: None,
        log_tail: Vec::new(),
        hint: None,
    }
}

/// The last lines that the program printed, as it printed them.
fn tail(hub: &Hub, slot: u32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for entry in hub.last_of(slot, ENTRIES) {
        let parsed = entry.read();
        if parsed.stream != "system" {
            lines.extend(parsed.message.lines().map(str::to_owned));
        }
    }
    lines.split_off(lines.len().saturating_sub(TAIL))
}

struct ImportFailure {
    kind: String,
    text: String,
}

impl ImportFailure {
    fn summary(&self) -> String {
        let text = without_place(&self.text);
        if text.is_empty() { self.kind.clone() } else { format!("{}: {text}", self.kind) }
    }
}

/// Without the file that Python names in brackets: where packages are is the host's affair.
fn without_place(text: &str) -> String {
    let place = text.split_once(" (/").and_then(|(before, rest)| Some((before, rest.split_once(')')?.1)));
    place.map_or_else(|| text.to_owned(), |(before, after)| format!("{before}{after}"))
}

fn import_failure(hub: &Hub, slot: u32) -> Option<ImportFailure> {
    let entries = hub.last_of(slot, ENTRIES);
    let entry = entries.iter().rev().find(|e| e.source == Source::Startup && is_import_failure(e))?;
    let fields = entry.fields();
    let text = |name: &str| fields.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    Some(ImportFailure { kind: text("exceptionType"), text: text("exceptionMessage") })
}

fn is_import_failure(entry: &crate::logs::Entry) -> bool {
    entry.fields().contains_key("exceptionType")
}

fn signal_name(number: i32) -> String {
    let known = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (10, "SIGUSR1"),
        (11, "SIGSEGV"),
        (12, "SIGUSR2"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
        (24, "SIGXCPU"),
        (25, "SIGXFSZ"),
        (31, "SIGSYS"),
    ];
    let name = known.iter().find(|(n, _)| *n == number);
    name.map_or_else(|| format!("signal {number}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_says_where_packages_are() {
        let said =
            "cannot import name 'x' from 'pymongo.cursor' (/srv/data/pymongo/cursor.py). Did you mean: 'y'?";
        assert_eq!(without_place(said), "cannot import name 'x' from 'pymongo.cursor'. Did you mean: 'y'?");
        assert_eq!(without_place("unmatched ')' (main.py, line 1)"), "unmatched ')' (main.py, line 1)");
    }
}
