//! `previewd restore`: a backup into a data directory that has nothing yet.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use flate2::bufread::GzDecoder;

use super::backup::{DATABASES, FILES, FORMAT, LABEL, Label, STORE};
use super::fail;
use super::serve::{Failed, doing, runtime};
use super::served::is_served;
use crate::config::Config;
use crate::store::Store;

/// Unpacks the file and brings the store's schema up to date.
pub(super) fn run(config: &Config, file: &Path) -> ExitCode {
    match runtime().and_then(|runtime| runtime.block_on(restore(config, file))) {
        Ok(label) => {
            println!("{} has the data of {}", config.data_dir.display(), label.created_at);
            ExitCode::SUCCESS
        }
        Err(error) => fail(1, &error),
    }
}

async fn restore(config: &Config, file: &Path) -> Result<Label, Failed> {
    if is_served(&config.data_dir) {
        return Err(refused(format!("a server uses {}: end it first", config.data_dir.display())));
    }
    let archive = File::open(file).map_err(doing(format!("{} cannot be read", file.display())))?;
    let mut made = Made::default();
    let label = unpack(config, archive, &mut made);
    let label = label.map_err(doing(format!("{} cannot be restored; nothing was", file.display())))?;
    Store::open(&config.store_url).await.map_err(doing("the restored store cannot be opened"))?;
    made.keep();
    Ok(label)
}

fn refused(what: String) -> Failed {
    doing("nothing was restored")(io::Error::other(what))
}

/// What there was not before. It goes with the value, unless it is kept.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            // A directory that was there before is not among them, and one that has something else stays.
            let _ = if path.is_dir() { std::fs::remove_dir(path) } else { std::fs::remove_file(path) };
        }
    }
}

fn unpack(config: &Config, file: File, made: &mut Made) -> io::Result<Label> {
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    let mut entries = archive.entries()?;
    let first = entries.next().ok_or_else(|| no_backup("it is empty"))??;
    if first.path_bytes().as_ref() != LABEL.as_bytes() {
        return Err(no_backup("it does not say what it is"));
    }
    let label: Label = serde_json::from_reader(first)?;
    if label.format != FORMAT {
        return Err(no_backup(&format!("it is of format {}; use the previewd that made it", label.format)));
    }
    directory(&config.data_dir, 0o700, made)?;
    for entry in entries {
        let mut entry = entry?;
        let path = place(config, &entry.path()?)?;
        let (mode, kind) = (entry.header().mode()? & 0o777, entry.header().entry_type());
        let owner = (entry.header().uid()?, entry.header().gid()?);
        if kind.is_dir() {
            directory(&path, mode, made)?;
        } else if kind.is_file() {
            if let Some(parent) = path.parent() {
                directory(parent, 0o700, made)?;
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            let file =
                file.as_mut().map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
            made.0.push(path.clone());
            io::copy(&mut entry, file)?;
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        } else {
            return Err(no_backup("it has something that is no file"));
        }
        if rustix::process::geteuid().is_root() {
            chown(&path, u32::try_from(owner.0).ok(), u32::try_from(owner.1).ok())?;
        }
    }
    Ok(label)
}

fn no_backup(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("this is no backup of previewd: {why}"))
}

fn directory(path: &Path, mode: u32, made: &mut Made) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        directory(parent, 0o700, made)?;
    }
    DirBuilder::new().mode(mode).create(path)?;
    made.0.push(path.to_owned());
    Ok(())
}

/// Where an entry belongs by the settings in force.
fn place(config: &Config, name: &Path) -> io::Result<PathBuf> {
    let unknown = || no_backup("it has a file that does not belong there");
    if name == Path::new(STORE) {
        return Store::place(&config.store_url)
            .ok_or_else(|| io::Error::other("its store is a file, but PREVIEW_STORE_URL names PostgreSQL"));
    }
    if FILES.iter().any(|file| name == Path::new(file)) {
        return Ok(config.data_dir.join(name));
    }
    let inside = name.strip_prefix(DATABASES).map_err(|_| unknown())?;
    let plain = inside.components().all(|part| matches!(part, Component::Normal(_)));
    if plain { Ok(config.db_path.join(inside)) } else { Err(unknown()) }
}
