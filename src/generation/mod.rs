//! A generation is one uploaded backend: its files, read under limits, and what it takes to serve them.
//!
//! Everything here works on bytes in memory and executes nothing.

mod directory;
mod files;
mod json;
mod path;
mod plan;
mod tar_archive;
mod wrapper;
mod zip_archive;

use std::collections::BTreeMap;

use crate::error::Result;

pub use directory::read_directory;
pub use files::check_patch;
pub use json::read_patch;
pub use plan::{Plan, plan, plan_of_read, requirements};

/// Most files in one generation.
pub const MAX_FILES: usize = 5_000;
/// Most directories that those files may be spread over.
pub const MAX_DIRECTORIES: usize = 10_000;
/// Largest file, in bytes.
pub const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;
/// Most bytes in all files together.
pub const MAX_TOTAL_BYTES: u64 = 50 * 1024 * 1024;

/// Files by their path: relative, `/` between segments, no `.` or `..`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The Python modules among files.
#[must_use]
pub fn modules(files: &Files) -> Files {
    let is_module = |path: &str| std::path::Path::new(path).extension().is_some_and(|end| end == "py");
    files
        .iter()
        .filter(|(path, _)| is_module(path))
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect()
}

/// What somebody uploaded.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Upload {
    /// The name for people, if one was given.
    pub name: Option<String>,
    /// `package.module:attribute`, if one was given; checked at launch.
    pub entrypoint: Option<String>,
    /// The files, within the limits above.
    pub files: Files,
}

/// The bodies that an upload may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `{"name"?, "entrypoint"?, "files": {path: "text" | {"base64": "…"}}}`
    Json,
    /// A zip archive.
    Zip,
    /// A gzip-compressed tar archive.
    TarGz,
    /// A tar archive.
    Tar,
}

impl Format {
    /// Reads a `Content-Type`; `None` for what no upload is.
    #[must_use]
    pub fn from_content_type(value: &str) -> Option<Self> {
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Self::Json),
            "application/zip" | "application/x-zip-compressed" => Some(Self::Zip),
            "application/gzip" | "application/x-gzip" => Some(Self::TarGz),
            "application/x-tar" => Some(Self::Tar),
            _ => None,
        }
    }
}

/// Unpacks an upload under the limits, which count what is unpacked and believe no header.
///
/// Archives only: one top folder that holds everything, `requirements.txt` or `pyproject.toml` among it,
/// is stripped; what macOS adds to archives (`__MACOSX/`, `.DS_Store`) is left out.
///
/// # Errors
/// `InvalidRequest` for a body that is not what it says or a path that is refused (`field` names it),
/// `TooLarge` for one over a limit.
pub fn read_upload(format: Format, body: &[u8]) -> Result<Upload> {
    let files = match format {
        Format::Json => return json::read_upload(body),
        Format::Zip => zip_archive::read(body)?,
        Format::TarGz => tar_archive::read(flate2::read::MultiGzDecoder::new(body))?,
        Format::Tar => tar_archive::read(body)?,
    };
    Ok(Upload { name: None, entrypoint: None, files: wrapper::strip(files) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORMATS: [Format; 4] = [Format::Json, Format::Zip, Format::TarGz, Format::Tar];

    #[test]
    fn content_types_are_read_with_their_parameters() {
        for (value, format) in [
            ("application/json; charset=utf-8", Some(Format::Json)),
            ("APPLICATION/ZIP", Some(Format::Zip)),
            ("application/gzip", Some(Format::TarGz)),
            ("application/x-tar", Some(Format::Tar)),
            ("text/plain", None),
            ("", None),
        ] {
            assert_eq!(Format::from_content_type(value), format, "{value}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            for format in FORMATS {
                let _ = read_upload(format, &body);
            }
            let _ = read_patch(&body);
        }
    }
}
