//! The built binary, and what callers do with it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use previewd::id::random_hex;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Outcome;
use crate::processes::keeper_of;

/// The first port of previews: not those of a server that somebody uses meanwhile.
const PORTS: u16 = 4600;
/// How many each server has.
const SIZE: u16 = 120;
/// For a keeper to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server with a data directory of its own.
pub struct Server {
    child: Child,
    address: String,
    token: String,
    project: String,
    pub data_dir: PathBuf,
    pub client: Client,
}

/// Where a preview serves.
pub struct Preview {
    pub id: String,
    pub base_url: String,
    pub token: String,
    /// What of the launch went into files, sandbox and process.
    pub start: Duration,
}

/// What is measured: the binary of `make release`, where the environment names it, else the one that cargo has just built.
fn binary() -> PathBuf {
    std::env::var_os("BENCH_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_previewd").into(), PathBuf::from)
}

impl Server {
    /// Starts it with these settings, named without `PREVIEW_`, and signs in. `number` tells it from others at the same time.
    pub async fn start(number: u16, settings: &[(&str, &str)]) -> Outcome<Self> {
        let first = PORTS + number * SIZE;
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| (format!("PREVIEW_{name}"), (*value).to_owned())).collect();
        let data_dir = std::env::temp_dir().join(format!("previewd-bench-{}", random_hex::<6>()?));
        let mut child = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(["--port-min", &first.to_string(), "--port-max", &(first + SIZE - 1).to_string()])
            .args(["--max-instances-per-user", &SIZE.to_string()])
            .envs(settings)
            .env("PREVIEW_DATA_DIR", &data_dir)
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let line = BufReader::new(stdout).lines().next_line().await?.ok_or("serve did not start")?;
        let address = line.strip_prefix("listening on ").ok_or("serve said something else")?.to_owned();
        let token = Command::new(binary())
            .args(["token", "--user", "bench", "--tier", "pro"])
            .env("PREVIEW_DATA_DIR", &data_dir)
            .output()
            .await?;
        let token = String::from_utf8(token.stdout)?.trim().to_owned();
        let client = Client::builder().timeout(Duration::from_secs(300)).build()?;
        let mut server = Self { child, address, token, project: String::new(), data_dir, client };
        let project = server.answer(Method::POST, "/api/projects", Some(json!({"name": "bench"}))).await?;
        server.project = text(&project, "projectId")?;
        Ok(server)
    }

    /// Uploads files by path and gives the generation's id.
    pub async fn upload(&self, files: &[(String, String)]) -> Outcome<String> {
        let files: serde_json::Map<_, _> =
            files.iter().map(|(path, content)| (path.clone(), content.as_str().into())).collect();
        let path = format!("/api/projects/{}/generations", self.project);
        text(&self.answer(Method::POST, &path, Some(json!({ "files": files }))).await?, "generationId")
    }

    /// Launches a generation and returns when it serves.
    pub async fn launch(&self, generation: &str) -> Outcome<Preview> {
        let path = format!("/api/generations/{generation}/preview/launch");
        let answer = self.answer(Method::POST, &path, Some(json!({}))).await?;
        let (base_url, token) = (text(&answer, "baseUrl")?, text(&answer, "previewToken")?);
        let start = answer["phases"]["start"].as_u64().ok_or("the launch has no phases")?;
        let id = text(&answer, "previewInstanceId")?;
        Ok(Preview { id, base_url, token, start: Duration::from_millis(start) })
    }

    /// Stops the preview of a generation.
    pub async fn stop(&self, generation: &str) -> Outcome<()> {
        self.answer(Method::DELETE, &format!("/api/generations/{generation}/preview"), None).await.map(drop)
    }

    /// A request to the API, signed in.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.address)).bearer_auth(&self.token)
    }

    async fn answer(&self, method: Method, path: &str, body: Option<Value>) -> Outcome<Value> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let (status, text) = (response.status(), response.text().await?);
        if !status.is_success() {
            return Err(format!("{path}: {status} {text}").into());
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// The serve process.
    pub fn pid(&self) -> Outcome<i32> {
        Ok(i32::try_from(self.child.id().ok_or("serve has ended")?)?)
    }

    /// What the serve process occupies.
    pub fn resident_mb(&self) -> Outcome<f64> {
        resident_mb(self.child.id().ok_or("serve has ended")?)
    }

    /// Ends it and removes what it kept.
    pub async fn end(mut self) -> Outcome<()> {
        if let Some(pid) = rustix::process::Pid::from_raw(self.pid()?) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        self.child.wait().await?;
        Ok(std::fs::remove_dir_all(&self.data_dir)?)
    }
}

/// After an error: no preview is left, and nobody is there to keep one.
impl Drop for Server {
    fn drop(&mut self) {
        if self.child.id().is_none() {
            return;
        }
        // Its end is that of all that it keeps. serve is killed with its handle.
        let keeper = keeper_of(&self.data_dir).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(keeper) = keeper {
            let _gone = rustix::process::kill_process(keeper, rustix::process::Signal::TERM);
            let deadline = Instant::now() + PATIENCE;
            while keeper_of(&self.data_dir).is_ok() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _left_for_whoever_looks = std::fs::remove_dir_all(&self.data_dir);
    }
}

/// Resident memory of a process.
pub fn resident_mb(pid: u32) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

fn text(value: &Value, field: &str) -> Outcome<String> {
    Ok(value[field].as_str().ok_or_else(|| format!("{field} is missing in {value}"))?.to_owned())
}
