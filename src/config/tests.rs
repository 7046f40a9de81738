use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Config, ConfigError, CpuAwake, Flags, Isolation, LogLevel, SETTINGS, Tier};
use crate::id::PreviewId;

/// A directory that goes when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn with_dotenv(text: &[u8]) -> Self {
        let path =
            std::env::temp_dir().join(format!("previewd-config-{}", crate::id::random_hex::<8>().unwrap()));
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join(".env"), text).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn flags(pairs: &[(&str, &str)]) -> Flags {
    let setting = |flag: &str| SETTINGS.iter().find(|setting| setting.flag() == flag).unwrap();
    pairs.iter().map(|(flag, value)| (setting(flag), (*value).to_owned())).collect()
}

fn read(
    flag: &[(&str, &str)],
    environment: &[(&str, &str)],
    directory: &Path,
) -> Result<Config, ConfigError> {
    let environment = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Config::read(flags(flag), environment, directory)
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    read(&[], pairs, Path::new("/nowhere"))
}

fn problem(name: &str, value: &str) -> String {
    from_environment(&[(name, value)]).unwrap_err().to_string()
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = from_environment(&[("PATH", "/bin"), ("PREVIEWS", "not ours")]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
    assert_eq!((config.port_min, config.port_max), (3001, 3100));
    assert_eq!((config.session_timeout, config.inactive_timeout), (3600, 1800));
    assert_eq!((config.launch_timeout, config.request_timeout, config.cleanup_interval), (30, 30, 300));
    assert_eq!((config.max_log_lines, config.log_level), (1000, LogLevel::Error));
    assert_eq!(config.data_dir, Path::new("/nowhere/storage"));
    assert_eq!(config.db_path, Path::new("/nowhere/storage/previews"));
    assert_eq!(config.store_url, "sqlite:///nowhere/storage/previewd.db");
    assert_eq!((config.isolation, config.egress, config.memory_merge), (Isolation::Auto, false, false));
    assert_eq!(config.cpu_awake, CpuAwake::Auto);
    assert_eq!((config.limit_for(Tier::Free), config.limit_for(Tier::Pro)), (1, 3));
    assert_eq!(
        serde_json::to_value(config.limits).unwrap(),
        serde_json::json!({"memoryMb": 512, "tasks": 128, "openFiles": 1024, "diskMb": 256, "cpu": 1.0})
    );
    assert!(config.jwt_secret.is_none() && config.launches_per_minute.is_none() && config.python.is_none());
}

#[test]
fn a_flag_beats_the_environment_which_beats_dotenv() {
    let dotenv = "PREVIEW_PORT_MIN=4001\nPREVIEW_PORT_MAX=4100\nPREVIEW_TASK_LIMIT=64\nOTHER=$x y 'z\n";
    let directory = Directory::with_dotenv(dotenv.as_bytes());
    let environment = [("PREVIEW_PORT_MIN", "3500"), ("PREVIEW_PORT_MAX", "3600")];
    let config = read(&[("port-min", "3400")], &environment, &directory.0).unwrap();
    assert_eq!((config.port_min, config.port_max, config.limits.tasks), (3400, 3600, 64));
    assert_eq!(config.data_dir, directory.0.join("storage"));
}

#[test]
fn dotenv_is_held_to_the_same_rules_whatever_overrides_it() {
    let directory = Directory::with_dotenv(b"\xEF\xBB\xBFexport PREVIEW_PORT_MINN=1\nPREVIEW_LISTEN='a\n");
    let text = read(&[("port-min", "3400")], &[], &directory.0).unwrap_err().to_string();
    assert!(text.contains("PREVIEW_PORT_MINN") && text.contains("(in .env)"), "{text}");
    assert!(text.contains("line of PREVIEW_LISTEN"), "{text}");
}

#[test]
fn every_setting_is_documented_and_refuses_an_empty_value() {
    for setting in SETTINGS {
        assert!(setting.variable.starts_with("PREVIEW_") && !setting.help.is_empty());
        let text = problem(setting.variable, "");
        assert!(text.contains(setting.variable) && text.contains(setting.takes), "{text}");
    }
}

#[test]
fn malformed_values_are_named_with_what_they_held() {
    for (name, value) in [
        ("PREVIEW_PORT_MIN", "0"),
        ("PREVIEW_PORT_MAX", "65536"),
        ("PREVIEW_SESSION_TIMEOUT", "0"),
        ("PREVIEW_INACTIVE_TIMEOUT", "-1"),
        ("PREVIEW_REQUEST_TIMEOUT", "+5"),
        ("PREVIEW_LAUNCH_TIMEOUT", "30s"),
        ("PREVIEW_MAX_INSTANCES_PER_USER", "0"),
        ("PREVIEW_LOG_LEVEL", "loud"),
        ("PREVIEW_ISOLATION", "AUTO "),
        ("PREVIEW_CPU_LIMIT", "NaN"),
        ("PREVIEW_CPU_LIMIT", "0"),
        ("PREVIEW_EGRESS", "maybe"),
        ("PREVIEW_MEMORY_MERGE", "1.5"),
        ("PREVIEW_CPU_AWAKE", "always"),
        ("PREVIEW_LISTEN", "3000"),
        ("PREVIEW_BASE_URL_TEMPLATE", "http://localhost"),
        ("PREVIEW_BASE_URL_TEMPLATE", "http://{host}:{port}"),
        ("PREVIEW_BASE_URL_TEMPLATE", "localhost:{port}"),
        ("PREVIEW_LAUNCHES_PER_MINUTE", "0"),
        ("PREVIEW_STORE_URL", "sqlite://"),
    ] {
        let text = problem(name, value);
        assert!(
            text.contains(name) && text.contains(&format!("{value:?}")) && text.contains("takes"),
            "{text}"
        );
    }
    let text = problem("PREVIEW_DB_TYPE", "postgres");
    assert!(text.contains("\"postgres\"") && text.contains("not there yet"), "{text}");
}

#[test]
fn a_store_outlives_the_process() {
    for url in ["sqlite::memory:", "sqlite://x?mode=memory", "mysql://host/db", "previewd.db"] {
        assert!(problem("PREVIEW_STORE_URL", url).contains("takes sqlite://FILE"), "{url}");
    }
    for url in ["sqlite:x.db", "sqlite:///a/x.db", "postgres://h/d", "postgresql://u:p@h/d?sslmode=require"] {
        assert_eq!(from_environment(&[("PREVIEW_STORE_URL", url)]).unwrap().store_url, url);
    }
}

#[test]
fn a_flag_is_named_as_a_flag() {
    let text = read(&[("port-min", "x")], &[], Path::new("/nowhere")).unwrap_err().to_string();
    assert!(text.starts_with("--port-min holds \"x\""), "{text}");
}

#[test]
fn all_problems_are_told_at_once() {
    let environment = [("PREVIEW_PORT_MIN", "x"), ("PREVIEW_EGRESS", "y"), ("PREVIEW_EGRES", "on")];
    let text = from_environment(&environment).unwrap_err().to_string();
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn unknown_names_come_with_the_likely_one() {
    assert!(problem("PREVIEW_PORTS_MIN", "1").contains("did you mean PREVIEW_PORT_MIN?"));
    let text = problem("PREVIEW_BANANA", "42");
    assert!(
        text.contains("PREVIEW_BANANA") && text.contains("42") && !text.contains("did you mean"),
        "{text}"
    );
}

#[test]
fn secrets_are_never_shown() {
    for (name, value) in [
        ("PREVIEW_STORE_URL", "mysql://me:hunter2@host/db"),
        ("PREVIEW_STORE_URL", "mysql://me:hunter2/x?y@host/db"),
        ("PREVIEW_STORE_URL", "mysql://host/db?password=hunter2"),
        ("PREVIEW_STORE_URL", "host=h password=hunter2"),
        ("PREVIEW_STORE_URI", "postgres://me:hunter2@host/db"),
        ("PREVIEW_JWT_SECRETS", "hunter2"),
    ] {
        let text = problem(name, value);
        assert!(text.contains(name) && !text.contains("hunter2"), "{text}");
    }
    let config = from_environment(&[("PREVIEW_JWT_SECRET", "hunter2")]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn settings_must_agree() {
    let text = from_environment(&[("PREVIEW_PORT_MIN", "4000")]).unwrap_err().to_string();
    assert!(text.contains("PREVIEW_PORT_MIN holds 4000 and PREVIEW_PORT_MAX holds 3100"), "{text}");
    assert!(from_environment(&[("PREVIEW_PORT_MIN", "3100")]).is_ok());
}

#[test]
fn hosts_and_origins_are_lists_of_exact_names() {
    for value in
        ["https://app.example.com", "app.example.com:443", "a b", "*.", "*.*.example.com", "a,,b", "*a"]
    {
        let text = problem("PREVIEW_ALLOWED_HOSTS", value);
        assert!(text.contains("takes names of hosts"), "{value}: {text}");
    }
    for value in [
        "*",
        "null",
        "app.example.com",
        "https://*.example.com",
        "https://a.example.com/x",
        "ftp://a",
        "https://",
    ] {
        let text = problem("PREVIEW_ALLOWED_ORIGINS", value);
        assert!(text.contains("takes origins such as"), "{value}: {text}");
    }
    let value = "https://App.example.com:443/, http://localhost:80,http://localhost:5173";
    let config = from_environment(&[("PREVIEW_ALLOWED_ORIGINS", value)]).unwrap();
    assert_eq!(
        config.allowed_origins,
        ["https://app.example.com", "http://localhost", "http://localhost:5173"]
    );
}

#[test]
fn an_address_of_previews_is_never_an_allowed_origin() {
    for (template, origin) in [
        ("http://localhost:{port}", "http://localhost:3001"),
        ("http://localhost:{port}", "http://127.0.0.1:3100"),
        ("https://{port}.p.example.com", "https://3007.p.example.com"),
        ("https://p.example.com:{port}/x", "https://p.example.com:3007"),
        ("https://{id}.p.example.com", "https://preview-0a1b.p.example.com"),
        ("https://{id}.p.example.com:443", "https://preview_0a1b.p.example.com"),
        ("https://{id}.p.example.com:{port}", "https://preview-0a1b.p.example.com:3001"),
        ("https://p.example.com/{id}", "https://p.example.com"),
    ] {
        let set = |origin| [("PREVIEW_BASE_URL_TEMPLATE", template), ("PREVIEW_ALLOWED_ORIGINS", origin)];
        let text = from_environment(&set(origin)).unwrap_err().to_string();
        assert!(text.contains("PREVIEW_ALLOWED_ORIGINS") && text.contains(origin), "{template}: {text}");
        assert!(from_environment(&set("https://app.example.com")).is_ok(), "{template}");
    }
}

#[test]
fn paths_and_addresses_are_made_whole() {
    let config = from_environment(&[
        ("PREVIEW_DATA_DIR", "./a b?"),
        ("PREVIEW_DB_PATH", "kept"),
        ("PREVIEW_LISTEN", "localhost:0"),
        ("PREVIEW_BASE_URL_TEMPLATE", "https://{id}.p.example:{port}/"),
    ])
    .unwrap();
    assert_eq!(config.store_url, "sqlite:///nowhere/a%20b%3F/previewd.db");
    assert_eq!(config.db_path, Path::new("/nowhere/kept"));
    assert_eq!(config.listen.to_string(), "127.0.0.1:0");
    let id = PreviewId::parse("preview_1").unwrap();
    assert_eq!(config.base_url(3007, &id), "https://preview_1.p.example:3007");
}

#[test]
fn a_certificate_has_a_key_and_makes_addresses_https() {
    let (certificate, key) = (("PREVIEW_TLS_CERTIFICATE", "a.pem"), ("PREVIEW_TLS_KEY", "b.pem"));
    assert!(from_environment(&[certificate]).unwrap_err().to_string().contains("go together"));
    let config = from_environment(&[certificate, key]).unwrap();
    assert_eq!((config.scheme(), config.base_url_template.as_str()), ("https", "https://localhost:{port}"));
    assert_eq!(config.tls_key.as_deref(), Some(Path::new("/nowhere/b.pem")));
    let behind = ("PREVIEW_BASE_URL_TEMPLATE", "http://localhost:{port}");
    let config = from_environment(&[certificate, key, behind]).unwrap();
    assert_eq!(config.base_url_template, "http://localhost:{port}", "as it is given");
    assert_eq!(from_environment(&[]).unwrap().scheme(), "http");
}
