//! A place beside servers that run already: a data directory and an address of its own.

use std::net::{SocketAddr, TcpListener};

use crate::cli::served::is_served;
use crate::config::{Config, SETTINGS};

/// The settings, with the next free data directory below the given one where another previewd serves that, and a free
/// port where the default one is taken.
pub(super) fn of_its_own(config: Config) -> Config {
    let mut config = if is_served(&config.data_dir) {
        let beside = (2..).map(|n| config.data_dir.join(format!("up-{n}")));
        let free = beside.into_iter().find(|directory| !is_served(directory));
        match free {
            Some(directory) => config.kept_in(directory),
            None => config,
        }
    } else {
        config
    };
    if is_default(config.listen) && TcpListener::bind(config.listen).is_err() {
        config.listen.set_port(0);
    }
    config
}

/// An address that somebody chose is never changed.
fn is_default(address: SocketAddr) -> bool {
    let default = SETTINGS.iter().find(|setting| setting.variable == "PREVIEW_LISTEN");
    default.and_then(|setting| setting.default) == Some(address.to_string().as_str())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use rustix::fs::{FlockOperation, flock};

    use super::*;
    use crate::test_support::TempDir;

    fn config(data_dir: &Path, listen: &str) -> Config {
        let given = [("PREVIEW_DATA_DIR", data_dir.to_str().unwrap()), ("PREVIEW_LISTEN", listen)];
        Config::read(Vec::new(), given.map(|(name, value)| (name.into(), value.into())), data_dir).unwrap()
    }

    #[test]
    fn a_data_directory_that_is_served_is_left_alone() {
        let root = TempDir::new();
        let ours = |config: Config| of_its_own(config).data_dir;
        let asked = || config(root.path(), "127.0.0.1:0");
        assert_eq!(ours(asked()), root.path());
        let lock = File::create(root.path().join("serve.lock")).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        let moved = of_its_own(asked());
        assert_eq!(moved.data_dir, root.path().join("up-2"));
        assert!(moved.store_url.ends_with("/up-2/previewd.db") && moved.db_path.starts_with(&moved.data_dir));
    }

    #[test]
    fn an_address_that_was_chosen_is_kept() {
        let root = TempDir::new();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let chosen = of_its_own(config(root.path(), &address.to_string()));
        assert_eq!(chosen.listen, address);
    }
}
