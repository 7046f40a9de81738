//! What it takes to serve a generation: its entry point and its packages.

use pysource::Entrypoint;

use super::Files;
use crate::environment::{Requirements, RequirementsError};
use crate::error::{Error, Result};

/// Where a project keeps its application by convention, with the module's name.
const CONVENTIONAL: [(&str, &str); 2] = [("app/main.py", "app.main"), ("main.py", "main")];
/// Longest entry point that is taken, in bytes.
const MAX_ENTRYPOINT: usize = 300;

/// How a generation is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// `package.module:attribute`, as in `app.main:app`.
    pub entrypoint: String,
    /// Whether the attribute makes the application when it is called.
    pub factory: bool,
    /// Its packages, with those that a preview adds.
    pub requirements: Requirements,
    /// Whether the source builds an async SQLAlchemy engine, which needs an async database URL.
    pub async_sqlite: bool,
    /// What the person should know though it is no obstacle.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The entry point, taken apart.
    #[must_use]
    pub fn served(&self) -> Entrypoint {
        let (module, attribute) = self.entrypoint.split_once(':').unwrap_or((&self.entrypoint, "app"));
        let (module, attribute) = (module.to_owned(), attribute.to_owned());
        Entrypoint { module, attribute, factory: self.factory }
    }
}

/// Decides how these files are served. `entrypoint` is what the upload named: `package.module:attribute` or
/// `package.module:factory()`; it overrules what the source says.
///
/// # Errors
/// `InvalidGeneration` with what is missing, `InvalidRequest` for an entry point that cannot be meant, and
/// `LaunchFailed` (`dependency_install_failed`) for requirements that are refused.
pub fn plan(files: &Files, entrypoint: Option<&str>) -> Result<Plan> {
    decide(files, entrypoint, || pysource::find_entrypoint(files))
}

/// As [`plan`], for files that have been read already: `served` is what was found in them.
///
/// # Errors
/// As [`plan`].
pub fn plan_of_read(files: &Files, entrypoint: Option<&str>, served: Option<Entrypoint>) -> Result<Plan> {
    decide(files, entrypoint, || served)
}

fn decide(
    files: &Files,
    entrypoint: Option<&str>,
    find: impl FnOnce() -> Option<Entrypoint>,
) -> Result<Plan> {
    let mut warnings = Vec::new();
    let served = match entrypoint {
        Some(text) => Some(explicit(files, text)?),
        None => found(files, find(), &mut warnings),
    };
    let requirements = requirements(files);
    let mut missing = Vec::new();
    missing.extend(served.is_none().then(|| "app/main.py".to_owned()));
    missing.extend(matches!(requirements, Ok(None)).then(|| "requirements.txt".to_owned()));
    let (Some((entrypoint, factory)), true) = (served, missing.is_empty()) else {
        return Err(Error::InvalidGeneration { missing });
    };
    let async_sqlite = pysource::uses_async_engine(files);
    let requirements = requirements.map_err(|error| Error::LaunchFailed(Box::new(error.into())))?;
    let requirements = requirements.unwrap_or_default().with_uvicorn();
    let requirements = if async_sqlite { requirements.with_async_sqlite() } else { requirements };
    let requirements = if names_websockets(files) { requirements.with_websockets() } else { requirements };
    Ok(Plan { entrypoint, factory, requirements, async_sqlite, warnings })
}

/// Whether some module speaks of WebSockets; one package too many does no harm.
fn names_websockets(files: &Files) -> bool {
    let finders = ["websocket", "WebSocket"].map(memchr::memmem::Finder::new);
    let names = |text: &[u8]| finders.iter().any(|finder| finder.find(text).is_some());
    files.iter().any(|(path, text)| path.ends_with(".py") && names(text))
}

/// Checks an entry point that somebody named, and that its module is among the files.
fn explicit(files: &Files, text: &str) -> Result<(String, bool)> {
    let invalid = |why: &str| {
        Error::invalid(
            "entrypoint",
            format!("The entrypoint {why}: write package.module:attribute, or package.module:factory()."),
        )
    };
    let (module, attribute) = text.split_once(':').ok_or_else(|| invalid("has no colon"))?;
    let (attribute, factory) = attribute.strip_suffix("()").map_or((attribute, false), |name| (name, true));
    let is_dotted = |text: &str| text.split('.').all(is_identifier);
    if text.len() > MAX_ENTRYPOINT || !is_dotted(module) || !is_dotted(attribute) {
        return Err(invalid("is not made of Python names"));
    }
    let path = module.replace('.', "/");
    if ![format!("{path}.py"), format!("{path}/__init__.py")].iter().any(|path| files.contains_key(path)) {
        return Err(invalid("names a module that is not among the files"));
    }
    Ok((format!("{module}:{attribute}"), factory))
}

fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// What the source says, or else the conventional attribute of the conventional module: when it starts, Python
/// itself says best what is wrong with it.
fn found(files: &Files, read: Option<Entrypoint>, warnings: &mut Vec<String>) -> Option<(String, bool)> {
    if let Some(found) = read {
        return Some((format!("{}:{}", found.module, found.attribute), found.factory));
    }
    let (path, module) = CONVENTIONAL.iter().find(|(path, _)| files.contains_key(*path))?;
    warnings.push(format!("No FastAPI application was found by reading {path}; trying {module}:app."));
    Some((format!("{module}:app"), false))
}

