//! Projects of `tests/projects` and what importing them gave.

pub mod agreement;
pub mod docs;

use std::path::{Path, PathBuf};

use pysource::{Entrypoint, Files, find_entrypoint};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A project and the truth about it.
pub struct Project {
    /// Its name, which says what is hard about it.
    pub name: String,
    /// Its files.
    pub files: Files,
    /// What is served.
    pub entrypoint: Entrypoint,
    /// `{"routes": [[method, path, in schema]], "openapi": …}`.
    pub truth: Value,
}

/// Projects that include routers which a library makes: these cannot be read, and are told of.
const WITH_LIBRARY_ROUTES: [&str; 1] = ["made_by_fastapi_template_users"];

impl Project {
    /// Whether some of its routes are a library's.
    pub fn has_library_routes(&self) -> bool {
        WITH_LIBRARY_ROUTES.contains(&self.name.as_str())
    }

    /// The truth's document, without what only a library's routes put there.
    pub fn document(&self, found: &Value) -> Value {
        let mut document = self.truth["openapi"].clone();
        if !self.has_library_routes() {
            return document;
        }
        for (holder, name) in [("", "paths"), ("/components", "securitySchemes")] {
            let own = &found.pointer(holder).unwrap()[name];
            let holder = document.pointer_mut(holder).and_then(Value::as_object_mut).unwrap();
            let Some(entries) = holder.get_mut(name).and_then(Value::as_object_mut) else { continue };
            entries.retain(|entry, _| own[entry].is_object());
            if entries.is_empty() {
                holder.remove(name);
            }
        }
        document
    }
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

/// All projects, in the order of their files, and the sample of the repository.
pub fn projects() -> Vec<Project> {
    let read = |name: &str| std::fs::read(directory().join("truth").join(name)).unwrap();
    let [new, old] = ["projects.json", "pydantic_v1.json"]
        .map(|name| serde_json::from_slice::<Value>(&read(name)).unwrap());
    let written = project_files().into_iter().flat_map(|path| split(&std::fs::read_to_string(path).unwrap()));
    let sample = directory().join("../../../examples/bookshop");
    let sample = ("bookshop".to_owned(), tree(&sample, &sample), None);
    let known = |(name, files, named): (String, Files, Option<Entrypoint>)| {
        let truth = if new[&name].is_object() { &new[&name] } else { &old[&name] }.clone();
        let renew = "run tests/truth/fetch.sh --truth";
        assert!(truth["routes"].is_array(), "no truth for {name}: {renew} ({})", truth["error"]);
        assert_eq!(truth["made_from"], made_from(&files), "{name} is not what was imported: {renew}");
        let entrypoint = named.or_else(|| find_entrypoint(&files)).expect(&name);
        Project { name, files, entrypoint, truth }
    };
    written.chain([sample]).map(known).collect()
}

/// All files below `directory`, named from `root` on.
pub fn tree(root: &Path, directory: &Path) -> Files {
    let mut files = Files::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for path in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with("__pycache__") {
                open.push(path);
            } else if path.is_file() {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
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

/// Projects of one text: `=== name`, perhaps `entrypoint: module:attribute` or `…()`, `--- path`, and the lines of that file.
fn split(text: &str) -> Vec<(String, Files, Option<Entrypoint>)> {
    let mut projects: Vec<(String, Files, Option<Entrypoint>)> = Vec::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            projects.push((name.trim().to_owned(), Files::new(), None));
            current = None;
            continue;
        }
        let Some((_, files, entrypoint)) = projects.last_mut() else { continue };
        if let Some(path) = line.strip_prefix("--- ") {
            files.insert(path.trim().to_owned(), Vec::new());
            current = Some(path.trim().to_owned());
        } else if let Some(path) = &current {
            let file = files.get_mut(path).unwrap();
            file.extend_from_slice(line.as_bytes());
            file.push(b'\n');
        } else if let Some(named) = line.strip_prefix("entrypoint: ") {
            let (module, attribute) = named.trim().split_once(':').unwrap();
            let (name, factory) =
                attribute.strip_suffix("()").map_or((attribute, false), |name| (name, true));
            *entrypoint = Some(Entrypoint { module: module.to_owned(), attribute: name.to_owned(), factory });
        }
    }
    projects
}
