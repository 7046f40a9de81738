//! Installers' commands: an environment of their own, and output that is bounded.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// Most bytes that are kept of an installer's answer.
pub(super) const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Most bytes and lines that are kept of what it says besides.
pub(super) const MAX_SAID: usize = 64 * 1024;
const MAX_TAIL: usize = 30;

/// What an operator may set for installers, next to every `PIP_` and `UV_` variable that names an index.
const PASSED: [&str; 23] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "PIP_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_PROXY",
    "PIP_TRUSTED_HOST",
    "UV_CONFIG_FILE",
    "UV_EXCLUDE_NEWER",
    "UV_HTTP_TIMEOUT",
    "UV_INSECURE_HOST",
    "UV_LINK_MODE",
    "UV_NATIVE_TLS",
    "UV_OFFLINE",
    "UV_SYSTEM_CERTS",
];

/// How a run ended.
pub(super) struct Output {
    pub success: bool,
    /// What it wrote to stdout.
    pub answer: String,
    /// Its last lines on stderr.
    pub tail: Vec<String>,
}

/// A command that sees a minimal `PATH`, the given home and what the operator set for installers.
pub(super) fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env("HOME", home).env("TMPDIR", home).current_dir(home).kill_on_drop(true);
    command.envs(std::env::vars_os().filter(|(name, _)| is_passed(name)));
    command
}

fn is_passed(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let names_index = name.contains("INDEX") || name.ends_with("FIND_LINKS");
    PASSED.contains(&name) || (name.starts_with("PIP_") || name.starts_with("UV_")) && names_index
}

/// What the operator's settings for installers name on this host: they must be seen by whoever obeys them.
pub(super) fn named_paths() -> Vec<PathBuf> {
    let values = std::env::vars_os().filter(|(name, _)| is_passed(name));
    let values = values.filter_map(|(_, value)| value.into_string().ok());
    let words = values.flat_map(|value| value.split([' ', ',']).map(str::to_owned).collect::<Vec<_>>());
    let paths = words.map(|word| PathBuf::from(word.trim_start_matches("file://")));
    paths.filter(|path| path.is_absolute() && path.exists()).collect()
}

/// Runs it to its end with this on its stdin, as the server itself. Dropping the future kills it.
pub(super) async fn run(command: &mut Command, input: &str) -> io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // One that ends without reading all of it says why on stderr.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        Ok(())
    };
    let (answer, said, status, ()) = tokio::try_join!(
        read_some(stdout, MAX_ANSWER, false),
        read_some(stderr, MAX_SAID, true),
        child.wait(),
        feed
    )?;
    Ok(Output::of(status.success(), &answer, &said))
}

impl Output {
    pub(super) fn of(success: bool, answer: &[u8], said: &[u8]) -> Self {
        let said = String::from_utf8_lossy(said);
        let mut tail: Vec<_> = said.lines().rev().take(MAX_TAIL).map(without_credentials).collect();
        tail.reverse();
        Self { success, answer: String::from_utf8_lossy(answer).into_owned(), tail }
    }
}

/// Reads to the end and keeps the first or the last bytes.
async fn read_some(source: Option<impl AsyncRead + Unpin>, limit: usize, last: bool) -> io::Result<Vec<u8>> {
    let Some(mut source) = source else { return Ok(Vec::new()) };
    let mut kept = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        let count = source.read(&mut chunk).await?;
        if count == 0 {
            return Ok(kept);
        }
        let room = if last { count } else { count.min(limit - kept.len()) };
        kept.extend_from_slice(&chunk[..room]);
        kept.drain(..kept.len().saturating_sub(limit));
    }
}

/// A line without the `user:password@` that the URL of an index may have.
fn without_credentials(line: &str) -> String {
    let mut parts = line.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(part.len());
        let start = part[..end].rfind('@').map_or(0, |at| at + 1);
        clean.push_str("://");
        clean.push_str(&part[start..]);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_is_bounded_and_told_apart() {
        let script = "cat; yes long line | head -n 1000000 >&2; echo end >&2; exit 3";
        let mut command = command(Path::new("/bin/sh"), Path::new("/"));
        let output = run(command.args(["-c", script]), "fed").await.unwrap();
        assert!(!output.success);
        assert_eq!(output.answer, "fed");
        assert_eq!(output.tail.len(), MAX_TAIL);
        assert_eq!(output.tail.last().unwrap(), "end");
    }

    #[tokio::test]
    async fn the_servers_environment_stays_outside() {
        let mut command = command(Path::new("/usr/bin/env"), Path::new("/"));
        let output = run(&mut command, "").await.unwrap();
        for line in output.answer.lines() {
            let name = line.split('=').next().unwrap();
            assert!(["PATH", "HOME", "TMPDIR"].contains(&name) || is_passed(name.as_ref()), "{name}");
        }
        assert!(!is_passed("CARGO_MANIFEST_DIR".as_ref()) && is_passed("PIP_INDEX_URL".as_ref()));
    }

    #[test]
    fn credentials_are_taken_out_of_urls() {
        assert_eq!(
            without_credentials("Failed: https://me:pw@index.example/simple/ and http://x/y@z"),
            "Failed: https://index.example/simple/ and http://x/y@z"
        );
    }
}
