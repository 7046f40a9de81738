//! `previewd audit`: who asked for what, for the operator.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::fail;
use crate::audit::{self, Entry};
use crate::config::Config;

/// What somebody wants to see.
#[derive(Debug, clap::Args)]
pub(super) struct Wanted {
    /// Of this user only
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// About this generation only
    #[arg(long, value_name = "ID")]
    generation: Option<String>,
    /// This action only, or all of a kind: `preview.launch`, `preview`
    #[arg(long)]
    action: Option<String>,
    /// The last so many
    #[arg(long, short = 'n', value_name = "LINES")]
    tail: Option<usize>,
    /// Prints the entries as JSON, a line each
    #[arg(long)]
    json: bool,
}

impl Wanted {
    fn is(&self, entry: &Entry) -> bool {
        let user = self.user.as_ref().is_none_or(|user| *user == entry.user);
        let generation = self.generation.is_none() || self.generation == entry.generation;
        let of_kind = |action: &str| entry.action.strip_prefix(action).is_some_and(begins_anew);
        user && generation && self.action.as_deref().is_none_or(of_kind)
    }
}

fn begins_anew(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('.')
}

/// Prints what is kept. Needs no server.
pub(super) fn run(config: &Config, wanted: &Wanted) -> ExitCode {
    let entries = match audit::read(&config.data_dir) {
        Ok(entries) => entries,
        Err(error) => return fail(1, &error),
    };
    let entries: Vec<_> = entries.iter().filter(|entry| wanted.is(entry)).collect();
    let from = wanted.tail.map_or(0, |tail| entries.len().saturating_sub(tail));
    let mut out = io::stdout().lock();
    for entry in &entries[from..] {
        let line = if wanted.json { serde_json::to_string(entry).unwrap_or_default() } else { line(entry) };
        // Whoever reads may have seen enough.
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

fn line(entry: &Entry) -> String {
    let status = entry.status.map_or_else(|| "left".to_owned(), |status| status.to_string());
    let address = entry.address.as_deref().unwrap_or("-");
    let mut line = format!(
        "{} {address:<15} {:<16} {status:<4} {}",
        entry.timestamp,
        entry.action,
        entry.user.escape_debug()
    );
    for named in [&entry.project, &entry.generation, &entry.preview, &entry.file].into_iter().flatten() {
        line.push_str(&format!(" {}", named.escape_debug()));
    }
    line
}
