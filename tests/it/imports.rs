//! The direction of imports: `cli, http → preview → {generation, environment, runtime, logs, store}`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What each module may use of the others. What is not listed here is not allowed.
const ALLOWED: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("id", &[]),
    ("drain", &[]),
    ("distribution", &[]),
    ("private", &[]),
    ("error", &["id", "time"]),
    ("config", &["id"]),
    ("confined", &["id"]),
    ("audit", &[]),
    ("traces", &[]),
    ("backlog", &[]),
    ("processors", &["config"]),
    ("auth", &["config", "error", "id", "private", "time"]),
    ("store", &["config", "error", "id", "private", "time"]),
    ("environment", &["confined", "distribution", "error", "id", "time"]),
    ("generation", &["environment", "error"]),
    ("keeper", &["backlog", "config", "distribution", "id", "time"]),
    ("runtime", &["config", "confined", "environment", "error", "id", "keeper", "time"]),
    ("logs", &["config", "runtime", "store", "time"]),
    ("metrics", &["error"]),
    (
        "preview",
        &[
            "auth",
            "config",
            "environment",
            "error",
            "generation",
            "id",
            "logs",
            "metrics",
            "runtime",
            "store",
            "time",
            "traces",
        ],
    ),
    ("history", &["id", "store", "time"]),
    ("answer", &["error"]),
    (
        "gateway",
        &[
            "answer",
            "auth",
            "config",
            "drain",
            "error",
            "history",
            "id",
            "metrics",
            "preview",
            "processors",
            "store",
            "time",
            "traces",
        ],
    ),
    ("endpoints", &["error", "gateway", "generation", "preview"]),
];
/// These stand above all others. Of them only `cli` uses `http`, and nobody uses `cli`.
const ABOVE: [&str; 2] = ["http", "cli"];
/// What tests share is nobody's part.
const IGNORED: [&str; 3] = ["lib", "main", "test_support"];

#[test]
fn imports_point_downwards() {
    let used = uses();
    let mut wrong = Vec::new();
    for (module, uses) in &used {
        let allowed = |used: &str| match module.as_str() {
            "cli" => true,
            "http" => used != "cli",
            _ => ALLOWED.iter().any(|(name, allowed)| name == module && allowed.contains(&used)),
        };
        let not_allowed = uses.iter().filter(|(used, _)| !allowed(used));
        wrong.extend(not_allowed.map(|(used, file)| format!("{module} uses {used}, in {file}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let known =
        |module: &String| ABOVE.contains(&module.as_str()) || ALLOWED.iter().any(|(name, _)| name == module);
    let unknown: Vec<_> = used.keys().filter(|module| !known(module)).collect();
    assert!(unknown.is_empty(), "modules without a place: {unknown:?}");
    assert!(used["cli"].contains_key("http"), "uses are found at all");
}

#[test]
fn the_allowed_uses_have_a_direction() {
    let below: BTreeSet<&str> = BTreeSet::new();
    ALLOWED.iter().fold(below, |mut below, (module, uses)| {
        let upward: Vec<_> = uses.iter().filter(|used| !below.contains(*used)).collect();
        assert!(upward.is_empty(), "{module} is listed before {upward:?}, which it uses");
        below.insert(module);
        below
    });
}

/// For each module the modules that it names, each with a file that does.
fn uses() -> BTreeMap<String, BTreeMap<String, String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut open = vec![root.clone()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let module = file.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            if IGNORED.contains(&module.as_str()) {
                continue;
            }
            let uses = all.entry(module.clone()).or_default();
            let named = named(&std::fs::read_to_string(&path).unwrap());
            let others =
                named.into_iter().filter(|used| *used != module && !IGNORED.contains(&used.as_str()));
            uses.extend(others.map(|used| (used, file.clone())));
        }
    }
    all
}

/// What follows `crate::`, in code and not in comments.
fn named(source: &str) -> BTreeSet<String> {
    let code: Vec<_> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut named = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let group = rest.strip_prefix('{').and_then(|group| group.split_once('}')).map(|(group, _)| group);
        let paths: Vec<_> = group.map_or_else(|| vec![rest], |group| group.split(',').collect());
        for path in paths {
            let word =
                path.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            if !word.is_empty() {
                named.insert(word.to_owned());
            }
        }
    }
    named
}
