//! Packages of other environments, linked as an installer links them from its cache, but without one: most new requirements are
//! another choice of what is here already.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::bytecode::cached;
use crate::distribution::{METADATA, described, installed_in, recorded};

/// Links these packages and their bytecode, if each is in one of `others`, all of which have theirs. `false` if one is not, and then, or
/// after an error, nothing is promised of what is in `target`.
///
/// # Errors
/// If something of a package is missing, is in the way of another, or cannot be linked.
pub(super) fn link(pins: &[String], target: &Path, others: &[PathBuf], tag: &str) -> io::Result<bool> {
    let mut known = BTreeMap::new();
    for other in others {
        for (pin, record) in packages_in(other)? {
            known.entry(pin).or_insert((other, record));
        }
    }
    let found: Option<Vec<_>> = pins.iter().map(|pin| known.get(&normalised(pin)?)).collect();
    let Some(found) = found else { return Ok(false) };
    let mut made = HashSet::new();
    for (other, record) in found {
        for file in files(record)? {
            link_file(other, target, &file, &mut made)?;
            if let Some(cached) = cached(&file, tag).filter(|cached| other.join(cached).exists()) {
                link_file(other, target, &cached, &mut made)?;
            }
        }
    }
    Ok(true)
}

/// Name and version of each package, with the list of its files.
fn packages_in(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for metadata in installed_in(directory)? {
        let package = metadata.strip_suffix(METADATA).and_then(|package| package.split_once('-'));
        let pin = package.and_then(|(name, version)| normalised(&format!("{name}=={version}")));
        found.extend(pin.map(|pin| (pin, directory.join(&metadata).join("RECORD"))));
    }
    Ok(found)
}

/// As a distribution's name is compared: <https://packaging.python.org/en/latest/specifications/name-normalization/>.
fn normalised(pin: &str) -> Option<String> {
    let (name, version) = pin.split_once("==")?;
    let words: Vec<_> = name.split(['-', '_', '.']).filter(|word| !word.is_empty()).collect();
    Some(format!("{}=={version}", words.join("-").to_lowercase()))
}

/// The files of a `RECORD`, as paths below the packages' directory.
fn files(record: &Path) -> io::Result<Vec<PathBuf>> {
    let text = described(record)?.ok_or_else(|| io::Error::other("a package has no list of files"))?;
    recorded(&text).map(file).collect()
}

fn file(path: &str) -> io::Result<PathBuf> {
    let path = PathBuf::from(path);
    let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
    if is_below { Ok(path) } else { Err(io::Error::other("a package has files elsewhere")) }
}

fn link_file(other: &Path, target: &Path, file: &Path, made: &mut HashSet<PathBuf>) -> io::Result<()> {
    let (from, to) = (other.join(file), target.join(file));
    if let Some(parent) = file.parent()
        && !made.contains(parent)
    {
        fs::create_dir_all(target.join(parent))?;
        made.insert(parent.to_owned());
    }
    match fs::hard_link(&from, &to) {
        // Some list a file twice.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && is_same(&from, &to)? => Ok(()),
        linked => linked,
    }
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (fs::symlink_metadata(one)?, fs::symlink_metadata(other)?);
    Ok(one.dev() == other.dev() && one.ino() == other.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_distributions() {
        assert_eq!(normalised("Python.Multi_part==0.1"), normalised("python-multi-part==0.1"));
        assert_ne!(normalised("six==1.0"), normalised("six==1.1"));
        assert_eq!(normalised("six"), None);
    }

    #[test]
    fn a_file_is_below_its_directory() {
        assert_eq!(file("a,b/c.py").unwrap(), PathBuf::from("a,b/c.py"));
        for path in ["../../bin/run", "/etc/passwd", "a/../../b"] {
            assert!(file(path).is_err(), "{path}");
        }
    }
}
