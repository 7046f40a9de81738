//! The file of SQLite. One that was removed goes on to take what is written to it, and all of it is lost with the server's end: so
//! it is looked at before each write whether it is still where it was.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Result, StoreError};

/// What every database of SQLite begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";

const NO_DATABASE: &str = "the store's file is no database of SQLite: put yours back or restore a backup, \
                           or move it away to begin anew";

/// Where the file is, and which one it was when it was opened.
#[derive(Debug)]
pub(super) struct Place {
    file: PathBuf,
    identity: (u64, u64),
}

impl Place {
    pub(super) fn of(file: &Path) -> io::Result<Self> {
        Ok(Self { file: file.to_owned(), identity: identity(file)? })
    }

    /// # Errors
    /// If it is not there, or another.
    pub(super) fn check(&self) -> Result<()> {
        let what = match identity(&self.file) {
            Ok(identity) if identity == self.identity => return Ok(()),
            Ok(_) => "another file is in its place; restart the server to use it".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(StoreError::away(
            "the store's file was removed or replaced: put it back, or see `docs/troubleshooting.md` before the server ends",
            format!("{}: {what}", self.file.display()),
        ))
    }
}

fn identity(file: &Path) -> io::Result<(u64, u64)> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Looks at the file itself: SQLite believes its write-ahead file, if there is one, and would write that over whatever it is.
///
/// # Errors
/// If it has something in it that is no database, or cannot be read.
pub(super) fn require_database(file: &Path) -> Result<()> {
    let mut beginning = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut beginning));
    let named = |cause: &dyn std::fmt::Display| format!("{}: {cause}", file.display());
    match read {
        Ok(_) if beginning.is_empty() || beginning == MAGIC => Ok(()),
        Ok(_) => Err(StoreError::new(NO_DATABASE, named(&"it does not begin as one"))),
        Err(error) => Err(StoreError::new("the store's file cannot be read", named(&error))),
    }
}
