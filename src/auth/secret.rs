use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::AuthSetupError;
use crate::id::random_hex;
use crate::private;

/// Bytes of randomness in a key that we make; its file has them in hexadecimal.
const RANDOM_BYTES: usize = 32;

const FILE: &str = "jwt.secret";

/// The HS256 key. Never shown.
pub(super) struct Secret(Vec<u8>);

impl Secret {
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The key of a data directory, made if there is none. Processes that race at the first start agree on one.
pub(super) fn kept_in(data_dir: &Path) -> Result<Secret, AuthSetupError> {
    let path = data_dir.join(FILE);
    let failed = |source| AuthSetupError::Secret { path: path.clone(), source };
    if !path.try_exists().map_err(failed)? {
        private::make_dir(data_dir).and_then(|()| make(data_dir, &path)).map_err(failed)?;
    }
    let unusable = |problem| AuthSetupError::UnusableSecret { path: path.clone(), problem };
    if std::fs::metadata(&path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(unusable("can be read by others: make it yours alone with `chmod 600`."));
    }
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    let text = text.trim();
    if text.len() < 2 * RANDOM_BYTES {
        return Err(unusable("is cut short: remove it to have a new one made; tokens made so far then end."));
    }
    Ok(Secret::new(text.as_bytes()))
}

/// Written aside and linked into place: the name never leads to half a key, and the first link wins.
fn make(data_dir: &Path, path: &Path) -> io::Result<()> {
    let random = |error| io::Error::other(format!("no randomness: {error}"));
    let aside = data_dir.join(format!("{FILE}.{}", random_hex::<8>().map_err(random)?));
    let secret = random_hex::<RANDOM_BYTES>().map_err(random)?;
    let linked = write(&aside, &secret).and_then(|()| std::fs::hard_link(&aside, path));
    let removed = std::fs::remove_file(&aside);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => removed,
    }
}

fn write(path: &Path, secret: &str) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // Whatever the umask takes away, the owner reads it again.
    file.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}
