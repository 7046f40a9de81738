//! The installers: uv, or pip where uv cannot be had.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokio::process::Command;

use super::explain::explain;
use super::lock::FileLock;
use super::shelf::{Shelf, Unfinished, remove};
use super::tool::{self, Output};
use super::yard::Yard;
use super::{EnvironmentError, Interpreter};

/// Where uv is below the directory of tools.
const UV: &str = "uv/bin/uv";

/// What resolves and installs.
#[derive(Debug)]
pub(super) enum Installer {
    /// The program.
    Uv(PathBuf),
    /// A Python that has pip.
    Pip(PathBuf),
}

/// Where and with what an installer works.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub shelf: &'a Shelf,
    pub interpreter: &'a Interpreter,
    pub yard: &'a Yard,
}

impl Installer {
    /// Finds uv on the `PATH` or in `tools`, or installs it there.
    pub(super) async fn find(
        bench: Bench<'_>,
        tools: &Path,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Self, EnvironmentError> {
        if let Some(uv) = find_uv(tools) {
            return Ok(Self::Uv(uv));
        }
        tokio::fs::create_dir_all(tools).await?;
        let _lock = FileLock::acquire(tools.join(".lock")).await?;
        let installed = tools.join(UV);
        if !installed.is_file() {
            progress("Installing uv, once".to_owned());
            if let Err(error) = install_uv(bench, tools).await {
                tracing::warn!(%error, "uv could not be installed");
                progress("uv could not be installed; using pip, which is slower".to_owned());
                return find_pip(bench).await.map(Self::Pip);
            }
        }
        Ok(Self::Uv(installed))
    }

    /// Exact versions for these requirements, one `name==version` each, sorted.
    pub(super) async fn resolve(
        &self,
        bench: Bench<'_>,
        lines: &[String],
        offline: bool,
    ) -> Result<Vec<String>, EnvironmentError> {
        let mut command = match self {
            Self::Uv(uv) => {
                let mut command = uv_command(uv, bench, "compile");
                command.args(["--no-header", "--no-annotate", "-q", "-"]);
                command
            }
            Self::Pip(python) => {
                let mut command = pip_command(python, bench);
                command.args(["--dry-run", "--ignore-installed", "--report", "-", "-r", "/dev/stdin"]);
                command
            }
        };
        if offline {
            command.arg(if matches!(self, Self::Uv(_)) { "--offline" } else { "--no-index" });
        }
        let did = "The requirements could not be resolved";
        let answer = finish(command, lines, did, bench).await?;
        let pins = if matches!(self, Self::Uv(_)) { Some(pins_of(&answer)) } else { reported_pins(&answer) };
        pins.ok_or_else(|| EnvironmentError::new("The installer's answer could not be read."))
    }

    /// Puts exactly these packages into a directory.
    pub(super) async fn install(
        &self,
        bench: Bench<'_>,
        pins: &[String],
        target: &Path,
    ) -> Result<(), EnvironmentError> {
        let mut command = match self {
            Self::Uv(uv) => {
                let mut command = uv_command(uv, bench, "install");
                command.args(["-q", "-r", "-"]);
                command
            }
            Self::Pip(python) => {
                let mut command = pip_command(python, bench);
                command.args(["--no-compile", "-r", "/dev/stdin"]);
                command
            }
        };
        command.arg("--no-deps").arg("--target").arg(target);
        finish(command, pins, "The packages could not be installed", bench).await.map(drop)
    }

    /// Forgets downloaded packages; environments keep what they have.
    pub(super) async fn clean(&self, bench: Bench<'_>) -> io::Result<()> {
        if let Self::Uv(uv) = self {
            let mut command = tool::command(uv, &bench.shelf.home());
            command.args(["cache", "clean", "-q"]).env("UV_CACHE_DIR", bench.shelf.cache());
            bench.yard.run(command, "").await?;
        }
        Ok(())
    }
}

fn uv_command(uv: &Path, bench: Bench<'_>, verb: &str) -> Command {
    let mut command = tool::command(uv, &bench.shelf.home());
    command.args(["pip", verb, "--only-binary", ":all:", "--python"]).arg(&bench.interpreter.executable);
    // Configuration files are found from the working directory up, which is no place of the operator's choice.
    if std::env::var_os("UV_CONFIG_FILE").is_none() {
        command.arg("--no-config");
    }
    command.env("UV_CACHE_DIR", bench.shelf.cache()).env("UV_PYTHON_DOWNLOADS", "never");
    // Whom the host trusts: uv's own list knows nothing of an operator's proxy or index.
    if ["UV_SYSTEM_CERTS", "UV_NATIVE_TLS"].iter().all(|name| std::env::var_os(name).is_none()) {
        command.env("UV_SYSTEM_CERTS", "true");
    }
    command
}

fn pip_command(python: &Path, bench: Bench<'_>) -> Command {
    let mut command = tool::command(python, &bench.shelf.home());
    command.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:"]);
    command.arg("--cache-dir").arg(bench.shelf.cache().join("pip"));
    command
}

/// Runs it with these lines on its stdin; a failure becomes an explained error.
async fn finish(
    command: Command,
    lines: &[String],
    did: &str,
    bench: Bench<'_>,
) -> Result<String, EnvironmentError> {
    let Output { success, answer, tail } = bench.yard.run(command, &(lines.join("\n") + "\n")).await?;
    if success { Ok(answer) } else { Err(explain(did, tail, bench.interpreter)) }
}

fn pins_of(answer: &str) -> Vec<String> {
    let mut pins: Vec<_> =
        answer.lines().map(str::trim).filter(|line| line.contains("==")).map(str::to_owned).collect();
    pins.sort();
    pins
}

/// The versions in pip's installation report.
fn reported_pins(answer: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Report {
        install: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        name: String,
        version: String,
    }
    let report: Report = serde_json::from_str(answer).ok()?;
    let pins = report.install.into_iter().map(|Item { metadata }| {
        format!("{}=={}", metadata.name.to_ascii_lowercase().replace(['_', '.'], "-"), metadata.version)
    });
    let mut pins: Vec<_> = pins.collect();
    pins.sort();
    Some(pins)
}

/// Installs uv from its wheel, aside and then in place.
async fn install_uv(bench: Bench<'_>, tools: &Path) -> Result<(), EnvironmentError> {
    let pip = find_pip(bench).await?;
    let _lock = FileLock::acquire(bench.shelf.lock("uv")).await?;
    let Unfinished(aside) = &Unfinished(bench.shelf.building("uv"));
    bench.yard.make(aside)?;
    let mut command = pip_command(&pip, bench);
    command.args(["--no-compile", "--target"]).arg(aside).arg("uv");
    finish(command, &[], "uv could not be installed", bench).await?;
    remove(&tools.join("uv"));
    Ok(std::fs::rename(aside, tools.join("uv"))?)
}

/// A Python with pip: the interpreter itself, or else one of a virtual environment made for that.
async fn find_pip(bench: Bench<'_>) -> Result<PathBuf, EnvironmentError> {
    let python = &bench.interpreter.executable;
    let home = bench.shelf.home();
    let mut version = tool::command(python, &home);
    version.args(["-m", "pip", "--version"]);
    if bench.yard.run(version, "").await?.success {
        return Ok(python.clone());
    }
    let venv = home.join("pip");
    let mut making = tool::command(python, &home);
    making.args(["-m", "venv"]).arg(&venv);
    finish(making, &[], "There is neither uv nor pip", bench).await.map_err(|error| EnvironmentError {
        hint: Some("Install uv, or Python's pip and venv, on the server.".to_owned()),
        ..error
    })?;
    Ok(venv.join("bin/python"))
}

/// uv from the `PATH`, or else the one that was installed among the tools.
#[must_use]
pub fn find_uv(tools: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join("uv"));
    on_path.chain([tools.join(UV)]).find(|program| program.is_file())
}
