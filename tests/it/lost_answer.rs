//! PostgreSQL does what it is asked, and the connection breaks before it has said so.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::harness::{Server, asgi, eventually, postgres_database, unique};

const SOCKET: &str = ".s.PGSQL.5432";

/// Stands between a server and its PostgreSQL.
struct Between {
    directory: PathBuf,
    /// The answer to the next COMMIT gets lost, with its connection.
    armed: Arc<AtomicBool>,
}

impl Between {
    fn before(database: &Path) -> Self {
        let directory = std::env::temp_dir().join(unique("previewd-between"));
        std::fs::create_dir(&directory).unwrap();
        let listener = UnixListener::bind(directory.join(SOCKET)).unwrap();
        let (socket, armed) = (database.join(SOCKET), Arc::<AtomicBool>::default());
        let between = Self { directory, armed: Arc::clone(&armed) };
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), UnixStream::connect(&socket).unwrap());
                let cut = Arc::<AtomicBool>::default();
                let (back, is_cut) =
                    ((server.try_clone().unwrap(), client.try_clone().unwrap()), Arc::clone(&cut));
                std::thread::spawn(move || pass(back.0, back.1, |_| is_cut.load(Ordering::SeqCst)));
                let armed = Arc::clone(&armed);
                std::thread::spawn(move || {
                    pass(client, server, |bytes| {
                        let is_commit = bytes.windows(6).any(|word| word == b"COMMIT");
                        if is_commit && armed.swap(false, Ordering::SeqCst) {
                            cut.store(true, Ordering::SeqCst);
                        }
                        false
                    });
                });
            }
        });
        between
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// From one to the other, until either has no more or something comes that is to get lost.
fn pass(mut from: UnixStream, mut to: UnixStream, gets_lost: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if gets_lost(&buffer[..count]) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

#[tokio::test]
async fn a_launch_that_nobody_knows_of_makes_room_for_the_next() {
    let url = postgres_database();
    let (address, directory) = url.rsplit_once("?host=").unwrap();
    let between = Between::before(Path::new(directory));
    let through = format!("{address}?host={}", between.directory.display());
    let server = Server::with(&[("STORE_URL", &through)]).await;
    let app = server.user("ana").upload(&asgi("")).await;
    between.armed.store(true, Ordering::SeqCst);
    app.try_launch(&json!({})).await.error(503, "store_unavailable");
    assert!(!between.armed.load(Ordering::SeqCst));
    let launched = async || {
        let answer = app.try_launch(&json!({})).await;
        if answer.status == 200 {
            return Some(());
        }
        // The store has the first all the same, for a while.
        answer.error(409, "preview_already_running");
        None
    };
    eventually("a launch", launched).await;
    app.stop().await.expect(200);
}
