//! What the project's requirements say about the FastAPI that will run it.

use crate::modules::Files;

/// From this version on, what is added to a router after it was included is served too.
const LAZY_SINCE: (u64, u64) = (0, 137);

/// Whether the pinned FastAPI copies the routes of a router when it is included. Without a pin the newest counts.
pub(crate) fn copies_routes_on_include(files: &Files) -> bool {
    let texts = ["requirements.txt", "pyproject.toml"].iter().filter_map(|path| files.get(*path));
    texts.filter_map(|bytes| std::str::from_utf8(bytes).ok()).flat_map(str::lines).any(|line| {
        let line = line.trim().trim_start_matches(['"', '\'']);
        line.strip_prefix("fastapi").is_some_and(below_limit)
    })
}

/// Whether what follows the name allows only older versions.
fn below_limit(rest: &str) -> bool {
    let rest = if rest.starts_with('[') { rest.split_once(']').map_or("", |(_, rest)| rest) } else { rest };
    let clauses = rest.split([';', '#']).next().unwrap_or_default().split(',');
    clauses.map(|clause| clause.trim().trim_end_matches(['"', '\''])).any(|clause| {
        let exact = ["===", "==", "~=", "<=", "<"].iter().find_map(|sign| clause.strip_prefix(sign));
        exact.and_then(version).is_some_and(|version| version < LAZY_SINCE)
    })
}

fn version(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.trim().split('.');
    let number = |part: Option<&str>| part.and_then(|part| part.trim().parse().ok());
    Some((number(parts.next())?, number(parts.next()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(requirements: &str) -> bool {
        copies_routes_on_include(&Files::from([(
            "requirements.txt".to_owned(),
            requirements.as_bytes().to_vec(),
        )]))
    }

    #[test]
    fn only_a_pin_below_the_change_counts() {
        assert!(copies("fastapi==0.115.0\n"));
        assert!(copies("uvicorn\nfastapi[standard]~=0.110 ; python_version > '3'\n"));
        assert!(copies("fastapi>=0.100,<0.116\n"));
        assert!(!copies("fastapi\n"));
        assert!(!copies("fastapi>=0.100\n"));
        assert!(!copies("fastapi==0.165.0\nfastapi-users==10.0\n"));
    }
}
