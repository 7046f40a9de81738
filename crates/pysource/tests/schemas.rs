//! Schemas read from source against the documents that the imported applications make.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};

use common::agreement::Agreement;
use pysource::{Entrypoint, Files, endpoints};
use serde_json::{Value, json};

#[test]
fn projects_have_the_documents_of_their_applications() {
    let mut agreement = Agreement::default();
    for project in common::projects() {
        let analysis = endpoints(&project.files, &project.entrypoint);
        agreement.add(&project.name, &analysis.openapi, &project.document(&analysis.openapi));
    }
    assert!(agreement.differences.is_empty(), "{}", agreement.differences.join("\n"));
    common::docs::check("projects", &agreement);
}

/// The sample, projects in the five styles that models write, and what generators made.
#[test]
fn samples_and_generated_projects_agree_wholly() {
    let mut projects: Vec<(String, Agreement)> = Vec::new();
    let is_one = |name: &str| ["bookshop", "generated_", "made_by_"].iter().any(|own| name.starts_with(own));
    for project in common::projects().into_iter().filter(|project| is_one(&project.name)) {
        let mut agreement = Agreement::default();
        let analysis = endpoints(&project.files, &project.entrypoint);
        agreement.add(&project.name, &analysis.openapi, &project.document(&analysis.openapi));
        assert!(agreement.differences.is_empty(), "{}", agreement.differences.join("\n"));
        projects.push((project.name, agreement));
    }
    let count = |kind: &str| projects.iter().filter(|(name, _)| name.starts_with(kind)).count();
    assert_eq!((count("bookshop"), count("generated_")), (1, 5));
    assert!(count("made_by_") >= 4, "{}", count("made_by_"));
    common::docs::check_one_by_one("one by one", &projects);
}

/// A validator of OpenAPI 3.1 finds nothing wrong with what is made of the projects.
#[test]
fn documents_are_valid_openapi() {
    let fetched =
        Command::new(common::directory().join("truth/fetch.sh")).arg("--validator").output().unwrap();
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    let mut validator = Command::new("python3")
        .arg(common::directory().join("truth/validate.py"))
        .env("PYTHONPATH", common::directory().join("../../../target/truth/validator"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = validator.stdin.take().unwrap();
    let projects = common::projects();
    assert!(projects.len() > 80, "{}", projects.len());
    for project in projects {
        let openapi = endpoints(&project.files, &project.entrypoint).openapi;
        // FastAPI's own document may use an operation's id twice, where the project does.
        let theirs = &project.truth["openapi"];
        writeln!(stdin, "{}", json!({ "name": project.name, "openapi": openapi, "theirs": theirs })).unwrap();
    }
    drop(stdin);
    let output = validator.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && errors.is_empty(), "{errors}");
}

/// FastAPI's and SQLModel's documentation examples, from their source distributions.
#[test]
fn documentation_examples_agree() {
    let fetched = Command::new(common::directory().join("truth/fetch.sh")).output().unwrap();
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    let truth = std::fs::read_to_string(common::directory().join("truth/examples.jsonl")).unwrap();
    let trees: HashMap<String, Files> = common::pinned(&["fastapi", "sqlmodel"])
        .into_iter()
        .map(|name| (name.clone(), examples(&name)))
        .collect();
    let mut agreement = Agreement::default();
    for line in truth.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for named in line["modules"].as_array().unwrap() {
            let (distribution, module) = named.as_str().unwrap().split_once(':').unwrap();
            let entry = Entrypoint { module: module.to_owned(), attribute: "app".to_owned(), factory: false };
            let found = endpoints(&trees[distribution], &entry).openapi;
            agreement.add(module, &found, &line["openapi"]);
        }
    }
    for feature in ["parameter", "body field"] {
        let share = agreement.share(feature);
        assert!(share >= 0.95, "{feature}: {share}\n{}", agreement.differences.join("\n"));
    }
    common::docs::check("examples", &agreement);
}

/// The examples of a source distribution that has been fetched.
fn examples(distribution: &str) -> Files {
    let root = common::directory().join("../../../target/truth/sdist").join(distribution);
    let mut files = common::tree(&root, &root.join("docs_src"));
    files.retain(|path, _| path.ends_with(".py"));
    files
}
