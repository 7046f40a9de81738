//! From what came back to the envelope.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::Encoding;

/// A body as what it is.
pub(super) fn body(bytes: &[u8], content_type: &str) -> (Value, Encoding) {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || essence.ends_with("+json");
    if bytes.is_empty() && (is_json || essence.is_empty()) {
        return (Value::Null, Encoding::Json);
    }
    if is_json && let Ok(data) = serde_json::from_slice(bytes) {
        return (data, Encoding::Json);
    }
    let textual = is_json
        || essence.starts_with("text/")
        || ["application/xml", "application/javascript", "application/x-ndjson", "application/yaml"]
            .contains(&essence.as_str())
        || essence.ends_with("+xml");
    if textual && is_latin1(content_type) {
        return (json!(bytes.iter().copied().map(char::from).collect::<String>()), Encoding::Text);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if textual => (json!(text), Encoding::Text),
        // Cut in the middle of a character, or of another encoding.
        Err(_) if essence.starts_with("text/") => (json!(String::from_utf8_lossy(bytes)), Encoding::Text),
        _ => (json!(BASE64_STANDARD.encode(bytes)), Encoding::Base64),
    }
}

/// Whether each byte is a character of that number.
fn is_latin1(content_type: &str) -> bool {
    let lower = content_type.to_ascii_lowercase();
    ["iso-8859-1", "iso8859-1", "latin-1", "latin1"]
        .iter()
        .any(|name| lower.contains(&format!("charset={name}")))
}

/// Headers; one that occurs more than once is an array.
pub(super) fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let text = |value: &HeaderValue| json!(String::from_utf8_lossy(value.as_bytes()));
    let values = |name: &HeaderName| {
        let mut values: Vec<Value> = headers.get_all(name).iter().map(text).collect();
        if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
    };
    headers.keys().map(|name| (name.to_string(), values(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_told_as_what_they_are() {
        assert_eq!(body(b"{\"a\":1}", "application/problem+json"), (json!({"a": 1}), Encoding::Json));
        assert_eq!(body(b"{broken", "application/json"), (json!("{broken"), Encoding::Text));
        assert_eq!(body(b"hi", "text/plain; charset=utf-8"), (json!("hi"), Encoding::Text));
        assert_eq!(body(b"caf\xe9", "text/plain; charset=ISO-8859-1"), (json!("café"), Encoding::Text));
        assert_eq!(body(b"\x89PNG", "image/png"), (json!("iVBORw=="), Encoding::Base64));
        assert_eq!(body(b"", ""), (Value::Null, Encoding::Json));
    }
}
