//! Cookies of the sessions that callers name: a caller in an envelope has no browser to keep them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, header};

use crate::error::{Error, Result};
use crate::id::PreviewId;
use crate::preview::Previews;

/// Sessions of one preview, cookies of a session, bytes of a cookie: beyond them nothing is kept.
const SESSIONS: usize = 50;
const COOKIES: usize = 50;
const COOKIE: usize = 4096;
/// Longest name of a session.
const LONGEST_NAME: usize = 64;

/// The jars of all previews.
#[derive(Debug, Default)]
pub struct Jars(Mutex<HashMap<PreviewId, HashMap<String, Jar>>>);

/// The cookies of one session.
#[derive(Clone, Debug, Default)]
struct Jar(BTreeMap<String, Cookie>);

#[derive(Clone, Debug)]
struct Cookie {
    value: String,
    path: String,
}

impl Jars {
    /// Adds the session's cookies to a request; one that the caller names itself stays as it is.
    pub fn fill(
        &self,
        preview: &PreviewId,
        session: &str,
        path: &str,
        headers: &mut HeaderMap,
    ) -> Result<()> {
        if session.is_empty() || session.len() > LONGEST_NAME {
            return Err(Error::invalid("session", "The name of a session has 1 to 64 bytes."));
        }
        let jars = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(jar) = jars.get(preview).and_then(|jars| jars.get(session)) else { return Ok(()) };
        let given: Vec<String> = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .map(|pair| pair.trim().to_owned())
            .collect();
        let is_given = |name: &str| given.iter().any(|pair| pair.split('=').next() == Some(name));
        let kept = jar.0.iter().filter(|(name, cookie)| !is_given(name) && is_below(path, &cookie.path));
        let kept = kept.map(|(name, cookie)| format!("{name}={}", cookie.value));
        let all: Vec<String> = given.iter().cloned().chain(kept).collect();
        if let Ok(value) = HeaderValue::from_str(&all.join("; "))
            && !all.is_empty()
        {
            headers.insert(header::COOKIE, value);
        }
        Ok(())
    }

    /// Takes up what an answer sets, and gives the names and values that the session has now.
    pub fn take_up(
        &self,
        previews: &Previews,
        preview: &PreviewId,
        session: &str,
        path: &str,
        headers: &HeaderMap,
    ) -> BTreeMap<String, String> {
        let mut jars = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jars.retain(|id, _| previews.active_by_id(id).is_some());
        let sessions = jars.entry(preview.clone()).or_default();
        if sessions.len() >= SESSIONS && !sessions.contains_key(session) {
            sessions.clear();
        }
        let jar = sessions.entry(session.to_owned()).or_default();
        for value in headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            jar.set(value, path);
        }
        jar.0.iter().map(|(name, cookie)| (name.clone(), cookie.value.clone())).collect()
    }
}

impl Jar {
    fn set(&mut self, set_cookie: &str, request_path: &str) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let (mut path, mut over) = (directory(request_path).to_owned(), false);
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match key.trim().to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => path = value.to_owned(),
                "max-age" => over = value.trim().parse::<i64>().is_ok_and(|seconds| seconds <= 0),
                "expires" if is_past(value) => over = true,
                _ => {}
            }
        }
        if over {
            self.0.remove(name);
        } else if set_cookie.len() <= COOKIE && (self.0.len() < COOKIES || self.0.contains_key(name)) {
            self.0.insert(name.to_owned(), Cookie { value: value.to_owned(), path });
        }
    }
}

/// Where a cookie counts that does not say it.
fn directory(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(slash) => &path[..slash],
    }
}

fn is_below(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie_path.ends_with('/'))
}

/// Whether a moment as HTTP writes it has passed.
fn is_past(date: &str) -> bool {
    let date = date.trim().replace('-', " ");
    let parsed = jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S GMT", &date);
    let moment =
        parsed.and_then(|parsed| parsed.to_datetime()).and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC));
    moment.is_ok_and(|moment| moment.timestamp() <= jiff::Timestamp::now())
}

/// The jars, as all calls share them.
pub type SharedJars = Arc<Jars>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jar_follows_what_answers_set() {
        let mut jar = Jar::default();
        for set in [
            "a=1",
            "b=2; Path=/shop; HttpOnly",
            "c=3; Max-Age=60",
            "d=4; Expires=Wed, 01 Jan 2099 00:00:00 GMT",
            "no cookie",
        ] {
            jar.set(set, "/login/form");
        }
        let names = |jar: &Jar| jar.0.keys().cloned().collect::<Vec<_>>().join("");
        assert_eq!(
            (names(&jar).as_str(), jar.0["a"].path.as_str(), jar.0["b"].path.as_str()),
            ("abcd", "/login", "/shop")
        );
        for set in ["a=x; Max-Age=0", "d=; expires=Thu, 01-Jan-1970 00:00:00 GMT", "c=5"] {
            jar.set(set, "/");
        }
        assert_eq!((names(&jar).as_str(), jar.0["c"].value.as_str()), ("bc", "5"));
        assert!(is_below("/shop/x", "/shop") && is_below("/shop", "/shop") && is_below("/x", "/"));
        assert!(!is_below("/shopping", "/shop") && !is_below("/", "/shop"));
    }
}
