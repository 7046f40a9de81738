//! The project's files as Python sees them: modules by their dotted names.

use std::collections::{BTreeMap, BTreeSet};

/// The files of a project: relative paths with `/`, and what is in them.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Modules and packages, found from the project's root.
pub(crate) struct Modules<'a> {
    files: &'a Files,
    by_name: BTreeMap<String, &'a str>,
    packages: BTreeSet<String>,
}

impl<'a> Modules<'a> {
    pub(crate) fn new(files: &'a Files) -> Self {
        let mut modules = Self { files, by_name: BTreeMap::new(), packages: BTreeSet::new() };
        for path in files.keys() {
            modules.add(path);
        }
        modules
    }

    fn add(&mut self, path: &'a str) {
        let Some(stem) = path.strip_suffix(".py") else { return };
        let name = stem.replace('/', ".");
        let package = name.strip_suffix(".__init__");
        // A package hides a module of its name.
        if let Some(package) = package {
            self.by_name.insert(package.to_owned(), path);
            self.packages.insert(package.to_owned());
        } else if name != "__init__" {
            self.by_name.entry(name.clone()).or_insert(path);
        }
        let mut rest = package.unwrap_or(&name);
        while let Some((parent, _)) = rest.rsplit_once('.') {
            self.packages.insert(parent.to_owned());
            rest = parent;
        }
    }

    /// Whether a module or package of that name is the project's own.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name) || self.packages.contains(name)
    }

    /// Whether it is a package, with or without an `__init__.py`.
    pub(crate) fn is_package(&self, name: &str) -> bool {
        self.packages.contains(name)
    }

    /// The file of a module; none for a package without `__init__.py`.
    pub(crate) fn path(&self, name: &str) -> Option<&'a str> {
        self.by_name.get(name).copied()
    }

    /// What is in a file of the project.
    pub(crate) fn bytes(&self, path: &str) -> &'a [u8] {
        self.files.get(path).map_or(&[], Vec::as_slice)
    }

    /// Paths of all files.
    pub(crate) fn file_names(&self) -> impl Iterator<Item = &'a str> {
        self.files.keys().map(String::as_str)
    }

    /// Name and path of every module.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.by_name.iter().map(|(name, path)| (name.as_str(), *path))
    }

    /// The absolute name that an import in `module` means: `from ..core import x` is level 2 of `core`.
    /// None where it leaves the project.
    pub(crate) fn absolute(&self, module: &str, level: u32, target: Option<&str>) -> Option<String> {
        let target = target.unwrap_or_default();
        if level == 0 {
            return Some(target.to_owned());
        }
        let mut base = module;
        let ups = if self.is_package(module) { level - 1 } else { level };
        for _ in 0..ups {
            base = base.rsplit_once('.').map_or("", |(parent, _)| parent);
        }
        match (base, target) {
            ("", _) => None,
            (_, "") => Some(base.to_owned()),
            _ => Some(format!("{base}.{target}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Files {
        paths.iter().map(|path| ((*path).to_owned(), Vec::new())).collect()
    }

    #[test]
    fn packages_and_modules_have_dotted_names() {
        let files = files(&["app/__init__.py", "app/main.py", "lib/deep/x.py", "README.md"]);
        let modules = Modules::new(&files);
        assert_eq!(modules.path("app"), Some("app/__init__.py"));
        assert_eq!(modules.path("app.main"), Some("app/main.py"));
        assert!(modules.contains("lib.deep") && modules.path("lib.deep").is_none());
        assert!(!modules.contains("README"));
    }

    #[test]
    fn relative_imports_start_at_the_package() {
        let files = files(&["app/__init__.py", "app/api/__init__.py", "app/api/users.py"]);
        let modules = Modules::new(&files);
        let absolute = |module, level, target| modules.absolute(module, level, target);
        assert_eq!(absolute("app.api.users", 1, None).as_deref(), Some("app.api"));
        assert_eq!(absolute("app.api.users", 2, Some("core")).as_deref(), Some("app.core"));
        assert_eq!(absolute("app.api", 1, Some("users")).as_deref(), Some("app.api.users"));
        assert_eq!(absolute("app.api", 3, Some("x")), None);
        assert_eq!(absolute("main", 1, Some("x")), None);
    }
}
