//! A PostgreSQL of our own, started for the tests that want one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Address of an empty database. Its script ends it when this process closes the pipe, by ending.
pub fn new_database() -> String {
    static SCRIPTS: Mutex<Vec<Child>> = Mutex::new(Vec::new());
    let directory = std::env::temp_dir().join(super::unique("previewd-postgres"));
    std::fs::create_dir(&directory).unwrap();
    let mut script = Command::new("sh")
        .args(["-c", include_str!("../../../src/store/tests/cluster.sh"), "cluster.sh"])
        .arg(&directory)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&directory, &mut script);
    SCRIPTS.lock().unwrap().push(script);
    format!("postgres://previewd@localhost/postgres?host={}", directory.display())
}

fn wait_for(directory: &Path, script: &mut Child) {
    let deadline = Instant::now() + PATIENCE;
    let log = || std::fs::read_to_string(directory.join("log")).unwrap_or_default();
    while !log().contains("database system is ready to accept connections") {
        if let Some(status) = script.try_wait().unwrap() {
            panic!("PostgreSQL did not start ({status}); the tests need it: apt-get install -y postgresql");
        }
        assert!(Instant::now() < deadline, "PostgreSQL did not start in {PATIENCE:?}: {}", log());
        std::thread::sleep(Duration::from_millis(20));
    }
}
