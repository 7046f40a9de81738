//! What previews need of a host, one check each. They try the thing itself and leave nothing behind.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use sandbox::{Finding, Layer};
use serde::Serialize;

use super::name_of;
use crate::config::{Config, CpuAwake, Isolation};
use crate::environment::{Census, Interpreter, find_uv};
use crate::processors::kept_awake;
use crate::store::Store;

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub name: String,
    /// Whether previews can run as far as this is concerned.
    pub ok: bool,
    /// What was seen.
    pub detail: String,
    /// What to do about it, where it is not as it should be.
    pub fix: Option<String>,
}

impl Check {
    pub(super) fn good(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), ok: true, detail: detail.into(), fix: None }
    }

    pub(super) fn bad(name: &str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { ok: false, fix: Some(fix.into()), ..Self::good(name, detail) }
    }
}

/// Whether the memory of previews that may be merged is. They run without it as well.
pub(super) fn memory_merge(found: Finding) -> Check {
    let Finding { detail, fix, .. } = found;
    Check { fix, ..Check::good("memory merge", format!("on; {detail}")) }
}

/// Whether processors wait awake for requests. Those are answered without it as well, and later.
pub(super) fn cpu_awake(wanted: CpuAwake) -> Check {
    let Finding { detail, fix, .. } = kept_awake(wanted);
    Check { fix: fix.filter(|_| wanted == CpuAwake::On), ..Check::good("cpu awake", detail) }
}

/// The interpreter, and what installs packages for it.
pub(super) async fn python(config: &Config) -> Vec<Check> {
    match Interpreter::find(config.python.as_deref()).await {
        Ok(python) => {
            let detail = format!("{}, {}", python.version_text(), python.executable.display());
            vec![Check::good("python", detail), installer(config, &python).await]
        }
        Err(error) => {
            let needs = Check::bad("uv", "cannot be used without Python", "Install Python first.");
            vec![Check::bad("python", error.message, error.hint.unwrap_or_default()), needs]
        }
    }
}

async fn installer(config: &Config, python: &Interpreter) -> Check {
    if let Some(uv) = find_uv(&config.data_dir.join("tools")) {
        return Check::good("uv", uv.display().to_string());
    }
    // venv brings pip along, if ensurepip is there.
    for module in ["pip", "ensurepip"] {
        let mut command = tokio::process::Command::new(&python.executable);
        let import = format!("import {module}");
        let output = command.args(["-I", "-c", &import]).kill_on_drop(true).output();
        let ran = tokio::time::timeout(PATIENCE, output).await;
        if matches!(ran, Ok(Ok(output)) if output.status.success()) {
            return Check::good("uv", "not there yet; pip installs it when it is first needed");
        }
    }
    Check::bad("uv", "neither uv nor pip is there", "Install uv, or Python's pip and venv.")
}

/// Where everything is kept.
pub(super) fn data_directory(config: &Config) -> Check {
    let directory = &config.data_dir;
    let name = "data directory";
    match try_to_write(directory) {
        Ok(()) => {
            let free = rustix::fs::statvfs(existing(directory))
                .map(|space| space.f_bavail.saturating_mul(space.f_frsize) >> 20);
            let free = free.map_or_else(|_| String::new(), |free| format!(", {free} MiB free"));
            Check::good(name, format!("{}{free}", directory.display()))
        }
        Err(error) => {
            let detail = format!("{}: {error}", directory.display());
            Check::bad(name, detail, "Make it writable, or name another with --data-dir.")
        }
    }
}

