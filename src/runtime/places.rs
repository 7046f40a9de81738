//! Places of the host in what a program prints: a traceback names files by their paths, and readers are told where
//! in the project that is, not where on the server.

use std::borrow::Cow;

use memchr::memmem::Finder;
use regex::Regex;

/// Patterns of paths, and what stands for each.
#[derive(Clone, Debug, Default)]
pub struct Places {
    known: Vec<Place>,
}

#[derive(Clone, Debug)]
struct Place {
    /// Nearly no line names one. This finds that out sooner than the pattern does.
    directory: Finder<'static>,
    pattern: Regex,
    shown: &'static str,
}

impl Places {
    /// Adds a place: `directory`, then what `rest` matches. A pattern that is none is not added, and tells so.
    ///
    /// # Errors
    /// If `rest` is no regular expression.
    pub fn add(&mut self, directory: &str, rest: &str, shown: &'static str) -> Result<(), regex::Error> {
        let pattern = Regex::new(&format!("{}{rest}", regex::escape(directory)))?;
        self.known.push(Place { directory: Finder::new(directory).into_owned(), pattern, shown });
        Ok(())
    }

    /// The text with what stands for each place.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(text);
        for Place { directory, pattern, shown } in &self.known {
            if directory.find(out.as_bytes()).is_some()
                && let Cow::Owned(changed) = pattern.replace_all(&out, *shown)
            {
                out = Cow::Owned(changed);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceback_names_the_project_and_not_the_host() {
        let mut places = Places::default();
        places.add("/srv/previews/preview_1/", r"\d+/", "").unwrap();
        places.add("/srv/env/", "[0-9a-f]+/site-packages", "site-packages").unwrap();
        let line = "File \"/srv/previews/preview_1/2/app/main.py\" from /srv/env/ab12/site-packages/x.py";
        assert_eq!(places.hide(line), "File \"app/main.py\" from site-packages/x.py");
        assert!(matches!(places.hide("nothing here"), Cow::Borrowed(_)));
    }
}
