//! What an installer's failure means, for the well-known causes.

use super::{EnvironmentError, Interpreter};

/// Names that are imported by one name and installed by another.
const RENAMED: [(&str, &str); 11] = [
    ("bs4", "beautifulsoup4"),
    ("cv2", "opencv-python-headless"),
    ("dateutil", "python-dateutil"),
    ("dotenv", "python-dotenv"),
    ("jose", "python-jose"),
    ("jwt", "pyjwt"),
    ("multipart", "python-multipart"),
    ("pil", "pillow"),
    ("psycopg2", "psycopg2-binary"),
    ("sklearn", "scikit-learn"),
    ("yaml", "pyyaml"),
];

/// The error for a failed run: `did` says what was tried, as in "The requirements could not be resolved".
pub(super) fn explain(did: &str, tail: Vec<String>, interpreter: &Interpreter) -> EnvironmentError {
    let said = tail.join("\n");
    let hint = unreachable(&said)
        .or_else(|| unknown_package(&said, interpreter))
        .or_else(|| unfit(&said, interpreter))
        .or_else(|| conflict(&said));
    EnvironmentError { message: format!("{did}."), tail, hint }
}

fn unreachable(said: &str) -> Option<String> {
    let network =
        ["error sending request", "Failed to fetch", "dns error", "NewConnectionError", "tcp connect error"];
    if network.iter().any(|sign| said.contains(sign)) {
        return Some(
            "The package index could not be reached: check the server's network and its index settings."
                .into(),
        );
    }
    said.contains("No space left on device")
        .then(|| "The server's disk is full: free some space in its data directory.".into())
}

fn unknown_package(said: &str, interpreter: &Interpreter) -> Option<String> {
    let name = word_before(said, " was not found in the package registry")
        .or_else(|| word_after(said, "No matching distribution found for "))?;
    let name = name.split(['=', '<', '>', '!', '~', '[']).next().unwrap_or(name);
    let module = name.replace('-', "_");
    if interpreter.modules.contains(&module) {
        return Some(format!("`{name}` is part of Python itself: remove it from the requirements."));
    }
    Some(renamed(name).unwrap_or_else(|| {
        format!("The package index has no package `{name}` that fits: check its name and version.")
    }))
}

fn unfit(said: &str, interpreter: &Interpreter) -> Option<String> {
    let version = interpreter.version_text();
    if said.contains("no usable wheels") || said.contains("no wheels with a matching") {
        let name =
            word_before(said, " has no usable wheels").or_else(|| word_before(said, " has no wheels with"));
        let name = name.and_then(|name| name.split("==").next()).unwrap_or("A package");
        return Some(renamed(name).unwrap_or_else(|| {
            format!("`{name}` has no ready-made wheel for Python {version}: ask for another version of it.")
        }));
    }
    if said.contains("Python>") || said.contains("Python version") || said.contains("Requires-Python") {
        return Some(format!(
            "A package needs another Python than {version}: ask for another version of it."
        ));
    }
    if said.contains("yanked") {
        return Some("A version that is asked for was withdrawn by its authors: ask for another.".into());
    }
    let missing = word_after(said, "there is no version of ")?;
    Some(format!("`{missing}` was never released: ask for a version that was."))
}

fn conflict(said: &str) -> Option<String> {
    (said.contains("unsatisfiable") || said.contains("ResolutionImpossible")).then(|| {
        "Versions that are asked for exclude each other: loosen or drop the pins named above.".into()
    })
}

fn renamed(name: &str) -> Option<String> {
    let (_, right) = RENAMED.iter().find(|(wrong, _)| *wrong == name)?;
    Some(format!("Ask for `{right}` instead of `{name}`."))
}

fn word_before<'a>(text: &'a str, sign: &str) -> Option<&'a str> {
    text[..text.find(sign)?].split_whitespace().next_back()
}

fn word_after<'a>(text: &'a str, sign: &str) -> Option<&'a str> {
    text[text.find(sign)? + sign.len()..].split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(said: &str) -> Option<String> {
        let interpreter = Interpreter {
            executable: "/python".into(),
            base_prefix: "/".into(),
            stdlib: "/".into(),
            version: (3, 11, 7),
            platform: String::new(),
            cache_tag: String::new(),
            modules: ["sqlite3".to_owned()].into(),
        };
        explain("It failed", vec![said.to_owned()], &interpreter).hint
    }

    #[test]
    fn well_known_causes_are_named() {
        for (said, expected) in [
            (
                "Because sqlite3 was not found in the package registry and",
                "`sqlite3` is part of Python itself",
            ),
            ("Because nosuch was not found in the package registry and", "no package `nosuch`"),
            ("ERROR: No matching distribution found for sqlite3", "`sqlite3` is part of Python itself"),
            ("Because psycopg2==2.9.9 has no usable wheels and you", "`psycopg2-binary`"),
            ("Because numpy==1.21.0 has no usable wheels and you", "no ready-made wheel for Python 3.11.7"),
            ("Because there is no version of fastapi==99.0 and", "`fastapi==99.0` was never released"),
            ("the current Python version (3.11.7) does not satisfy Python>=3.12", "another Python"),
            ("we can conclude that your requirements are unsatisfiable.", "exclude each other"),
            ("error sending request for url", "could not be reached"),
        ] {
            let hint = hint(said).unwrap_or_default();
            assert!(hint.contains(expected), "{said}: {hint}");
        }
        assert_eq!(hint("something else"), None);
    }
}
