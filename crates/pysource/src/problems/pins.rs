//! Versions that are known not to work together, and names that newer versions no longer have.

use ruff_text_size::TextSize;

use super::distributions::parts;
use super::stdlib::is_standard;
use super::{Context, Problem};
use crate::modules::Files;

/// Packages whose name is that of a module of Python, and that can be installed nevertheless.
const BACKPORTS: [&str; 3] = ["dataclasses", "typing", "enum34"];

/// Names that moved: module, name, package and first version without it, what to do.
const MOVED: [(&str, &str, &str, u64, &str); 2] = [
    (
        "pydantic",
        "BaseSettings",
        "pydantic",
        2,
        "Import BaseSettings from pydantic_settings, and require pydantic-settings.",
    ),
    ("pydantic", "ConstrainedStr", "pydantic", 2, "Use Annotated[str, StringConstraints(…)]."),
];

/// Problems of the requirements themselves.
pub(super) fn check(files: &Files, requirements: &[String]) -> Vec<Problem> {
    let mut found = Vec::new();
    let file = if files.contains_key("requirements.txt") { "requirements.txt" } else { "pyproject.toml" };
    let mut add = |name: &str, code, fatal, message: String, hint: String| {
        let line = line_of(files.get(file).map_or(&[][..], Vec::as_slice), name);
        found.push(Problem { file: file.to_owned(), line, code, message, hint, fatal });
    };
    for requirement in requirements {
        let (name, _) = parts(requirement);
        if is_standard(&name) && !BACKPORTS.contains(&name.as_str()) {
            let message = format!("{name} is part of Python: there is nothing to install under that name.");
            add(&name, "standard_library_requirement", true, message, format!("Remove {name} from {file}."));
        }
    }
    let at_least =
        |name: &str, major: u64| newest_major(requirements, name).is_some_and(|newest| newest >= major);
    let passlib = requirements.iter().any(|one| parts(one).0 == "passlib");
    let bcrypt_extra = requirements.iter().any(|one| {
        let (name, extras) = parts(one);
        name == "passlib" && extras.iter().any(|extra| extra == "bcrypt")
    });
    let bcrypt = requirements.iter().any(|one| parts(one).0 == "bcrypt");
    if passlib && (at_least("bcrypt", 5) || (bcrypt_extra && !bcrypt)) {
        let message = "passlib 1.7 does not work with bcrypt 5: hashing a password fails.".to_owned();
        add("passlib", "incompatible_pins", false, message, "Pin bcrypt==4.0.1.".to_owned());
    }
    if requirements.iter().any(|one| parts(one).0 == "aioredis") {
        let message = "aioredis cannot be imported on Python 3.11 and later.".to_owned();
        add(
            "aioredis",
            "incompatible_pins",
            false,
            message,
            "Use redis.asyncio of the package redis.".to_owned(),
        );
    }
    found
}

/// The problem of importing a name that the required version no longer has.
pub(super) fn moved(context: &Context<'_>, module: &str, name: &str, at: TextSize) -> Option<Problem> {
    let (_, _, package, since, hint) =
        MOVED.iter().find(|(own, moved, ..)| *own == module && *moved == name)?;
    // Without a pin the newest is installed.
    let newest = newest_major(context.requirements, package).unwrap_or(u64::MAX);
    (newest >= *since).then(|| {
        let message = format!("{package} {since} and later have no {name}.");
        context.problem(at, "moved_import", true, message, (*hint).to_owned())
    })
}

/// The newest major version that the requirement of that package allows; None if it is not required.
fn newest_major(requirements: &[String], package: &str) -> Option<u64> {
    let requirement = requirements.iter().find(|one| parts(one).0 == package)?;
    let specifiers = requirement.split(';').next().unwrap_or(requirement);
    let start = specifiers.find(['=', '<', '>', '~', '!']).unwrap_or(specifiers.len());
    let mut newest = u64::MAX;
    for clause in specifiers[start..].split(',').map(str::trim) {
        let number = |sign: &str| {
            let rest = clause.strip_prefix(sign)?.trim();
            let mut parts = rest.split('.').map(|part| part.trim().parse::<u64>().unwrap_or(0));
            Some((parts.next()?, parts.all(|part| part == 0)))
        };
        if let Some((major, _)) = ["===", "==", "~=", "<="].iter().find_map(|sign| number(sign)) {
            newest = newest.min(major);
        } else if let Some((major, whole)) = number("<") {
            newest = newest.min(if whole { major.saturating_sub(1) } else { major });
        }
    }
    Some(newest)
}

fn line_of(bytes: &[u8], name: &str) -> usize {
    let text = String::from_utf8_lossy(bytes);
    text.lines()
        .position(|line| parts(line.trim().trim_start_matches(['"', '\''])).0 == name)
        .map_or(1, |at| at + 1)
}
