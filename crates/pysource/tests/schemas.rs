//! Schemas read from source against the documents that the imported applications make.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};
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

/// FastAPI's and SQLModel's documentation examples.
#[test]
#[ignore = "needs what tests/truth/fetch.sh fetches"]
fn documentation_examples_agree() {
    let mut agreement = Agreement::default();
    for name in ["fastapi", "sqlmodel"] {
        let truth = std::fs::read(fetched().join(format!("{name}.json"))).unwrap();
        let truth: Value = serde_json::from_slice(&truth).unwrap();
        let files = tree(&fetched().join("sdist").join(name));
        for (module, truth) in truth.as_object().unwrap() {
            if truth.get("error").is_none() {
                let entry =
                    Entrypoint { module: module.clone(), attribute: "app".to_owned(), factory: false };
                agreement.add(module, &endpoints(&files, &entry).openapi, &truth["openapi"]);
            }
        }
    }
    for feature in ["parameter", "body field"] {
        let share = agreement.share(feature);
        assert!(share >= 0.95, "{feature}: {share}\n{}", agreement.differences.join("\n"));
    }
    common::docs::check("examples", &agreement);
}

/// The truth that is kept beside the projects is what importing them gives now.
#[test]
#[ignore = "needs what tests/truth/fetch.sh fetches"]
fn the_kept_truth_is_fresh() {
    let made = Command::new(fetched().join("venv/bin/python"))
        .arg(common::directory().join("truth/truth.py"))
        .arg("projects")
        .args(common::project_files())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let fresh: Value = serde_json::from_slice(&made.stdout).unwrap();
    let kept: Value =
        serde_json::from_slice(&std::fs::read(common::directory().join("truth/projects.json")).unwrap())
            .unwrap();
    for (name, fresh) in fresh.as_object().unwrap() {
        assert_eq!(kept[name]["routes"], fresh["routes"], "{name}");
    }
}

fn fetched() -> PathBuf {
    common::directory().join("../../../target/truth")
}

fn tree(root: &Path) -> Files {
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
