//! Collects files under the limits, and keeps them a tree: no path twice, no file that is a directory too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::{Files, MAX_DIRECTORIES, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, path};
use crate::error::{Error, Result};

/// The files of an upload as they arrive.
#[derive(Default)]
pub(super) struct Collector {
    tree: Tree,
    files: Files,
}

impl Collector {
    /// Takes a file whose content is at hand.
    pub(super) fn add(&mut self, given: &str, content: Vec<u8>) -> Result<()> {
        let path = path::file(given)?;
        self.tree.add_file(&path)?;
        self.tree.add_bytes(content.len() as u64)?;
        self.files.insert(path, content);
        Ok(())
    }

    /// Takes a file from a reader, no further than the limits go.
    /// `broken` makes the error for a reader that fails.
    pub(super) fn add_from(
        &mut self,
        given: &str,
        reader: impl Read,
        broken: impl Fn(&std::io::Error) -> Error,
    ) -> Result<&[u8]> {
        let path = path::file(given)?;
        self.tree.add_file(&path)?;
        let mut content = Vec::new();
        let allowed = MAX_FILE_BYTES.min(MAX_TOTAL_BYTES.saturating_sub(self.tree.total));
        let read = reader.take(allowed + 1).read_to_end(&mut content);
        self.tree.add_bytes(content.len() as u64)?;
        read.map_err(|error| broken(&error))?;
        Ok(self.files.entry(path).or_insert(content))
    }

    /// Takes a directory entry; the root itself is none.
    pub(super) fn add_directory(&mut self, given: &str) -> Result<()> {
        path::directory(given)?.map_or(Ok(()), |path| self.tree.add_directory(&path))
    }

    pub(super) fn finish(self) -> Files {
        self.files
    }
}

/// Checks what a patch would leave against the limits and against itself.
/// `current` has the path and the size in bytes of each file there is.
///
/// # Errors
/// `TooLarge` over a limit, `InvalidRequest` for a file that would be a directory too.
pub fn check_patch<'a>(
    current: impl IntoIterator<Item = (&'a str, u64)>,
    changes: &BTreeMap<String, Option<Vec<u8>>>,
) -> Result<()> {
    let mut tree = Tree::default();
    for (path, size) in current {
        if !changes.contains_key(path) {
            tree.add_file(path)?;
            tree.add_bytes(size)?;
        }
    }
    for (path, content) in changes {
        if let Some(content) = content {
            tree.add_file(path)?;
            tree.add_bytes(content.len() as u64)?;
        }
    }
    Ok(())
}

/// The paths so far and what they hold.
#[derive(Default)]
struct Tree {
    files: BTreeSet<String>,
    directories: BTreeSet<String>,
    /// Bytes in all files.
    total: u64,
}

impl Tree {
    fn add_file(&mut self, path: &str) -> Result<()> {
        if self.files.len() == MAX_FILES {
            return Err(too_large("The number of files", MAX_FILES as u64));
        }
        if self.directories.contains(path) {
            return Err(path::refused(path, "is a directory too"));
        }
        if !self.files.insert(path.to_owned()) {
            return Err(path::refused(path, "occurs twice"));
        }
        path.rsplit_once('/').map_or(Ok(()), |(parent, _)| self.add_directory(parent))
    }

    /// With the directories above it, up to the first that is known.
    fn add_directory(&mut self, path: &str) -> Result<()> {
        let mut next = Some(path);
        while let Some(path) = next {
            if self.files.contains(path) {
                return Err(path::refused(path, "is a file too"));
            }
            if !self.directories.insert(path.to_owned()) {
                return Ok(());
            }
            if self.directories.len() > MAX_DIRECTORIES {
                return Err(too_large("The number of directories", MAX_DIRECTORIES as u64));
            }
            next = path.rsplit_once('/').map(|(parent, _)| parent);
        }
        Ok(())
    }

    fn add_bytes(&mut self, size: u64) -> Result<()> {
        if size > MAX_FILE_BYTES {
            return Err(too_large("A file of this upload", MAX_FILE_BYTES));
        }
        self.total += size;
        if self.total > MAX_TOTAL_BYTES {
            return Err(too_large("All files of this upload together", MAX_TOTAL_BYTES));
        }
        Ok(())
    }
}

fn too_large(what: &str, limit: u64) -> Error {
    Error::TooLarge { what: what.to_owned(), limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit_of<T>(result: Result<T>) -> u64 {
        match result {
            Err(Error::TooLarge { limit, .. }) => limit,
            Err(other) => panic!("another error: {other}"),
            Ok(_) => panic!("was taken"),
        }
    }

    #[test]
    fn a_path_is_taken_once_and_as_one_kind() {
        let mut files = Collector::default();
        files.add("a/b.py", vec![]).unwrap();
        assert!(files.add("./a/b.py", vec![]).is_err(), "twice");
        assert!(files.add("a", vec![]).is_err(), "a directory");
        assert!(files.add("a/b.py/c", vec![]).is_err(), "below a file");
        assert!(files.add_directory("a/b.py/").is_err(), "a file");
        files.add_directory("a/").unwrap();
        files.add("a/c.py", vec![]).unwrap();
    }

    #[test]
    fn counts_files_and_not_directories() {
        let mut files = Collector::default();
        for i in 0..MAX_FILES {
            files.add_directory(&format!("d{i}/")).unwrap();
            files.add(&format!("f{i}"), vec![]).unwrap();
        }
        assert_eq!(limit_of(files.add("one-more", vec![])), 5_000);
    }

    #[test]
    fn deep_trees_are_bounded() {
        let mut files = Collector::default();
        let deep = "d/".repeat(300);
        let error = (0..100).find_map(|i| files.add(&format!("{i}/{deep}f"), vec![]).err());
        assert_eq!(limit_of(error.map_or(Ok(()), Err)), 10_000);
    }

    #[test]
    fn sizes_are_counted_per_file_and_in_all() {
        let mut files = Collector::default();
        assert_eq!(limit_of(files.add("big", vec![0; MAX_FILE_BYTES as usize + 1])), MAX_FILE_BYTES);
        let mut files = Collector::default();
        for i in 0..5 {
            files.add(&i.to_string(), vec![0; MAX_FILE_BYTES as usize]).unwrap();
        }
        assert_eq!(limit_of(files.add("more", vec![0])), MAX_TOTAL_BYTES);
    }

    #[test]
    fn a_patch_is_checked_as_what_it_leaves() {
        let current = [("a", 10), ("b/c", MAX_FILE_BYTES)];
        let patch = |entries: &[(&str, Option<&[u8]>)]| {
            entries.iter().map(|(path, content)| ((*path).to_owned(), content.map(<[u8]>::to_vec))).collect()
        };
        check_patch(current, &patch(&[("a", None), ("a/b", Some(b"x"))])).unwrap();
        assert!(check_patch(current, &patch(&[("a/b", Some(b"x"))])).is_err());
        let full: Vec<_> = (0..5_000).map(|i| i.to_string()).collect();
        let full = || full.iter().map(|path| (path.as_str(), 1));
        assert_eq!(limit_of(check_patch(full(), &patch(&[("x", Some(b""))]))), 5_000);
        check_patch(full(), &patch(&[("x", Some(b"")), ("0", None)])).unwrap();
    }
}
