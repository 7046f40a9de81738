//! Asking an application what it offers without serving it: imported in a sandbox, where its environment is there.

use super::Previews;
use super::launch::variables;
use crate::environment::Environment;
use crate::error::Result;
use crate::runtime::{Describe, Undescribed};
use crate::store::Generation;

impl Previews {
    /// What the generation's application says of itself when it is imported, as the runner writes it.
    ///
    /// # Errors
    /// The store's failure, or that there is no plan; inside, why the application could not be asked.
    pub async fn describe(
        &self,
        generation: &Generation,
        environment: &Environment,
    ) -> Result<Result<Vec<u8>, Undescribed>> {
        let project = self.project(generation).await?;
        let plan = match project.plan {
            Ok(plan) => plan,
            Err(failure) => return Ok(Err(Undescribed::Failed(failure.message))),
        };
        let variables = variables(&plan, &self.host.config, 0);
        let describe = Describe {
            files: &project.files,
            environment,
            entrypoint: &plan.entrypoint,
            factory: plan.factory,
            variables,
        };
        Ok(self.host.runtime.describe(describe).await)
    }
}
