//! What the machine has no more of for a moment, or the store does not let in.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::json;

use super::Walk;
use crate::environments::{project, struck};
use crate::faults::Part;
use crate::harness::{Answer, Server};
use crate::log_history::Lock;
use crate::scarce::limit_descriptors;

/// What there is none of.
#[derive(Clone, Copy, Debug)]
pub enum Shortage {
    /// On the data directory's disk.
    Room,
    /// The same: no file can be made.
    Files,
    /// Another process is in the middle of writing to it.
    Store,
    /// But for so many.
    Descriptors(Part, u64),
    /// Of the pool.
    Ports,
    /// They are killed, whatever they install.
    Installers,
}

pub const SHORTAGES: [Shortage; 10] = [
    Shortage::Room,
    Shortage::Files,
    Shortage::Store,
    Shortage::Descriptors(Part::Serve, 0),
    Shortage::Descriptors(Part::Serve, 3),
    Shortage::Descriptors(Part::Keeper, 0),
    Shortage::Descriptors(Part::Keeper, 4),
    Shortage::Descriptors(Part::Keeper, 9),
    Shortage::Ports,
    Shortage::Installers,
];

/// What is taken away, and how it is given back.
pub enum Taken {
    Nothing,
    Room(PathBuf),
    Files(PathBuf),
    Store(Lock),
    Descriptors(i32),
    Ports(#[expect(dead_code, reason = "held until it is dropped")] Vec<TcpListener>),
}

impl Shortage {
    /// Takes it away, where that is possible.
    pub async fn begin(self, walk: &Walk) -> Taken {
        match (self, &walk.disk) {
            (Self::Room, Some(disk)) => Taken::Room(disk.fill()),
            (Self::Files, Some(disk)) => Taken::Files(disk.fill_with_files()),
            (Self::Room | Self::Files, None) => Taken::Nothing,
            (Self::Store, _) => {
                let database = walk.server.data_dir().join("previewd.db");
                Taken::Store(tokio::task::spawn_blocking(move || Lock::of(&database)).await.unwrap())
            }
            (Self::Descriptors(part, more), _) => match part.pids(&walk.server).first() {
                Some(pid) => {
                    limit_descriptors(*pid, Some(more));
                    Taken::Descriptors(*pid)
                }
                None => Taken::Nothing,
            },
            (Self::Ports, _) => Taken::Ports(free_ports(&walk.server)),
            (Self::Installers, _) => {
                launch_without_installers(walk).await;
                Taken::Nothing
            }
        }
    }

    /// What is documented for it: something of ours, as an error that says so.
    pub fn explains(self, answer: &Answer, code: &str) -> bool {
        let is_of_ours = code == "store_unavailable" && answer.status == 503;
        is_of_ours || matches!(self, Self::Ports) && code == "port_allocation_failed"
    }
}

/// Somebody has one more generation for a while, whose packages nobody has installed: nor are they now, so that it is the same
/// the next time.
async fn launch_without_installers(walk: &Walk) {
    let app = walk.apps[0].user.upload(&project("uvicorn\nitsdangerous\n")).await;
    let caller = app.clone();
    let launch = async move { caller.try_launch(&json!({})).await };
    let answer = struck(&walk.server, Signal::KILL, launch).await;
    if answer.status != 200 {
        let failed = answer.error(500, "launch_failed");
        assert_eq!(failed["details"]["reason"], "dependency_install_failed", "{failed}");
    }
    assert_eq!(app.user.delete(&app.path("")).await.status, 204);
}

/// All that a server could take, taken.
fn free_ports(server: &Server) -> Vec<TcpListener> {
    let (min, max) = (server.ports().min, server.ports().max);
    (min..=max).filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()).collect()
}

impl Taken {
    pub fn end(self) {
        match self {
            Self::Nothing | Self::Ports(_) => {}
            Self::Room(ballast) => std::fs::remove_file(ballast).unwrap(),
            Self::Files(ballast) => std::fs::remove_dir_all(ballast).unwrap(),
            Self::Store(lock) => lock.release(),
            Self::Descriptors(pid) => limit_descriptors(pid, None),
        }
    }
}
