//! Compiling modules in a sandbox that ends with the answer. As for a list of endpoints, the server makes it.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::Policy;

use super::{LocalRuntime, minimal_environment};
use crate::confined::Job;
use crate::environment::Environment;
use crate::runtime::RuntimeError;

const COMPILER: &str = include_str!("../../../runner/compiler.py");
/// The user id of the host that such a sandbox has, below those of previews.
const IDENTITY: u32 = 1_999_999_997;
/// Nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 32 << 20;
const MAX_SAID: usize = 16 * 1024;
/// At once, on the whole server: nobody waits for it, and it leaves the processors to others.
pub(super) const AT_ONCE: usize = 1;

impl LocalRuntime {
    pub(super) async fn compile_code(
        &self,
        environment: &Environment,
        modules: &BTreeMap<String, Vec<u8>>,
    ) -> Result<BTreeMap<String, Vec<u8>>, RuntimeError> {
        let Some(confiner) = self.settings.confiner.clone() else { return Ok(BTreeMap::new()) };
        let asking = confiner.clone();
        let layers = tokio::task::spawn_blocking(move || asking.layers()).await.map_err(failed)?;
        // Strangers' source is read nowhere else.
        if !layers.is_some_and(|layers| layers.namespaces) {
            return Ok(BTreeMap::new());
        }
        let _turn = self.compiling.acquire().await.map_err(failed)?;
        let input: BTreeMap<_, _> =
            modules.iter().map(|(path, text)| (path, STANDARD.encode(text))).collect();
        let input = serde_json::to_vec(&input).map_err(failed)?;
        let finished = confiner.run(self.compiling(environment, input)).await.map_err(failed)?;
        if !finished.status.is_some_and(|status| status.success()) {
            return Err(failed(String::from_utf8_lossy(&finished.stderr)));
        }
        let made: BTreeMap<String, String> = serde_json::from_slice(&finished.stdout).map_err(failed)?;
        let made = made.into_iter().filter(|(path, _)| modules.contains_key(path));
        made.map(|(path, text)| STANDARD.decode(text).map(|bytes| (path, bytes)).map_err(failed)).collect()
    }

    fn compiling(&self, environment: &Environment, input: Vec<u8>) -> Job {
        let mut command = Command::new(&environment.python);
        command.args(["-I", "-S", "-X", "utf8", "-c", COMPILER]).env_clear().envs(minimal_environment());
        let mut policy = Policy::new(crate::keeper::bounds(&self.settings.limits));
        policy.identity = sandbox::is_privileged().then_some(IDENTITY);
        policy.read_only = vec![self.settings.python_prefix.clone()];
        policy.ahead = true;
        Job { command, input, policy, patience: PATIENCE, max_stdout: MAX_ANSWER, max_stderr: MAX_SAID }
    }
}

fn failed(error: impl std::fmt::Display) -> RuntimeError {
    RuntimeError::Failed(error.to_string())
}
