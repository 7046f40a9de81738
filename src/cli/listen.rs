//! The address that a server listens on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::backlog;

/// Between tries to have the address.
const PAUSE: Duration = Duration::from_millis(20);

/// Listens. A server that was killed, or a child of it between fork and exec, may have the address for a moment longer,
/// which is waited for as long as `patience` says.
///
/// # Errors
/// If somebody else goes on listening there, or it is no address of this machine.
pub(super) async fn on(address: SocketAddr, patience: Duration) -> io::Result<TcpListener> {
    let asked = Instant::now();
    loop {
        match TcpListener::bind(address).await {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && asked.elapsed() < patience => {
                tokio::time::sleep(PAUSE).await;
            }
            result => return backlog::widen(result?),
        }
    }
}

/// Where this machine reaches what listens there.
pub(super) fn reached_at(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_about_to_let_go_is_waited_for_and_who_is_not_is_told() {
        let first = on("127.0.0.1:0".parse().unwrap(), Duration::ZERO).await.unwrap();
        let address = first.local_addr().unwrap();
        let refused = on(address, PAUSE * 2).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        let second = tokio::spawn(on(address, Duration::from_secs(10)));
        // It has found somebody there.
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(second.await.unwrap().unwrap().local_addr().unwrap(), address);
    }

    #[test]
    fn everywhere_is_reached_here() {
        for (listens, reached) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:80", "10.0.0.1:80")]
        {
            assert_eq!(reached_at(listens.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
