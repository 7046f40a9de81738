//! What packages of previewd ship: completions, manuals, a unit for systemd, a Dockerfile.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::{BINARY, output_of, unique};

const UNIT: &str = include_str!("../../packaging/previewd.service");
const DOCKERFILE: &str = include_str!("../../packaging/Dockerfile");

#[test]
fn shells_and_readers_of_manuals_get_what_they_read() {
    let previewd = |arguments: &[&str]| output_of(Command::new(BINARY).args(arguments).env_clear());
    for shell in ["bash", "zsh", "fish"] {
        let script = previewd(&["completions", shell]);
        assert!(script.contains("backup") && script.contains("port-min"), "{shell}");
    }
    let loads = "source /dev/stdin && complete -p previewd";
    let mut bash = Command::new("bash");
    let mut bash = bash.args(["-c", loads]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let script = previewd(&["completions", "bash"]);
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait_with_output().unwrap().status.success());
    let page = previewd(&["man"]);
    assert!(page.contains(".TH previewd 1") && page.contains("Exit codes"), "{page}");
    assert!(previewd(&["man", "backup"]).contains("tar.gz"));
    assert_eq!(Command::new(BINARY).args(["man", "nothing"]).env_clear().status().unwrap().code(), Some(2));
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let unit = UNIT.replace("/usr/local/bin/previewd", BINARY);
    let directory = std::env::temp_dir().join(unique("previewd-unit"));
    std::fs::create_dir(&directory).unwrap();
    let path = directory.join("previewd.service");
    std::fs::write(&path, unit).unwrap();
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output();
    std::fs::remove_dir_all(&directory).unwrap();
    match verified {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => eprintln!("skipped: no systemd-analyze here"),
        Err(e) => panic!("{e}"),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !said.contains("previewd.service:"), "{said}");
        }
    }
}

/// The settings that a text names.
fn settings_in(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.split(|c| !is_name(c)).filter(|word| word.starts_with("PREVIEW_")).collect()
}

#[test]
fn what_is_shipped_sets_what_there_is() {
    let known = output_of(Command::new(BINARY).args(["serve", "--help"]).env_clear());
    let mut known = settings_in(&known);
    // The build's own.
    known.insert("PREVIEW_UI_PREBUILT");
    for text in [UNIT, DOCKERFILE] {
        let named = settings_in(text);
        assert!(named.len() > 2 && named.is_subset(&known), "{named:?}");
        let lines =
            text.lines().filter_map(|line| line.strip_prefix("ENV ").or(line.strip_prefix("Environment=")));
        let pairs: Vec<_> =
            lines.flat_map(str::split_whitespace).filter_map(|pair| pair.split_once('=')).collect();
        assert!(pairs.len() > 1, "{pairs:?}");
        let directory = std::env::temp_dir().join(unique("previewd-shipped"));
        let mut token = Command::new(BINARY);
        token.args(["token", "--user", "ana", "--data-dir"]).arg(&directory).env_clear().envs(pairs);
        output_of(&mut token);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
