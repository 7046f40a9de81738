use super::reading::{
    collector, cpu_awake, host_and_port, idle_action, isolation, path, store_url, switch, template, text,
    whole,
};
use super::{Config, LogFormat, LogLevel, callers};

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "PREVIEW_";

/// The default of paths inside the data directory begins with this.
pub(super) const DATA_DIR: &str = "DATA_DIR";
const YEAR: u64 = 365 * 24 * 3600;
const SECONDS: &str = "a whole number of seconds from 1 to 31536000";
const PORT: &str = "a port from 1 to 65535";
const MEBIBYTES: &str = "a whole number of MiB from 1 to 16777216";
const PER_MINUTE: &str = "a whole number from 1 to 1000000";
const COUNT: &str = "a whole number from 1 to 1000000";
const NOT_EMPTY: &str = "text that is not empty";

/// One setting: the only place that knows its name, its default and what it takes.
#[derive(Debug)]
pub struct Setting {
    /// The environment variable, as `PREVIEW_PORT_MIN`.
    pub variable: &'static str,
    /// What holds if nobody says otherwise, as one would write it.
    pub default: Option<&'static str>,
    /// The values that it takes, to follow "takes".
    pub takes: &'static str,
    /// What it is for, in one sentence.
    pub help: &'static str,
    /// Puts a value into the configuration; `false` if it cannot be one.
    pub(super) read: fn(&mut Config, &str) -> bool,
}

impl Setting {
    /// The flag without its dashes, as `port-min`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.variable.trim_start_matches(PREFIX).to_lowercase().replace('_', "-")
    }
}

