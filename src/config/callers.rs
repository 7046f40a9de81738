//! By which names the server may be called, and from whose pages.

use std::net::IpAddr;

use super::Config;

/// Stands for any preview's id.
const ID: &str = "preview-id";

/// A name that the server answers to, besides those that no stranger can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHost {
    /// This one, in small letters.
    Name(String),
    /// All below this one, which begins with a dot.
    Below(String),
    /// Any.
    Any,
}

impl AllowedHost {
    /// Whether it is this host, which is in small letters and without a port.
    #[must_use]
    pub fn is(&self, host: &str) -> bool {
        match self {
            Self::Name(name) => name == host,
            Self::Below(domain) => host.len() > domain.len() && host.ends_with(domain.as_str()),
            Self::Any => true,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let is_name = |name: &str| {
            let labels = name.split('.').all(|label| !label.is_empty());
            labels && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let text = text.to_ascii_lowercase();
        match text.strip_prefix("*.") {
            _ if text == "*" => Some(Self::Any),
            Some(domain) => is_name(domain).then(|| Self::Below(format!(".{domain}"))),
            None => is_name(&text).then_some(Self::Name(text)),
        }
    }
}

/// Names with commas between.
pub(super) fn hosts(value: &str) -> Option<Vec<AllowedHost>> {
    value.split(',').map(|part| AllowedHost::parse(part.trim())).collect()
}

/// Origins as browsers write them, with commas between.
pub(super) fn origins(value: &str) -> Option<Vec<String>> {
    value.split(',').map(|part| origin(part.trim())).collect()
}

fn origin(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, authority) = text.trim_end_matches('/').split_once("://")?;
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let is_plain = !authority.is_empty() && !authority.contains(['/', '?', '#', '@', '*', '{', ' ', '\\']);
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    is_plain.then(|| format!("{scheme}://{authority}"))
}

/// The first of the allowed origins that is a preview's. Its pages are a stranger's code.
pub(super) fn of_a_preview(config: &Config) -> Option<&String> {
    config.allowed_origins.iter().find(|allowed| {
        let local = allowed.split_once("://").and_then(|(_, authority)| port_here(authority));
        local.is_some_and(|port| (config.port_min..=config.port_max).contains(&port))
            || fits_template(config, allowed)
    })
}

/// The port of an address that may be this machine's own.
fn port_here(authority: &str) -> Option<u16> {
    let (host, port) = authority.rsplit_once(':')?;
    let is_here = !host.contains('.') || host.parse::<IpAddr>().is_ok() || host.ends_with(".localhost");
    port.parse().ok().filter(|_| is_here)
}

fn fits_template(config: &Config, allowed: &str) -> bool {
    let Some((scheme, rest)) = config.base_url_template.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    (config.port_min..=config.port_max).any(|port| {
        let address = format!("{scheme}://{}", authority.replace("{port}", &port.to_string()));
        let Some(address) = origin(&address.replace("{id}", ID)) else { return false };
        match address.split_once(ID) {
            Some((before, after)) => allowed.strip_prefix(before).is_some_and(|rest| rest.ends_with(after)),
            None => address == *allowed,
        }
    })
}
