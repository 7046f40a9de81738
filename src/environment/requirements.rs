//! What a project asks for, parsed strictly: names, extras, versions and markers; nothing that reaches the host.

use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::entry::Entry;

/// How errors call the file.
const FILE: &str = "requirements.txt";
/// Most requirements of one project.
const MAX_REQUIREMENTS: usize = 500;

/// The packages that a project asks for, and those that a preview adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Normalised and sorted, no two the same.
    wanted: Vec<Entry>,
    added: Vec<String>,
}

/// Requirements that are refused. Says where and why, and quotes nothing from any file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequirementsError {
    /// The place and the reason.
    pub message: String,
    /// The file that it is in.
    pub file: &'static str,
    /// The line there, from 1 on; 1 as well where it is about the whole file.
    pub line: usize,
    /// What to change.
    pub hint: String,
}

impl Requirements {
    /// Reads a `requirements.txt`: comments, blank lines, continued lines, any line ends, a byte order mark.
    ///
    /// # Errors
    /// For options, paths, URLs, and whatever is no requirement; with the number of the line.
    pub fn from_requirements_txt(content: &[u8]) -> Result<Self, RequirementsError> {
        let text = std::str::from_utf8(content)
            .map_err(|_| refused(FILE, "is not UTF-8 text", "Save it as UTF-8."))?;
        let mut wanted = Vec::new();
        for (number, line) in logical_lines(text.strip_prefix('\u{feff}').unwrap_or(text)) {
            let entry = parse(&line, FILE, &format!(", line {number},"));
            wanted.push(entry.map_err(|error| RequirementsError { line: number, ..error })?);
        }
        Self::new(wanted, FILE)
    }

    /// Takes requirements one by one, as `table` of `file` lists them.
    pub(super) fn from_list<'a>(
        list: impl IntoIterator<Item = &'a str>,
        file: &'static str,
        table: &str,
    ) -> Result<Self, RequirementsError> {
        let numbered = list.into_iter().zip(1..);
        let wanted = numbered.map(|(one, number)| parse(one, file, &format!(", {table}, entry {number},")));
        Self::new(wanted.collect::<Result<_, _>>()?, file)
    }

    fn new(mut wanted: Vec<Entry>, file: &'static str) -> Result<Self, RequirementsError> {
        if wanted.len() > MAX_REQUIREMENTS {
            let why = format!("asks for more than {MAX_REQUIREMENTS} packages");
            return Err(refused(file, &why, "List only what the project imports."));
        }
        wanted.sort();
        wanted.dedup();
        Ok(Self { wanted, added: Vec::new() })
    }

    /// With `uvicorn`, which serves every preview, unless it is asked for.
    #[must_use]
    pub fn with_uvicorn(self) -> Self {
        self.with("uvicorn")
    }

    /// With what an async SQLite engine needs, unless it is asked for.
    #[must_use]
    pub fn with_async_sqlite(self) -> Self {
        self.with("aiosqlite").with("greenlet")
    }

    /// With a library for WebSockets, unless one is asked for: uvicorn by itself has none and refuses them.
    #[must_use]
    pub fn with_websockets(self) -> Self {
        let brings_one = |one: &Entry| {
            matches!(one.name.as_str(), "websockets" | "wsproto")
                || (one.name == "uvicorn" && one.text.contains("standard"))
                || (one.name == "fastapi" && (one.text.contains("standard") || one.text.contains("all")))
        };
        if self.wanted.iter().any(brings_one) { self } else { self.with("websockets") }
    }

    fn with(mut self, name: &str) -> Self {
        if !self.wanted.iter().any(|one| one.name == name && !one.conditional) {
            self.wanted.push(Entry { name: name.to_owned(), text: name.to_owned(), conditional: false });
            self.wanted.sort();
            self.added.push(name.to_owned());
        }
        self
    }

    /// How many packages are asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// The packages that the project left out and a preview adds; the launch logs them.
    #[must_use]
    pub fn added(&self) -> &[String] {
        &self.added
    }

    /// The names that are asked for, normalised.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.wanted.iter().map(|one| one.name.as_str())
    }

    /// One requirement a line, as an installer reads it.
    #[must_use]
    pub fn to_lines(&self) -> Vec<String> {
        self.wanted.iter().map(|one| one.text.clone()).collect()
    }

    /// The same for the same wishes, however they were written.
    pub(super) fn key(&self) -> String {
        hex::encode(Sha256::digest(self.to_lines().join("\n")))
    }
}

/// The error for a file and what is wrong with it.
pub(super) fn refused(file: &'static str, why: &str, hint: &str) -> RequirementsError {
    refused_in(file, "", why, hint)
}

/// The error for a part of a file, as in `, line 3,`, and what is wrong there.
pub(super) fn refused_in(file: &'static str, part: &str, why: &str, hint: &str) -> RequirementsError {
    RequirementsError { message: format!("{file}{part} {why}."), file, line: 1, hint: hint.to_owned() }
}

