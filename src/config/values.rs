use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::callers;
use super::error::{self, ConfigError};
use super::settings::{DATA_DIR, SETTINGS};
use super::sources::Given;
use super::{Config, CpuAwake, ExchangeLimits, IdleAction, Isolation, Limits, LogFormat, LogLevel, Quotas};

/// What means something in a `sqlite:` address.
const IN_URL: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b' ');

/// Defaults, what was given over them, then what follows from other settings.
pub(super) fn config(
    given: &Given,
    mut problems: Vec<String>,
    directory: &Path,
) -> Result<Config, ConfigError> {
    let mut config = blank();
    for setting in SETTINGS {
        let (name, value) = match (given.get(setting.variable), setting.default) {
            (Some((name, value)), _) => (name.as_str(), value.as_str()),
            (None, Some(default)) if !default.contains(DATA_DIR) => (setting.variable, default),
            (None, _) => continue,
        };
        if !(setting.read)(&mut config, value) {
            problems.push(error::malformed(name, setting, value));
        }
    }
    if problems.is_empty() && config.port_min > config.port_max {
        let (min, max) = (config.port_min, config.port_max);
        problems.push(format!(
            "PREVIEW_PORT_MIN holds {min} and PREVIEW_PORT_MAX holds {max}, but the first port must not be above the last."
        ));
    }
    if config.tls_certificate.is_some() != config.tls_key.is_some() {
        problems
            .push("PREVIEW_TLS_CERTIFICATE and PREVIEW_TLS_KEY go together: give both or none.".to_owned());
    }
    ConfigError::unless_empty(problems)?;
    if config.tls_certificate.is_some() && !given.contains_key("PREVIEW_BASE_URL_TEMPLATE") {
        config.base_url_template = config.base_url_template.replacen("http:", "https:", 1);
    }
    let theirs = callers::of_a_preview(&config).map(|origin| {
        format!(
            "PREVIEW_ALLOWED_ORIGINS holds {origin}, which is an address of previews: their pages are a stranger's \
             code and never get to call the API."
        )
    });
    ConfigError::unless_empty(theirs.into_iter().collect())?;
    complete(&mut config, directory);
    Ok(config)
}

fn complete(config: &mut Config, directory: &Path) {
    let absolute = |path: &Path| directory.join(path).components().collect::<PathBuf>();
    config.data_dir = absolute(&config.data_dir);
    if config.db_path.as_os_str().is_empty() {
        config.db_path = config.data_dir.join("previews");
    }
    if config.store_url.is_empty() {
        let file = config.data_dir.join("previewd.db");
        config.store_url = format!("sqlite://{}", utf8_percent_encode(&file.to_string_lossy(), IN_URL));
    }
    config.db_path = absolute(&config.db_path);
    let files = [
        &mut config.jwt_public_key,
        &mut config.tls_certificate,
        &mut config.tls_key,
        &mut config.python,
        &mut config.ui_dir,
    ];
    for path in files.into_iter().flatten() {
        *path = absolute(path);
    }
}

/// Moves what is kept, as if only the data directory had been given.
pub(super) fn keep_in(config: &mut Config, data_dir: PathBuf) {
    config.data_dir = data_dir;
    config.db_path = PathBuf::new();
    config.store_url = String::new();
    complete(config, Path::new("/"));
}

/// What the defaults are written over: nothing of it is ever seen.
fn blank() -> Config {
    Config {
        data_dir: PathBuf::new(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        advertise: None,
        allowed_hosts: Vec::new(),
        allowed_origins: Vec::new(),
        port_min: 0,
        port_max: 0,
        session_timeout: 0,
        inactive_timeout: 0,
        idle_action: IdleAction::Stop,
        connection_limit: 0,
        header_timeout: 0,
        exchange: ExchangeLimits::default(),
        tls_certificate: None,
        tls_key: None,
        max_instances_per_user: 0,
        db_path: PathBuf::new(),
        store_url: String::new(),
        log_level: LogLevel::Error,
        log_format: LogFormat::Text,
        max_log_lines: 0,
        launch_timeout: 0,
        request_timeout: 0,
        drain_delay: 0,
        drain_timeout: 0,
        cleanup_interval: 0,
        jwt_secret: None,
        jwt_public_key: None,
        jwt_issuer: None,
        jwt_audience: None,
        isolation: Isolation::Auto,
        base_url_template: String::new(),
        limits: Limits { memory_mb: 0, tasks: 0, open_files: 0, disk_mb: 0, cpu: 0.0 },
        egress: false,
        memory_merge: false,
        cpu_awake: CpuAwake::Off,
        launches_per_minute: None,
        uploads_per_minute: None,
        quotas: Quotas::default(),
        environments_limit_mb: 0,
        audit_limit_mb: 0,
        otlp_endpoint: None,
        python: None,
        ui_dir: None,
    }
}
