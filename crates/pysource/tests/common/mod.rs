//! Projects of `tests/projects` and what importing them gave.

pub mod agreement;
pub mod docs;

use std::path::{Path, PathBuf};

use pysource::Files;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A project and the truth about it.
pub struct Project {
    /// Its name, which says what is hard about it.
    pub name: String,
    /// Its files.
    pub files: Files,
    /// `{"routes": [[method, path, in schema]], "openapi": …}`.
    pub truth: Value,
}

/// The directory of these tests.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The files that hold projects.
pub fn project_files() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(directory().join("projects")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// All projects, in the order of their files.
pub fn projects() -> Vec<Project> {
    let truth = std::fs::read(directory().join("truth/projects.json")).unwrap();
    let truth: Value = serde_json::from_slice(&truth).unwrap();
    let mut projects = Vec::new();
    for path in project_files() {
        let text = std::fs::read_to_string(path).unwrap();
        for (name, files) in split(&text) {
            let truth = truth[&name].clone();
            let renew = "run tests/truth/fetch.sh --truth";
            assert!(truth["routes"].is_array(), "no truth for {name}: {renew} ({})", truth["error"]);
            assert_eq!(truth["made_from"], made_from(&files), "{name} is not what was imported: {renew}");
            projects.push(Project { name, files, truth });
        }
    }
    projects
}

/// What the truth says that it was made from: `made_from` of tests/truth/truth.py.
fn made_from(files: &Files) -> String {
    let mut hash = Sha256::new();
    for (path, text) in files {
        hash.update(format!("--- {path}\n"));
        hash.update(text);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names with the versions that the truth is made with: `fastapi-0.165.0`.
pub fn pinned(names: &[&str]) -> Vec<String> {
    let text = std::fs::read_to_string(directory().join("truth/requirements.txt")).unwrap();
    let version =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{name}==")).map(str::to_owned));
    names.iter().map(|name| format!("{name}-{}", version(name).expect("a pin"))).collect()
}

/// Projects of one text: `=== name`, `--- path`, and the lines of that file.
fn split(text: &str) -> Vec<(String, Files)> {
    let mut projects: Vec<(String, Files)> = Vec::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            projects.push((name.trim().to_owned(), Files::new()));
            current = None;
        } else if let (Some(path), Some((_, files))) = (line.strip_prefix("--- "), projects.last_mut()) {
            files.insert(path.trim().to_owned(), Vec::new());
            current = Some(path.trim().to_owned());
        } else if let (Some(path), Some((_, files))) = (&current, projects.last_mut()) {
            let file = files.get_mut(path).unwrap();
            file.extend_from_slice(line.as_bytes());
            file.push(b'\n');
        }
    }
    projects
}
