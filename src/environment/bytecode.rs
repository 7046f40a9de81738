//! Bytecode for an environment, written when nobody waits for it.

use std::io;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, setpriority_process};

use super::{Environment, tool};

/// The lowest priority.
const NICE: i32 = 19;

/// Compiles all modules at the lowest priority. Environments do not change, so the bytecode is not checked
/// against its source when it is imported.
pub(super) async fn compile(environment: &Environment, home: &Path) -> io::Result<()> {
    let mut command = tool::command(&environment.python, home);
    command.args(["-I", "-S", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]);
    let mut child = command
        .arg(&environment.site_packages)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        setpriority_process(Some(pid), NICE)?;
    }
    // Its status tells of files that are no Python of this version, which some packages have.
    child.wait().await.map(drop)
}
