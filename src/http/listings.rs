//! Endpoint listings that were made before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::endpoints::Listing;
use crate::error::Result;
use crate::id::{GenerationId, PreviewId};
use crate::store::Generation;

/// Listings that are kept; beyond it all are forgotten and made again when they are asked for.
const MANY: usize = 256;

/// The code that a listing is of.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    generation: GenerationId,
    revision: i64,
    of: Of,
}

/// How it was come by.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Of {
    /// The files were read.
    Source,
    /// One start of a preview was asked.
    Start(PreviewId, u32),
    /// It was imported with this environment.
    Import(String),
}

impl Key {
    pub fn new(generation: &Generation, of: Of) -> Self {
        Self { generation: generation.id.clone(), revision: generation.revision, of }
    }
}

/// What was made, and what is being made: many who ask at once wait for one.
#[derive(Debug, Default)]
pub(super) struct Listings {
    made: Mutex<HashMap<Key, Arc<OnceCell<Arc<Listing>>>>>,
}

impl Listings {
    /// The listing of that key.
    pub async fn get(&self, key: Key, make: impl Future<Output = Result<Listing>>) -> Result<Arc<Listing>> {
        let cell = {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            if made.len() >= MANY && !made.contains_key(&key) {
                made.clear();
            }
            Arc::clone(made.entry(key).or_default())
        };
        cell.get_or_try_init(|| async { make.await.map(Arc::new) }).await.map(Arc::clone)
    }
}