/// From `requirements.txt`, or else from a `pyproject.toml` that declares dependencies.
///
/// # Errors
/// For requirements that are refused: where, and why.
pub fn requirements(files: &Files) -> std::result::Result<Option<Requirements>, RequirementsError> {
    match (files.get("requirements.txt"), files.get("pyproject.toml")) {
        (Some(text), _) => Requirements::from_requirements_txt(text).map(Some),
        (None, Some(project)) => Requirements::from_pyproject(project),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FailureReason;

    const APP: &str = "from fastapi import FastAPI\napp = FastAPI()\n";

    fn files(entries: &[(&str, &str)]) -> Files {
        entries.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn planned(entries: &[(&str, &str)], entrypoint: Option<&str>) -> Result<Plan> {
        plan(&files(entries), entrypoint)
    }

    #[test]
    fn the_conventional_project_is_served() {
        let plan = planned(&[("app/main.py", APP), ("requirements.txt", "fastapi")], None).unwrap();
        assert_eq!((plan.entrypoint.as_str(), plan.factory), ("app.main:app", false));
        assert_eq!(plan.requirements.to_lines(), ["fastapi", "uvicorn"]);
        assert_eq!(plan.requirements.added(), ["uvicorn"]);
        assert!(!plan.async_sqlite && plan.warnings.is_empty());
    }

    #[test]
    fn the_sample_is_served_as_it_is() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bookshop");
        let files = super::super::read_directory(&root, std::path::Path::new("/nonexistent")).unwrap();
        let plan = super::plan(&files, None).unwrap();
        assert_eq!((plan.entrypoint.as_str(), plan.factory), ("app.main:app", false));
        assert_eq!(plan.requirements.added(), [] as [&str; 0]);
        assert_eq!(plan.warnings, [] as [&str; 0]);
    }

    #[test]
    fn less_tidy_projects_are_served() {
        let factory = "from fastapi import FastAPI\ndef create_app():\n    return FastAPI()\n";
        let other = "from fastapi import FastAPI\nservice = FastAPI()\n";
        for (path, source, entrypoint, factory) in [
            ("main.py", APP, "main:app", false),
            ("app/main.py", factory, "app.main:create_app", true),
            ("app/main.py", other, "app.main:service", false),
        ] {
            let plan = planned(&[(path, source), ("requirements.txt", "fastapi")], None).unwrap();
            assert_eq!((plan.entrypoint.as_str(), plan.factory), (entrypoint, factory));
        }
    }

    #[test]
    fn what_cannot_be_read_is_tried_with_a_warning() {
        let plan = planned(&[("main.py", "x = 1\n"), ("requirements.txt", "fastapi")], None).unwrap();
        assert_eq!(plan.entrypoint, "main:app");
        assert_eq!(plan.warnings.len(), 1);
    }

    #[test]
    fn an_explicit_entrypoint_overrules() {
        let project = [("app/main.py", APP), ("shop/web/__init__.py", APP), ("requirements.txt", "fastapi")];
        let served = |text| planned(&project, Some(text)).map(|plan| (plan.entrypoint, plan.factory));
        assert_eq!(served("shop.web:site").unwrap(), ("shop.web:site".to_owned(), false));
        assert_eq!(served("app.main:make()").unwrap(), ("app.main:make".to_owned(), true));
        assert_eq!(served("app.main:state.app").unwrap(), ("app.main:state.app".to_owned(), false));
        for text in [
            "",
            "app.main",
            "app.main:",
            ":app",
            "app.main:app(1)",
            "app..main:app",
            "app/main:app",
            "no.such:app",
            "app.main:a b",
            "app.main:app:x",
            "os:system",
            "app.main:app()()",
            &"a".repeat(400),
        ] {
            let error = served(text).unwrap_err();
            assert!(
                matches!(&error, Error::InvalidRequest { field: Some(field), .. } if field == "entrypoint"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |entries: &[(&str, &str)]| match planned(entries, None) {
            Err(Error::InvalidGeneration { missing }) => missing,
            other => panic!("{other:?}"),
        };
        assert_eq!(missing(&[]), ["app/main.py", "requirements.txt"]);
        assert_eq!(missing(&[("requirements.txt", "fastapi")]), ["app/main.py"]);
        assert_eq!(missing(&[("app/main.py", APP)]), ["requirements.txt"]);
        assert_eq!(
            missing(&[("app/main.py", APP), ("pyproject.toml", "[project]\nname='x'")]),
            ["requirements.txt"]
        );
    }

    #[test]
    fn pyproject_will_do() {
        let project = "[project]\nname='x'\ndependencies=['fastapi']";
        let plan = planned(&[("app/main.py", APP), ("pyproject.toml", project)], None).unwrap();
        assert_eq!(plan.requirements.to_lines(), ["fastapi", "uvicorn"]);
        let both =
            [("app/main.py", APP), ("pyproject.toml", project), ("requirements.txt", "fastapi==0.115.0")];
        assert_eq!(planned(&both, None).unwrap().requirements.to_lines()[0], "fastapi==0.115.0");
    }

    #[test]
    fn async_engines_get_their_driver() {
        let database =
            "from sqlalchemy.ext.asyncio import create_async_engine\nengine = create_async_engine('x')\n";
        let plan = planned(
            &[("app/main.py", APP), ("app/db.py", database), ("requirements.txt", "fastapi\nuvicorn")],
            None,
        )
        .unwrap();
        assert!(plan.async_sqlite);
        assert_eq!(plan.requirements.added(), ["aiosqlite", "greenlet"]);
    }

    #[test]
    fn refused_requirements_fail_the_launch_with_a_hint() {
        let error = planned(&[("app/main.py", APP), ("requirements.txt", "fastapi\n-r /etc/hostname")], None);
        let Err(Error::LaunchFailed(failure)) = error else { panic!("{error:?}") };
        assert_eq!(failure.reason, FailureReason::DependencyInstallFailed);
        assert!(failure.message.contains("line 2") && !failure.message.contains("hostname"));
        assert!(failure.hint.is_some());
    }
}
