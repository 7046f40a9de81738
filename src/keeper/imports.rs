//! What a zygote has imported, and whether that is what another environment would have made of it: then it can fork code of that
//! environment too, until there is a zygote of its own.
//!
//! Two environments have the same version of a package or the same files of none. So a zygote differs from one of the other environment
//! in what comes from packages that only one of the two has: modules that it has and should not, and modules that its libraries looked
//! for, did not find, and would have found. Nothing else that a library does when it is imported depends on other packages, but
//! for entry points, which are asked for by a group's name: packages with such are never a difference that is passed over.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use serde::Deserialize;

use crate::distribution::{METADATA, described, installed_in, recorded};

/// Entry points of commands, which no library asks for.
const COMMANDS: [&str; 2] = ["[console_scripts]", "[gui_scripts]"];

/// Top-level names of modules, and names of distributions, as a zygote tells them.
#[derive(Debug, Default, Deserialize)]
pub struct Names {
    /// That it has imported.
    pub loaded: BTreeSet<String>,
    /// That were looked for and not found.
    pub missed: BTreeSet<String>,
}

/// What one zygote has imported.
#[derive(Debug)]
pub struct Imports {
    directories: Vec<PathBuf>,
    packages: BTreeSet<Package>,
    names: Names,
}

/// By the name of its metadata's directory, which has its version.
type Package = String;

impl Imports {
    /// `directories` are those of the packages that it could import.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn new(directories: &[PathBuf], names: Names) -> io::Result<Self> {
        Ok(Self { packages: packages_in(directories)?, directories: directories.to_vec(), names })
    }

    /// How many packages are the same as in these directories, if the same imports would have had the same result with them.
    ///
    /// # Errors
    /// If they, or the packages that are not the same, cannot be read.
    pub fn shared_with(&self, directories: &[PathBuf]) -> io::Result<Option<usize>> {
        if directories.len() != self.directories.len() {
            return Ok(None);
        }
        let others = packages_in(directories)?;
        for package in self.packages.difference(&others) {
            let Some(names) = provided(&self.directories, package)? else { return Ok(None) };
            if !names.is_disjoint(&self.names.loaded) {
                return Ok(None);
            }
        }
        for package in others.difference(&self.packages) {
            let Some(names) = provided(directories, package)? else { return Ok(None) };
            if !names.is_disjoint(&self.names.loaded) || !names.is_disjoint(&self.names.missed) {
                return Ok(None);
            }
        }
        Ok(Some(self.packages.intersection(&others).count()))
    }
}

fn packages_in(directories: &[PathBuf]) -> io::Result<BTreeSet<Package>> {
    let mut found = BTreeSet::new();
    for directory in directories {
        match installed_in(directory) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            packages => found.extend(packages?),
        }
    }
    Ok(found)
}

/// The names that a package adds, its own included; `None` if it announces itself by entry points, or does not say what it has.
fn provided(directories: &[PathBuf], package: &str) -> io::Result<Option<BTreeSet<String>>> {
    let holds = |directory: &&PathBuf| directory.join(package).is_dir();
    let Some(metadata) = directories.iter().find(holds).map(|directory| directory.join(package)) else {
        return Ok(None);
    };
    let points = described(&metadata.join("entry_points.txt"))?.unwrap_or_default();
    let is_group = |line: &&str| line.starts_with('[');
    if points.lines().map(str::trim).filter(is_group).any(|group| !COMMANDS.contains(&group)) {
        return Ok(None);
    }
    let Some(record) = described(&metadata.join("RECORD"))? else { return Ok(None) };
    let mut names: BTreeSet<_> = recorded(&record).filter_map(top_level).map(str::to_owned).collect();
    names.extend(package.split('-').next().map(|name| name.to_lowercase().replace('.', "_")));
    Ok(Some(names))
}

/// The module that a file is of. Metadata and what is elsewhere is none.
fn top_level(path: &str) -> Option<&str> {
    let first = path.split('/').next()?;
    let name = first.split('.').next()?;
    (!name.is_empty() && !first.ends_with(METADATA)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        /// With packages, each with the files that its record has and its entry points.
        fn with(packages: &[(&str, &str, &str)]) -> Self {
            let name = format!("previewd-imports-{}", crate::id::random_hex::<8>().unwrap());
            let directory = std::env::temp_dir().join(name);
            for (package, files, points) in packages {
                let metadata = directory.join(format!("{package}{METADATA}"));
                std::fs::create_dir_all(&metadata).unwrap();
                let record: String = files.split(' ').map(|file| format!("{file},sha256=x,1\n")).collect();
                let record = format!("{record}{package}{METADATA}/METADATA,,\n../../../bin/run,,\n");
                std::fs::write(metadata.join("RECORD"), record).unwrap();
                std::fs::write(metadata.join("entry_points.txt"), points).unwrap();
            }
            Self(directory)
        }

        fn paths(&self) -> Vec<PathBuf> {
            vec![self.0.clone()]
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    const BASE: (&str, &str, &str) =
        ("fastapi-1.0", "fastapi/__init__.py", "[console_scripts]\nfastapi = x:y\n");
    const SIX: (&str, &str, &str) = ("six-1.16", "six.py __pycache__/six.cpython-311.pyc", "");

    fn shared(own: &[(&str, &str, &str)], other: &[(&str, &str, &str)]) -> Option<usize> {
        let (own, other) = (Directory::with(own), Directory::with(other));
        let of = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let names = Names { loaded: of(&["fastapi", "json"]), missed: of(&["orjson", "email_validator"]) };
        Imports::new(&own.paths(), names).unwrap().shared_with(&other.paths()).unwrap()
    }

    #[test]
    fn what_nobody_asked_for_may_differ() {
        assert_eq!(shared(&[BASE], &[BASE]), Some(1));
        assert_eq!(shared(&[BASE], &[BASE, SIX]), Some(1));
        assert_eq!(shared(&[BASE, SIX], &[BASE]), Some(1));
    }

    #[test]
    fn what_would_have_been_found_may_not() {
        assert_eq!(shared(&[BASE], &[BASE, ("orjson-3.0", "orjson/__init__.py", "")]), None);
        let validator = ("email_validator-2.0", "another_name.py", "");
        assert_eq!(shared(&[BASE], &[BASE, validator]), None, "by the distribution's name");
        assert_eq!(shared(&[BASE], &[BASE, ("x-1", "json/more.py", "")]), None, "more of what is there");
    }

    #[test]
    fn what_is_there_must_be_the_same() {
        assert_eq!(shared(&[BASE], &[("fastapi-1.1", "fastapi/__init__.py", "")]), None);
        assert_eq!(shared(&[BASE], &[SIX]), None);
    }

    #[test]
    fn what_announces_itself_may_not_differ() {
        let plugin = ("plugin-1", "plugin.py", "[pydantic]\nplugin = plugin:it\n");
        assert_eq!(shared(&[BASE], &[BASE, plugin]), None);
        assert_eq!(shared(&[BASE, plugin], &[BASE]), None);
    }

    #[test]
    fn a_package_that_does_not_say_what_it_has_may_not_differ() {
        let (own, other) = (Directory::with(&[BASE]), Directory::with(&[BASE, SIX]));
        let imports = Imports::new(&own.paths(), Names::default()).unwrap();
        std::fs::remove_file(other.0.join("six-1.16.dist-info/RECORD")).unwrap();
        assert_eq!(imports.shared_with(&other.paths()).unwrap(), None);
    }
}
