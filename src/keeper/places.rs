//! Where previews' files are while they run.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// In memory, where there is such a place: an fsync on a disk costs a first start about 100 ms.
const MEMORY: &str = "/dev/shm";
/// In that place, what no preview has yet.
const SPARES: &str = "spare";

/// A directory of ours alone: in memory where it can be, named after the data directory.
///
/// # Errors
/// If there is no such place.
pub fn workroom(data_dir: &Path) -> io::Result<PathBuf> {
    let digest = hex::encode(Sha256::digest(data_dir.as_os_str().as_encoded_bytes()));
    let in_memory = Path::new(MEMORY).join(format!("previewd-{}", &digest[..16]));
    let on_disk = data_dir.join("work");
    match private_dir(&in_memory) {
        Ok(()) => Ok(in_memory),
        Err(_no_such_place) => private_dir(&on_disk).map(|()| on_disk),
    }
}

/// Where the keeper has what is made ahead.
pub fn spares(workroom: &Path) -> PathBuf {
    workroom.join(SPARES)
}

/// Makes a directory for its owner only, and refuses one that somebody else put there.
///
/// # Errors
/// If it cannot be made, or is not ours.
pub fn private_dir(path: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    let metadata = std::fs::symlink_metadata(path)?;
    let mine = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    if !mine {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "somebody else's directory"));
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}
