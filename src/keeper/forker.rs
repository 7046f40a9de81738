//! What forks for a preview: the zygote of its environment, or while there is none that of another environment which has imported the same.

use std::path::PathBuf;
use std::rc::Rc;

use super::identity::Block;
use super::protocol::Warm;
use super::zygote::Zygote;

/// A zygote, and what its forks are to be given.
#[derive(Debug)]
pub struct Forker {
    /// Of the zygote.
    pub key: String,
    /// The zygote.
    pub zygote: Rc<Zygote>,
    /// The user ids that its forks may have, where the keeper may give any.
    pub block: Option<Rc<Block>>,
    /// Where the zygote has imported from, if that is another environment: there the fork is shown its own.
    pub instead_of: Option<Vec<PathBuf>>,
}

impl Forker {
    /// Directories that a fork sees, as a sandbox's policy has them: those at their own place, and those at another.
    pub fn shown(warm: &Warm, instead_of: Option<&[PathBuf]>) -> (Vec<PathBuf>, Vec<(PathBuf, PathBuf)>) {
        let Some(others) = instead_of else { return (warm.visible.clone(), Vec::new()) };
        let rest = warm.visible.iter().filter(|directory| !warm.packages.contains(directory));
        (rest.cloned().collect(), warm.packages.iter().cloned().zip(others.iter().cloned()).collect())
    }
}
