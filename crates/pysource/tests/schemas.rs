//! Schemas read from source against the documents that the imported applications make.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::HashMap;
use std::process::Command;

use common::agreement::Agreement;
use pysource::{Entrypoint, Files, endpoints, find_entrypoint};
use serde_json::Value;

#[test]
fn projects_have_the_documents_of_their_applications() {
    let mut agreement = Agreement::default();
    for project in common::projects() {
        let entry = find_entrypoint(&project.files).unwrap();
        let analysis = endpoints(&project.files, &entry);
        agreement.add(&project.name, &analysis.openapi, &project.truth["openapi"]);
    }
    assert!(agreement.differences.is_empty(), "{}", agreement.differences.join("\n"));
    common::docs::check("projects", &agreement);
}

/// FastAPI's and SQLModel's documentation examples, from their source distributions.
#[test]
fn documentation_examples_agree() {
    let fetched = Command::new(common::directory().join("truth/fetch.sh")).output().unwrap();
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    let truth = std::fs::read_to_string(common::directory().join("truth/examples.jsonl")).unwrap();
    let trees: HashMap<String, Files> = common::pinned(&["fastapi", "sqlmodel"])
        .into_iter()
        .map(|name| (name.clone(), tree(&name)))
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
fn tree(distribution: &str) -> Files {
    let root = &common::directory().join("../../../target/truth/sdist").join(distribution);
    let mut files = Files::new();
    let mut open = vec![root.join("docs_src")];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "py") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}
