//! Previews on the server's own listener, told apart by the name of the host.

use axum::http::{Request, header};

use super::{Origin, page};
use crate::id::PreviewId;

const ID: &str = "{id}";

/// Whose name a request calls.
pub enum Named {
    /// A preview's.
    Preview(Box<Origin>),
    /// One that a preview could have, and none has now.
    Nobody,
}

impl Named {
    /// The answer where nobody has that name.
    #[must_use]
    pub fn nobody<B>(request: &Request<B>) -> axum::http::Response<axum::body::Body> {
        page::nobody(request.headers().get(header::ACCEPT))
    }
}

/// The preview that a request is for, if the template has its id in the host and the request calls such a host.
pub fn preview_of<B>(request: &Request<B>, template: &str) -> Option<PreviewId> {
    let (before, after) = pattern(template)?;
    let in_target = request.uri().authority().map(|authority| authority.as_str());
    let host = in_target.or_else(|| request.headers().get(header::HOST)?.to_str().ok())?;
    let host = without_port(host).trim_end_matches('.').to_ascii_lowercase();
    let label = host.strip_prefix(&before)?.strip_suffix(&after)?;
    // Not every client takes `_` in the name of a host.
    PreviewId::parse(&label.replacen('-', "_", 1))
}

/// What stands before and behind the id in the host, without the port.
fn pattern(template: &str) -> Option<(String, String)> {
    let (_, rest) = template.split_once("://")?;
    let authority = rest.split('/').next()?;
    let (before, after) = without_port(authority).split_once(ID)?;
    // With a port of its own each is served there.
    (!authority.contains("{port}")).then(|| (before.to_ascii_lowercase(), after.to_ascii_lowercase()))
}

fn without_port(authority: &str) -> &str {
    let port = |(_, port): &(&str, &str)| port.bytes().all(|b| b.is_ascii_digit());
    authority.rsplit_once(':').filter(port).map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_is_found_by_the_host_that_is_called() {
        let called = |template: &str, host: &str| {
            let request = Request::get("/").header("host", host).body(()).unwrap();
            preview_of(&request, template).map(|id| id.to_string())
        };
        let template = "https://{id}.Preview.example.com:8443/";
        let found = Some("preview_0a1b".to_owned());
        assert_eq!(called(template, "preview-0a1b.preview.example.com"), found);
        assert_eq!(called(template, "preview_0a1b.preview.example.com:8443"), found);
        assert_eq!(called(template, "PREVIEW-0A1B.preview.example.com.:8443"), found);
        for other in [
            "preview.example.com",
            "x.preview.example.com",
            "preview-0a1b.example.com",
            "localhost:3000",
            "[::1]:3000",
        ] {
            assert_eq!(called(template, other), None, "{other}");
        }
        assert_eq!(called("http://{id}.localhost:{port}", "preview-0a1b.localhost"), None);
        assert_eq!(called("http://localhost:{port}", "preview-0a1b.localhost"), None);
        assert_eq!(called("http://localhost:{port}/{id}", "preview-0a1b.localhost"), None);
    }
}
