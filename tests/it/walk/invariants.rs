//! What always holds, once what is under way is over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Walk, rows};
use crate::harness::{Generation, before_another_look, descriptors};

/// For what is under way to be over: longer than any grace, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);
/// After its time a preview has its grace, and the keeper's margin where no server sees to it.
const LATE: Duration = Duration::from_secs(20);
/// How many each user may have at once.
const LIMITS: [(&str, usize); 2] = [("ana", 3), ("bo", 1)];
/// More than a server or a keeper has open when nothing runs.
const DESCRIPTORS: usize = 100;

/// A preview that runs.
struct Running {
    user: &'static str,
    port: u16,
    expires_at: jiff::Timestamp,
}

impl Walk {
    /// Waits until everything holds.
    pub(super) async fn look(&mut self) {
        let began = Instant::now();
        while let Err(broken) = self.holds().await {
            let waited = began.elapsed();
            assert!(waited < PATIENCE, "does not hold after {PATIENCE:?}: {broken}");
            tokio::time::sleep(before_another_look(waited)).await;
        }
    }

    async fn holds(&self) -> Result<(), String> {
        let mut running = BTreeMap::new();
        for (number, app) in self.apps.iter().enumerate() {
            if let Some((id, preview)) = state(app, if number < 2 { "ana" } else { "bo" }).await? {
                running.insert(id, preview);
            }
        }
        for (user, limit) in LIMITS {
            let count = running.values().filter(|preview| preview.user == user).count();
            assert!(count <= limit, "{user} has {count}");
        }
        let now = jiff::Timestamp::now();
        let late = jiff::SignedDuration::try_from(LATE).unwrap();
        assert!(
            running.values().all(|preview| now < preview.expires_at + late),
            "one lives on after its time"
        );
        self.machine_agrees(&running)?;
        rows::agree(&self.server.data_dir(), &running.keys().cloned().collect()).await?;
        for app in &self.apps {
            log_is_whole(app).await;
        }
        Ok(())
    }

    /// There is of each that runs what it needs, and of nobody else anything.
    fn machine_agrees(&self, running: &BTreeMap<String, Running>) -> Result<(), String> {
        let ports: Vec<u16> =
            running.values().map(|preview| preview.port).collect::<BTreeSet<_>>().into_iter().collect();
        let held = self.server.ports().held();
        same("ports", &held, &ports)?;
        let sandboxes: BTreeSet<_> =
            self.server.preview_processes().into_iter().filter_map(namespace).collect();
        same("sandboxes with processes", &sandboxes.len(), &running.len())?;
        let ids: BTreeSet<_> = running.keys().cloned().collect();
        let of = |paths: Vec<PathBuf>| -> BTreeSet<String> {
            paths.iter().filter_map(|path| preview_of(path)).collect()
        };
        same("directories", &of(self.server.preview_files()), &ids)?;
        let cgroups = of(cgroups(&self.server.data_dir()));
        if !cgroups.is_empty() || !ids.is_empty() && may_have_cgroups() {
            same("cgroups", &cgroups, &ids)?;
        }
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let root = self.server.data_dir();
        let ours = mounts.lines().filter(|line| line.contains(root.parent().unwrap().to_str().unwrap()));
        same("mounts of ours", &ours.count(), &usize::from(self.disk.is_some()))
    }

    pub(super) fn look_at_descriptors(&self) {
        for pid in [self.server.serve_pid(), self.server.keeper_pid()] {
            assert!(descriptors(pid) < DESCRIPTORS, "{} of {pid}", descriptors(pid));
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?} instead of {wanted:?}")) }
}

/// What runs of a generation. An error if that is about to change.
async fn state(app: &Generation, user: &'static str) -> Result<Option<(String, Running)>, String> {
    let answer = app.status().await;
    if answer.status == 404 {
        answer.error(404, "no_active_preview");
        return Ok(None);
    }
    let body = answer.expect(200);
    match body["status"].as_str().unwrap() {
        "failed" => {
            assert!(body["failure"]["message"].as_str().unwrap().len() > 10, "{body}");
            Ok(None)
        }
        "running" => Ok(Some(running(&body, user))),
        other => Err(format!("a preview is {other}")),
    }
}

fn running(body: &Value, user: &'static str) -> (String, Running) {
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}"));
    let port = text("baseUrl").rsplit_once(':').unwrap().1.parse().unwrap();
    let expires_at = text("expiresAt").parse().unwrap();
    (text("previewInstanceId").to_owned(), Running { user, port, expires_at })
}

/// Ids count up by one from 1.
async fn log_is_whole(app: &Generation) {
    let answer = app.get("/preview/logs?limit=1000").await;
    if answer.status == 404 {
        return;
    }
    let body = answer.expect(200);
    let ids: Vec<_> =
        body["logs"].as_array().unwrap().iter().map(|line| line["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>(), "ids of a log");
}

fn namespace(pid: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// The id in a path's last name.
fn preview_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    name.starts_with("preview_").then(|| name.split('-').next().unwrap_or(name).to_owned())
}

/// Cgroups of a keeper of this data directory, or of its server.
fn cgroups(data_dir: &Path) -> Vec<PathBuf> {
    let inside = |directory: PathBuf| {
        std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
    };
    crate::harness::cgroups(data_dir).into_iter().flat_map(inside).filter(|path| path.is_dir()).collect()
}

fn may_have_cgroups() -> bool {
    rustix::process::geteuid().is_root() && !cgroups_of_this_process().is_empty()
}

/// Hierarchies that this process is at the root of: then it is there that ours are made.
fn cgroups_of_this_process() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    text.lines().filter(|line| line.ends_with(":/") && line.contains("pids")).map(str::to_owned).collect()
}
