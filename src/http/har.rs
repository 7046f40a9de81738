//! The history in the format that browsers and their tools exchange: HAR 1.2.

use serde_json::{Value, json};

use super::history::millis;
use crate::history::{Body, Detail};
use crate::store::RequestRow;

/// A document of these entries.
pub(super) fn document(entries: &[Value]) -> Value {
    let creator = json!({ "name": "previewd", "version": env!("CARGO_PKG_VERSION") });
    json!({ "log": { "version": "1.2", "creator": creator, "entries": entries } })
}

/// One request with its answer.
pub(super) fn entry(row: &RequestRow, detail: &Detail) -> Value {
    let time = millis(row.duration_micros);
    let host = value(&detail.request_headers, "host").unwrap_or("localhost");
    let scheme = value(&detail.request_headers, "x-forwarded-proto").unwrap_or("http");
    let query = row.target.split_once('?').map_or("", |(_, query)| query);
    let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).map(|(k, v)| pair(&k, &v)).collect();
    let mut request = json!({
        "method": row.method, "url": format!("{scheme}://{host}{}", row.target), "httpVersion": "HTTP/1.1",
        "cookies": [], "headers": pairs(&detail.request_headers), "queryString": query,
        "headersSize": -1, "bodySize": row.request_bytes,
    });
    if let Some(body) = &detail.request_body {
        let kind = value(&detail.request_headers, "content-type").unwrap_or_default();
        request["postData"] = json!({ "mimeType": kind, "params": [], "text": body.data });
    }
    json!({
        "startedDateTime": row.at, "time": time, "request": request, "response": response(row, detail),
        "cache": {}, "timings": { "send": 0, "wait": time, "receive": 0 },
        "_requestId": row.request_id, "_revision": row.revision,
    })
}

fn response(row: &RequestRow, detail: &Detail) -> Value {
    let kind = value(&detail.response_headers, "content-type").unwrap_or_default();
    let mut content = json!({ "size": row.response_bytes, "mimeType": kind });
    if let Some(Body { data, encoding, .. }) = &detail.response_body {
        content["text"] = json!(data);
        if encoding == "base64" {
            content["encoding"] = json!("base64");
        }
    }
    json!({
        "status": row.status.unwrap_or(0), "statusText": "", "httpVersion": "HTTP/1.1", "cookies": [],
        "headers": pairs(&detail.response_headers), "content": content,
        "redirectURL": value(&detail.response_headers, "location").unwrap_or_default(),
        "headersSize": -1, "bodySize": row.response_bytes,
    })
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn pair(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

fn pairs(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| pair(name, value)).collect()
}
