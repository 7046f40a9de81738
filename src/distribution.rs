//! Installed packages as a directory of them tells: a `NAME-VERSION.dist-info` for each, with a list of its files in `RECORD`
//! (<https://packaging.python.org/en/latest/specifications/recording-installed-packages/>).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What a package's directory of metadata is called, after its name and version.
pub const METADATA: &str = ".dist-info";
/// Most bytes that are read of a file that describes a package.
const MAX_BYTES: u64 = 8 << 20;

/// The names of the metadata directories in a directory of packages.
///
/// # Errors
/// If it cannot be read.
pub fn installed_in(directory: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        found.extend(name.to_str().filter(|name| name.ends_with(METADATA)).map(str::to_owned));
    }
    Ok(found)
}

/// A file that describes a package; `None` if there is none, or it is too long to be believed.
///
/// # Errors
/// If it is there and cannot be read.
pub fn described(file: &Path) -> io::Result<Option<String>> {
    let file = match File::open(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = String::new();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    Ok((read as u64 <= MAX_BYTES).then_some(text))
}

/// The paths of a `RECORD`, whose lines are a path, a digest and a size.
pub fn recorded(record: &str) -> impl Iterator<Item = &str> {
    let path = |line: &'_ str| -> usize { line.rmatch_indices(',').nth(1).map_or(line.len(), |(at, _)| at) };
    record.lines().filter(|line| !line.is_empty()).map(move |line| line[..path(line)].trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::recorded;

    #[test]
    fn a_recorded_path_may_have_commas() {
        let record = "six.py,sha256=x,12\n\n\"a,b/c.py\",,\nx/RECORD,,\n";
        assert_eq!(recorded(record).collect::<Vec<_>>(), ["six.py", "a,b/c.py", "x/RECORD"]);
    }
}
