//! Asking an application what it offers without serving it: imported in a sandbox, where its environment is there.

use super::Previews;
use super::launch::variables;
use crate::environment::Environment;
use crate::error::Result;
use crate::generation::Plan;
use crate::runtime::{Describe, Undescribed};
use crate::store::Generation;

impl Previews {
    /// What the generation's application says of itself when it is imported, as the runner writes it.
    ///
    /// # Errors
    /// The store's failure; inside, why the application could not be asked.
    pub async fn describe(
        &self,
        generation: &Generation,
        plan: &Plan,
        environment: &Environment,
    ) -> Result<Result<Vec<u8>, Undescribed>> {
        let files = self.host.store.contents(&generation.id).await?;
        let variables = variables(plan, &self.host.config, 0);
        let describe = Describe {
            files: &files,
            environment,
            entrypoint: &plan.entrypoint,
            factory: plan.factory,
            variables,
        };
        Ok(self.host.runtime.describe(describe).await)
    }
}
