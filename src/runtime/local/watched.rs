//! What the keeper tells of previews without being asked, for whoever asks then.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};

use super::LocalRuntime;
use crate::id::PreviewId;
use crate::keeper::{self, Client, ClientError, Layout, protocol};
use crate::runtime::Exit;

/// What serve knows of one preview from the keeper's messages.
#[derive(Debug)]
pub(super) struct Watched {
    /// Changes with each announcement of new output; what the disk did not take of it.
    pub output: watch::Sender<Option<Arc<File>>>,
    /// How the starts ended.
    pub exits: watch::Sender<BTreeMap<u32, Exit>>,
}

impl Default for Watched {
    fn default() -> Self {
        Self { output: watch::Sender::new(None), exits: watch::Sender::new(BTreeMap::new()) }
    }
}

pub(super) type WatchedMap = Arc<Mutex<HashMap<String, Watched>>>;

/// Connects to the keeper, and takes down what it tells from then on.
pub(super) async fn connect(layout: &Layout, watched: &WatchedMap) -> Result<Arc<Client>, ClientError> {
    let (client, events) = Client::connect_or_start(layout).await?;
    tokio::spawn(dispatch(events, Arc::clone(watched)));
    Ok(client)
}

/// Hands the keeper's messages to whom they concern. When it is gone, everything that ran is lost.
async fn dispatch(mut events: mpsc::UnboundedReceiver<keeper::Event>, watched: WatchedMap) {
    while let Some(event) = events.recv().await {
        let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            keeper::Event::Output { preview, memory } => {
                watched.get(&preview).inspect(|w| drop(w.output.send_replace(memory.map(Arc::new))));
            }
            keeper::Event::Exited { preview, slot, exit } => {
                let tell = |exits: &mut BTreeMap<u32, Exit>| {
                    exits.insert(slot, exit);
                };
                watched.get(&preview).inspect(|w| w.exits.send_modify(tell));
            }
        }
    }
    // Dropping the senders wakes everybody who waits for a message that cannot come.
    watched.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

impl LocalRuntime {
    /// Begins to take down what the keeper tells about a preview.
    pub(super) fn watch(&self, id: &PreviewId) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.entry(id.to_string()).or_default();
    }

    /// What was taken down; `None` once the keeper that held it is gone.
    pub(super) fn watched<T>(&self, id: &PreviewId, read: impl FnOnce(&Watched) -> T) -> Option<T> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.get(id.as_str()).map(read)
    }

    /// What happened while no serve was there to be told.
    pub(super) fn remember(&self, kept: &protocol::Kept, memory: Option<OwnedFd>) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = watched.entry(kept.preview.clone()).or_default();
        if let Some(memory) = memory {
            watched.output.send_replace(Some(Arc::new(File::from(memory))));
        }
        watched.exits.send_modify(|exits| {
            exits.extend(kept.slots.iter().filter_map(|(slot, exit)| Some((*slot, (*exit)?))));
        });
    }
}
