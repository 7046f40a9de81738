use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use super::error;
use super::settings::{PREFIX, SETTINGS, Setting};

/// Values given on the command line.
pub type Flags = Vec<(&'static Setting, String)>;

/// What was given for each variable, by the strongest source, and what that source calls it.
pub(super) type Given = BTreeMap<&'static str, (String, String)>;

/// Takes each setting from the strongest source that has it, and says what is wrong with any of the names.
pub(super) fn gather(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    directory: &Path,
) -> (Given, Vec<String>) {
    let mut given = Given::new();
    let mut problems = Vec::new();
    for (setting, value) in flags {
        given.entry(setting.variable).or_insert_with(|| (format!("--{}", setting.flag()), value));
    }
    for (name, value) in environment {
        take(&name, &value, "", &mut given, &mut problems);
    }
    dotenv(directory, &mut given, &mut problems);
    (given, problems)
}

fn take(name: &OsStr, value: &OsStr, origin: &str, given: &mut Given, problems: &mut Vec<String>) {
    let name = name.to_string_lossy();
    if !name.starts_with(PREFIX) {
        return;
    }
    let Some(setting) = SETTINGS.iter().find(|setting| setting.variable == name) else {
        problems.push(error::unknown(&name, &value.to_string_lossy()) + origin);
        return;
    };
    let Some(value) = value.to_str() else {
        problems.push(error::malformed(&name, setting, &value.to_string_lossy()) + " It is not UTF-8.");
        return;
    };
    given.entry(setting.variable).or_insert_with(|| (format!("{name}{origin}"), value.to_owned()));
}

/// Reads `.env` without touching the environment of the process. Lines that are not about previewd are
/// somebody else's, however odd.
fn dotenv(directory: &Path, given: &mut Given, problems: &mut Vec<String>) {
    let text = match std::fs::read(directory.join(".env")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            problems.push(format!("The .env of the working directory cannot be read: {error}."));
            return;
        }
    };
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
    for line in dotenvy::from_read_iter(text) {
        match line {
            Ok((name, value)) => take(name.as_ref(), value.as_ref(), " (in .env)", given, problems),
            Err(dotenvy::Error::LineParse(line, _)) if !is_ours(&line) => {}
            Err(dotenvy::Error::LineParse(line, _)) => problems.push(format!(
                "The line of {} in .env cannot be read: quote the value, as in NAME='value'.",
                line.split('=').next().unwrap_or_default().trim()
            )),
            Err(_) => {
                problems.push(
                    "The .env of the working directory is not UTF-8 text: rewrite it as such.".to_owned(),
                );
                return;
            }
        }
    }
}

fn is_ours(line: &str) -> bool {
    let line = line.trim_start();
    line.strip_prefix("export ").unwrap_or(line).trim_start().starts_with(PREFIX)
}
