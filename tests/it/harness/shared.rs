//! What clients know of a server, and what they did there.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::PATIENCE;

/// Clients hold it, and the server itself.
#[derive(Debug)]
pub struct Shared {
    root: PathBuf,
    address: Mutex<Option<SocketAddr>>,
    pub client: reqwest::Client,
    /// Every preview that an answer named.
    previews: Mutex<BTreeSet<String>>,
    /// Every generation that was uploaded, with the token of its owner.
    pub generations: Mutex<Vec<(String, String)>>,
}

impl Shared {
    /// Of a server below this directory, before it is started.
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            address: Mutex::default(),
            client: client(),
            previews: Mutex::default(),
            generations: Mutex::default(),
        }
    }

    /// For others who call the same server: with connections and previews of their own.
    pub fn beside(&self) -> Self {
        let other = Self::new(self.root.clone());
        other.answers_at(self.address());
        other
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The server's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.root.join("data")
    }

    pub fn address(&self) -> SocketAddr {
        self.address.lock().unwrap().expect("a server that runs")
    }

    /// Takes down where it listens now.
    pub fn answers_at(&self, address: SocketAddr) {
        *self.address.lock().unwrap() = Some(address);
    }

    /// Takes down that there is such a preview.
    pub fn saw(&self, preview: &str) {
        self.previews.lock().unwrap().insert(preview.to_owned());
    }

    pub fn previews(&self) -> BTreeSet<String> {
        self.previews.lock().unwrap().clone()
    }

    /// Stops what runs of every generation that was uploaded.
    pub fn delete_previews(&self) {
        for (generation, token) in &*self.generations.lock().unwrap() {
            self.delete_preview(generation, token);
        }
    }

    fn delete_preview(&self, generation: &str, token: &str) {
        let Ok(mut stream) = TcpStream::connect(self.address()) else { return };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "DELETE /api/generations/{generation}/preview HTTP/1.1\r\nHost: previewd\r\n\
             Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        let mut answer = String::new();
        // Nothing runs any more, or it is stopped now; what is left shows in either case.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
    }
}

fn client() -> reqwest::Client {
    // A launch may have to install packages first.
    let patience = PATIENCE * 4;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(patience);
    // A server closes a connection that was idle for 30 seconds. A test that computed for so long has not seen it.
    client.pool_idle_timeout(PATIENCE / 2).build().unwrap()
}
