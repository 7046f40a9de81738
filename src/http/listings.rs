//! Endpoint listings that were made before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::endpoints::Listing;
use crate::error::Result;
use crate::id::{GenerationId, PreviewId};

/// Listings that are kept; beyond it all are forgotten and made again when they are asked for.
const MANY: usize = 256;

/// The code that a listing is of: a revision's files, or one start of a preview.
type Key = (GenerationId, i64, Option<PreviewId>, Option<u32>);

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
