//! Reads a project from its entry point on.

use crate::endpoint::{Analysis, Entrypoint, Warning};
use crate::modules::{Files, Modules};
use crate::parse::{line_at, parse};

/// What the application at `entrypoint` offers, as far as its source settles it. Executes nothing.
#[must_use]
pub fn endpoints(files: &Files, entrypoint: &Entrypoint) -> Analysis {
    let modules = Modules::new(files);
    let mut analysis = Analysis::default();
    for (_, path) in modules.iter() {
        let bytes = modules.bytes(path);
        let warning = |line, message| Warning { file: path.to_owned(), line, message };
        match parse(bytes) {
            Err(unread) => analysis.warnings.push(warning(1, unread.to_string())),
            Ok(parsed) => {
                analysis.warnings.extend(parsed.error.map(|(at, text)| warning(line_at(bytes, at), text)));
            }
        }
    }
    if modules.path(&entrypoint.module).is_none() {
        let message = format!("there is no module {}", entrypoint.module);
        analysis.warnings.push(Warning { file: String::new(), line: 1, message });
    }
    analysis
}
