//! Environments on disk:
//!
//! | path | what |
//! | --- | --- |
//! | `ready/KEY/` | a complete environment: `site-packages`, `manifest.json`, and `compiled` once it has bytecode |
//! | `resolutions/REQUEST.json` | which environment a set of requirements was last resolved to |
//! | `work/` | all that installers see of this |
//! | `work/building/KEY/`, `work/building/KEY.lock` | one that is being made, by whoever holds the lock |
//! | `work/cache/`, `work/home/` | the installers' own |

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lock::FileLock;
use crate::id::random_hex;
use crate::time::UnixMillis;

/// How long a resolution is taken as it is, in milliseconds: newer releases are seen after that.
const FRESH: i64 = 24 * 60 * 60 * 1000;
/// Where the packages are in an environment.
pub(super) const SITE_PACKAGES: &str = "site-packages";
/// Marks an environment that has all its bytecode.
pub(super) const COMPILED: &str = "compiled";

pub(super) struct Shelf {
    root: PathBuf,
}

/// What an environment has.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub packages: Vec<String>,
    pub python: String,
    /// Size of its files, in bytes.
    pub bytes: u64,
}

/// What a set of requirements was last resolved to.
#[derive(Serialize, Deserialize)]
pub(super) struct Resolution {
    pub environment: String,
    /// When, in milliseconds since the epoch.
    at: i64,
}

impl Resolution {
    pub(super) fn is_fresh(&self) -> bool {
        (0..FRESH).contains(&(UnixMillis::now().0 - self.at))
    }
}

impl Shelf {
    /// Makes the directories and removes what killed builds left.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        for name in ["ready", "resolutions", "work/building", "work/cache", "work/home"] {
            fs::create_dir_all(root.join(name))?;
        }
        let shelf = Self { root: root.canonicalize()? };
        for key in names_in(&shelf.work().join("building"))? {
            let Some(key) = key.strip_suffix(".lock") else { continue };
            if let Some(_lock) = FileLock::try_acquire(&shelf.lock(key))? {
                remove(&shelf.building(key));
            }
        }
        Ok(shelf)
    }

    /// What installers may write below, as far as it is theirs. One directory, as files are linked within it.
    pub(super) fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.work().join("cache")
    }

    pub(super) fn home(&self) -> PathBuf {
        self.work().join("home")
    }

    pub(super) fn ready(&self, key: &str) -> PathBuf {
        self.root.join("ready").join(key)
    }

    pub(super) fn building(&self, key: &str) -> PathBuf {
        self.work().join("building").join(key)
    }

    pub(super) fn lock(&self, key: &str) -> PathBuf {
        self.work().join("building").join(format!("{key}.lock"))
    }

    /// The manifest of a complete environment.
    pub(super) fn manifest(&self, key: &str) -> Option<Manifest> {
        serde_json::from_slice(&fs::read(self.ready(key).join("manifest.json")).ok()?).ok()
    }

    /// Environments that have their bytecode and some of these packages: those with the most first.
    pub(super) fn compiled_with(&self, pins: &[String]) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for key in names_in(&self.root.join("ready"))? {
            let Some(manifest) = self.manifest(&key).filter(|_| self.ready(&key).join(COMPILED).exists())
            else {
                continue;
            };
            let shared = manifest.packages.iter().filter(|package| pins.contains(package)).count();
            found.push((std::cmp::Reverse(shared), key));
        }
        found.sort();
        Ok(found.into_iter().filter(|(shared, _)| shared.0 > 0).map(|(_, key)| key).collect())
    }

    /// Makes what is in `building(key)` a complete environment.
    pub(super) fn publish(&self, key: &str, manifest: &Manifest) -> io::Result<()> {
        let building = self.building(key);
        write_synced(&building.join("manifest.json"), &serde_json::to_vec(manifest)?)?;
        File::open(&building)?.sync_all()?;
        remove(&self.ready(key));
        fs::rename(&building, self.ready(key))
    }

    pub(super) fn resolution(&self, request: &str) -> Option<Resolution> {
        serde_json::from_slice(&fs::read(self.resolution_path(request)).ok()?).ok()
    }

    /// Remembers what a set of requirements was resolved to.
    pub(super) fn record(&self, request: &str, key: &str, at: UnixMillis) -> io::Result<()> {
        let resolution = Resolution { environment: key.to_owned(), at: at.0 };
        let aside =
            self.root.join("resolutions").join(format!(".{}", random_hex::<8>().map_err(io::Error::other)?));
        fs::write(&aside, serde_json::to_vec(&resolution)?)?;
        fs::rename(aside, self.resolution_path(request))
    }

    fn resolution_path(&self, request: &str) -> PathBuf {
        self.root.join("resolutions").join(format!("{request}.json"))
    }

    /// Marks it as used now.
    pub(super) fn touch(&self, key: &str) -> io::Result<()> {
        let manifest = File::options().append(true).open(self.ready(key).join("manifest.json"))?;
        manifest.set_modified(std::time::SystemTime::from(jiff::Timestamp::now()))
    }

    /// Removes the least recently used until the rest is within `limit` bytes; says whether any went.
    pub(super) fn trim(&self, limit: u64, in_use: impl Fn(&str) -> bool) -> io::Result<bool> {
        let mut found = Vec::new();
        for key in names_in(&self.root.join("ready"))? {
            let used = fs::metadata(self.ready(&key).join("manifest.json")).and_then(|data| data.modified());
            let bytes = self.manifest(&key).map_or(0, |manifest| manifest.bytes);
            found.push((used.ok(), bytes, key));
        }
        found.sort();
        let mut total: u64 = found.iter().map(|(_, bytes, _)| bytes).sum();
        let mut removed = false;
        for (_, bytes, key) in found {
            if total > limit && !in_use(&key) {
                remove(&self.ready(&key));
                total -= bytes;
                removed = true;
            }
        }
        Ok(removed)
    }
}

/// A build that has not been renamed yet; removed when it is given up.
pub(super) struct Unfinished(pub PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// What the environments of a data directory are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// How many are complete.
    pub environments: usize,
    /// How many of them have their bytecode.
    pub compiled: usize,
    /// Different packages in them.
    pub packages: usize,
    /// Bytes of their files. Files that environments share count for each.
    pub bytes: u64,
}

impl Census {
    /// Counts, and changes nothing.
    ///
    /// # Errors
    /// If there are none because there is no such directory, or it cannot be read.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let shelf = Shelf { root: directory.to_owned() };
        let mut census = Self::default();
        let mut packages = std::collections::BTreeSet::new();
        for key in names_in(&directory.join("ready"))? {
            let Some(manifest) = shelf.manifest(&key) else { continue };
            census.environments += 1;
            census.compiled += usize::from(shelf.ready(&key).join(COMPILED).exists());
            census.bytes += manifest.bytes;
            packages.extend(manifest.packages);
        }
        census.packages = packages.len();
        Ok(census)
    }
}

/// Size of all files below, in bytes.
pub(super) fn size_of(directory: &Path) -> io::Result<u64> {
    let mut total = 0;
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else {
                total += entry.metadata()?.len();
            }
        }
    }
    Ok(total)
}

/// Removes a directory, if it is there. One that cannot be removed is in nobody's way, so that is only logged.
pub(super) fn remove(directory: &Path) {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "an old environment could not be removed");
        }
        _ => {}
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    io::Write::write_all(&mut file, content)?;
    file.sync_all()
}

fn names_in(directory: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(directory)?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
}
