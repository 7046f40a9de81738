//! A project as it lies in a directory, for the person who works on it.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use super::files::Collector;
use super::{Files, path};
use crate::error::{Error, Result};

/// Directories that are made from the project, or for it, and are no part of it.
const LEFT_OUT: [&str; 3] = ["__pycache__", "node_modules", "venv"];
/// Endings of compiled modules and of databases, with what SQLite keeps beside them.
const ENDINGS: [&str; 8] =
    [".pyc", ".db", ".sqlite", ".sqlite3", ".db-wal", ".db-shm", ".db-journal", ".pyo"];

/// Reads the files of a directory under the limits of an upload. Left out are what git would ignore, hidden files,
/// links, virtual environments, `__pycache__`, `node_modules`, databases, and everything below `except`.
///
/// # Errors
/// `TooLarge` over a limit, `InvalidRequest` for a name that is refused or a file that cannot be read.
pub fn read_directory(directory: &Path, except: &Path) -> Result<Files> {
    let directory = directory.canonicalize().map_err(|error| unreadable(&error))?;
    // One that does not exist excepts nothing.
    let except = except.canonicalize().unwrap_or_default();
    let mut collector = Collector::default();
    for entry in walk(&directory, except).build() {
        let entry = match entry {
            Err(error) if error.io_error().is_some_and(is_gone) => continue,
            entry => entry.map_err(|error| unreadable(&error))?,
        };
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let Ok(relative) = entry.path().strip_prefix(&directory) else { continue };
        let name = path::text(relative.as_os_str().as_bytes())?.to_owned();
        let broken = |error: &std::io::Error| Error::invalid(name.clone(), format!("{name}: {error}"));
        let file = match File::open(entry.path()) {
            Err(error) if is_gone(&error) => continue,
            opened => opened.map_err(|error| broken(&error))?,
        };
        collector.add_from(&name, file, broken)?;
    }
    Ok(collector.finish())
}

fn unreadable(error: &dyn std::fmt::Display) -> Error {
    Error::invalid("directory", format!("The directory cannot be read: {error}"))
}

/// Editors write aside and rename: it was there a moment ago.
fn is_gone(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

fn walk(directory: &Path, except: PathBuf) -> WalkBuilder {
    let mut walk = WalkBuilder::new(directory);
    // A .gitignore counts whether or not there is a repository around it.
    walk.require_git(false).ignore(false);
    walk.filter_entry(move |entry| entry.depth() == 0 || entry.path() != except && is_source(entry));
    walk
}

fn is_source(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    if entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return !LEFT_OUT.contains(&&*name) && !entry.path().join("pyvenv.cfg").exists();
    }
    !ENDINGS.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;

    use super::*;
    use crate::test_support::TempDir;

    #[test]
    fn what_is_no_source_is_left_out() {
        let root = TempDir::new();
        let directory = root.path();
        for (name, text) in [
            ("app/main.py", "app = 1"),
            ("requirements.txt", "fastapi"),
            (".gitignore", "secret.txt\nbuild/\n"),
            ("secret.txt", "x"),
            ("build/out.py", "x"),
            (".env", "x"),
            (".venv/lib/a.py", "x"),
            ("env/pyvenv.cfg", "x"),
            ("env/lib/a.py", "x"),
            ("app/__pycache__/main.pyc", "x"),
            ("node_modules/a.js", "x"),
            ("shop.db", "x"),
            ("shop.db-wal", "x"),
            ("storage/previewd.log", "x"),
        ] {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        std::os::unix::fs::symlink("/etc/hostname", directory.join("link.py")).unwrap();
        let files = read_directory(directory, &directory.join("storage")).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["app/main.py", "requirements.txt"]);
    }

    #[test]
    fn the_limits_of_an_upload_hold() {
        let root = TempDir::new();
        fs::write(root.path().join("large.bin"), vec![0; 10 * 1024 * 1024 + 1]).unwrap();
        let refused = read_directory(root.path(), Path::new("/nonexistent"));
        assert!(matches!(refused, Err(Error::TooLarge { limit: 10_485_760, .. })));
    }

    #[test]
    fn a_name_that_is_no_text_is_refused_and_not_another_name() {
        let root = TempDir::new();
        fs::write(root.path().join(OsStr::from_bytes(b"b\xff.txt")), "x").unwrap();
        let refused = read_directory(root.path(), Path::new("/nonexistent")).unwrap_err();
        assert_eq!(refused.to_string(), "The file \"b\u{fffd}.txt\" is refused: its path is not UTF-8.");
    }
}
