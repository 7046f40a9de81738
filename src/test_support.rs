//! What unit tests share.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A directory of its own that goes with the value.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes one.
    pub fn new() -> Self {
        let name = format!("previewd-test-{}", crate::id::random_hex::<8>().unwrap());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// An [`Auth`](crate::auth::Auth) with a key of its own.
pub fn auth(dir: &TempDir) -> crate::auth::Auth {
    let data_dir = (OsString::from("PREVIEW_DATA_DIR"), dir.path().as_os_str().to_owned());
    let config = crate::config::Config::read(Vec::new(), [data_dir], dir.path()).unwrap();
    crate::auth::Auth::open(&config).unwrap()
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
