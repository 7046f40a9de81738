//! The landlock ruleset: a second fence around what the mount namespace already shows, and the
//! first one where there are no namespaces.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, Scope,
};

use crate::error::{Error, Result};

/// The newest rules that are asked for; older kernels enforce what they know of them.
const NEWEST: ABI = ABI::V6;

/// Which paths are open, and how.
pub(crate) struct Rules<'a> {
    pub(crate) readable: &'a [PathBuf],
    pub(crate) writable: &'a [PathBuf],
    /// Where names may be listed.
    pub(crate) listable: &'a [PathBuf],
    /// Whether TCP ports may be bound.
    pub(crate) bind_tcp: bool,
}

/// Makes a ruleset; `None` where the kernel has no landlock.
pub(crate) fn ruleset(rules: &Rules<'_>) -> Result<Option<OwnedFd>> {
    build(rules).map(Into::into).map_err(|error| Error::Helper(format!("make a landlock ruleset: {error}")))
}

fn build(rules: &Rules<'_>) -> Result<RulesetCreated, landlock::RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    if !rules.bind_tcp {
        ruleset = ruleset.handle_access(AccessNet::BindTcp)?;
    }
    let mut created = ruleset.create()?;
    for path in rules.readable {
        created = allow(created, path, AccessFs::from_read(NEWEST))?;
    }
    for path in rules.listable {
        created = allow(created, path, AccessFs::ReadDir)?;
    }
    for path in rules.writable {
        created = allow(created, path, AccessFs::from_all(NEWEST))?;
    }
    for device in ["/dev/null", "/dev/zero", "/dev/full"] {
        created = allow(created, Path::new(device), AccessFs::ReadFile | AccessFs::WriteFile)?;
    }
    Ok(created)
}

/// What does not exist needs no rule.
fn allow(
    created: RulesetCreated,
    path: &Path,
    access: impl Into<BitFlags<AccessFs>>,
) -> Result<RulesetCreated, landlock::RulesetError> {
    match PathFd::new(path) {
        Ok(fd) => created.add_rule(PathBeneath::new(fd, access)),
        Err(_) => Ok(created),
    }
}