/// All of them, in the order that `--help` shows.
pub const SETTINGS: &[Setting] = &[
    setting(
        "PREVIEW_DATA_DIR",
        Some("./storage"),
        "a directory",
        "Where the server keeps what is its own",
        |d, v| put(&mut d.data_dir, path(v)),
    ),
    setting(
        "PREVIEW_LISTEN",
        Some("127.0.0.1:3000"),
        "HOST:PORT with an IP address or localhost, such as 127.0.0.1:3000",
        "Address of the API and the UI",
        |d, v| put(&mut d.listen, v.replacen("localhost:", "127.0.0.1:", 1).parse().ok()),
    ),
    setting(
        "PREVIEW_ADVERTISE",
        None,
        "HOST:PORT, such as 10.0.0.7:3000",
        "Address at which other servers of the same store reach this one [default: where it listens]",
        |d, v| put(&mut d.advertise, host_and_port(v).map(Some)),
    ),
    setting(
        "PREVIEW_ALLOWED_HOSTS",
        None,
        "names of hosts without ports, with commas between; *.example.com for all below one, * for any",
        "Names by which people call the server and its previews, through a proxy for example \
         [default: none but localhost, IP addresses, names without a dot and those of PREVIEW_BASE_URL_TEMPLATE]",
        |d, v| put(&mut d.allowed_hosts, callers::hosts(v)),
    ),
    setting(
        "PREVIEW_ALLOWED_ORIGINS",
        None,
        "origins such as https://app.example.com, with commas between",
        "Origins of host applications whose pages call the API in another origin than their own [default: none]",
        |d, v| put(&mut d.allowed_origins, callers::origins(v)),
    ),
    setting("PREVIEW_PORT_MIN", Some("3001"), PORT, "First port of the pool for previews", |d, v| {
        put(&mut d.port_min, whole(v, 1..=u16::MAX))
    }),
    setting("PREVIEW_PORT_MAX", Some("3100"), PORT, "Last port of the pool for previews", |d, v| {
        put(&mut d.port_max, whole(v, 1..=u16::MAX))
    }),
    setting("PREVIEW_SESSION_TIMEOUT", Some("3600"), SECONDS, "Seconds that a preview lives", |d, v| {
        put(&mut d.session_timeout, whole(v, 1..=YEAR))
    }),
    setting(
        "PREVIEW_INACTIVE_TIMEOUT",
        Some("1800"),
        SECONDS,
        "Seconds without a request before a preview is stopped",
        |d, v| put(&mut d.inactive_timeout, whole(v, 1..=YEAR)),
    ),
    setting(
        "PREVIEW_IDLE_ACTION",
        Some("stop"),
        "stop or sleep",
        "What becomes of a preview after that: its end, or no process until the next request",
        |d, v| put(&mut d.idle_action, idle_action(v)),
    ),
    setting(
        "PREVIEW_CONNECTION_LIMIT",
        Some("1024"),
        COUNT,
        "Connections open at once to one preview's address; further ones wait",
        |d, v| put(&mut d.connection_limit, whole(v, 1..=1_000_000)),
    ),
    setting(
        "PREVIEW_HEADER_TIMEOUT",
        Some("30"),
        SECONDS,
        "Seconds for a client to send a request's headers, or the next request on a connection that it keeps",
        |d, v| put(&mut d.header_timeout, whole(v, 1..=YEAR)),
    ),
    setting(
        "PREVIEW_BODY_LIMIT_MB",
        None,
        MEBIBYTES,
        "Size of a request's body to a preview's address in MiB [default: no limit]",
        |d, v| put(&mut d.exchange.body_mb, whole(v, 1..=1 << 24).map(Some)),
    ),
    setting(
        "PREVIEW_STREAM_IDLE_TIMEOUT",
        None,
        SECONDS,
        "Seconds without a byte either way before a request to a preview's address, or a WebSocket, is cut [default: no limit]",
        |d, v| put(&mut d.exchange.idle, whole(v, 1..=YEAR).map(Some)),
    ),
    setting(
        "PREVIEW_STREAM_TIMEOUT",
        None,
        SECONDS,
        "Seconds for a request to a preview's address with its answer, or a WebSocket [default: the preview's own end]",
        |d, v| put(&mut d.exchange.total, whole(v, 1..=YEAR).map(Some)),
    ),
    setting(
        "PREVIEW_TLS_CERTIFICATE",
        None,
        "a PEM file",
        "Certificate with those that it follows from: the server's and the previews' addresses speak TLS then",
        |d, v| put(&mut d.tls_certificate, path(v).map(Some)),
    ),
    setting("PREVIEW_TLS_KEY", None, "a PEM file", "Key of that certificate", |d, v| {
        put(&mut d.tls_key, path(v).map(Some))
    }),
    setting(
        "PREVIEW_MAX_INSTANCES_PER_USER",
        Some("1"),
        COUNT,
        "Previews at once for a user of the free tier; pro has three times as many",
        |d, v| put(&mut d.max_instances_per_user, whole(v, 1..=1_000_000)),
    ),
    setting(
        "PREVIEW_DB_TYPE",
        Some("sqlite"),
        "`sqlite` (postgres and mysql for previews are not there yet)",
        "What database a preview gets",
        |_, v| v == "sqlite",
    ),
    setting(
        "PREVIEW_DB_PATH",
        Some("DATA_DIR/previews"),
        "a directory",
        "Where the kept databases of generations are",
        |d, v| put(&mut d.db_path, path(v)),
    ),
    setting(
        "PREVIEW_STORE_URL",
        Some("sqlite://DATA_DIR/previewd.db"),
        "sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE",
        "The server's own store",
        |d, v| put(&mut d.store_url, store_url(v)),
    ),
    setting(
        "PREVIEW_LOG_LEVEL",
        Some("ERROR"),
        "DEBUG, INFO, WARN or ERROR",
        "LOG_LEVEL of previews; every level is captured all the same",
        |d, v| put(&mut d.log_level, LogLevel::parse(v)),
    ),
    setting(
        "PREVIEW_LOG_FORMAT",
        Some("text"),
        "text or json",
        "How the server writes its own log, on standard error; RUST_LOG chooses how much",
        |d, v| put(&mut d.log_format, LogFormat::parse(v)),
    ),
    setting(
        "PREVIEW_MAX_LOG_LINES",
        Some("1000"),
        COUNT,
        "Log lines kept of a preview that has ended",
        |d, v| put(&mut d.max_log_lines, whole(v, 1..=1_000_000)),
    ),
    setting(
        "PREVIEW_LAUNCH_TIMEOUT",
        Some("30"),
        SECONDS,
        "Seconds from the start of a process to its first answer",
        |d, v| put(&mut d.launch_timeout, whole(v, 1..=YEAR)),
    ),
    setting("PREVIEW_REQUEST_TIMEOUT", Some("30"), SECONDS, "Seconds for one proxied request", |d, v| {
        put(&mut d.request_timeout, whole(v, 1..=YEAR))
    }),
    setting(
        "PREVIEW_DRAIN_DELAY",
        Some("0"),
        "a whole number of seconds from 0 to 3600",
        "Seconds after SIGTERM for which /readyz says 503 and everything else is still answered",
        |d, v| put(&mut d.drain_delay, whole(v, 0..=3600)),
    ),
    setting(
        "PREVIEW_DRAIN_TIMEOUT",
        Some("10"),
        SECONDS,
        "Seconds after that for requests under way to end",
        |d, v| put(&mut d.drain_timeout, whole(v, 1..=YEAR)),
    ),
    setting(
        "PREVIEW_CLEANUP_INTERVAL",
        Some("300"),
        SECONDS,
        "Seconds between looks, where servers share a store, for previews whose server is gone; a server ends its own on time",
        |d, v| put(&mut d.cleanup_interval, whole(v, 1..=YEAR)),
    ),
    setting(
        "PREVIEW_JWT_SECRET",
        None,
        NOT_EMPTY,
        "HS256 key [default: made at first start, kept in DATA_DIR]",
        |d, v| put(&mut d.jwt_secret, text(v).map(Some)),
    ),
    setting(
        "PREVIEW_JWT_PUBLIC_KEY",
        None,
        "a PEM or JWKS file",
        "Key of a host application whose tokens are trusted (RS256, ES256, EdDSA)",
        |d, v| put(&mut d.jwt_public_key, path(v).map(Some)),
    ),
    setting(
        "PREVIEW_JWT_ISSUER",
        None,
        NOT_EMPTY,
        "`iss` that the host application's tokens must have",
        |d, v| put(&mut d.jwt_issuer, text(v).map(Some)),
    ),
    setting(
        "PREVIEW_JWT_AUDIENCE",
        None,
        NOT_EMPTY,
        "`aud` that the host application's tokens must have",
        |d, v| put(&mut d.jwt_audience, text(v).map(Some)),
    ),
    setting(
        "PREVIEW_ISOLATION",
        Some("auto"),
        "auto, strict or off",
        "Layers of isolation: every one the host offers, all or no launch, or none",
        |d, v| put(&mut d.isolation, isolation(v)),
    ),
    setting(
        "PREVIEW_BASE_URL_TEMPLATE",
        Some("http://localhost:{port}"),
        "an http or https address that contains {port} or {id}, and no other braces",
        "How the address of a preview is built; https where there is a certificate",
        |d, v| put(&mut d.base_url_template, template(v)),
    ),
    setting("PREVIEW_MEMORY_LIMIT_MB", Some("512"), MEBIBYTES, "Memory of one preview in MiB", |d, v| {
        put(&mut d.limits.memory_mb, whole(v, 1..=1 << 24))
    }),
    setting("PREVIEW_TASK_LIMIT", Some("128"), COUNT, "Processes and threads of one preview", |d, v| {
        put(&mut d.limits.tasks, whole(v, 1..=1_000_000))
    }),
    setting(
        "PREVIEW_OPEN_FILES_LIMIT",
        Some("1024"),
        COUNT,
        "Open files of a process of a preview",
        |d, v| put(&mut d.limits.open_files, whole(v, 1..=1_000_000)),
    ),
    setting("PREVIEW_DISK_LIMIT_MB", Some("256"), MEBIBYTES, "Files of one preview in MiB", |d, v| {
        put(&mut d.limits.disk_mb, whole(v, 1..=1 << 24))
    }),
    setting(
        "PREVIEW_CPU_LIMIT",
        Some("1.0"),
        "a number of cores from 0.01 to 1024",
        "Processor cores of one preview",
        |d, v| put(&mut d.limits.cpu, v.parse().ok().filter(|cores| (0.01..=1024.0).contains(cores))),
    ),
    setting("PREVIEW_EGRESS", Some("off"), "on or off", "Whether previews reach the network", |d, v| {
        put(&mut d.egress, switch(v))
    }),
    setting(
        "PREVIEW_MEMORY_MERGE",
        Some("off"),
        "on or off",
        "Whether the kernel may merge equal memory of previews",
        |d, v| put(&mut d.memory_merge, switch(v)),
    ),
    setting(
        "PREVIEW_CPU_AWAKE",
        Some("auto"),
        "auto, on or off",
        "Whether processors wait awake while requests follow within 2 ms: `auto` on up to four of them, as root",
        |d, v| put(&mut d.cpu_awake, cpu_awake(v)),
    ),
    setting(
        "PREVIEW_LAUNCHES_PER_MINUTE",
        None,
        PER_MINUTE,
        "Launches per user [default: no limit]",
        |d, v| put(&mut d.launches_per_minute, whole(v, 1..=1_000_000).map(Some)),
    ),
    setting(
        "PREVIEW_UPLOADS_PER_MINUTE",
        None,
        PER_MINUTE,
        "Uploads per user [default: no limit]",
        |d, v| put(&mut d.uploads_per_minute, whole(v, 1..=1_000_000).map(Some)),
    ),
    setting(
        "PREVIEW_PROJECTS_PER_USER",
        None,
        COUNT,
        "Projects that a user may have [default: no limit]",
        |d, v| put(&mut d.quotas.projects, whole(v, 1..=1_000_000).map(Some)),
    ),
    setting(
        "PREVIEW_GENERATIONS_PER_USER",
        None,
        COUNT,
        "Generations that a user may keep [default: no limit]",
        |d, v| put(&mut d.quotas.generations, whole(v, 1..=1_000_000).map(Some)),
    ),
    setting(
        "PREVIEW_STORED_MB_PER_USER",
        None,
        MEBIBYTES,
        "Size of the files of all generations of a user in MiB [default: no limit]",
        |d, v| put(&mut d.quotas.stored_mb, whole(v, 1..=1 << 24).map(Some)),
    ),
    setting(
        "PREVIEW_ENVIRONMENTS_LIMIT_MB",
        Some("5120"),
        MEBIBYTES,
        "Size of all environments in MiB, above which the least recently used are removed",
        |d, v| put(&mut d.environments_limit_mb, whole(v, 1..=1 << 24)),
    ),
    setting(
        "PREVIEW_AUDIT_LIMIT_MB",
        Some("64"),
        MEBIBYTES,
        "Size of the audit log in MiB, above which its older half is removed",
        |d, v| put(&mut d.audit_limit_mb, whole(v, 1..=1 << 24)),
    ),
    setting(
        "PREVIEW_OTLP_ENDPOINT",
        None,
        "an http address, such as http://localhost:4318",
        "OpenTelemetry collector that traces are sent to, by OTLP over HTTP [default: none]",
        |d, v| put(&mut d.otlp_endpoint, collector(v).map(Some)),
    ),
    setting(
        "PREVIEW_PYTHON",
        None,
        "the path of an interpreter",
        "Python for previews [default: the one found on PATH]",
        |d, v| put(&mut d.python, path(v).map(Some)),
    ),
    setting(
        "PREVIEW_UI_DIR",
        None,
        "a directory",
        "A built UI to serve in place of the embedded one",
        |d, v| put(&mut d.ui_dir, path(v).map(Some)),
    ),
];

const fn setting(
    variable: &'static str,
    default: Option<&'static str>,
    takes: &'static str,
    help: &'static str,
    read: fn(&mut Config, &str) -> bool,
) -> Setting {
    Setting { variable, default, takes, help, read }
}

/// Fills in what could be read; `false` if it could not.
fn put<T>(slot: &mut T, value: Option<T>) -> bool {
    value.map(|value| *slot = value).is_some()
}
