//! The names that the server answers to. A stranger's page can point a name of its own at this machine (DNS rebinding),
//! and is then of one origin with whatever answers there. So a name has to be one that no stranger can have. The addresses of
//! previews take any name: each request shows a token, and the cookie that holds one is a name's own.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Request, Uri, Version, header};

use crate::config::{AllowedHost, Config};
use crate::error::{Error, Result};

/// What is to blame where a name is not known.
pub(super) const HEADER: &str = "Host";
/// Longest name that is repeated in an error.
const SHOWN: usize = 100;

/// What the server may be called.
#[derive(Clone, Debug)]
pub(super) struct Known {
    allowed: Vec<AllowedHost>,
    /// The name in the addresses of previews, in small letters.
    own: Option<String>,
}

impl Known {
    /// For the API and the page: what the operator allows, and the domain that previews' addresses are in.
    #[must_use]
    pub(super) fn of_server(config: &Config) -> Self {
        let own = host_of(&config.base_url_template).map(|host| domain(&host));
        Self { allowed: config.allowed_hosts.clone(), own: own.filter(|own| !own.is_empty()) }
    }

    /// Lets a request pass that calls the server by names that it knows. What a proxy says in `X-Forwarded-Host` does
    /// not count: a page can send that as well.
    ///
    /// # Errors
    /// `invalid_request` that says what to set.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<()> {
        let named = names(request.uri(), request.headers());
        // Health checks of load balancers may speak HTTP/1.0 and name nobody; no browser does.
        if named.is_empty() && request.version() > Version::HTTP_10 {
            return Err(Error::invalid(HEADER, "The request names no host: send a Host header."));
        }
        named.into_iter().try_for_each(|name| {
            let host = name
                .and_then(host_in)
                .ok_or_else(|| Error::invalid(HEADER, "The Host header is no host."))?;
            if self.knows(&host) { Ok(()) } else { Err(unknown(&host)) }
        })
    }

    fn knows(&self, host: &str) -> bool {
        // No stranger can register a name without a dot, and addresses are no names.
        let is_local = !host.contains('.') || host.ends_with(".localhost") || is_address(host);
        is_local || self.allowed.iter().any(|allowed| allowed.is(host)) || self.own.as_deref() == Some(host)
    }
}

/// Every name that a request calls; `None` for one that is no text.
fn names<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Vec<Option<&'a str>> {
    let in_target = uri.authority().map(|authority| Some(authority.as_str()));
    let in_headers = headers.get_all(header::HOST).iter().map(|value| value.to_str().ok());
    in_target.into_iter().chain(in_headers).collect()
}

/// The host of `HOST[:PORT]`, in small letters and without the dot that may end it.
fn host_in(name: &str) -> Option<String> {
    let authority: Authority = name.parse().ok()?;
    let port = name.strip_prefix(authority.host())?;
    let is_whole = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
    (is_whole && !host.is_empty()).then_some(host)
}

/// The same of an address or a template of addresses.
fn host_of(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split('/').next()?.replace(":{port}", "");
    let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    Some(host.map_or(authority.as_str(), |(host, _)| host).trim_end_matches('.').to_ascii_lowercase())
}

/// What is left of a template's host without the labels that differ from preview to preview.
fn domain(host: &str) -> String {
    let labels = host.split('.').rev().take_while(|label| !label.contains('{')).collect::<Vec<_>>();
    labels.into_iter().rev().collect::<Vec<_>>().join(".")
}

fn is_address(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    host.parse::<Ipv4Addr>().is_ok() || bare.is_some_and(|bare| bare.parse::<Ipv6Addr>().is_ok())
}

fn unknown(host: &str) -> Error {
    let host: String = host.chars().take(SHOWN).collect();
    let message = format!(
        "This server does not answer to the name {host}: if it is yours, put it into PREVIEW_ALLOWED_HOSTS, \
         or let the proxy in front send the address that it connects to as Host."
    );
    Error::invalid(HEADER, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> Config {
        let environment = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::read(Vec::new(), environment, std::path::Path::new("/nowhere")).unwrap()
    }

    fn takes(known: &Known, host: &str) -> bool {
        let request = Request::get("/").header(header::HOST, host).body(()).unwrap();
        known.check(&request).is_ok()
    }

    #[test]
    fn by_default_only_names_that_no_stranger_can_have() {
        let known = Known::of_server(&config(&[]));
        for host in [
            "localhost",
            "LOCALHOST:3000",
            "localhost.",
            "a.localhost:1",
            "127.0.0.1:3000",
            "192.0.2.7",
            "[::1]:3000",
            "[2001:db8::1]",
            "previewd:3000",
        ] {
            assert!(takes(&known, host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:3000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.1",
            "0x7f.1",
            "evil-localhost.example",
            "localhost@evil.example",
            "evil.example@localhost",
            "",
            ".",
            ":3000",
            "a b",
            "[::1].evil.example",
            "[evil.example]",
            "evil.example.",
            "notlocalhost.example",
        ] {
            assert!(!takes(&known, host), "{host}");
        }
    }

    #[test]
    fn what_is_set_is_answered_to() {
        let known =
            Known::of_server(&config(&[("PREVIEW_ALLOWED_HOSTS", "App.example.com, *.apps.example.org")]));
        for host in ["app.example.com:443", "APP.EXAMPLE.COM", "a.apps.example.org", "a.b.apps.example.org"] {
            assert!(takes(&known, host), "{host}");
        }
        for host in [
            "example.com",
            "xapp.example.com",
            "apps.example.org",
            "xapps.example.org",
            "app.example.com.evil.example",
        ] {
            assert!(!takes(&known, host), "{host}");
        }
        assert!(takes(&Known::of_server(&config(&[("PREVIEW_ALLOWED_HOSTS", "*")])), "evil.example"));
    }

    #[test]
    fn the_domain_of_previews_is_known() {
        let own = |template: &str| Known::of_server(&config(&[("PREVIEW_BASE_URL_TEMPLATE", template)]));
        assert!(takes(&own("https://apps.Example.com:{port}/x"), "apps.example.com"));
        assert!(takes(&own("https://{port}.apps.example.com"), "apps.example.com"));
        assert!(takes(&own("https://p-{port}.apps.example.com:8443"), "apps.example.com:8443"));
        assert!(!takes(&own("https://{port}.apps.example.com"), "3001.apps.example.com"));
        assert!(!takes(&own("https://apps.example.com/{port}"), "example.com"));
    }

    #[test]
    fn every_name_in_a_request_counts() {
        let known = Known::of_server(&config(&[]));
        let mut request = Request::get("http://localhost/").header("host", "evil.example").body(()).unwrap();
        assert!(known.check(&request).is_err());
        request.headers_mut().insert("host", "localhost".parse().unwrap());
        assert!(known.check(&request).is_ok());
        request.headers_mut().append("host", "evil.example".parse().unwrap());
        assert!(known.check(&request).is_err());
        let mut nobody = Request::get("/").header("x-forwarded-host", "localhost").body(()).unwrap();
        assert!(known.check(&nobody).is_err());
        *nobody.version_mut() = Version::HTTP_10;
        assert!(known.check(&nobody).is_ok());
    }
}