/// The directory itself, or the nearest one above it.
fn existing(directory: &Path) -> &Path {
    directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

fn try_to_write(directory: &Path) -> std::io::Result<()> {
    let file = existing(directory).join(format!(".previewd-doctor-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&file)?;
    std::fs::remove_file(file)
}

/// The packages that are there already.
pub(super) fn environments(config: &Config) -> Check {
    let (name, limit) = ("environments", config.environments_limit_mb);
    match Census::of(&config.data_dir.join("environments")) {
        Ok(Census { environments, compiled, packages, bytes }) => Check::good(
            name,
            format!(
                "{environments} ({compiled} with bytecode) of {packages} packages, {} of {limit} MiB",
                bytes >> 20
            ),
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Check::good(name, format!("none yet, up to {limit} MiB"))
        }
        Err(error) => Check::bad(name, error.to_string(), "Let the server's user read its data directory."),
    }
}

/// The server's own database.
pub(super) async fn store(config: &Config) -> Check {
    let kind = config.store_url.split(':').next().unwrap_or_default();
    let fix = "Check PREVIEW_STORE_URL, and that its database runs.";
    match tokio::time::timeout(PATIENCE, Store::reach(&config.store_url)).await {
        Ok(Ok(true)) => Check::good("store", format!("{kind}, answers")),
        Ok(Ok(false)) => Check::good("store", format!("{kind}, made at the first start")),
        Ok(Err(error)) => Check::bad("store", format!("{kind}: {error}"), fix),
        Err(_elapsed) => {
            Check::bad("store", format!("{kind}, no answer within {} s", PATIENCE.as_secs()), fix)
        }
    }
}

/// The address of the API.
pub(super) fn listen(config: &Config) -> Check {
    let address = config.listen;
    match TcpListener::bind(address) {
        Ok(_) => Check::good("listen", format!("{address} is free")),
        // By a server that runs, most likely: no obstacle to previews.
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Check::good("listen", format!("{address} is in use: previewd serves there, or choose another"))
        }
        Err(error) => Check::bad("listen", format!("{address}: {error}"), "Choose another with --listen."),
    }
}

/// The ports that previews get.
pub(super) fn ports(config: &Config) -> Check {
    let (min, max) = (config.port_min, config.port_max);
    let free = |port: &u16| TcpListener::bind(SocketAddr::new(config.listen.ip(), *port)).is_ok();
    let count = (min..=max).filter(free).count();
    let detail = format!("{count} of {} free, {min} to {max}", usize::from(max - min) + 1);
    if count > 0 {
        return Check::good("ports", detail);
    }
    Check::bad("ports", detail, "Stop what listens there, or move PREVIEW_PORT_MIN and PREVIEW_PORT_MAX.")
}

/// What one preview may use, and whether this process may give it.
pub(super) fn limits(config: &Config) -> Check {
    let limits = config.limits;
    let detail = format!(
        "{} MiB of memory, {} tasks, {} open files, {} MiB of files, {} of the processor's cores",
        limits.memory_mb, limits.tasks, limits.open_files, limits.disk_mb, limits.cpu
    );
    match getrlimit(Resource::Nofile).maximum {
        Some(most) if most < limits.open_files => {
            let detail = format!("{detail}; this process may give only {most} open files");
            Check::bad("limits", detail, "Raise `ulimit -Hn`, or lower PREVIEW_OPEN_FILES_LIMIT.")
        }
        _ => Check::good("limits", detail),
    }
}

/// Whether the layers that must hold do.
pub(super) fn isolation(
    config: &Config,
    found: &BTreeMap<Layer, Finding>,
    probed: sandbox::Result<()>,
) -> Check {
    let name = "isolation";
    let missing: Vec<_> = found.iter().filter(|(_, f)| !f.available).map(|(l, _)| name_of(*l)).collect();
    let holds = format!("{} of {} layers", found.len() - missing.len(), found.len());
    match (config.isolation, probed) {
        (Isolation::Off, _) => Check::good(name, "off: previews run without any layer"),
        (_, Err(error)) => Check::bad(name, error.to_string(), "See the server's log."),
        (_, Ok(())) if missing.is_empty() => Check::good(name, holds),
        (Isolation::Auto, Ok(())) => {
            Check::good(name, format!("auto, {holds}; without {}", missing.join(", ")))
        }
        (Isolation::Strict, Ok(())) => {
            let fix = "See each layer below, or set PREVIEW_ISOLATION=auto to run without it.";
            Check::bad(name, format!("strict, {holds}; without {}", missing.join(", ")), fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    fn config(settings: &[(&str, &str)]) -> Config {
        let values = settings.iter().map(|(name, value)| (name.into(), value.into()));
        Config::read(Flags::new(), values, Path::new("/nonexistent/previewd")).unwrap()
    }

    fn found(available: bool) -> BTreeMap<Layer, Finding> {
        let finding = Finding { available, detail: String::new(), fix: None };
        Layer::ALL.into_iter().map(|layer| (layer, finding.clone())).collect()
    }

    #[test]
    fn a_missing_layer_is_an_obstacle_where_all_must_hold() {
        for (mode, available, ok) in
            [("auto", false, true), ("strict", false, false), ("strict", true, true), ("off", false, true)]
        {
            let config = config(&[("PREVIEW_ISOLATION", mode)]);
            assert_eq!(isolation(&config, &found(available), Ok(())).ok, ok, "{mode} {available}");
        }
    }

    #[test]
    fn memory_that_is_not_merged_is_no_obstacle_and_told_with_what_to_do() {
        let fix = Some("switch it on".to_owned());
        let check = memory_merge(Finding { available: false, detail: "is off".to_owned(), fix: fix.clone() });
        assert!(check.ok && check.detail == "on; is off" && check.fix == fix, "{check:?}");
    }

    #[test]
    fn a_pool_that_is_taken_is_an_obstacle_and_a_server_that_runs_is_none() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let port = address.port().to_string();
        let config = config(&[
            ("PREVIEW_PORT_MIN", &port),
            ("PREVIEW_PORT_MAX", &port),
            ("PREVIEW_LISTEN", &address.to_string()),
        ]);
        assert!(!ports(&config).ok);
        assert!(listen(&config).ok);
        drop(taken);
        assert!(ports(&config).ok);
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_with_what_to_do() {
        let config = config(&[
            ("PREVIEW_PYTHON", "/nonexistent/python"),
            ("PREVIEW_DATA_DIR", "/proc/previewd"),
            ("PREVIEW_STORE_URL", "postgres://nobody@127.0.0.1:1/none"),
            ("PREVIEW_OPEN_FILES_LIMIT", "1000000"),
        ]);
        let checks = python(&config).await;
        assert!(checks.iter().all(|check| !check.ok && check.fix.is_some()), "{checks:?}");
        assert!(!data_directory(&config).ok);
        assert!(!store(&config).await.ok);
        let most = getrlimit(Resource::Nofile).maximum;
        assert_eq!(limits(&config).ok, most.is_none_or(|most| most >= 1_000_000));
    }
}
