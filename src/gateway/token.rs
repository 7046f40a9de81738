//! The preview's token: where a request carries it, and taking it off again.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri};

use super::TOKEN_HEADER;
use crate::auth::is_same_token;
use crate::id::PreviewId;

/// As a name, so that it need not be read as one for each request.
const TOKEN: HeaderName = HeaderName::from_static(TOKEN_HEADER);
const QUERY_KEY: &str = "preview_token";
/// Cookies ignore ports: each preview's has a name of its own, and all of them are kept from the application.
const COOKIE_PREFIX: &str = "preview_token_";

/// What a request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// Something that is not the token.
    Wrong,
    /// The token, in a header or a cookie.
    Token,
    /// The token, in the query: to be traded for a cookie where a browser asks.
    InQuery,
}

/// What opens one preview.
#[derive(Debug)]
pub struct Door {
    token: String,
    cookie_name: String,
}

impl Door {
    /// For the preview `id`, whose token this is.
    pub fn new(id: &PreviewId, token: String) -> Self {
        Self { token, cookie_name: format!("{COOKIE_PREFIX}{}", id.as_str().trim_start_matches("preview_")) }
    }

    /// Looks for the token.
    pub fn shown(&self, headers: &HeaderMap, uri: &Uri) -> Shown {
        let check = |token: &str| self.is_opened_by(token);
        if let Some(value) = headers.get(TOKEN) {
            return if value.to_str().is_ok_and(check) { Shown::Token } else { Shown::Wrong };
        }
        if let Some(token) = in_query(uri) {
            return if check(&token) { Shown::InQuery } else { Shown::Wrong };
        }
        // A bearer token that is not ours is the application's own, if a cookie opens the door.
        if bearer(headers).is_some_and(check) {
            return Shown::Token;
        }
        let own = |(name, _): &(&str, &str)| *name == self.cookie_name;
        match cookies(headers).find(own) {
            Some((_, value)) if check(value) => Shown::Token,
            Some(_) => Shown::Wrong,
            None if bearer(headers).is_some() => Shown::Wrong,
            None => Shown::Nothing,
        }
    }

    /// Takes everything off that is the preview's and not the application's.
    pub fn strip(&self, headers: &mut HeaderMap) {
        headers.remove(TOKEN);
        if bearer(headers).is_some_and(|token| self.is_opened_by(token)) {
            headers.remove(header::AUTHORIZATION);
        }
        if headers.contains_key(header::COOKIE) {
            strip_cookies(headers);
        }
    }

    /// The cookie that the token is traded for.
    pub fn cookie(&self, secure: bool) -> String {
        let secure = if secure { "; Secure" } else { "" };
        format!("{}={}; Path=/; HttpOnly; SameSite=Lax{secure}", self.cookie_name, self.token)
    }

    fn is_opened_by(&self, token: &str) -> bool {
        is_same_token(&self.token, token)
    }
}

fn strip_cookies(headers: &mut HeaderMap) {
    let others: Vec<String> = cookies(headers)
        .filter(|(name, _)| !name.starts_with(COOKIE_PREFIX))
        .map(|(name, value)| if value.is_empty() { name.to_owned() } else { format!("{name}={value}") })
        .collect();
    // HTTP/2 clients send them one by one, HTTP/1.1 has one header for all.
    let apart = headers.get_all(header::COOKIE).iter().count() > 1;
    if apart || cookies(headers).count() != others.len() {
        headers.remove(header::COOKIE);
        if let Ok(value) = HeaderValue::from_str(&others.join("; "))
            && !others.is_empty()
        {
            headers.insert(header::COOKIE, value);
        }
    }
}

/// The address without the token, byte for byte the same elsewhere.
#[must_use]
pub fn without_token(uri: &Uri) -> Option<Uri> {
    let query = uri.query()?;
    let is_token = |pair: &&str| *pair == QUERY_KEY || pair.starts_with("preview_token=");
    if !query.split('&').any(|pair| is_token(&pair)) {
        return None;
    }
    let rest: Vec<_> = query.split('&').filter(|pair| !is_token(pair)).collect();
    let path = uri.path();
    let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    uri::Builder::new().path_and_query(target).build().ok()
}

/// Whether a `Set-Cookie` is of a cookie that opens a preview.
#[must_use]
pub fn is_door_cookie(set_cookie: &[u8]) -> bool {
    set_cookie.trim_ascii_start().starts_with(COOKIE_PREFIX.as_bytes())
}

fn in_query(uri: &Uri) -> Option<String> {
    let pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.into_iter().find(|(key, _)| key == QUERY_KEY).map(|(_, value)| value.into_owned())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).map(str::trim).filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_leaves_the_query() {
        let without = |uri: &str| without_token(&uri.parse().unwrap()).map(|u| u.to_string());
        assert_eq!(without("/a?preview_token=x").as_deref(), Some("/a"));
        assert_eq!(without("/a?b=%20+1&preview_token=x&c").as_deref(), Some("/a?b=%20+1&c"));
        assert_eq!(without("/a?b=preview_token"), None);
        assert_eq!(without("/a"), None);
    }

    #[test]
    fn the_applications_cookies_stay() {
        let id = PreviewId::parse("preview_1").unwrap();
        let mut headers = HeaderMap::new();
        headers
            .insert(header::COOKIE, HeaderValue::from_static("a=1; preview_token_1=t; preview_token_2=u; b"));
        Door::new(&id, "t".to_owned()).strip(&mut headers);
        assert_eq!(headers[header::COOKIE], "a=1; b");
    }
}
