//! Zip archives. The library reads the directory; the bytes are inflated here, so that no size in a header
//! decides how much of them is read.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Cursor;

use flate2::Crc;
use flate2::read::DeflateDecoder;
use zip::read::ZipFileEntry;
use zip::{CompressionMethod, ZipArchive};

use super::files::Collector;
use super::{Files, MAX_DIRECTORIES, MAX_FILES, path};
use crate::error::{Error, Result};

/// Length of a local header before its name, in bytes.
const LOCAL_HEADER: usize = 30;
/// Length of a directory's header before its name, in bytes.
const CENTRAL_HEADER: usize = 46;
/// The bits of a Unix mode that tell the kind of file, and the kinds that are taken.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;

pub(super) fn read(body: &[u8]) -> Result<Files> {
    let archive = ZipArchive::new(Cursor::new(body)).map_err(|_| broken())?;
    if archive.has_duplicate_names() {
        return Err(path::refused(&duplicate_name(body, &archive), "occurs twice"));
    }
    if archive.len() > MAX_FILES + MAX_DIRECTORIES {
        return Err(Error::TooLarge { what: "The number of files".to_owned(), limit: MAX_FILES as u64 });
    }
    let mut files = Collector::default();
    let mut packed = 0_u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(|_| broken())?;
        packed = packed.saturating_add(entry.compressed_size());
        // Entries that share bytes make a small archive costly to read, and none that is meant has them.
        if packed > body.len() as u64 {
            return Err(broken());
        }
        read_entry(body, &entry, &mut files)?;
    }
    Ok(files.finish())
}

fn read_entry(body: &[u8], entry: &ZipFileEntry<'_>, files: &mut Collector) -> Result<()> {
    let name = path::text(entry.name_raw())?;
    let kind = entry.unix_mode().map_or(0, |mode| mode & KIND);
    if ![0, REGULAR, DIRECTORY].contains(&kind) {
        return Err(path::refused(name, "is that of a link or a device"));
    }
    if entry.is_dir() {
        return files.add_directory(name);
    }
    if is_of_macos(name) {
        return path::file(name).map(drop);
    }
    if entry.encrypted() {
        return Err(path::refused(
            name,
            "is that of an encrypted entry; pack the archive without a password",
        ));
    }
    let data = packed_bytes(body, entry).ok_or_else(broken)?;
    let failed = |_: &std::io::Error| broken();
    let content = match entry.compression() {
        CompressionMethod::Stored => files.add_from(name, data, failed)?,
        CompressionMethod::Deflated => files.add_from(name, DeflateDecoder::new(data), failed)?,
        _ => {
            return Err(path::refused(
                name,
                "is that of an entry packed in another way than stored or deflated",
            ));
        }
    };
    let mut crc = Crc::new();
    crc.update(content);
    if crc.sum() == entry.crc32() { Ok(()) } else { Err(broken()) }
}

/// The bytes of an entry as they lie in the archive.
fn packed_bytes<'a>(body: &'a [u8], entry: &ZipFileEntry<'_>) -> Option<&'a [u8]> {
    let start = usize::try_from(entry.header_start()).ok()?;
    let header = body.get(start..start.checked_add(LOCAL_HEADER)?)?;
    if !header.starts_with(b"PK\x03\x04") {
        return None;
    }
    let data = start + LOCAL_HEADER + u16_at(header, 26)? + u16_at(header, 28)?;
    let size = usize::try_from(entry.compressed_size()).ok()?;
    body.get(data..data.checked_add(size)?)
}

/// The first name that the archive's directory has twice, which the library no longer tells.
fn duplicate_name<'a>(body: &'a [u8], archive: &ZipArchive<Cursor<&[u8]>>) -> Cow<'a, str> {
    let mut seen = HashSet::new();
    let mut position = usize::try_from(archive.central_directory_start()).unwrap_or(usize::MAX);
    while let Some((name, next)) = directory_entry(body, position) {
        if !seen.insert(name) {
            return String::from_utf8_lossy(name);
        }
        position = next;
    }
    Cow::Borrowed("")
}

