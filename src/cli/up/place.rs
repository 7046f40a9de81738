//! A place beside servers that run already: a data directory and an address of its own.

use std::net::SocketAddr;
use std::time::Duration;

use crate::cli::listen;
use crate::cli::serve::{Failed, doing, unusable};
use crate::cli::served::{NotHad, Served};
use crate::config::{Config, SETTINGS};

/// For one that was killed to be gone. Shorter than a server's: there is another place, and somebody watches.
const HELD_ON: Duration = Duration::from_secs(1);

/// The settings, with the next free data directory below the given one where another previewd goes on serving that, and a
/// free port where the default one is taken; and the hold on that directory.
///
/// # Errors
/// If a data directory cannot be made or locked.
pub(super) async fn of_its_own(config: Config) -> Result<(Config, Served), Failed> {
    within(config, HELD_ON).await
}

async fn within(given: Config, mut patience: Duration) -> Result<(Config, Served), Failed> {
    let (mut config, mut n) = (given.clone(), 1);
    let served = loop {
        match Served::hold(&config.data_dir, patience).await {
            Ok(served) => break served,
            Err(NotHad::Another) => {}
            Err(error) => return Err(doing(unusable(&config.data_dir))(error)),
        }
        n += 1;
        config = given.clone().kept_in(given.data_dir.join(format!("up-{n}")));
        // One of these is as good as the next.
        patience = Duration::ZERO;
    };
    if is_default(config.listen) && listen::on(config.listen, patience).await.is_err() {
        config.listen.set_port(0);
    }
    Ok((config, served))
}

/// An address that somebody chose is never changed.
fn is_default(address: SocketAddr) -> bool {
    let default = SETTINGS.iter().find(|setting| setting.variable == "PREVIEW_LISTEN");
    default.and_then(|setting| setting.default) == Some(address.to_string().as_str())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::path::Path;

    use super::*;
    use crate::test_support::TempDir;

    fn config(data_dir: &Path, listen: &str) -> Config {
        let given = [("PREVIEW_DATA_DIR", data_dir.to_str().unwrap()), ("PREVIEW_LISTEN", listen)];
        Config::read(Vec::new(), given.map(|(name, value)| (name.into(), value.into())), data_dir).unwrap()
    }

    #[tokio::test]
    async fn who_is_killed_lets_go_in_a_moment_and_is_followed() {
        let root = TempDir::new();
        let killed = Served::hold(root.path(), Duration::ZERO).await.unwrap();
        let next = tokio::spawn(of_its_own(config(root.path(), "127.0.0.1:0")));
        // It has found the lock held.
        tokio::task::yield_now().await;
        drop(killed);
        assert_eq!(next.await.unwrap().unwrap().0.data_dir, root.path());
    }

    #[tokio::test]
    async fn a_data_directory_that_is_served_is_left_alone() {
        let root = TempDir::new();
        let ours = || async { within(config(root.path(), "127.0.0.1:0"), Duration::ZERO).await.unwrap() };
        let (first, _held) = ours().await;
        assert_eq!(first.data_dir, root.path());
        let (second, _held) = ours().await;
        assert_eq!(second.data_dir, root.path().join("up-2"));
        assert!(second.store_url.ends_with("/up-2/previewd.db"));
        assert!(second.db_path.starts_with(&second.data_dir));
        assert_eq!(ours().await.0.data_dir, root.path().join("up-3"));
    }

    #[tokio::test]
    async fn an_address_that_was_chosen_is_kept() {
        let root = TempDir::new();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let (chosen, _held) = of_its_own(config(root.path(), &address.to_string())).await.unwrap();
        assert_eq!(chosen.listen, address);
    }
}
