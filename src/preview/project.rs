//! What is to be launched: a generation's files as they are now, and how they are served.

use std::collections::BTreeMap;

use super::Previews;
use crate::error::{Error, LaunchFailure, Result};
use crate::generation::{self, Plan};
use crate::id::GenerationId;
use crate::store::Generation;

/// A generation that can be launched, or that is known to fail.
#[derive(Debug)]
pub(super) struct Project {
    /// Its files.
    pub files: BTreeMap<String, Vec<u8>>,
    /// How they are served. A project that can never be launched as it is makes a launch that fails, told as one.
    pub plan: Result<Plan, LaunchFailure>,
}

impl Previews {
    /// Reads a generation's files and decides how they are served.
    ///
    /// # Errors
    /// `invalid_generation` if there is nothing to serve, or the store's failure.
    pub(super) async fn project(&self, generation: &Generation) -> Result<Project> {
        let files = self.host.store.contents(&generation.id).await?;
        let named = generation.entrypoint.clone();
        // Reading a large project takes longer than other tasks of this thread should wait.
        let read = tokio::task::spawn_blocking(move || {
            let plan = generation::plan(&files, named.as_deref());
            (files, plan)
        });
        let (files, plan) = read.await.map_err(Error::internal)?;
        match plan {
            Ok(plan) => Ok(Project { files, plan: Ok(plan) }),
            Err(Error::LaunchFailed(failure)) => Ok(Project { files, plan: Err(*failure) }),
            Err(other) => Err(other),
        }
    }

    /// As [`Self::project`], for a generation that is known by its id.
    pub(super) async fn project_of(&self, id: &GenerationId) -> Result<Project> {
        let generation = self.host.store.generation(id).await?.ok_or(Error::GenerationNotFound)?;
        self.project(&generation).await
    }
}
