//! Versions that are known not to work together, and names that newer versions no longer have.

use ruff_text_size::TextSize;

use super::distributions::parts;
use super::stdlib::is_standard;
use super::{Context, Found, Problem};
use crate::modules::Files;
use crate::pins::is_below;

/// Modules of Python that have a namesake among the packages: backports mostly, which may even install.
#[rustfmt::skip]
const NAMESAKES: [&str; 36] = [
    "antigravity", "argparse", "ast", "asyncio", "chunk", "configparser", "contextvars", "dataclasses",
    "datetime", "dis", "email", "enum", "formatter", "functools", "graphlib", "hmac", "html", "http",
    "importlib", "ipaddress", "logging", "mailbox", "modulefinder", "multiprocessing", "pathlib", "readline",
    "resource", "secrets", "selectors", "ssl", "statistics", "token", "typing", "uuid", "wave", "wsgiref",
];

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

/// Versions that install together and fail when they are used: a package before a version, another from one on.
const CLASHES: [Clash; 2] = [
    Clash {
        old: ("motor", (3, 6)),
        new: ("pymongo", (4, 9)),
        message: "motor before 3.6 cannot be imported with pymongo 4.9 and later.",
        hint: "Pin pymongo<4.9, or take motor 3.6 or later.",
        sign: "cannot import name '_QUERY_OPTIONS' from 'pymongo.cursor'",
    },
    Clash {
        old: ("openai", (1, 55)),
        new: ("httpx", (0, 28)),
        message: "openai before 1.55 cannot make a client with httpx 0.28 and later.",
        hint: "Pin httpx<0.28, or take openai 1.56 or later.",
        sign: "unexpected keyword argument 'proxies'",
    },
];

struct Clash {
    old: (&'static str, (u64, u64)),
    new: (&'static str, (u64, u64)),
    message: &'static str,
    hint: &'static str,
    sign: &'static str,
}

impl Clash {
    fn is_there(&self, requirements: &[String]) -> bool {
        let is_before = |(package, version): (&str, (u64, u64))| {
            let own = requirements.iter().find(|one| parts(one).0 == package);
            own.is_some_and(|one| is_below(one[package.len()..].trim_start(), version))
        };
        is_before(self.old) && !is_before(self.new)
    }
}

/// Problems of the requirements themselves.
pub(super) fn check(files: &Files, requirements: &[String]) -> Vec<Problem> {
    let file = if files.contains_key("requirements.txt") { "requirements.txt" } else { "pyproject.toml" };
    let text = files.get(file).map_or(&[][..], Vec::as_slice);
    let place = |(name, found): (String, Found)| {
        let Found { code, fatal, message, hint, signs } = found;
        Problem { file: file.to_owned(), line: line_of(text, &name), code, message, hint, fatal, signs }
    };
    standard(file, requirements).into_iter().chain(incompatible(requirements)).map(place).collect()
}

/// Requirements that ask for a part of Python, by their names.
fn standard(file: &str, requirements: &[String]) -> Vec<(String, Found)> {
    let names = requirements.iter().map(|one| parts(one).0);
    names
        .filter(|name| is_standard(name))
        .map(|name| {
            let fatal = !NAMESAKES.contains(&name.as_str());
            let why = if fatal {
                "there is nothing to install under that name"
            } else {
                "the package of that name is another"
            };
            let found = Found {
                code: "standard_library_requirement",
                fatal,
                message: format!("{name} is part of Python: {why}."),
                hint: format!("Remove {name} from {file}."),
                signs: vec![format!("{name} was not found"), format!("`{name}` is part of Python")],
            };
            (name, found)
        })
        .collect()
}

/// Versions that the installer lets pass and that fail when they are used.
fn incompatible(requirements: &[String]) -> Vec<(String, Found)> {
    let at_least =
        |name: &str, major: u64| newest_major(requirements, name).is_some_and(|newest| newest >= major);
    let is_there = |name: &str| requirements.iter().any(|one| parts(one).0 == name);
    let bcrypt_extra = requirements.iter().any(|one| {
        let (name, extras) = parts(one);
        name == "passlib" && extras.iter().any(|extra| extra == "bcrypt")
    });
    let found = |message: &str, hint: &str, signs: &[&str]| Found {
        code: "incompatible_pins",
        fatal: false,
        message: message.to_owned(),
        hint: hint.to_owned(),
        signs: signs.iter().map(|sign| (*sign).to_owned()).collect(),
    };
    let mut all = Vec::new();
    if is_there("passlib") && (at_least("bcrypt", 5) || (bcrypt_extra && !is_there("bcrypt"))) {
        let message = "passlib 1.7 does not work with bcrypt 5: hashing a password fails.";
        let signs = ["password cannot be longer than 72 bytes", "has no attribute '__about__'"];
        all.push(("passlib".to_owned(), found(message, "Pin bcrypt==4.0.1.", &signs)));
    }
    if is_there("aioredis") {
        let message = "aioredis cannot be imported on Python 3.11 and later.";
        let signs = ["duplicate base class TimeoutError"];
        all.push(("aioredis".to_owned(), found(message, "Use redis.asyncio of the package redis.", &signs)));
    }
    let clashes = CLASHES.iter().filter(|clash| clash.is_there(requirements));
    all.extend(clashes.map(|one| (one.old.0.to_owned(), found(one.message, one.hint, &[one.sign]))));
    all
}

/// The problem of importing a name that the required version no longer has.
pub(super) fn moved(context: &Context<'_>, module: &str, name: &str, at: TextSize) -> Option<Problem> {
    let (_, _, package, since, hint) =
        MOVED.iter().find(|(own, moved, ..)| *own == module && *moved == name)?;
    // Without a pin the newest is installed, unless another package holds it back.
    let newest = newest_major(context.requirements, package).unwrap_or(u64::MAX);
    (newest >= *since && !context.pydantic_v1).then(|| {
        let found = Found {
            code: "moved_import",
            fatal: !context.installed.is_open(),
            message: format!("{package} {since} and later have no {name}."),
            hint: (*hint).to_owned(),
            signs: vec![name.to_owned()],
        };
        context.problem(at, found)
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