/// The name in the directory's header at this position, and where the next header is.
fn directory_entry(body: &[u8], position: usize) -> Option<(&[u8], usize)> {
    let rest = body.get(position..)?;
    let name_end = CENTRAL_HEADER + u16_at(rest, 28)?;
    let name = rest.get(CENTRAL_HEADER..name_end)?;
    Some((name, position + name_end + u16_at(rest, 30)? + u16_at(rest, 32)?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let pair = bytes.get(at..at + 2)?;
    Some(usize::from(u16::from_le_bytes([pair[0], pair[1]])))
}

/// What the archiver of macOS adds and nobody means to upload.
pub(super) fn is_of_macos(name: &str) -> bool {
    name.starts_with("__MACOSX/") || name.rsplit('/').next() == Some(".DS_Store")
}

fn broken() -> Error {
    Error::InvalidRequest {
        message: "The body is not a sound zip archive: it is damaged, cut short or of another kind. \
                  Pack it again."
            .to_owned(),
        field: None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;
    use zip::{ZipWriter, result::ZipResult};

    use super::super::{Format, MAX_FILE_BYTES, MAX_TOTAL_BYTES, read_upload};
    use super::*;

    type Writer = ZipWriter<Cursor<Vec<u8>>>;

    fn archive(fill: impl FnOnce(&mut Writer) -> ZipResult<()>) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        fill(&mut writer).unwrap();
        writer.finish().unwrap().into_inner()
    }

    fn of(entries: &[(&str, &[u8])]) -> Vec<u8> {
        archive(|zip| {
            for (name, content) in entries {
                zip.start_file(*name, SimpleFileOptions::default())?;
                zip.write_all(content)?;
            }
            Ok(())
        })
    }

    /// Replaces each occurrence of bytes of the same length: names, sizes, flags.
    fn replaced(mut archive: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
        let places: Vec<_> = memchr::memmem::find_iter(&archive, from).collect();
        assert!(!places.is_empty() && from.len() == to.len());
        for place in places {
            archive[place..place + to.len()].copy_from_slice(to);
        }
        archive
    }

    fn blamed(body: &[u8]) -> Option<String> {
        match read_upload(Format::Zip, body) {
            Err(Error::InvalidRequest { field, .. }) => field,
            other => panic!("expected an invalid request, got {other:?}"),
        }
    }

    fn limit_of(body: &[u8]) -> u64 {
        match read_upload(Format::Zip, body) {
            Err(Error::TooLarge { limit, .. }) => limit,
            Err(other) => panic!("another error: {other}"),
            Ok(_) => panic!("was taken"),
        }
    }

    #[test]
    fn a_project_in_its_folder_is_read() {
        let body = archive(|zip| {
            zip.add_directory("shop/app/", SimpleFileOptions::default())?;
            let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            for (name, options) in
                [("shop/app/main.py", stored), ("shop/requirements.txt", Default::default())]
            {
                zip.start_file(name, options)?;
                zip.write_all(b"fastapi\n")?;
            }
            for name in ["__MACOSX/shop/._main.py", "shop/.DS_Store"] {
                zip.start_file(name, SimpleFileOptions::default())?;
            }
            Ok(())
        });
        let files = read_upload(Format::Zip, &body).unwrap().files;
        assert_eq!(files.keys().collect::<Vec<_>>(), ["app/main.py", "requirements.txt"]);
        assert_eq!(files["app/main.py"], b"fastapi\n");
    }

    #[test]
    fn an_empty_archive_has_no_files() {
        assert_eq!(read_upload(Format::Zip, &of(&[])).unwrap().files.len(), 0);
    }

    #[test]
    fn names_that_leave_the_root_are_refused() {
        for name in ["../x", "a/../x", "/etc/passwd", "..\\x", "C:/x", "a//b", "a/./b", "%2e%2e/x"] {
            let body = replaced(
                of(&[(&"n".repeat(name.len()), b"-")]),
                "n".repeat(name.len()).as_bytes(),
                name.as_bytes(),
            );
            assert_eq!(blamed(&body).as_deref(), Some(name));
        }
        let body = replaced(of(&[("nn", b"-")]), b"nn", b"a\0");
        assert_eq!(blamed(&body).as_deref(), Some("a\0"));
        let body = replaced(of(&[("nn", b"-")]), b"nn", b"a\xff");
        assert_eq!(blamed(&body).as_deref(), Some("a\u{fffd}"));
    }

    #[test]
    fn directories_that_leave_the_root_are_refused() {
        let body = archive(|zip| zip.add_directory("nn/", SimpleFileOptions::default()));
        assert_eq!(blamed(&replaced(body, b"nn/", b"../")).as_deref(), Some("../"));
    }

    #[test]
    fn links_and_devices_are_refused() {
        let link = archive(|zip| zip.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()));
        assert_eq!(blamed(&link).as_deref(), Some("link"));
        let link_mode = (0o120_777_u32 << 16).to_le_bytes();
        for kind in [0o020_000_u32, 0o060_000, 0o010_000, 0o140_000] {
            let mode = ((kind | 0o777) << 16).to_le_bytes();
            assert_eq!(blamed(&replaced(link.clone(), &link_mode, &mode)).as_deref(), Some("link"));
        }
    }

    #[test]
    fn duplicates_are_refused_by_name() {
        let twice = replaced(of(&[("first", b"1"), ("a.py", b"1"), ("b.py", b"2")]), b"b.py", b"a.py");
        assert_eq!(blamed(&twice).as_deref(), Some("a.py"));
        assert_eq!(blamed(&of(&[("a.py", b"1"), ("./a.py", b"2")])).as_deref(), Some("a.py"));
        assert_eq!(blamed(&of(&[("a", b"1"), ("a/b", b"2")])).as_deref(), Some("a"));
    }

    #[test]
    fn bombs_are_stopped_by_what_comes_out() {
        let zeros = vec![0; MAX_FILE_BYTES as usize];
        let names: Vec<_> = (0..6).map(|i| i.to_string()).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), &zeros[..])).collect();
        let body = of(&many);
        assert!(body.len() < 100_000, "a small archive");
        assert_eq!(limit_of(&body), MAX_TOTAL_BYTES);
        let larger = vec![0; MAX_FILE_BYTES as usize + 1];
        assert_eq!(limit_of(&of(&[("a", &larger)])), MAX_FILE_BYTES);
    }

    #[test]
    fn sizes_in_headers_are_not_believed() {
        let larger = vec![0; MAX_FILE_BYTES as usize + 1];
        let real = (larger.len() as u32).to_le_bytes();
        let claims_little = replaced(of(&[("a", &larger)]), &real, &10_u32.to_le_bytes());
        assert_eq!(limit_of(&claims_little), MAX_FILE_BYTES);
        let claims_much =
            replaced(of(&[("a", &[7; 12_345])]), &12_345_u32.to_le_bytes(), &0x7fff_ffff_u32.to_le_bytes());
        assert_eq!(read_upload(Format::Zip, &claims_much).unwrap().files["a"].len(), 12_345);
    }

    #[test]
    fn too_many_files_are_refused() {
        let names: Vec<_> = (0..5_001).map(|i| i.to_string()).collect();
        let entries: Vec<_> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        assert_eq!(limit_of(&of(&entries)), 5_000);
        assert_eq!(read_upload(Format::Zip, &of(&entries[1..])).unwrap().files.len(), 5_000);
    }

    #[test]
    fn entries_that_share_bytes_are_refused() {
        let body = archive(|zip| {
            zip.start_file("a", SimpleFileOptions::default().compression_method(CompressionMethod::Stored))?;
            zip.write_all(&[b'x'; 10_000])?;
            zip.shallow_copy_file("a", "b")
        });
        assert_eq!(blamed(&body), None);
    }

    #[test]
    fn damaged_archives_are_refused() {
        let body = of(&[("a.py", b"print('hello hello hello hello')")]);
        for end in 0..body.len() {
            assert_eq!(blamed(&body[..end]), None, "cut at {end}");
        }
        let mut flipped = body;
        flipped[LOCAL_HEADER + 4 + 3] ^= 0x55;
        assert_eq!(blamed(&flipped), None);
        assert_eq!(blamed(b"not a zip archive"), None);
    }

    #[test]
    fn encrypted_and_strangely_packed_entries_are_refused_by_name() {
        let stored = archive(|zip| {
            zip.start_file("a", SimpleFileOptions::default().compression_method(CompressionMethod::Stored))?;
            zip.write_all(b"x").map_err(Into::into)
        });
        let mut encrypted = stored.clone();
        let mut bzip2 = stored.clone();
        let central = memchr::memmem::find(&stored, b"PK\x01\x02").unwrap();
        encrypted[central + 8] |= 1;
        bzip2[central + 10] = 12;
        assert_eq!(blamed(&encrypted).as_deref(), Some("a"));
        assert_eq!(blamed(&bzip2).as_deref(), Some("a"));
    }
}
