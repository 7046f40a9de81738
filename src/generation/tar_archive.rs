//! Tar archives, plain or as they come out of gzip.

use std::io::{self, Read};

use tar::{Archive, EntryType};

use super::files::Collector;
use super::zip_archive::is_of_macos;
use super::{Files, MAX_TOTAL_BYTES, path};
use crate::error::{Error, Result};

/// Most bytes of an unpacked archive: its files, with 16 MiB for headers and padding.
const MAX_UNPACKED: u64 = MAX_TOTAL_BYTES + 16 * 1024 * 1024;

pub(super) fn read(body: impl Read) -> Result<Files> {
    let mut archive = Archive::new(Bounded { inner: body, left: MAX_UNPACKED, ended: false });
    let mut files = Collector::default();
    for entry in archive.entries().map_err(|error| broken(&error))? {
        read_entry(entry.map_err(|error| broken(&error))?, &mut files)?;
    }
    let mut rest = archive.into_inner();
    // Every archive ends with a block of zeros; one that just stops has been cut short.
    if rest.ended {
        return Err(broken(&io::ErrorKind::UnexpectedEof.into()));
    }
    // To its end, where gzip has its checksum.
    io::copy(&mut rest, &mut io::sink()).map_err(|error| broken(&error))?;
    Ok(files.finish())
}

fn read_entry(mut entry: tar::Entry<'_, impl Read>, files: &mut Collector) -> Result<()> {
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        return Ok(());
    }
    let raw = entry.path_bytes().into_owned();
    let name = path::text(&raw)?;
    match kind {
        EntryType::Directory => files.add_directory(name),
        EntryType::Regular | EntryType::Continuous if is_of_macos(name) => path::file(name).map(drop),
        EntryType::Regular | EntryType::Continuous => {
            let size = entry.size();
            let content = files.add_from(name, &mut entry, broken)?;
            if content.len() as u64 == size {
                Ok(())
            } else {
                Err(broken(&io::ErrorKind::UnexpectedEof.into()))
            }
        }
        EntryType::GNUSparse => {
            Err(path::refused(name, "is that of a sparse file; pack the archive without --sparse"))
        }
        _ => Err(path::refused(name, "is that of a link or a device")),
    }
}

/// Ends with `FileTooLarge` what unpacks to more than it may.
struct Bounded<R> {
    inner: R,
    left: u64,
    /// Whether the inner one has said that it is at its end.
    ended: bool,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.ended |= count == 0 && !buffer.is_empty();
        self.left = self.left.checked_sub(count as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(count)
    }
}