/// Lines without comments, joined where a backslash continues them, with the number that they start at.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (line, number) in text.lines().zip(1..) {
        let (start, mut joined) = open.take().unwrap_or((number, String::new()));
        let line = without_comment(line);
        if let Some(continued) = line.strip_suffix('\\') {
            joined.push_str(continued);
            open = Some((start, joined));
        } else {
            joined.push_str(line);
            lines.push((start, joined));
        }
    }
    lines.extend(open);
    lines.retain_mut(|(_, line)| {
        *line = line.trim().to_owned();
        !line.is_empty()
    });
    lines
}

/// A comment starts the line or follows a space.
fn without_comment(line: &str) -> &str {
    let start = line
        .char_indices()
        .find(|&(at, c)| c == '#' && line[..at].chars().next_back().is_none_or(char::is_whitespace));
    start.map_or(line, |(at, _)| line[..at].trim_end())
}

fn parse(text: &str, file: &'static str, part: &str) -> Result<Entry, RequirementsError> {
    Entry::from_str(text).map_err(|(why, hint)| refused_in(file, part, why, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Requirements, RequirementsError> {
        Requirements::from_requirements_txt(text.as_bytes())
    }

    #[test]
    fn ordinary_files_are_read() {
        let text = "\u{feff}# web\r\nFastAPI>=0.110,<1  # the framework\r\n\r\nuvicorn[standard]==0.30.0\r\n\
                    Typing_Extensions ; python_version < '3.13'\nsqlalchemy \\\n  >=2\n";
        assert_eq!(
            read(text).unwrap().to_lines(),
            [
                "fastapi>=0.110,<1",
                "sqlalchemy>=2",
                "typing-extensions ; python_version < '3.13'",
                "uvicorn[standard]==0.30.0",
            ]
        );
    }

    #[test]
    fn the_same_wishes_have_the_same_key() {
        let one = read("fastapi >= 0.110\nSQLAlchemy\n").unwrap();
        let other = read("# x\nsqlalchemy\nFastAPI>=0.110\nsqlalchemy").unwrap();
        assert_eq!(one.key(), other.key());
        assert_ne!(one.key(), read("fastapi\nsqlalchemy").unwrap().key());
    }

    #[test]
    fn what_reaches_the_host_is_refused_with_its_line_and_without_a_quote() {
        for line in [
            "-r /etc/hostname",
            "-c /etc/passwd",
            "-e .",
            "-e git+https://secret.example/x",
            "--index-url https://secret",
            "--extra-index-url=https://secret",
            "-f /secret",
            "--find-links /secret",
            "secret @ file:///etc",
            "secret@https://x",
            "git+https://secret.example/x",
            "https://secret/x.whl",
            "/secret/x.whl",
            "./secret",
            "../secret",
            ".",
            "secret/x",
            "secret\\x",
            "secret --hash=sha256:00",
            "secret --config-settings=x",
            "secret @ ${HOME}",
            "se cret",
            "secret>=",
            "secret ; x",
            "=secret",
            "[secret]",
            "secret=1",
        ] {
            let error = read(&format!("fastapi\n\n{line}\n")).unwrap_err();
            assert!(error.message.starts_with("requirements.txt, line 3, "), "{line}: {error}");
            for text in [&error.message, &error.hint] {
                assert!(
                    !text.contains("secret") && !text.contains("etc") && !text.contains("HOME"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn costly_requirements_are_refused_before_they_are_parsed() {
        let nested = format!("a ; {}os_name == 'x'{}", "(".repeat(400), ")".repeat(400));
        let long = format!("a ; {}os_name == 'x'", "os_name == 'y' or ".repeat(100));
        let many = (0..501).map(|i| format!("p{i}\n")).collect::<String>();
        for text in [&nested, &long, &many] {
            read(text).unwrap_err();
        }
        assert!(Requirements::from_requirements_txt(b"\xff").is_err());
    }

    #[test]
    fn additions_are_told_and_made_once() {
        let all = read("fastapi").unwrap().with_uvicorn().with_async_sqlite().with_uvicorn();
        assert_eq!(all.added(), ["uvicorn", "aiosqlite", "greenlet"]);
        assert_eq!(all.len(), 4);
        let none =
            read("Uvicorn[standard]>=0.20\naiosqlite\ngreenlet").unwrap().with_uvicorn().with_async_sqlite();
        assert_eq!(none.added().len(), 0);
        let elsewhere = read("uvicorn ; sys_platform == 'win32'").unwrap().with_uvicorn();
        assert_eq!(elsewhere.added(), ["uvicorn"]);
    }

    #[test]
    fn an_empty_file_asks_for_nothing() {
        assert!(read("# nothing\n\n").unwrap().is_empty());
    }
}
