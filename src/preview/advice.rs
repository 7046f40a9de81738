//! What the source says of a start that failed: where its cause is, and what else would fail.

use std::collections::BTreeMap;

use pysource::Problem;

use crate::error::{FailureReason, LaunchFailure};
use crate::generation::Plan;

/// How many problems one hint tells.
const TOLD: usize = 3;

/// What is wrong with a project that did not start, found by reading it.
pub(super) async fn problems(files: BTreeMap<String, Vec<u8>>, plan: Plan) -> Vec<Problem> {
    let read = move || pysource::problems(&files, &plan.served(), &plan.requirements.to_lines());
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|e| {
        tracing::error!(error = %e, "a project that failed could not be read");
        Vec::new()
    })
}

/// A failure with advice from the source: its cause first, then what is certain to fail next.
pub(super) fn add(failure: LaunchFailure, problems: &[Problem]) -> LaunchFailure {
    if matches!(failure.reason, FailureReason::HostFailure | FailureReason::OutOfMemory) {
        return failure;
    }
    let said = failure.log_tail.iter().chain([&failure.message]).chain(&failure.hint);
    let said = said.map(String::as_str).collect::<Vec<_>>().join("\n");
    let (causes, others): (Vec<&Problem>, Vec<&Problem>) =
        problems.iter().partition(|one| one.explains(&said));
    let known = failure.hint.clone().filter(|_| causes.is_empty());
    let certain = others.into_iter().filter(|one| one.fatal);
    let placed = causes.into_iter().chain(certain).take(TOLD).map(ToString::to_string);
    let told: Vec<String> = known.into_iter().chain(placed).collect();
    LaunchFailure { hint: (!told.is_empty()).then(|| told.join(" ")), ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(message: &str, hint: Option<&str>) -> LaunchFailure {
        LaunchFailure {
            reason: FailureReason::ImportFailed,
            message: message.to_owned(),
            exit_code: Some(1),
            signal: None,
            log_tail: Vec::new(),
            hint: hint.map(str::to_owned),
        }
    }

    fn problem(line: usize, sign: &str, fatal: bool) -> Problem {
        Problem {
            file: "main.py".to_owned(),
            line,
            code: "missing_requirement",
            message: "M.".to_owned(),
            hint: "H.".to_owned(),
            fatal,
            signs: vec![sign.to_owned()],
        }
    }

    #[test]
    fn the_cause_comes_first_and_takes_the_place_of_the_text() {
        let problems = [problem(1, "'b'", true), problem(2, "'c'", false), problem(3, "'a'", false)];
        let told = |message, hint| add(failure(message, hint), &problems).hint;
        assert_eq!(told("No module named 'a'", Some("text")).unwrap(), "main.py:3: M. H. main.py:1: M. H.");
        assert_eq!(told("something else", Some("text")).unwrap(), "text main.py:1: M. H.");
        assert_eq!(add(failure("something else", None), &problems[1..]).hint, None);
        let host = LaunchFailure { reason: FailureReason::HostFailure, ..failure("x", None) };
        assert_eq!(add(host, &problems).hint, None);
    }
}
