//! Where servers look for programs.

use std::env::{join_paths, split_paths, var_os};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

/// The `PATH` of whoever runs the tests, and before it the directory of the `python3` that is found there. Version managers have a
/// shell script by that name, which starts dozens of processes until it knows which one is meant: it would do that for each server.
pub fn path() -> &'static OsStr {
    static PATH: LazyLock<OsString> = LazyLock::new(|| {
        let path = var_os("PATH").unwrap();
        let first = directory_of_python();
        join_paths(first.into_iter().chain(split_paths(&path))).unwrap()
    });
    &PATH
}

fn directory_of_python() -> Option<PathBuf> {
    let question = "import sys; sys.stdout.write(sys.executable)";
    let said = Command::new("python3").args(["-I", "-S", "-c", question]).output().ok()?.stdout;
    let directory = PathBuf::from(OsString::from_vec(said)).parent()?.to_owned();
    directory.join("python3").is_file().then_some(directory)
}
