//! Importing an application in a sandbox that ends with the answer. The server makes it, not the keeper: nobody
//! needs it when the server is gone.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sandbox::{Network, Policy};
use serde_json::json;

use super::{LocalRuntime, minimal_environment, workspace};
use crate::confined::{Finished, Job};
use crate::id::PreviewId;
use crate::runtime::{Describe, Runtime as _, RuntimeError, Undescribed};

/// The user id of the host that such a sandbox has, below those of previews.
const IDENTITY: u32 = 1_999_999_998;
/// How long an import may take at most: as long as somebody waits for a list.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
const MAX_SAID: usize = 16 * 1024;
/// At once, on the whole server: an import takes a processor.
pub(super) const AT_ONCE: usize = 2;

/// The files of one import, removed when it is over or given up.
struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "the files of an import are left");
        }
    }
}

impl LocalRuntime {
    pub(super) async fn describe_code(&self, describe: Describe<'_>) -> Result<Vec<u8>, Undescribed> {
        let confiner = self.settings.confiner.as_ref().ok_or(Undescribed::NotIsolated)?.clone();
        let _turn = self.describing.acquire().await.map_err(|_| Undescribed::TooLate)?;
        let asking = confiner.clone();
        let complete = tokio::task::spawn_blocking(move || asking.is_complete()).await;
        if !complete.unwrap_or(false) {
            return Err(Undescribed::NotIsolated);
        }
        // Named like a preview's, so that those of a killed server are found and removed as theirs are.
        let id = PreviewId::random().map_err(host)?;
        let _files = Files(self.workspaces.of(&id));
        let written = self.workspaces.write(&id, 0, describe.files.clone(), None).await.map_err(host)?;
        let finished = confiner.run(self.job(&describe, written)).await.map_err(host)?;
        answer(finished, |text| self.places(&id).hide(text).into_owned())
    }

    fn job(&self, describe: &Describe<'_>, written: workspace::Workspace) -> Job {
        let [runner, ..] = self.workspaces.programs();
        let mut command = Command::new(&describe.environment.python);
        command.args(["-I", "-S", "-u", "-X", "utf8"]).arg(runner).arg("describe");
        command.env_clear().envs(minimal_environment());
        let (module, attribute) = describe.entrypoint.split_once(':').unwrap_or((describe.entrypoint, "app"));
        let spec = json!({
            "paths": [describe.environment.site_packages], "module": module, "attribute": attribute,
            "factory": describe.factory, "env": describe.variables, "dir": sandbox::WORK_DIR,
        });
        let mut policy = Policy::new(crate::keeper::bounds(&self.settings.limits));
        policy.identity = sandbox::is_privileged().then_some(IDENTITY);
        policy.network = Network::None;
        policy.read_only =
            vec![describe.environment.site_packages.clone(), self.settings.python_prefix.clone()];
        policy.read_only.extend(runner.parent().map(ToOwned::to_owned));
        policy.files = Some(written.files);
        Job {
            command,
            input: spec.to_string().into_bytes(),
            policy,
            patience: self.settings.launch_timeout.min(PATIENCE),
            // One more than is read shows that there is more.
            max_stdout: MAX_ANSWER + 1,
            max_stderr: MAX_SAID,
        }
    }
}

fn answer(finished: Finished, hide: impl Fn(&str) -> String) -> Result<Vec<u8>, Undescribed> {
    let Some(status) = finished.status else { return Err(Undescribed::TooLate) };
    if finished.stdout.len() > MAX_ANSWER {
        return Err(Undescribed::TooLarge);
    }
    if status.success() && !finished.stdout.is_empty() {
        return Ok(finished.stdout);
    }
    let said = String::from_utf8_lossy(&finished.stderr);
    let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let last = last.unwrap_or("it ended without a word").chars().take(200).collect::<String>();
    Err(Undescribed::Failed(hide(&last)))
}

fn host(error: impl std::fmt::Display) -> Undescribed {
    Undescribed::Host(RuntimeError::Failed(error.to_string()))
}
