//! Projects of `tests/projects` and what importing them gave.

pub mod agreement;
pub mod docs;

use std::path::{Path, PathBuf};

use pysource::Files;
use serde_json::Value;

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
            assert!(truth["routes"].is_array(), "no truth for {name}: see tests/truth/truth.py");
            projects.push(Project { name, files, truth });
        }
    }
    projects
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
