//! What will fail when a project is launched, found by reading it.

mod database;
mod distributions;
mod imports;
mod pins;
mod stdlib;

use std::fmt::{Display, Formatter};

use ruff_text_size::TextSize;
use serde::Serialize;

use crate::endpoint::Entrypoint;
use crate::interp::{Interp, Sources};
use crate::modules::{Files, Modules};
use crate::parse::line_at;
use crate::pins::Versions;
use crate::read::{application, with_deep_stack};
use distributions::Installed;

/// Something that will go wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Path in the project.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Which kind: `missing_entrypoint`, `missing_requirement`, `missing_module`, `moved_import`, `syntax_error`, `unreadable`,
    /// `async_engine_sync_url`, `sync_engine_async_url`, `missing_driver`, `incompatible_pins`,
    /// `standard_library_requirement`, `server_started_at_import`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to change.
    pub hint: String,
    /// The launch fails for it, for certain.
    pub fatal: bool,
    /// Words of what Python or the installer then says.
    #[serde(skip)]
    pub signs: Vec<String>,
}

impl Problem {
    /// Whether a failure that says this is the problem's.
    #[must_use]
    pub fn explains(&self, said: &str) -> bool {
        self.signs.iter().any(|sign| said.contains(sign))
    }
}

/// Where it is, what is wrong and what to change, in one line.
impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {} {}", self.file, self.line, self.message, self.hint)
    }
}

/// What will fail when `entrypoint` is launched with these requirements (one each, as in `requirements.txt`).
/// Only what is imported then is looked at. Executes nothing.
#[must_use]
pub fn problems(files: &Files, entrypoint: &Entrypoint, requirements: &[String]) -> Vec<Problem> {
    with_deep_stack(|| find(files, entrypoint, requirements)).unwrap_or_default()
}

fn find(files: &Files, entrypoint: &Entrypoint, requirements: &[String]) -> Vec<Problem> {
    let sources = Sources::new(Modules::new(files));
    let mut interp = Interp::new(&sources, Versions::default());
    application(&mut interp, entrypoint);
    let absent = absent(&interp, entrypoint);
    let installed = Installed::new(requirements);
    let mut problems = pins::check(files, requirements);
    for failure in interp.take_failures() {
        let file = sources.modules.path(&failure.place.module).unwrap_or_default();
        let line = line_at(sources.modules.bytes(file), TextSize::new(failure.place.offset));
        problems.push(Problem {
            file: file.to_owned(),
            line,
            code: failure.code,
            message: failure.message,
            hint: failure.hint,
            fatal: failure.certain,
            signs: failure.signs,
        });
    }
    let pydantic_v1 = Versions::of(files).pydantic_v1;
    for (module, certain) in interp.loaded_modules() {
        let Some((path, body)) = sources.body(&module) else { continue };
        let modules = &sources.modules;
        let context = Context { modules, installed: &installed, requirements, pydantic_v1, path, certain };
        problems.extend(imports::check(&context, body));
        problems.extend(database::check(&context, body));
    }
    problems.extend(absent);
    problems.sort();
    problems.dedup();
    problems
}

/// The problem of an entry point whose module, read to its end, binds no such name.
fn absent(interp: &Interp<'_>, entrypoint: &Entrypoint) -> Option<Problem> {
    let attribute = entrypoint.attribute.split('.').next()?;
    interp.lacks(&entrypoint.module, attribute).then(|| Problem {
        file: interp.sources.modules.path(&entrypoint.module).unwrap_or_default().to_owned(),
        line: 1,
        code: "missing_entrypoint",
        message: format!("{} has no {attribute}: there is nothing to serve.", entrypoint.module),
        hint: "Bind the FastAPI application to that name, or name another entrypoint.".to_owned(),
        fatal: true,
        signs: vec![format!("module '{}' has no attribute '{attribute}'", entrypoint.module)],
    })
}

/// What the checks of one file need to know.
struct Context<'a> {
    modules: &'a Modules<'a>,
    installed: &'a Installed,
    requirements: &'a [String],
    pydantic_v1: bool,
    path: &'a str,
    /// It is imported whenever the project is.
    certain: bool,
}

impl Context<'_> {
    fn problem(&self, at: TextSize, found: Found) -> Problem {
        let line = line_at(self.modules.bytes(self.path), at);
        let Found { code, fatal, message, hint, signs } = found;
        let fatal = fatal && self.certain;
        Problem { file: self.path.to_owned(), line, code, message, hint, fatal, signs }
    }
}

/// A problem without its place.
struct Found {
    code: &'static str,
    fatal: bool,
    message: String,
    hint: String,
    signs: Vec<String>,
}
