//! Python environments: made by a real installer, shared by all whose packages are the same, complete or absent.

mod entry;
mod pyproject;
mod requirements;

pub use requirements::{Requirements, RequirementsError};
