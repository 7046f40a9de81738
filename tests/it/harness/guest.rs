//! One server for tests that only call it, beside each other as its users do. Whoever stops it, counts what runs or wants other
//! settings has a [`Server`] of his own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::shared::Shared;
use super::{Server, User};

/// The server of all guests, started for the first of them.
static HOST: Mutex<Option<Arc<Host>>> = Mutex::new(None);

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

/// Ends it in order, when the tests are over: it is looked at then for what they left, as any other server. A failure aborts.
extern "C" fn end() {
    drop(host().take());
}

fn host() -> MutexGuard<'static, Option<Arc<Host>>> {
    HOST.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guest {
    pub async fn arrive() -> Self {
        static STARTED: OnceCell<()> = OnceCell::const_new();
        let start = async || {
            let started = Host::start().await;
            *host() = Some(Arc::new(started));
            // SAFETY: what it calls needs nothing that is gone when a process exits.
            assert_eq!(unsafe { libc::atexit(end) }, 0);
        };
        STARTED.get_or_init(|| Box::pin(start())).await;
        let host = host().clone().expect("a server, until the process exits");
        Self { shared: Arc::new(host.server.shared().beside()), host }
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
