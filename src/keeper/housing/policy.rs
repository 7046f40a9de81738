//! What a sandbox of a preview allows.

use std::path::PathBuf;

use sandbox::{Limits, Network, Policy, Role};

use crate::keeper::forker::Forker;
use crate::keeper::protocol::Warm;

/// Name under which a sandbox's directory for the database is mounted.
const DATA: &str = "data";
/// The database in it, as the code sees it.
const DATABASE: &str = "preview.db";

/// A preview's limits, as a sandbox takes them: in bytes.
pub fn bounds(limits: &crate::config::Limits) -> Limits {
    Limits {
        memory: limits.memory_mb << 20,
        tasks: limits.tasks,
        open_files: limits.open_files,
        disk: limits.disk_mb << 20,
        cpu: limits.cpu,
    }
}

/// What holds for every preview of one environment and user, with its database in a directory of the host, and its packages in the place
/// of others if it is forked by who has imported those.
pub(super) fn policy(warm: &Warm, database: PathBuf, instead_of: Option<&[PathBuf]>) -> Policy {
    let mut policy = Policy::new(bounds(&warm.limits));
    policy.role = Role::Program;
    policy.network = if warm.egress { Network::Host } else { Network::None };
    (policy.read_only, policy.exchanged) = Forker::shown(warm, instead_of);
    policy.kept =
        vec![sandbox::Kept { source: database, name: DATA.to_owned(), links: vec![DATABASE.to_owned()] }];
    policy
}
