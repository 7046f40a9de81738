//! What stands between a program and its system.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes a library of C in a directory, to be linked with first. In its source `PLACE` is this path.
pub fn shim(directory: &Path, source: &str, place: &Path) -> PathBuf {
    let (code, library) = (directory.join("shim.c"), directory.join("shim.so"));
    std::fs::write(&code, source).unwrap();
    let place = format!("-DPLACE=\"{}\"", place.display());
    let output = Command::new("cc").args(["-shared", "-fPIC", &place, "-o"]).args([&library, &code]).output();
    let output = output.expect("a compiler of C, which Rust's linker comes with");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}
