//! Errors as a person in a browser reads them. Programs get JSON.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use axum::response::IntoResponse;

use super::known;
use crate::error::Error;
use crate::preview::{Active, State};

/// Seconds until a page that waits looks again.
const AGAIN: u32 = 1;

/// An error of a preview's own address, for whoever asked.
pub fn refuse(error: Error, accept: Option<&HeaderValue>, preview: &Active) -> Response<Body> {
    let waits = matches!(preview.state(), State::Launching);
    answer(error, accept, waits)
}

/// The same of the server's own address.
pub fn refuse_here(error: Error, accept: Option<&HeaderValue>) -> Response<Body> {
    answer(error, accept, false)
}

/// The same where there is no preview.
pub fn nobody(accept: Option<&HeaderValue>) -> Response<Body> {
    let message = "There is no such preview, or not any more: launch it again.".to_owned();
    answer(Error::PreviewUnavailable { message }, accept, false)
}

fn answer(error: Error, accept: Option<&HeaderValue>, waits: bool) -> Response<Body> {
    let page = wants_page(accept).then(|| page(&error, waits));
    let mut response = error.into_response();
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if waits {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(AGAIN));
    }
    let Some(page) = page else { return response };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"),
    ];
    response.headers_mut().remove(header::CONTENT_LENGTH);
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.map(|_| Body::from(page))
}

fn wants_page(accept: Option<&HeaderValue>) -> bool {
    accept.and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

fn page(error: &Error, waits: bool) -> String {
    let (title, text) = match error {
        Error::PreviewUnavailable { .. } if waits => {
            ("This preview is starting", "This page looks again by itself.".to_owned())
        }
        Error::PreviewUnavailable { message } => ("This preview does not answer", message.clone()),
        Error::InvalidPreviewToken => (
            "This preview is not open to you",
            "Open it from the page that launched it: the address there carries its token.".to_owned(),
        ),
        Error::InvalidRequest { field: Some(field), .. } if field == known::HEADER => {
            ("This name is not known here", error.to_string())
        }
        other => ("This did not work", other.to_string()),
    };
    let again =
        if waits { format!("<meta http-equiv=\"refresh\" content=\"{AGAIN}\">") } else { String::new() };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">{again}\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>\
         :root{{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}}\
         body{{max-width:32rem;margin:20vh auto;padding:0 1rem}}h1{{font-size:1.25rem}}</style></head>\
         <body><h1>{title}</h1><p>{}</p></body></html>\n",
        escape(&text)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
