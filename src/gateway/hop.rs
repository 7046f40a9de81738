//! Headers that concern one connection and not the message.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// RFC 9110, section 7.6.1, and what old clients send in its place.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What the request wants to switch to, if anything.
pub fn upgrade_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut connection = headers.get_all(header::CONNECTION).into_iter().filter_map(|v| v.to_str().ok());
    let wanted = connection.any(|v| v.split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade")));
    headers.get(header::UPGRADE).filter(|_| wanted).cloned()
}

/// Takes off what is meant for us alone, and what `Connection` names.
pub fn strip(headers: &mut HeaderMap) {
    // Most messages have none of them.
    if !headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// As [`strip`], but for a change of the protocol and the wish for trailers, which are passed on. Gives what it changes to.
pub fn strip_request(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let (upgrade, trailers) = (upgrade_of(headers), takes_trailers(headers));
    strip(headers);
    if let Some(protocol) = &upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol.clone());
    } else if trailers {
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    upgrade
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    let mut wishes = headers.get_all(header::TE).into_iter().filter_map(|value| value.to_str().ok());
    wishes.any(|value| value.split(',').any(|wish| wish.trim().eq_ignore_ascii_case("trailers")))
}
