//! What to change, for the failures that generated projects are known for.

/// A text of a failure, and what to do about it.
const KNOWN: [(&str, &str); 14] = [
    ("python-multipart", "Form data needs the package python-multipart: add it to requirements.txt."),
    (
        "email-validator is not installed",
        "EmailStr needs the package email-validator: add it to requirements.txt.",
    ),
    (
        "the greenlet library is required",
        "SQLAlchemy's asyncio extension needs greenlet: add it to requirements.txt.",
    ),
    ("SessionMiddleware", "SessionMiddleware needs the package itsdangerous: add it to requirements.txt."),
    ("jinja2 must be installed", "Templates need the package jinja2: add it to requirements.txt."),
    (
        "has no attribute '__about__'",
        "passlib 1.7 does not work with bcrypt 4.1 and later: pin bcrypt<4.1, or use bcrypt directly.",
    ),
    (
        "password cannot be longer than 72 bytes",
        "passlib 1.7 does not work with bcrypt 5: pin bcrypt<4.1, or use bcrypt directly.",
    ),
    (
        "pydantic-settings",
        "BaseSettings moved to the package pydantic-settings: add it, and import it from there.",
    ),
    (
        "`BaseSettings` has been moved",
        "BaseSettings moved to the package pydantic-settings: add it, and import it from there.",
    ),
    (
        "The asyncio extension requires an async driver",
        "create_async_engine needs an async URL such as sqlite+aiosqlite:///…; the preview's DATABASE_URL is one if the source builds an async engine.",
    ),
    ("field required", "A setting has no value: give it a default, or pass it as env of the launch."),
    ("Field required", "A setting has no value: give it a default, or pass it as env of the launch."),
    (
        "Connect call failed",
        "Something is expected at an address that a preview cannot reach: use DATABASE_URL, or make it optional.",
    ),
    (
        "could not translate host name",
        "A database server is expected: a preview has SQLite, at DATABASE_URL.",
    ),
];

/// Names under which packages are imported that are called otherwise where they are installed from.
const PACKAGES: [(&str, &str); 22] = [
    ("dotenv", "python-dotenv"),
    ("jose", "python-jose[cryptography]"),
    ("jwt", "PyJWT"),
    ("yaml", "PyYAML"),
    ("PIL", "Pillow"),
    ("cv2", "opencv-python-headless"),
    ("sklearn", "scikit-learn"),
    ("bs4", "beautifulsoup4"),
    ("multipart", "python-multipart"),
    ("psycopg2", "psycopg2-binary"),
    ("MySQLdb", "mysqlclient"),
    ("dateutil", "python-dateutil"),
    ("magic", "python-magic"),
    ("slugify", "python-slugify"),
    ("decouple", "python-decouple"),
    ("email_validator", "email-validator"),
    ("pydantic_settings", "pydantic-settings"),
    ("socketio", "python-socketio"),
    ("google.cloud", "google-cloud-core"),
    ("Crypto", "pycryptodome"),
    ("attr", "attrs"),
    ("fitz", "PyMuPDF"),
];

/// The advice for a failure, if it is a well-known one.
#[must_use]
pub fn find(import_error: Option<&str>, log_tail: &[String]) -> Option<String> {
    if let Some(hint) = import_error.and_then(missing_module) {
        return Some(hint);
    }
    let texts = import_error.into_iter().chain(log_tail.iter().rev().map(String::as_str));
    let mut found = texts.flat_map(|text| KNOWN.iter().filter(move |(known, _)| text.contains(known)));
    found.next().map(|(_, hint)| (*hint).to_owned())
}

fn missing_module(error: &str) -> Option<String> {
    let (_, rest) = error.split_once("No module named '")?;
    let (module, _) = rest.split_once('\'')?;
    let top = module.split('.').next().unwrap_or(module);
    let named = PACKAGES.iter().find(|(name, _)| *name == top || *name == module);
    Some(match named {
        Some((_, package)) => {
            format!("The module {top} is in the package {package}: add it to requirements.txt.")
        }
        None => format!(
            "No requirement provides the module {top}: add its package to requirements.txt, or the missing file to the project."
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_failures_have_advice() {
        let hint = |error: &str| find(Some(error), &[]).unwrap_or_default();
        assert!(hint("No module named 'dotenv'").contains("python-dotenv"));
        assert!(hint("No module named 'app.models'").contains("missing file"));
        assert!(
            hint("Form data requires \"python-multipart\" to be installed.").contains("python-multipart")
        );
        assert_eq!(find(Some("something else"), &[]), None);
        let tail = ["ValueError: password cannot be longer than 72 bytes".to_owned()];
        assert!(find(None, &tail).unwrap().contains("bcrypt"));
    }
}
