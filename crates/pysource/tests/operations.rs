//! Operations found in source against those that importing the same projects gives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
mod common;

use std::collections::BTreeSet;

use pysource::{Warning, endpoints};

type Operation = (String, String, bool);

fn expected(project: &common::Project) -> BTreeSet<Operation> {
    let routes = project.truth["routes"].as_array().unwrap();
    routes
        .iter()
        .map(|route| {
            let path = without_converters(route[1].as_str().unwrap());
            (route[0].as_str().unwrap().to_owned(), path, route[2].as_bool().unwrap())
        })
        .collect()
}

/// `{file:path}` is shown as `{file}`.
fn without_converters(path: &str) -> String {
    path.split('{')
        .enumerate()
        .map(|(index, part)| match (index, part.split_once('}')) {
            (0, _) | (_, None) => part.to_owned(),
            (_, Some((name, rest))) => format!("{{{}}}{rest}", name.split(':').next().unwrap()),
        })
        .collect()
}

/// Decorators are easy to find; the difficulty is linking routers that live in other modules.
#[test]
fn most_projects_have_several_modules() {
    let code = |path: &&String| path.ends_with(".py") && !path.ends_with("__init__.py");
    let several = |project: &common::Project| project.files.keys().filter(code).count() > 1;
    let count = common::projects().iter().filter(|project| several(project)).count();
    assert!(count >= 40, "{count}");
}

/// File and line of each `include_router` of what a library's object gives.
fn include_lines(project: &common::Project) -> Vec<(String, usize)> {
    let lines = project.files.iter().flat_map(|(path, text)| {
        let text = std::str::from_utf8(text).unwrap();
        text.lines().enumerate().map(move |(index, line)| (path, index + 1, line)).collect::<Vec<_>>()
    });
    let all: Vec<_> = lines.collect();
    let makes = |next: &str| next.trim().starts_with("api_users.get_");
    let pairs = all.windows(2).filter(|pair| pair[0].2.contains("include_router(") && makes(pair[1].2));
    pairs.map(|pair| (pair[0].0.clone(), pair[0].1)).collect()
}

#[test]
fn operations_agree_with_the_import() {
    let mut wrong = Vec::new();
    for project in common::projects() {
        let analysis = endpoints(&project.files, &project.entrypoint);
        let found: BTreeSet<Operation> = analysis
            .endpoints
            .iter()
            .map(|one| (one.method.clone(), one.path.clone(), one.in_schema != Some(false)))
            .collect();
        let expected = expected(&project);
        let missing: Vec<_> = expected.difference(&found).collect();
        let extra: Vec<_> = found.difference(&expected).collect();
        if project.has_library_routes() {
            // Each router that is not listed is told of where it is included.
            assert!(!missing.is_empty() && extra.is_empty(), "{}: extra {extra:?}", project.name);
            let lines = include_lines(&project);
            for place in &lines {
                let told = |one: &Warning| (one.file.as_str(), one.line) == (place.0.as_str(), place.1);
                assert!(analysis.warnings.iter().any(told), "{place:?} not in {:?}", analysis.warnings);
            }
            assert!(lines.len() > 3, "{lines:?}");
        } else if found != expected {
            wrong.push(format!(
                "{}: missing {missing:?}, extra {extra:?}, warnings {:?}",
                project.name, analysis.warnings
            ));
        }
    }
    assert!(wrong.is_empty(), "{} projects differ:\n{}", wrong.len(), wrong.join("\n"));
}
