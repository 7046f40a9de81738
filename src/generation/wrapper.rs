//! The one top folder that archives of a project often have.

use super::Files;

/// What marks a folder as the project's root. A lone `app/` without one is a package, not a wrapper.
const MARKERS: [&str; 2] = ["requirements.txt", "pyproject.toml"];

/// Drops the folder that holds everything, if it holds a project.
pub(super) fn strip(files: Files) -> Files {
    let Some(prefix) = wrapper(&files) else { return files };
    files.into_iter().map(|(path, content)| (path[prefix.len()..].to_owned(), content)).collect()
}

/// The folder with its slash.
fn wrapper(files: &Files) -> Option<String> {
    let (top, _) = files.keys().next()?.split_once('/')?;
    let prefix = format!("{top}/");
    let holds_all = files.keys().all(|path| path.starts_with(&prefix));
    let is_project = MARKERS.iter().any(|marker| files.contains_key(&format!("{prefix}{marker}")));
    (holds_all && is_project).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(paths: &[&str]) -> Vec<String> {
        let files = paths.iter().map(|path| ((*path).to_owned(), vec![])).collect();
        strip(files).into_keys().collect()
    }

    #[test]
    fn a_project_in_a_folder_is_unwrapped_once() {
        assert_eq!(stripped(&["p/app/main.py", "p/requirements.txt"]), ["app/main.py", "requirements.txt"]);
        assert_eq!(stripped(&["p/main.py", "p/pyproject.toml"]), ["main.py", "pyproject.toml"]);
        assert_eq!(
            stripped(&["p/q/requirements.txt", "p/requirements.txt"]),
            ["q/requirements.txt", "requirements.txt"]
        );
    }

    #[test]
    fn everything_else_stays() {
        for paths in [
            &["app/__init__.py", "app/main.py"][..],
            &["app/main.py", "requirements.txt"],
            &["p/requirements.txt", "q/main.py"],
            &["p/q/requirements.txt"],
            &[],
        ] {
            assert_eq!(stripped(paths), paths);
        }
    }
}
