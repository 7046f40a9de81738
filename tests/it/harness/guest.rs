//! One server for tests that only call it, beside each other as its users do. Whoever stops it, counts what runs or wants other
//! settings has a [`Server`] of his own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use tokio::sync::Mutex;

use super::shared::Shared;
use super::{Server, User};

/// The server that guests have now. It ends with the last of them, and the next one starts another.
static HOST: Mutex<Weak<Host>> = Mutex::const_new(Weak::new());

struct Host {
    server: Server,
    /// Of the user that all guests are: what was started for one of them helps the next.
    token: String,
}

impl Host {
    async fn start() -> Self {
        let server = Server::with(&[("MAX_INSTANCES_PER_USER", "100")]).await;
        let token = server.user("ana").token;
        Self { server, token }
    }
}

/// A test on a server that others have, too. What it launched is stopped when it leaves.
pub struct Guest {
    /// What this test made there, and its own connections.
    shared: Arc<Shared>,
    host: Arc<Host>,
}

impl Guest {
    pub async fn arrive() -> Self {
        let mut host = HOST.lock().await;
        let running = match host.upgrade() {
            Some(running) => running,
            None => Arc::new(Host::start().await),
        };
        *host = Arc::downgrade(&running);
        Self { shared: Arc::new(running.server.shared().beside()), host: running }
    }

    pub fn user(&self) -> User {
        self.with_token(&self.host.token)
    }

    /// Whoever has this token.
    pub fn with_token(&self, token: &str) -> User {
        User::new(Arc::clone(&self.shared), token)
    }

    pub fn address(&self) -> SocketAddr {
        self.shared.address()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.host.server.data_dir()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the log of the server that it had with others\n{}", self.host.server.log());
        }
        self.shared.delete_previews();
        self.shared.previews().iter().for_each(|preview| self.host.server.shared().saw(preview));
    }
}
