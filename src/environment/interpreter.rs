//! The Python that previews run on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::EnvironmentError;

/// Oldest version that is taken.
const OLDEST: (u32, u32) = (3, 9);
/// How long it may take to tell about itself.
const PATIENCE: Duration = Duration::from_secs(20);
/// What it is asked. Runs isolated: no site, no `.pth` file, no `PYTHON*` variable.
const QUESTION: &str = "\
import json, os, sys, sysconfig
print(json.dumps({
    'executable': os.path.realpath(sys.executable),
    'base_prefix': os.path.realpath(sys.base_prefix),
    'stdlib': os.path.realpath(sysconfig.get_paths()['stdlib']),
    'version': list(sys.version_info[:3]),
    'platform': sys.implementation.name + '-' + sysconfig.get_platform(),
    'cache_tag': sys.implementation.cache_tag,
    'modules': sorted(getattr(sys, 'stdlib_module_names', [])),
}))";
const HINT: &str = "Install Python 3.9 or newer, or name one with PREVIEW_PYTHON.";

/// A Python interpreter and where its parts are.
#[derive(Clone, Debug, Deserialize)]
pub struct Interpreter {
    /// The program itself, no shim and no link.
    pub executable: PathBuf,
    /// What it is installed under.
    pub base_prefix: PathBuf,
    /// Its standard library.
    pub stdlib: PathBuf,
    /// Major, minor and patch.
    pub version: (u32, u32, u32),
    /// Implementation, system and machine, as `cpython-linux-x86_64`.
    pub platform: String,
    /// What names its bytecode files, as `cpython-311`.
    pub cache_tag: String,
    /// Names of the standard library's modules; empty before Python 3.10.
    pub modules: BTreeSet<String>,
}

impl Interpreter {
    /// Runs the configured one, or else `python3` from the `PATH`, once, to learn about it.
    ///
    /// # Errors
    /// If it does not run, or is too old.
    pub async fn find(configured: Option<&Path>) -> Result<Self, EnvironmentError> {
        let program = configured.unwrap_or(Path::new("python3"));
        let mut command = Command::new(program);
        command.args(["-I", "-S", "-c", QUESTION]).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let found = match output {
            Ok(Ok(output)) if output.status.success() => serde_json::from_slice::<Self>(&output.stdout).ok(),
            _ => None,
        };
        let found = found.ok_or_else(|| {
            EnvironmentError::with_hint("There is no Python that runs, so previews cannot run.", HINT)
        })?;
        if (found.version.0, found.version.1) < OLDEST {
            let message = format!("Python {} is too old to run previews.", found.version_text());
            return Err(EnvironmentError::with_hint(message, HINT));
        }
        Ok(found)
    }

    /// As `3.11.7`.
    #[must_use]
    pub fn version_text(&self) -> String {
        let (major, minor, patch) = self.version;
        format!("{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_real_interpreter_is_found_behind_links() {
        let found = Interpreter::find(None).await.unwrap();
        assert_eq!(found.executable, found.executable.canonicalize().unwrap());
        assert!(found.stdlib.join("json").is_dir());
        let again = Interpreter::find(Some(&found.executable)).await.unwrap();
        assert_eq!(again.version, found.version);
    }

    #[tokio::test]
    async fn what_is_no_python_is_an_error_with_a_hint() {
        for program in ["/nonexistent/python", "/bin/true", "/bin/false"] {
            let error = Interpreter::find(Some(Path::new(program))).await.unwrap_err();
            assert!(error.hint.is_some_and(|hint| hint.contains("PREVIEW_PYTHON")));
        }
    }
}
