//! What the project's requirements say about the FastAPI and the pydantic that will run it.

use crate::modules::Files;

/// From this FastAPI on, what is added to a router after it was included is served too.
const LAZY_SINCE: (u64, u64) = (0, 137);
/// From this FastAPI on, pydantic 2 is taken.
const TAKES_PYDANTIC_2: (u64, u64) = (0, 100);

/// How old the libraries are. What is not pinned is the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    /// The routes of a router are copied when it is included.
    pub(crate) copies_on_include: bool,
    /// Models are pydantic 1's.
    pub(crate) pydantic_v1: bool,
}

impl Versions {
    pub(crate) fn of(files: &Files) -> Self {
        let texts = ["requirements.txt", "pyproject.toml"].iter().filter_map(|path| files.get(*path));
        let lines: Vec<&str> =
            texts.filter_map(|bytes| std::str::from_utf8(bytes).ok()).flat_map(str::lines).collect();
        let is_below = |package: &str, limit| {
            let names = lines.iter().map(|line| line.trim().trim_start_matches(['"', '\'']));
            names.filter_map(|line| line.strip_prefix(package)).any(|rest| is_below(rest, limit))
        };
        Self {
            copies_on_include: is_below("fastapi", LAZY_SINCE),
            pydantic_v1: is_below("pydantic", (2, 0)) || is_below("fastapi", TAKES_PYDANTIC_2),
        }
    }
}

/// Whether what follows a package's name in a requirement allows only versions before the limit.
pub(crate) fn is_below(rest: &str, limit: (u64, u64)) -> bool {
    let rest = if rest.starts_with('[') { rest.split_once(']').map_or("", |(_, rest)| rest) } else { rest };
    let clauses = rest.split([';', '#']).next().unwrap_or_default().split(',');
    clauses.map(|clause| clause.trim().trim_end_matches(['"', '\''])).any(|clause| {
        let exact = ["===", "==", "~=", "<="].iter().find_map(|sign| clause.strip_prefix(sign));
        match (exact, clause.strip_prefix('<')) {
            (Some(text), _) => version(text).is_some_and(|version| version < limit),
            (None, Some(text)) => version(text).is_some_and(|version| version <= limit),
            (None, None) => false,
        }
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

    fn versions(requirements: &str) -> Versions {
        Versions::of(&Files::from([("requirements.txt".to_owned(), requirements.as_bytes().to_vec())]))
    }

    fn copies(requirements: &str) -> bool {
        versions(requirements).copies_on_include
    }

    #[test]
    fn an_older_pydantic_is_pinned_or_comes_with_fastapi() {
        let is_old = |requirements| versions(requirements).pydantic_v1;
        assert!(is_old("fastapi\npydantic==1.10.13\n") && is_old("pydantic[email]<2\n"));
        assert!(is_old("fastapi==0.95.2\n") && is_old("pydantic>=1.8,<2.0\n"));
        assert!(
            !is_old("fastapi==0.110.0\npydantic\n") && !is_old("pydantic>=1.10\npydantic-settings==2.0\n")
        );
        assert!(!is_old("pydantic-extra-types==1.0\n") && !is_old("pydantic<3\n"));
    }

    #[test]
    fn only_a_pin_below_the_change_counts() {
        assert!(copies("fastapi==0.115.0\n"));
        assert!(copies("uvicorn\nfastapi[standard]~=0.110 ; python_version > '3'\n"));
        assert!(copies("fastapi>=0.100,<0.116\n"));
        assert!(copies("fastapi<0.137\n") && !copies("fastapi<=0.137\n"));
        assert!(!copies("fastapi\n"));
        assert!(!copies("fastapi>=0.100\n"));
        assert!(!copies("fastapi==0.165.0\nfastapi-users==10.0\n"));
    }
}
