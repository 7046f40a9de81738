//! An answer of the server, and what every error has to look like.

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, bytes: response.bytes().await.unwrap() }
    }

    /// The same, unless it is cut off.
    pub async fn of_whole(response: reqwest::Response) -> Option<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Some(Self { status, headers, bytes: response.bytes().await.ok()? })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|e| panic!("no JSON ({e}): {} {}", self.status, self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body of an answer that has this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.bytes.is_empty() { Value::Null } else { self.json() }
    }

    /// The body of an error of the contract's shape.
    #[track_caller]
    pub fn error(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        let body = self.json();
        assert_eq!(body["error"], code, "{body}");
        assert_eq!(body["status"], if status == 404 { "not_found" } else { "failed" }, "{body}");
        assert!(body["details"].is_object(), "{body}");
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/json"), "{kind}");
        check_message(body["message"].as_str().unwrap_or_default());
        body
    }
}

/// One clear sentence or two, without anything of the host.
#[track_caller]
fn check_message(message: &str) {
    assert!(message.len() > 10, "a message says something: {message:?}");
    let target = env!("CARGO_MANIFEST_DIR");
    for host in [target, "/tmp/", "/dev/shm", "/proc/", "panicked", "src/"] {
        assert!(!message.contains(host), "of the host: {message}");
    }
}
