//! What values of settings are read as.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{CpuAwake, IdleAction, Isolation};

pub(super) fn whole<T: FromStr + PartialOrd + Display>(value: &str, range: RangeInclusive<T>) -> Option<T> {
    value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse().ok())?.filter(|n| range.contains(n))
}

pub(super) fn text(value: &str) -> Option<String> {
    (!value.trim().is_empty()).then(|| value.to_owned())
}

pub(super) fn host_and_port(value: &str) -> Option<String> {
    let (host, port) = value.rsplit_once(':')?;
    let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/');
    (is_host && port.parse::<u16>().is_ok_and(|port| port > 0)).then(|| value.to_owned())
}

/// A collector of the same network: what is sent there is not encrypted.
pub(super) fn collector(value: &str) -> Option<String> {
    let rest = value.strip_prefix("http://").filter(|rest| !rest.starts_with('/'))?;
    let is_address = !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || "?#@".contains(c));
    is_address.then(|| value.to_owned())
}

pub(super) fn path(value: &str) -> Option<std::path::PathBuf> {
    text(value).map(Into::into)
}

pub(super) fn switch(value: &str) -> Option<bool> {
    match value {
        "on" | "true" | "1" => Some(true),
        "off" | "false" | "0" => Some(false),
        _ => None,
    }
}

pub(super) fn idle_action(value: &str) -> Option<IdleAction> {
    match value {
        "stop" => Some(IdleAction::Stop),
        "sleep" => Some(IdleAction::Sleep),
        _ => None,
    }
}

pub(super) fn cpu_awake(value: &str) -> Option<CpuAwake> {
    match value {
        "auto" => Some(CpuAwake::Auto),
        "on" => Some(CpuAwake::On),
        "off" => Some(CpuAwake::Off),
        _ => None,
    }
}

pub(super) fn isolation(value: &str) -> Option<Isolation> {
    match value {
        "auto" => Some(Isolation::Auto),
        "strict" => Some(Isolation::Strict),
        "off" => Some(Isolation::Off),
        _ => None,
    }
}

/// A store in memory would forget what still runs.
pub(super) fn store_url(value: &str) -> Option<String> {
    let in_memory = value.contains(":memory:") || value.contains("mode=memory");
    let mut rests = ["sqlite:", "postgres://", "postgresql://"].iter().filter_map(|s| value.strip_prefix(s));
    (!in_memory && rests.any(|rest| !rest.trim_matches('/').is_empty())).then(|| value.to_owned())
}

pub(super) fn template(value: &str) -> Option<String> {
    let plain = value.replace("{port}", "").replace("{id}", "");
    let is_address = value.starts_with("http://") || value.starts_with("https://");
    let is_clean = !plain.contains(|c: char| matches!(c, '{' | '}' | '?' | '#') || c.is_whitespace());
    (is_address && is_clean && plain != value).then(|| value.trim_end_matches('/').to_owned())
}
