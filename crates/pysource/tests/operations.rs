//! Operations found in source against those that importing the same projects gives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
mod common;

use std::collections::BTreeSet;

use pysource::{endpoints, find_entrypoint};

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

#[test]
fn operations_agree_with_the_import() {
    let mut wrong = Vec::new();
    for project in common::projects() {
        let entry = find_entrypoint(&project.files).expect(&project.name);
        let analysis = endpoints(&project.files, &entry);
        let found: BTreeSet<Operation> = analysis
            .endpoints
            .iter()
            .map(|one| (one.method.clone(), one.path.clone(), one.in_schema != Some(false)))
            .collect();
        let expected = expected(&project);
        if found != expected {
            let missing: Vec<_> = expected.difference(&found).collect();
            let extra: Vec<_> = found.difference(&expected).collect();
            wrong.push(format!(
                "{}: missing {missing:?}, extra {extra:?}, warnings {:?}",
                project.name, analysis.warnings
            ));
        }
    }
    assert!(wrong.is_empty(), "{} projects differ:\n{}", wrong.len(), wrong.join("\n"));
}
