//! Every setting of the server: what it is called, what it takes, and what is in force.
//! A flag beats the environment, which beats `.env`, which beats the default.

mod callers;
mod error;
mod log_format;
mod log_level;
mod reading;
mod settings;
mod sources;
mod tier;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::callers::AllowedHost;
pub use self::error::ConfigError;
pub use self::log_format::LogFormat;
pub use self::log_level::LogLevel;
pub use self::settings::{SETTINGS, Setting};
pub use self::sources::Flags;
pub use self::tier::Tier;
use crate::id::PreviewId;

/// What is in force. Paths are absolute; durations are in seconds.
#[derive(Clone)]
pub struct Config {
    /// Where the server keeps what is its own.
    pub data_dir: PathBuf,
    /// Address of the API and the UI.
    pub listen: SocketAddr,
    /// `HOST:PORT` at which other servers of the same store reach this one, if not where it listens.
    pub advertise: Option<String>,
    /// Names that the server answers to, besides its own.
    pub allowed_hosts: Vec<AllowedHost>,
    /// Origins whose pages may call the API, as browsers write them.
    pub allowed_origins: Vec<String>,
    /// First port of the pool.
    pub port_min: u16,
    /// Last port of the pool.
    pub port_max: u16,
    /// How long a preview lives.
    pub session_timeout: u64,
    /// How long a preview lives without a request.
    pub inactive_timeout: u64,
    /// What becomes of it then.
    pub idle_action: IdleAction,
    /// Previews that a user of the free tier may have at once.
    pub max_instances_per_user: u32,
    /// Where kept databases of generations are.
    pub db_path: PathBuf,
    /// The server's own store: `sqlite://…` or `postgres://…`.
    pub store_url: String,
    /// What `config` reports and previews get as `LOG_LEVEL`.
    pub log_level: LogLevel,
    /// How the server writes its own log.
    pub log_format: LogFormat,
    /// Lines kept of a preview that has ended.
    pub max_log_lines: usize,
    /// From the start of the process to its first answer.
    pub launch_timeout: u64,
    /// Connections that are open at once to one preview's own address.
    pub connection_limit: usize,
    /// For a client to send a request's headers.
    pub header_timeout: u64,
    /// What one request to a preview's own address may take.
    pub exchange: ExchangeLimits,
    /// PEM file of the certificate of all addresses.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub tls_key: Option<PathBuf>,
    /// For one proxied request.
    pub request_timeout: u64,
    /// From the signal that ends the server to the end of its listening.
    pub drain_delay: u64,
    /// From then, for requests under way.
    pub drain_timeout: u64,
    /// Between two sweeps.
    pub cleanup_interval: u64,
    /// HS256 key, where it is not the one kept in the data directory.
    pub jwt_secret: Option<String>,
    /// PEM or JWKS file of a host application.
    pub jwt_public_key: Option<PathBuf>,
    /// `iss` that the host application's tokens must have.
    pub jwt_issuer: Option<String>,
    /// `aud` that the host application's tokens must have.
    pub jwt_audience: Option<String>,
    /// Which layers of isolation must hold.
    pub isolation: Isolation,
    /// How `baseUrl` is built; `{port}` and `{id}` are filled in.
    pub base_url_template: String,
    /// What one preview may use.
    pub limits: Limits,
    /// Whether previews reach the network.
    pub egress: bool,
    /// Whether the kernel may merge equal memory of previews.
    pub memory_merge: bool,
    /// Whether processors wait awake while requests follow at once on each other.
    pub cpu_awake: CpuAwake,
    /// Launches per user and minute; no limit if absent.
    pub launches_per_minute: Option<u32>,
    /// Uploads per user and minute; no limit if absent.
    pub uploads_per_minute: Option<u32>,
    /// What one user may keep.
    pub quotas: Quotas,
    /// Size of all environments in MiB.
    pub environments_limit_mb: u64,
    /// Size of the audit log in MiB.
    pub audit_limit_mb: u64,
    /// Address of the collector that traces are sent to.
    pub otlp_endpoint: Option<String>,
    /// Interpreter for previews, where it is not the one found on `PATH`.
    pub python: Option<PathBuf>,
    /// Directory of a built UI, where it is not the embedded one.
    pub ui_dir: Option<PathBuf>,
}

/// What one request to a preview's own address may take, with its answer or as a WebSocket. No limit if absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeLimits {
    /// The request's body in MiB.
    pub body_mb: Option<u64>,
    /// Without a byte either way.
    pub idle: Option<u64>,
    /// From its beginning to its end.
    pub total: Option<u64>,
}

/// What one user may keep. No limit if absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Projects.
    pub projects: Option<u64>,
    /// Generations of all projects.
    pub generations: Option<u64>,
    /// Size of their files in MiB.
    pub stored_mb: Option<u64>,
}

/// What becomes of a preview that nobody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IdleAction {
    /// It ends.
    Stop,
    /// It has no process until the next request.
    Sleep,
}

/// Which layers of isolation must hold before a preview is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// Every layer that the host offers.
    Auto,
    /// All of them, or no launch.
    Strict,
    /// None.
    Off,
}

/// Whether processors wait awake while requests follow at once on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuAwake {
    /// On a machine of few processors, where the server may ask for it.
    Auto,
    /// On any.
    On,
    /// Never.
    Off,
}

/// What one preview may use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Memory in MiB.
    pub memory_mb: u64,
    /// Processes and threads.
    pub tasks: u64,
    /// Open files of one process.
    pub open_files: u64,
    /// Files on disk in MiB.
    pub disk_mb: u64,
    /// Processor cores.
    pub cpu: f64,
}

impl Config {
    /// Reads the environment of this process, `.env` of its working directory, and `flags`.
    ///
    /// # Errors
    /// If a setting is unknown, malformed or at odds with another; the text names each of them.
    pub fn load(flags: Flags) -> Result<Self, ConfigError> {
        let directory = std::env::current_dir().map_err(|source| ConfigError::directory(&source))?;
        Self::read(flags, std::env::vars_os(), &directory)
    }

    /// Reads what it is given and nothing else. Relative paths start from `directory`, and so does `.env`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read(
        flags: Flags,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        let (given, problems) = sources::gather(flags, environment, directory);
        values::config(&given, problems, directory)
    }

    /// The same settings with everything that is kept, the store included, below another directory.
    #[must_use]
    pub fn kept_in(mut self, data_dir: PathBuf) -> Self {
        values::keep_in(&mut self, data_dir);
        self
    }

    /// The address that people and programs use for the preview at `port`, without a slash at its end.
    #[must_use]
    pub fn base_url(&self, port: u16, id: &PreviewId) -> String {
        self.base_url_template.replace("{port}", &port.to_string()).replace("{id}", id.as_str())
    }

    /// How the server's own addresses are spoken to.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls_certificate.is_some() { "https" } else { "http" }
    }

    /// How many previews a user of this tier may have at once.
    #[must_use]
    pub fn limit_for(&self, tier: Tier) -> u32 {
        match tier {
            Tier::Free => self.max_instances_per_user,
            Tier::Pro => self.max_instances_per_user.saturating_mul(3),
        }
    }
}

impl std::fmt::Debug for Config {
    /// Leaves out everything that may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("data_dir", &self.data_dir)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
