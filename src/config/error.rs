use std::fmt;
use std::io;

use super::settings::{PREFIX, SETTINGS, Setting};

/// How alike two names must be for one to be suggested for the other, from 0 to 1.
const ALIKE: f64 = 0.8;

/// Names with one of these in them may hold a secret.
const SECRET_WORDS: &[&str] = &["SECRET", "KEY", "TOKEN", "PASS", "URL", "JWT"];

const HIDDEN: &str = "a value that is not shown";

/// Settings that cannot be meant, all of them at once: one line each.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    pub(super) fn directory(source: &io::Error) -> Self {
        Self {
            problems: vec![format!("The working directory cannot be read: {source}. Change to another one.")],
        }
    }

    /// `Ok` where there is nothing to tell.
    pub(super) fn unless_empty(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// The line about a value that is not what the setting takes.
pub(super) fn malformed(name: &str, setting: &Setting, held: &str) -> String {
    let held = if setting.variable == "PREVIEW_JWT_SECRET" {
        HIDDEN.to_owned()
    } else if setting.variable == "PREVIEW_STORE_URL" {
        without_password(held)
    } else {
        format!("{held:?}")
    };
    format!("{name} holds {held}, but takes {}.", setting.takes)
}

/// The line about a variable that is none of ours, with the one that was likely meant.
pub(super) fn unknown(name: &str, held: &str) -> String {
    let bare = |name: &str| name.trim_start_matches(PREFIX).to_owned();
    let likely = SETTINGS
        .iter()
        .map(|setting| (strsim::jaro_winkler(&bare(name), &bare(setting.variable)), setting.variable))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    // What is a slip of the pen away from a secret may hold one.
    let may_be_secret = SECRET_WORDS.iter().any(|word| name.contains(word)) || held.contains("://");
    let held = if may_be_secret { HIDDEN.to_owned() } else { format!("{held:?}") };
    let advice = likely.map_or_else(
        || "remove it, or see `previewd serve --help` for the settings".to_owned(),
        |(_, variable)| format!("did you mean {variable}?"),
    );
    format!("{name}, which holds {held}, is no setting of previewd: {advice}")
}

/// What may be shown of a store's address: scheme and host, never user, password or query.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return HIDDEN.to_owned();
    };
    let address = rest.split('?').next().unwrap_or_default();
    match rest.rsplit_once('@') {
        Some((_, host)) => {
            format!("{:?}", format!("{scheme}://***@{}", host.split('?').next().unwrap_or_default()))
        }
        None => format!("{:?}", format!("{scheme}://{address}")),
    }
}
