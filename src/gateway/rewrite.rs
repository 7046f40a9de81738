//! The little that is changed of an answer: what would not work, or would harm, at the client's side.

use axum::http::{HeaderMap, HeaderValue, Uri, header, uri};

use super::token;

/// Names under which an application knows the machine that it runs on.
const INSIDE: [&str; 4] = ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"];

/// Changes the headers of an answer for a client that calls the preview `host`.
pub fn response(headers: &mut HeaderMap, host: Option<&HeaderValue>, secure: bool, port: u16) {
    let location = headers.get(header::LOCATION).and_then(|value| outward(value, host?, secure, port));
    if let Some(location) = location {
        headers.insert(header::LOCATION, location);
    }
    remove_door_cookies(headers);
}

/// The address by which the client reaches what the application calls `http://localhost:PORT`.
fn outward(value: &HeaderValue, host: &HeaderValue, secure: bool, port: u16) -> Option<HeaderValue> {
    let uri: Uri = value.to_str().ok()?.parse().ok()?;
    let authority = uri.authority()?;
    let is_inside = INSIDE.contains(&authority.host()) && authority.port_u16() == Some(port);
    if !is_inside || authority.as_str().as_bytes() == host.as_bytes() {
        return None;
    }
    let scheme = if secure { "https" } else { "http" };
    let builder = uri::Builder::new().scheme(scheme).authority(host.as_bytes());
    let built = builder.path_and_query(uri.path_and_query()?.clone()).build().ok()?;
    HeaderValue::from_str(&built.to_string()).ok()
}

/// Cookies ignore ports: an application could lock its user out of other previews.
fn remove_door_cookies(headers: &mut HeaderMap) {
    let is_door = |value: &&HeaderValue| token::is_door_cookie(value.as_bytes());
    if !headers.get_all(header::SET_COOKIE).iter().any(|value| is_door(&value)) {
        return;
    }
    let kept: Vec<_> =
        headers.get_all(header::SET_COOKIE).iter().filter(|value| !is_door(value)).cloned().collect();
    headers.remove(header::SET_COOKIE);
    for value in kept {
        headers.append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(given: &str, host: &str, secure: bool) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_str(given).unwrap());
        response(&mut headers, Some(&HeaderValue::from_str(host).unwrap()), secure, 3001);
        headers[header::LOCATION].to_str().unwrap().to_owned()
    }

    #[test]
    fn only_addresses_of_the_inside_are_turned_outward() {
        let outside = "p1.example.com";
        assert_eq!(location("http://localhost:3001/a?b=c", outside, true), "https://p1.example.com/a?b=c");
        assert_eq!(location("http://127.0.0.1:3001/", outside, false), "http://p1.example.com/");
        for same in
            ["/a", "a?b", "http://localhost:3002/", "https://localhost/", "https://other.example/", "?"]
        {
            assert_eq!(location(same, outside, true), same);
        }
        assert_eq!(
            location("http://localhost:3001/a#f", "localhost:3001", false),
            "http://localhost:3001/a#f"
        );
    }

    #[test]
    fn an_application_sets_its_own_cookies_only() {
        let mut headers = HeaderMap::new();
        for cookie in ["a=1", "preview_token_9=x; Path=/", " preview_token_8 = y", "b=preview_token_7"] {
            headers.append(header::SET_COOKIE, HeaderValue::from_static(cookie));
        }
        response(&mut headers, None, false, 1);
        let left: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(left, ["a=1", "b=preview_token_7"]);
    }
}
