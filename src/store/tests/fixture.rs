use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use sqlx::{AnyPool, AssertSqlSafe};

use crate::id::random_hex;
use crate::store::Store;

/// A store of its own for one test; a SQLite file goes with it.
pub struct Fixture {
    pub store: Store,
    pub url: String,
    directory: Option<PathBuf>,
}

impl Fixture {
    pub async fn sqlite() -> Self {
        let directory = std::env::temp_dir().join(format!("previewd-store-{}", random_hex::<8>().unwrap()));
        let url = format!("sqlite://{}/made/previewd.db", directory.display());
        Self { store: Store::open(&url).await.unwrap(), url, directory: Some(directory) }
    }

    pub async fn postgres() -> Self {
        let url = new_database().await;
        Self { store: Store::open(&url).await.unwrap(), url, directory: None }
    }

    /// Another connection to the same data, for what the store would not do.
    pub fn raw(&self) -> &AnyPool {
        &self.store.writers
    }

    /// Address of another database of the same kind, with nothing in it.
    pub async fn empty(&self) -> String {
        match &self.directory {
            Some(directory) => {
                format!("sqlite://{}/{}.db", directory.display(), random_hex::<8>().unwrap())
            }
            None => new_database().await,
        }
    }

    pub fn sqlite_file(&self) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join("made/previewd.db"))
    }

    pub async fn count(&self, table: &'static str) -> i64 {
        let statement = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        sqlx::query_scalar(statement).fetch_one(self.raw()).await.unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// Address of an empty database, in the cluster that the tests of this process share.
pub async fn new_database() -> String {
    static CLUSTER: OnceLock<PathBuf> = OnceLock::new();
    let directory = tokio::task::spawn_blocking(|| CLUSTER.get_or_init(start_cluster).clone()).await.unwrap();
    sqlx::any::install_default_drivers();
    let name = format!("test_{}", random_hex::<8>().unwrap());
    let admin = AnyPool::connect(&address(&directory, "postgres")).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
    admin.close().await;
    address(&directory, &name)
}

fn address(directory: &Path, database: &str) -> String {
    format!("postgres://previewd@localhost/{database}?host={}", directory.display())
}

/// Its script ends it when this process closes the pipe, by ending.
fn start_cluster() -> PathBuf {
    static SCRIPT: Mutex<Option<Child>> = Mutex::new(None);
    let directory = std::env::temp_dir().join(format!("previewd-postgres-{}", random_hex::<4>().unwrap()));
    std::fs::create_dir(&directory).unwrap();
    let mut script = Command::new("sh")
        .args(["-c", include_str!("cluster.sh"), "cluster.sh"])
        .arg(&directory)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while std::os::unix::net::UnixStream::connect(directory.join(".s.PGSQL.5432")).is_err() {
        match script.try_wait().unwrap().map(|status| status.code()) {
            Some(Some(3)) => panic!(
                "The store's tests need PostgreSQL's `initdb` and `postgres`: apt-get install -y postgresql"
            ),
            Some(code) => panic!("PostgreSQL did not start (exit {code:?}); its log is above"),
            None => assert!(Instant::now() < deadline, "PostgreSQL did not start within 60 s"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    *SCRIPT.lock().unwrap() = Some(script);
    directory
}