fn broken(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return Error::TooLarge { what: "The unpacked archive".to_owned(), limit: MAX_UNPACKED };
    }
    Error::InvalidRequest {
        message: "The body is not a sound tar archive of its content type: it is damaged, cut short or of \
                  another kind. Pack it again."
            .to_owned(),
        field: None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::super::{Format, MAX_FILE_BYTES, read_upload};
    use super::*;

    fn header(name: &[u8], kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(size);
        header.set_cksum();
        header
    }

    fn of(entries: &[(&[u8], EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, kind, content) in entries {
            builder.append(&header(name, *kind, content.len() as u64), *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn gz(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn blamed(format: Format, body: &[u8]) -> Option<String> {
        match read_upload(format, body) {
            Err(Error::InvalidRequest { field, .. }) => field,
            other => panic!("expected an invalid request, got {other:?}"),
        }
    }

    fn limit_of(format: Format, body: &[u8]) -> u64 {
        match read_upload(format, body) {
            Err(Error::TooLarge { limit, .. }) => limit,
            Err(other) => panic!("another error: {other}"),
            Ok(_) => panic!("was taken"),
        }
    }

    #[test]
    fn a_project_is_read_plain_and_compressed() {
        let body = of(&[
            (b"./", EntryType::Directory, b""),
            (b"./shop/", EntryType::Directory, b""),
            (b"./shop/app/main.py", EntryType::Regular, b"x = 1\n"),
            (b"./shop/requirements.txt", EntryType::Regular, b"fastapi\n"),
            (b"./shop/.DS_Store", EntryType::Regular, b"\0"),
        ]);
        for (format, body) in [(Format::Tar, body.clone()), (Format::TarGz, gz(&body))] {
            let files = read_upload(format, &body).unwrap().files;
            assert_eq!(files.keys().collect::<Vec<_>>(), ["app/main.py", "requirements.txt"]);
            assert_eq!(files["app/main.py"], b"x = 1\n");
        }
    }

    #[test]
    fn long_names_are_read() {
        let name = format!("{}/main.py", "d".repeat(200));
        let mut builder = Builder::new(Vec::new());
        let mut plain = Header::new_gnu();
        plain.set_size(1);
        builder.append_data(&mut plain, &name, &b"x"[..]).unwrap();
        let files = read_upload(Format::Tar, &builder.into_inner().unwrap()).unwrap().files;
        assert_eq!(files.into_keys().collect::<Vec<_>>(), [name]);
    }

    #[test]
    fn names_that_leave_the_root_are_refused() {
        for name in ["../x", "a/../x", "/etc/passwd", "..\\x", "a//b", "C:/x", "./../x", "%2e%2e/x", "a\nb"] {
            let body = of(&[(name.as_bytes(), EntryType::Regular, b"x")]);
            assert_eq!(blamed(Format::Tar, &body).as_deref(), Some(name));
            let body = of(&[(name.as_bytes(), EntryType::Directory, b"")]);
            assert_eq!(blamed(Format::Tar, &body).as_deref(), Some(name));
        }
        let body = of(&[(b"a\xff", EntryType::Regular, b"x")]);
        assert_eq!(blamed(Format::Tar, &body).as_deref(), Some("a\u{fffd}"));
    }

    #[test]
    fn links_and_devices_are_refused() {
        use EntryType::{Block, Char, Fifo, Link, Symlink};
        for kind in [Link, Symlink, Char, Block, Fifo, EntryType::new(b'Z')] {
            assert_eq!(blamed(Format::Tar, &of(&[(b"it", kind, b"")])).as_deref(), Some("it"), "{kind:?}");
        }
        let mut sparse = header(b"it", EntryType::GNUSparse, 0);
        sparse.as_gnu_mut().unwrap().set_real_size(0);
        sparse.set_cksum();
        let body = [sparse.as_bytes(), &[0; 512][..], &[0; 512]].concat();
        assert_eq!(blamed(Format::Tar, &body).as_deref(), Some("it"));
    }

    #[test]
    fn duplicates_are_refused_by_name() {
        use EntryType::Regular;
        let body = of(&[(b"a", Regular, b"1"), (b"./a", Regular, b"2")]);
        assert_eq!(blamed(Format::Tar, &body).as_deref(), Some("a"));
        let body = of(&[(b"a/b", Regular, b"1"), (b"a", Regular, b"2")]);
        assert_eq!(blamed(Format::Tar, &body).as_deref(), Some("a"));
    }

    #[test]
    fn bombs_are_stopped_by_what_comes_out() {
        let zeros = vec![0; MAX_FILE_BYTES as usize];
        let names: Vec<_> = (0..6).map(|i| i.to_string()).collect();
        let entries: Vec<_> =
            names.iter().map(|name| (name.as_bytes(), EntryType::Regular, &zeros[..])).collect();
        let body = gz(&of(&entries));
        assert!(body.len() < 1_000_000, "a small archive");
        assert_eq!(limit_of(Format::TarGz, &body), MAX_TOTAL_BYTES);
        let larger = vec![0; MAX_FILE_BYTES as usize + 1];
        assert_eq!(limit_of(Format::TarGz, &gz(&of(&[(b"a", EntryType::Regular, &larger)]))), MAX_FILE_BYTES);
    }

    #[test]
    fn what_is_no_file_is_bounded_too() {
        let huge = vec![b'a'; MAX_UNPACKED as usize + 1];
        let body = gz(&of(&[(b"././@LongLink", EntryType::GNULongName, &huge)]));
        assert_eq!(limit_of(Format::TarGz, &body), MAX_UNPACKED);
    }

    #[test]
    fn sizes_in_headers_are_not_believed() {
        let mut body = header(b"a", EntryType::Regular, u64::MAX >> 10).as_bytes().to_vec();
        body.extend([b'x'; 512]);
        body.extend([0; 1024]);
        assert_eq!(blamed(Format::Tar, &body), None);
    }

    #[test]
    fn too_many_files_are_refused() {
        let names: Vec<_> = (0..5_001).map(|i| i.to_string()).collect();
        let entries: Vec<_> =
            names.iter().map(|name| (name.as_bytes(), EntryType::Regular, &b""[..])).collect();
        assert_eq!(limit_of(Format::Tar, &of(&entries)), 5_000);
        assert_eq!(read_upload(Format::Tar, &of(&entries[1..])).unwrap().files.len(), 5_000);
    }

    #[test]
    fn damaged_archives_are_refused() {
        let body =
            of(&[(b"a.py", EntryType::Regular, b"print('hello')"), (b"b.py", EntryType::Regular, b"x")]);
        for end in [0, 1, 511, 512, 520, 1024, 1030, 1536, 2048] {
            assert_eq!(blamed(Format::Tar, &body[..end]), None, "cut at {end}");
        }
        let packed = gz(&body);
        for end in 0..packed.len() {
            assert_eq!(blamed(Format::TarGz, &packed[..end]), None, "cut at {end}");
        }
        let mut wrong_sum = packed.clone();
        let crc = packed.len() - 8;
        wrong_sum[crc] ^= 1;
        assert_eq!(blamed(Format::TarGz, &wrong_sum), None);
        assert_eq!(blamed(Format::TarGz, &body), None, "not compressed");
        assert_eq!(blamed(Format::Tar, &packed), None, "compressed");
    }
}
