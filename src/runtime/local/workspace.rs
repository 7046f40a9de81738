//! The directories that previews run in, and the runner that runs them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::RuntimeError;
use crate::id::PreviewId;
use crate::keeper::{Layout, places};

/// The Python programs: the one that serves an application, the one that forks it, and what that one does before; then what they
/// find beside them.
const PROGRAMS: [(&str, &[u8]); 7] = [
    ("runner.py", include_bytes!("../../../runner/runner.py")),
    ("zygote.py", include_bytes!("../../../runner/zygote.py")),
    ("rehearsal.py", include_bytes!("../../../runner/rehearsal.py")),
    ("said.py", include_bytes!("../../../runner/said.py")),
    ("density.py", include_bytes!("../../../runner/density.py")),
    ("template.py", include_bytes!("../../../runner/template.py")),
    ("template.so", include_bytes!(concat!(env!("OUT_DIR"), "/template.so"))),
];
/// The database in its directory.
const DATABASE: &str = "preview.db";

/// Where previews' files are.
#[derive(Debug, Clone)]
pub struct Workspaces {
    root: PathBuf,
    programs: [PathBuf; 3],
}

/// What was written for one start.
#[derive(Debug)]
pub struct Workspace {
    /// The files.
    pub files: PathBuf,
    /// Directory of the database.
    pub database: PathBuf,
}

impl Workspaces {
    /// Chooses the place and puts the runner where it can be started from.
    pub fn new(data_dir: &Path) -> io::Result<Self> {
        let data_dir = std::fs::canonicalize(data_dir)?;
        let root = places::workroom(&data_dir)?;
        let directory = install(&data_dir.join("programs"))?;
        let [runner, zygote, rehearsal, ..] = PROGRAMS.map(|(name, _)| directory.join(name));
        Ok(Self { root, programs: [runner, zygote, rehearsal] })
    }

    /// The program texts of the runner, the zygote and its rehearsal.
    pub fn programs(&self) -> &[PathBuf; 3] {
        &self.programs
    }

    /// All directories of one preview.
    pub fn of(&self, id: &PreviewId) -> PathBuf {
        self.root.join(id.as_str())
    }

    /// Writes the files for one start. `database` is the directory of the one to use; without it the preview's own,
    /// which its starts share.
    pub async fn write(
        &self,
        id: &PreviewId,
        slot: u32,
        files: BTreeMap<String, Vec<u8>>,
        database: Option<&Path>,
    ) -> io::Result<Workspace> {
        // The keeper removes it with the last preview.
        places::private_dir(&self.root)?;
        let dir = self.of(id).join(slot.to_string());
        let database = database.map_or_else(|| self.of(id).join("data"), Path::to_owned);
        let workspace = Workspace { files: dir.clone(), database: database.clone() };
        tokio::task::spawn_blocking(move || write_all(&dir, &files, &database))
            .await
            .map_err(io::Error::other)??;
        Ok(workspace)
    }

    /// Removes what is left of a preview that no keeper keeps.
    pub fn forget(&self, layout: &Layout, id: &PreviewId) -> Result<(), RuntimeError> {
        crate::keeper::kill_strays(id.as_str());
        for path in [self.of(id), layout.preview(id.as_str())] {
            remove(&path)?;
        }
        Ok(())
    }

    /// Removes the files of all previews but those that are kept.
    pub fn sweep(&self, layout: &Layout, kept: &[PreviewId]) -> Result<(), RuntimeError> {
        for root in [&self.root, &layout.run()] {
            let Ok(entries) = std::fs::read_dir(root) else { continue };
            let ids = entries.flatten().filter_map(|e| PreviewId::parse(e.file_name().to_str()?));
            for id in ids.filter(|id| !kept.contains(id)) {
                self.forget(layout, &id)?;
            }
        }
        Ok(())
    }
}

/// Puts the programs where they can be started from, in a directory whose name changes with what they are.
fn install(programs: &Path) -> io::Result<PathBuf> {
    let mut digest = Sha256::new();
    for (name, content) in PROGRAMS {
        digest.update(name);
        digest.update(Sha256::digest(content));
    }
    let directory = programs.join(&hex::encode(digest.finalize())[..12]);
    if !directory.exists() {
        let aside = programs.join(format!("{}.tmp", std::process::id()));
        std::fs::create_dir_all(&aside)?;
        for (name, content) in PROGRAMS {
            std::fs::write(aside.join(name), content)?;
        }
        std::fs::rename(aside, &directory)?;
    }
    Ok(directory)
}

fn write_all(dir: &Path, files: &BTreeMap<String, Vec<u8>>, database: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for (name, bytes) in files {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, bytes)?;
    }
    // A link, so that the next start of the same preview finds the same database. A sandbox makes its own.
    std::fs::create_dir_all(database)?;
    let link = dir.join(DATABASE);
    remove(&link)?;
    std::os::unix::fs::symlink(database.join(DATABASE), link)
}

fn remove(path: &Path) -> io::Result<()> {
    let result = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(e) => Err(e),
    };
    match result {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// A path short enough for a socket's address, for as long as the value lives.
#[derive(Debug)]
pub struct ShortPath {
    path: PathBuf,
    _directory: Option<std::os::fd::OwnedFd>,
}

impl ShortPath {
    /// What to connect to.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A socket's address holds 107 bytes, a data directory's path may be longer.
pub fn short(path: &Path) -> io::Result<ShortPath> {
    use rustix::fs::{Mode, OFlags};
    use std::os::fd::AsRawFd;
    const LONGEST: usize = 100;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no socket's path"));
    };
    if path.as_os_str().len() <= LONGEST {
        return Ok(ShortPath { path: path.to_owned(), _directory: None });
    }
    let directory =
        rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    Ok(ShortPath { path, _directory: Some(directory) })
}
