//! The history in the format that browsers and their tools exchange: HAR 1.2.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use super::history::millis;
use crate::history::{Body, Detail, Encoding};
use crate::store::RequestRow;
use crate::time::UnixMillis;

const HTTP: &str = "HTTP/1.1";
/// What is not known is so in HAR.
const UNKNOWN: i64 = -1;

/// A document of HAR 1.2.
#[derive(Serialize, ToSchema)]
pub(super) struct Har {
    /// All of it.
    log: HarLog,
}

/// What a document holds.
#[derive(Serialize, ToSchema)]
struct HarLog {
    /// `1.2`
    version: &'static str,
    /// What made it.
    creator: HarCreator,
    /// Oldest first.
    entries: Vec<HarEntry>,
}

/// What made a document.
#[derive(Serialize, ToSchema)]
struct HarCreator {
    /// `previewd`
    name: &'static str,
    /// Its version.
    version: &'static str,
}

/// One request with its answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HarEntry {
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    started_date_time: UnixMillis,
    /// Milliseconds.
    time: f64,
    /// What was asked.
    request: HarRequest,
    /// What came back.
    response: HarResponse,
    /// Nothing.
    cache: HarCache,
    /// Where the time went.
    timings: HarTimings,
    /// Its name in the log.
    #[serde(rename = "_requestId")]
    request_id: String,
    /// Revision of the code that answered.
    #[serde(rename = "_revision")]
    revision: i64,
}

/// What was asked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HarRequest {
    /// `GET`, …
    method: String,
    /// The whole address, without its secrets.
    url: String,
    /// Always `HTTP/1.1`.
    http_version: &'static str,
    /// Always empty: they are among the headers.
    cookies: Vec<HarPair>,
    /// Without their secrets.
    headers: Vec<HarPair>,
    /// Without its secrets.
    query_string: Vec<HarPair>,
    /// The body, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    post_data: Option<HarPostData>,
    /// Not known: -1.
    headers_size: i64,
    /// Bytes of the body.
    body_size: i64,
}

/// The body that was sent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HarPostData {
    /// Its content type.
    mime_type: String,
    /// Always empty: they are in the text.
    params: Vec<HarPair>,
    /// As it is kept: not all of a long one.
    text: String,
}

/// What came back.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HarResponse {
    /// 0 if there was no answer.
    status: i64,
    /// Always empty: the status says it.
    status_text: &'static str,
    /// Always `HTTP/1.1`.
    http_version: &'static str,
    /// Always empty: they are among the headers.
    cookies: Vec<HarPair>,
    /// Without their secrets.
    headers: Vec<HarPair>,
    /// The body.
    content: HarContent,
    /// Where it leads on, or empty.
    #[serde(rename = "redirectURL")]
    redirect_url: String,
    /// Not known: -1.
    headers_size: i64,
    /// Bytes of the body.
    body_size: i64,
}

/// The body that came back.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HarContent {
    /// Its bytes.
    size: i64,
    /// Its content type.
    mime_type: String,
    /// As it is kept: not all of a long one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    text: Option<String>,
    /// `base64`, if the text is that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    encoding: Option<Encoding>,
}

/// Nothing is known of caches.
#[derive(Serialize, ToSchema)]
struct HarCache {}

/// Milliseconds of an exchange.
#[derive(Serialize, ToSchema)]
struct HarTimings {
    /// Not told apart: 0.
    send: f64,
    /// All of it.
    wait: f64,
    /// Not told apart: 0.
    receive: f64,
}

/// A header, or a parameter of the query.
#[derive(Serialize, ToSchema)]
struct HarPair {
    /// Its name.
    name: String,
    /// Its value.
    value: String,
}

impl Har {
    /// A document of these entries.
    pub(super) fn of(entries: Vec<HarEntry>) -> Self {
        let creator = HarCreator { name: "previewd", version: env!("CARGO_PKG_VERSION") };
        Self { log: HarLog { version: "1.2", creator, entries } }
    }
}

impl HarEntry {
    /// One request with its answer.
    pub(super) fn of(row: RequestRow, detail: Detail) -> Self {
        let time = millis(row.duration_micros);
        Self {
            started_date_time: row.at,
            time,
            request: HarRequest::of(&row, &detail),
            response: HarResponse::of(&row, detail),
            cache: HarCache {},
            timings: HarTimings { send: 0.0, wait: time, receive: 0.0 },
            request_id: row.request_id,
            revision: row.revision,
        }
    }
}

impl HarRequest {
    fn of(row: &RequestRow, detail: &Detail) -> Self {
        let said = |name| value(&detail.request_headers, name);
        let host = said("host").unwrap_or("localhost");
        let scheme = said("x-forwarded-proto").unwrap_or("http");
        let query = row.target.split_once('?').map_or("", |(_, query)| query);
        Self {
            method: row.method.clone(),
            url: format!("{scheme}://{host}{}", row.target),
            http_version: HTTP,
            cookies: Vec::new(),
            headers: pairs(&detail.request_headers),
            query_string: form_urlencoded::parse(query.as_bytes()).map(pair).collect(),
            post_data: detail.request_body.as_ref().map(|body| HarPostData {
                mime_type: said("content-type").unwrap_or_default().to_owned(),
                params: Vec::new(),
                text: body.data.clone(),
            }),
            headers_size: UNKNOWN,
            body_size: row.request_bytes,
        }
    }
}

impl HarResponse {
    fn of(row: &RequestRow, detail: Detail) -> Self {
        let said = |name| value(&detail.response_headers, name).unwrap_or_default().to_owned();
        let (redirect_url, mime_type) = (said("location"), said("content-type"));
        let (text, encoding) =
            detail.response_body.map(|Body { data, encoding, .. }| (data, encoding)).unzip();
        Self {
            status: row.status.unwrap_or(0),
            status_text: "",
            http_version: HTTP,
            cookies: Vec::new(),
            headers: pairs(&detail.response_headers),
            content: HarContent {
                size: row.response_bytes,
                mime_type,
                text,
                encoding: encoding.filter(|encoding| *encoding == Encoding::Base64),
            },
            redirect_url,
            headers_size: UNKNOWN,
            body_size: row.response_bytes,
        }
    }
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn pair((name, value): (Cow<'_, str>, Cow<'_, str>)) -> HarPair {
    HarPair { name: name.into_owned(), value: value.into_owned() }
}

fn pairs(headers: &[(String, String)]) -> Vec<HarPair> {
    headers.iter().map(|(name, value)| pair((name.into(), value.into()))).collect()
}
