//! Ports for previews, a range for each server, so that tests can run beside each other.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Ports of a range.
const SIZE: u16 = 31;
/// Below what the kernel hands out for outgoing connections.
const FIRST: u16 = 20_000;
const RANGES: u16 = 375;

/// A range that is ours while this lives: the port before it is held as a sign for other test processes.
#[derive(Debug)]
pub struct Ports {
    pub min: u16,
    pub max: u16,
    _sign: TcpListener,
}

impl Ports {
    pub fn reserve() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let start = u16::try_from(std::process::id() % u32::from(RANGES)).unwrap();
        for _ in 0..RANGES {
            let range = (start + NEXT.fetch_add(1, Ordering::Relaxed)) % RANGES;
            let sign = FIRST + range * (SIZE + 1);
            let Some(listener) = bind(sign) else { continue };
            let ports = Self { min: sign + 1, max: sign + SIZE, _sign: listener };
            if ports.held().is_empty() {
                return ports;
            }
        }
        panic!("no range of {SIZE} free ports");
    }

    /// Those that somebody listens on. Whoever was just forked has what its parent has closed, until it executes its own program.
    pub fn held(&self) -> Vec<u16> {
        let is_held = |port: &u16| {
            (0..10).all(|_| {
                bind(*port).is_none() && {
                    std::thread::sleep(Duration::from_millis(10));
                    true
                }
            })
        };
        (self.min..=self.max).filter(is_held).collect()
    }
}

fn bind(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}
