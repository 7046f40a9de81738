//! `previewd backup`: what cannot be made again, in one file, while the server runs or not.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::fail;
use super::serve::{Failed, doing, runtime};
use crate::config::Config;
use crate::store::Store;
use crate::time::UnixMillis;

/// The first entry, which says what the rest is.
pub(super) const LABEL: &str = "backup.json";
/// The store, where it is a file.
pub(super) const STORE: &str = "previewd.db";
/// What else is kept of the data directory itself.
pub(super) const FILES: [&str; 3] = ["jwt.secret", "audit.1.log", "audit.log"];
/// The kept databases of generations, wherever the settings have them.
pub(super) const DATABASES: &str = "previews";
/// What this version writes and reads.
pub(super) const FORMAT: u32 = 1;

/// What the first entry holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Label {
    pub format: u32,
    pub version: String,
    pub created_at: String,
}

type Archive = tar::Builder<GzEncoder<File>>;

/// Writes the file and says what is in it.
pub(super) fn run(config: &Config, file: &Path) -> ExitCode {
    match runtime().and_then(|runtime| runtime.block_on(write(config, file))) {
        Ok(with_store) => {
            println!("{} has the data of {}", file.display(), config.data_dir.display());
            if !with_store {
                println!("It has no store: that is PostgreSQL. Keep a `pg_dump` of it beside the file.");
            }
            ExitCode::SUCCESS
        }
        Err(error) => fail(1, &error),
    }
}

/// A directory beside the file for what is not complete, which nobody else can read. It goes with the value.
struct Aside(PathBuf);

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn write(config: &Config, file: &Path) -> Result<bool, Failed> {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    let made = DirBuilder::new().mode(0o700).create(&name);
    made.map_err(doing(format!("{} cannot be made", Path::new(&name).display())))?;
    let aside = Aside(name.into());
    let store = aside.0.join(STORE);
    let with_store = Store::copy(&config.store_url, &store).await;
    let with_store = with_store.map_err(doing("the store cannot be copied"))?;
    let whole = aside.0.join("archive");
    pack(config, with_store.then_some(store.as_path()), &whole)
        .map_err(doing("the data cannot be copied"))?;
    std::fs::rename(&whole, file).map_err(doing(format!("{} cannot be written", file.display())))?;
    Ok(with_store)
}

fn pack(config: &Config, store: Option<&Path>, to: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut archive = Archive::new(GzEncoder::new(file, Compression::fast()));
    let (format, version) = (FORMAT, env!("CARGO_PKG_VERSION").to_owned());
    let label = Label { format, version, created_at: UnixMillis::now().to_rfc3339() };
    let label = serde_json::to_vec(&label)?;
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o600);
    header.set_size(label.len() as u64);
    archive.append_data(&mut header, LABEL, label.as_slice())?;
    if let Some(store) = store {
        add(&mut archive, store, Path::new(STORE))?;
    }
    for name in FILES {
        add(&mut archive, &config.data_dir.join(name), Path::new(name))?;
    }
    add_below(&mut archive, &config.db_path, Path::new(DATABASES))?;
    archive.into_inner()?.finish()?.sync_all()
}

/// All files below. What programs of users made there and is no file is left out, and no link is followed.
fn add_below(archive: &mut Archive, directory: &Path, name: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let (path, name) = (entry.path(), name.join(entry.file_name()));
        let metadata = std::fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            let mut header = tar::Header::new_gnu();
            header.set_metadata(&metadata);
            archive.append_data(&mut header, &name, io::empty())?;
            add_below(archive, &path, &name)?;
        } else if metadata.is_file() {
            add(archive, &path, &name)?;
        }
    }
    Ok(())
}

/// One file, if it is there: as long as it was when it was opened, whatever is done to it meanwhile.
fn add(archive: &mut Archive, path: &Path, name: &Path) -> io::Result<()> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = match opened {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(());
    }
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&metadata);
    archive.append_data(&mut header, name, file.chain(io::repeat(0)).take(metadata.len()))
}
