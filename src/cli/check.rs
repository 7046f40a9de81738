use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use pysource::{Analysis, Endpoint, Problem, Warning};
use serde::Serialize;
use serde_json::Value;

use super::paint::{Colour, Paint};
use super::{USAGE, fail};
use crate::config::Config;
use crate::endpoints::from_source;
use crate::error::Error;
use crate::generation::{Files, Plan, plan_of_read, read_directory, requirements};

/// What a project offers and what stands against its launch, as `--json` prints it.
#[derive(Serialize)]
struct Report {
    /// Nothing is known that would make the launch fail.
    ok: bool,
    entrypoint: Option<String>,
    requirements: Vec<String>,
    endpoints: Vec<Endpoint>,
    /// Where the endpoints come from: always the source.
    source: &'static str,
    warnings: Vec<Warning>,
    problems: Vec<Problem>,
    #[serde(skip)]
    openapi: Value,
}

/// Validates a project and prints its endpoints; fails if it could not be launched.
pub(super) fn run(config: &Config, dir: &Path, json: bool, openapi: bool) -> ExitCode {
    if !dir.is_dir() {
        let message = format!("{} is not a directory.", dir.display());
        return fail(USAGE, &Error::invalid("directory", message));
    }
    let files = match read_directory(dir, &config.data_dir) {
        Ok(files) => Arc::new(files),
        Err(error) => return fail(1, &error),
    };
    let report = report(&files);
    let printed = match (openapi, json) {
        (true, _) => serde_json::to_string_pretty(&report.openapi),
        (_, true) => serde_json::to_string_pretty(&report),
        _ => Ok(report.for_people(Paint::stdout())),
    };
    match printed {
        Ok(text) => println!("{}", text.trim_end()),
        Err(error) => return fail(1, &error),
    }
    if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(files: &Arc<Files>) -> Report {
    let Analysis { endpoints, mut warnings, openapi, served } = from_source(files, None);
    let (entrypoint, requirements, mut problems) = match plan_of_read(files, None, served) {
        Ok(plan) => {
            let found = pysource::problems(files, &plan.served(), &plan.requirements.to_lines());
            warnings.extend(plan.warnings.iter().map(|message| about(&plan, message)));
            let entrypoint = format!("{}{}", plan.entrypoint, if plan.factory { "()" } else { "" });
            (Some(entrypoint), plan.requirements.to_lines(), found)
        }
        Err(error) => (None, Vec::new(), vec![obstacle(files, &error)]),
    };
    problems.sort_by_key(|problem| !problem.fatal);
    let ok = !problems.iter().any(|problem| problem.fatal);
    Report { ok, entrypoint, requirements, endpoints, source: "static", warnings, problems, openapi }
}

/// A remark of the plan, placed at the module that is served.
fn about(plan: &Plan, message: &str) -> Warning {
    let file = format!("{}.py", plan.served().module.replace('.', "/"));
    Warning { file, line: 1, message: message.to_owned() }
}

/// Why there is no plan at all.
fn obstacle(files: &Files, error: &Error) -> Problem {
    let (file, line, code, hint) = if let Error::InvalidGeneration { missing } = error {
        let file = missing.first().cloned().unwrap_or_default();
        (file, 1, "missing_files", "Add the file, or name an entrypoint when uploading.".to_owned())
    } else if let Err(refused) = requirements(files) {
        // Asked once more: a failure of a launch, which this is as well, has no word of the place in the file.
        (refused.file.to_owned(), refused.line, "refused_requirement", refused.hint)
    } else {
        (String::new(), 1, "invalid", String::new())
    };
    Problem { file, line, code, message: error.to_string(), hint, fatal: true, signs: Vec::new() }
}

impl Report {
    fn for_people(&self, paint: Paint) -> String {
        let mut text = String::new();
        if let Some(entrypoint) = &self.entrypoint {
            text.push_str(&format!("{} {entrypoint}\n", paint.paint(Colour::Strong, "serves")));
            text.push_str(&format!(
                "{} {}\n",
                paint.paint(Colour::Strong, "with"),
                self.requirements.join(", ")
            ));
        }
        if !self.endpoints.is_empty() {
            text.push('\n');
        }
        for endpoint in &self.endpoints {
            let first = endpoint.description.lines().next().unwrap_or_default();
            let method = paint.paint(Colour::Good, &format!("{:9}", endpoint.method));
            text.push_str(
                format!("{method} {}  {}", endpoint.path, paint.paint(Colour::Quiet, &shown(first)))
                    .trim_end(),
            );
            text.push('\n');
        }
        for warning in &self.warnings {
            let label = paint.paint(Colour::Careful, "warning");
            text.push_str(&format!(
                "\n{label} {}:{} {}",
                shown(&warning.file),
                warning.line,
                shown(&warning.message)
            ));
        }
        for problem in &self.problems {
            let colour = if problem.fatal { Colour::Bad } else { Colour::Careful };
            let label = paint.paint(colour, "problem");
            text.push_str(&format!(
                "\n{label} {}:{} {}",
                shown(&problem.file),
                problem.line,
                shown(&problem.message)
            ));
            if !problem.hint.is_empty() {
                text.push_str(&format!("\n        {}", problem.hint));
            }
        }
        let verdict = if self.ok {
            "Nothing found that would keep it from starting."
        } else {
            "It could not be launched."
        };
        text.push_str(&format!("\n{verdict}\n"));
        text
    }
}

/// Text of the project without what terminals obey.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(entries: &[(&str, &str)]) -> Arc<Files> {
        let files = entries.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        Arc::new(files.collect())
    }

    const APP: &str =
        "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/x')\ndef x():\n    '''An x.'''\n";

    #[test]
    fn a_sound_project_is_ok() {
        let report = report(&files(&[("app/main.py", APP), ("requirements.txt", "fastapi\n")]));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(
            (&json["ok"], &json["entrypoint"], &json["source"]),
            (&true.into(), &"app.main:app".into(), &"static".into())
        );
        assert_eq!(json["endpoints"][0]["path"], "/x");
        assert_eq!(json["requirements"], serde_json::json!(["fastapi", "uvicorn"]));
        assert_eq!((&json["warnings"], &json["problems"]), (&serde_json::json!([]), &serde_json::json!([])));
        let text = report.for_people(Paint::plain());
        assert!(text.contains("GET       /x  An x."), "{text}");
    }

    #[test]
    fn what_would_fail_is_not() {
        let broken = format!("import jose\n{APP}");
        let report = report(&files(&[("main.py", &broken), ("requirements.txt", "fastapi\n")]));
        assert!(!report.ok);
        assert_eq!((report.problems[0].code, report.problems[0].line), ("missing_requirement", 1));
        assert!(report.for_people(Paint::plain()).contains("problem main.py:1 jose"));
    }

    #[test]
    fn what_is_missing_or_refused_is_a_problem() {
        let code = |entries: &[(&str, &str)]| report(&files(entries)).problems[0].code;
        assert_eq!(code(&[("main.py", APP)]), "missing_files");
        let refused = report(&files(&[("main.py", APP), ("requirements.txt", "fastapi\n-r other.txt\n")]));
        let refused = &refused.problems[0];
        assert_eq!(
            (refused.code, &*refused.file, refused.line),
            ("refused_requirement", "requirements.txt", 2)
        );
        let project = "[project]\ndependencies = [\"x @ file:///x\"]\n";
        let refused = report(&files(&[("main.py", APP), ("pyproject.toml", project)]));
        assert_eq!(refused.problems[0].file, "pyproject.toml");
    }
}
