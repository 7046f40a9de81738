//! The reference: `uvicorn app.main:app` alone, in the environment that previewd made.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use previewd::environment::Interpreter;
use reqwest::Client;
use tokio::process::{Child, ChildStdout, Command};

use crate::Outcome;

/// Between two tries to reach it: often enough to see when it serves.
pub const SHORT: Duration = Duration::from_millis(5);
/// As often as who does nothing about it.
pub const LONG: Duration = Duration::from_secs(1);
/// Until the first answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How to start it.
pub struct Plain {
    python: PathBuf,
    site_packages: PathBuf,
    client: Client,
}

/// One that serves.
pub struct Serving {
    child: Child,
    pub address: String,
    directory: PathBuf,
}

impl Plain {
    /// With the environment that a server made for these requirements, which must be installed already.
    pub async fn new(data_dir: &Path, package: &str, client: Client) -> Outcome<Self> {
        let python = Interpreter::find(None).await.map_err(|error| error.to_string())?.executable;
        for environment in std::fs::read_dir(data_dir.join("environments/ready"))? {
            let site_packages = environment?.path().join("site-packages");
            if site_packages.join(package).exists() {
                return Ok(Self { python, site_packages, client });
            }
        }
        Err(format!("no environment has {package}").into())
    }

    /// Starts it on a fresh copy of the files and returns at its first answer, asked for at once and then after each `poll`.
    pub async fn start(&self, files: &[(String, String)], poll: Duration) -> Outcome<Serving> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let directory = std::env::temp_dir().join(format!("previewd-bench-plain-{port}"));
        for (path, content) in files {
            let path = directory.join(path);
            std::fs::create_dir_all(path.parent().ok_or("no parent")?)?;
            std::fs::write(path, content)?;
        }
        let child = Command::new(&self.python)
            .args(["-m", "uvicorn", "app.main:app", "--port", &port.to_string()])
            .env("PYTHONPATH", &self.site_packages)
            .env("PYTHONUNBUFFERED", "1")
            .env("DATABASE_URL", "sqlite:///./preview.db")
            .current_dir(&directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let serving = Serving { child, address: format!("http://127.0.0.1:{port}"), directory };
        let health = format!("{}/health", serving.address);
        let answered = async {
            while self.client.get(&health).send().await.is_err() {
                tokio::time::sleep(poll).await;
            }
        };
        tokio::time::timeout(PATIENCE, answered).await?;
        Ok(serving)
    }
}

impl Serving {
    /// What it prints.
    pub fn stdout(&mut self) -> Outcome<ChildStdout> {
        self.child.stdout.take().ok_or_else(|| "its output is taken".into())
    }

    /// Its process.
    pub fn pid(&self) -> Option<i32> {
        self.child.id().and_then(|pid| i32::try_from(pid).ok())
    }

    /// What it occupies.
    pub fn resident_mb(&self) -> Outcome<f64> {
        crate::server::resident_mb(self.child.id().ok_or("it has ended")?)
    }

    /// Asks it to end and returns when it has.
    pub async fn stop(mut self) -> Outcome<()> {
        let pid = i32::try_from(self.child.id().ok_or("it has ended")?)?;
        if let Some(pid) = rustix::process::Pid::from_raw(pid) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        self.child.wait().await?;
        Ok(std::fs::remove_dir_all(&self.directory)?)
    }
}
