//! One preview as the keeper holds it.

mod output;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use rustix::pipe::PipeFlags;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::MissedTickBehavior;

use super::beginnings::Beginnings;
use super::capture::capture;
use super::connection::Outbox;
use super::housing::{Before, Ends, Housing};
use super::identity::Identity;
use super::journal::{Kind, Writer};
use super::limits::Told;
use super::packets::with_short_path;
use super::process::{self, Process};
use super::protocol::{Exit, Isolation, Kept, Message, Open, Start};
use super::successor::Successor;
use super::{Layout, journal};
use crate::backlog;
use crate::time::{Steady, UnixMillis};

/// How often limits are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long the pipes of a dead process may stay open in somebody else's hands.
const DRAIN: Duration = Duration::from_secs(2);

/// What belongs to one preview, from `Open` to `Close`.
#[derive(Debug)]
pub struct Held {
    id: String,
    layout: Layout,
    outbox: Outbox,
    work: PathBuf,
    listener: RefCell<Option<TcpListener>>,
    journal: RefCell<Writer>,
    /// Lines that there was no room for, and that nobody was told of yet.
    lost: Cell<u64>,
    /// Starts without a process yet.
    beginnings: Beginnings,
    slots: RefCell<BTreeMap<u32, Rc<Slot>>>,
    /// An `Output` was sent that serve has not answered yet.
    announced: Cell<bool>,
    consumed: Cell<u64>,
    room: Notify,
    expired: Cell<bool>,
    /// The user id of its code: the same at each start, since the starts share a database.
    identity: RefCell<Option<Rc<Identity>>>,
    /// For its next code.
    successor: Successor,
    /// Waits for the deadline.
    deadline: RefCell<Option<AbortHandle>>,
    /// Its end.
    pub ends_at: Steady,
}

/// One start of the code.
#[derive(Debug)]
struct Slot {
    process: Process,
    /// Key of the environment that it runs from.
    environment: String,
    told: Told,
    /// It was asked to end.
    ending: Cell<bool>,
    exit: watch::Sender<Option<Exit>>,
}

impl Held {
    /// Binds the public address and opens the journal.
    pub fn open(layout: &Layout, outbox: Outbox, open: Open) -> io::Result<Rc<Self>> {
        let listener = bind(open.address)?;
        let directory = layout.preview(&open.preview);
        // Not its parents: a data directory that was moved away is not begun anew.
        match std::fs::create_dir(&directory) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        let journal = Writer::create(&layout.journal(&open.preview))?;
        Ok(Rc::new(Self {
            id: open.preview,
            layout: layout.clone(),
            outbox,
            work: open.work,
            listener: RefCell::new(Some(listener)),
            journal: RefCell::new(journal),
            lost: Cell::new(0),
            beginnings: Beginnings::default(),
            slots: RefCell::default(),
            announced: Cell::new(false),
            consumed: Cell::new(journal::HEADER),
            room: Notify::new(),
            expired: Cell::new(false),
            identity: RefCell::default(),
            successor: Successor::default(),
            deadline: RefCell::default(),
            ends_at: Steady::of(UnixMillis(open.deadline_ms)),
        }))
    }

    /// The task that waits for the deadline, ended with this.
    pub fn end_with(&self, deadline: AbortHandle) {
        self.deadline.replace(Some(deadline));
    }

    /// The public socket once more.
    pub fn listener(&self) -> io::Result<Option<OwnedFd>> {
        self.listener.borrow().as_ref().map(|l| l.try_clone().map(OwnedFd::from)).transpose()
    }

    /// As serve wants to know it.
    pub fn describe(&self) -> Kept {
        let slots = self.slots.borrow();
        // One that is on its way out and not there yet is nobody's any more.
        let told = slots.iter().filter(|(_, slot)| slot.exit.borrow().is_some() || !slot.ending.get());
        let begun = self.beginnings.wanted();
        let told = told.map(|(n, slot)| (*n, *slot.exit.borrow()));
        let mut told: Vec<_> = told.chain(begun.iter().map(|(n, _)| (*n, None))).collect();
        told.sort_unstable_by_key(|(n, _)| *n);
        let alive = slots.values().filter(|slot| slot.exit.borrow().is_none());
        let alive = alive.map(|slot| slot.environment.clone());
        let environments = alive.chain(begun.into_iter().map(|(_, environment)| environment)).collect();
        Kept {
            preview: self.id.clone(),
            slots: told,
            expired: self.expired.get(),
            left_ms: i64::try_from(self.ends_at.left()).ok(),
            environments,
        }
    }

    /// Process numbers of what runs.
    pub fn pids(&self) -> Vec<rustix::process::Pid> {
        self.slots.borrow().values().map(|slot| slot.process.pid()).collect()
    }

    /// Resident bytes of all that runs.
    pub fn memory_bytes(&self) -> u64 {
        let running = |slot: &&Rc<Slot>| slot.exit.borrow().is_none();
        self.slots.borrow().values().filter(running).map(|slot| slot.process.memory_bytes()).sum()
    }

    /// Starts the code and watches it. If that fails, whoever asks is told as if it had run: they may not be who asked for it.
    pub async fn start(self: &Rc<Self>, housing: &Rc<Housing>, start: &Start) -> io::Result<()> {
        let started = self.begin(housing, start).await;
        if started.is_err() {
            let (preview, slot) = (self.id.clone(), start.slot);
            self.outbox.send(Message::Exited { preview, slot, exit: Exit::Lost });
        }
        started
    }

    async fn begin(self: &Rc<Self>, housing: &Rc<Housing>, start: &Start) -> io::Result<()> {
        if self.listener.borrow().is_none() {
            return Err(io::Error::other("it is about to end, or has"));
        }
        let environment = start.warm.zygote.split('.').next().unwrap_or_default().to_owned();
        let listener = self.listen(start.slot)?;
        let begun = self.beginnings.begin(start.slot, &environment);
        let (stdout, stdout_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr, stderr_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let (records, records_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        // When this returns only the code holds these: when it dies, its clients get an end and not a queue.
        let ends = Ends { listener, stdout: stdout_end, stderr: stderr_end, records: records_end };
        let number = u16::try_from(start.slot).unwrap_or(u16::MAX);
        let process = if start.isolation == Isolation::Off {
            process::start_plain(start, ends)?
        } else {
            let before = (!self.slots.borrow().is_empty())
                .then(|| Before { identity: self.identity.borrow().clone(), spare: self.successor.take() });
            let housed = housing.start(start, ends, before).await?;
            self.identity.replace(housed.identity);
            if self.runs() {
                self.expect_another(housing, start);
            }
            if let Some(why) = housed.not_forked {
                self.note(number, "INFO", "startup", &why);
            }
            process::housed(housed.pid, housed.pidfd, housed.sandbox)?
        };
        let mut captures = Vec::new();
        for (pipe, kind) in [(stdout, Kind::Stdout), (stderr, Kind::Stderr), (records, Kind::Record)] {
            rustix::io::ioctl_fionbio(&pipe, true)?;
            captures.push(tokio::task::spawn_local(capture(Rc::clone(self), pipe, kind, number)));
        }
        let told = Told::nothing(start.warm.limits);
        let unwanted = begun.is_unwanted();
        let (ending, exit) = (Cell::new(unwanted), watch::Sender::new(None));
        let slot = Rc::new(Slot { process, environment, told, ending, exit });
        self.slots.borrow_mut().insert(start.slot, Rc::clone(&slot));
        if unwanted {
            slot.process.kill_all();
        }
        tokio::task::spawn_local(Rc::clone(self).watch(start.slot, slot, captures));
        Ok(())
    }

    fn runs(&self) -> bool {
        self.slots.borrow().values().any(|slot| slot.exit.borrow().is_none())
    }

    /// New code beside what runs: it was edited, and will be again.
    fn expect_another(&self, housing: &Rc<Housing>, start: &Start) {
        let (housing, warm, database) = (Rc::clone(housing), start.warm.clone(), start.database.clone());
        let identity = self.identity.borrow().clone();
        self.successor.expect(move || async move { housing.successor(&warm, database, identity).await });
    }

    fn listen(&self, slot: u32) -> io::Result<OwnedFd> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType};
        let path = self.layout.socket(&self.id, slot);
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let fd =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        with_short_path(&self.layout.preview(&self.id), name, |address| rustix::net::bind(&fd, address))?;
        rustix::net::listen(&fd, 1024)?;
        Ok(fd)
    }

    /// Waits for the end, and tells meanwhile, and then, which limits were reached.
    async fn look_until_the_end(self: &Rc<Self>, number: u32, slot: &Slot) -> Exit {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut exit = std::pin::pin!(slot.process.wait());
        loop {
            let ended = tokio::select! {
                exit = &mut exit => Some(exit),
                _ = ticks.tick() => None,
            };
            for sentence in slot.told.look(&slot.process) {
                self.note(u16::try_from(number).unwrap_or(u16::MAX), "WARN", "server", &sentence);
                self.flush();
            }
            if let Some(exit) = ended {
                return exit;
            }
        }
    }

    async fn watch(self: Rc<Self>, number: u32, slot: Rc<Slot>, captures: Vec<JoinHandle<io::Result<()>>>) {
        let exit = self.look_until_the_end(number, &slot).await;
        slot.process.kill_all();
        for capture in captures {
            let abort = capture.abort_handle();
            if tokio::time::timeout(DRAIN, capture).await.is_err() {
                abort.abort();
            }
        }
        slot.process.clear();
        let _gone_already = std::fs::remove_file(self.layout.socket(&self.id, number));
        slot.exit.send_replace(Some(exit));
        if !self.runs() {
            drop(self.successor.take());
        }
        self.outbox.send(Message::Exited { preview: self.id.clone(), slot: number, exit });
    }

    /// Asks one start to end; after `grace` it is ended.
    pub fn stop(&self, number: u32, grace: Duration) -> bool {
        let Some(slot) = self.slots.borrow().get(&number).cloned() else {
            return self.beginnings.forgo(number);
        };
        slot.ending.set(true);
        slot.process.terminate();
        tokio::task::spawn_local(async move {
            let mut exit = slot.exit.subscribe();
            let ended = exit.wait_for(Option::is_some);
            if tokio::time::timeout(grace, ended).await.is_err() {
                slot.process.kill_all();
            }
        });
        true
    }

    /// Ends everything: afterwards no process is left, the address is free and the files are gone.
    pub async fn close(&self) -> io::Result<()> {
        if let Some(deadline) = self.deadline.take() {
            deadline.abort();
        }
        self.release().await;
        self.remove_files()
    }

    /// The preview's own and its journal.
    pub fn remove_files(&self) -> io::Result<()> {
        let work = self.remove_work();
        remove_tree(&self.layout.preview(&self.id)).and(work)
    }

    /// Ends processes and gives the address back.
    async fn release(&self) {
        if let Some(listener) = self.listener.borrow_mut().take() {
            // Not only closed: a child that serve has forked and that has not executed its program yet may have it for a moment longer.
            let _nobody_listens = rustix::net::shutdown(&listener, rustix::net::Shutdown::Both);
        }
        drop(self.successor.take());
        self.beginnings.end().await;
        let slots: Vec<_> = self.slots.borrow().values().cloned().collect();
        for slot in slots {
            if slot.exit.borrow().is_none() {
                slot.process.kill_all();
                let mut exit = slot.exit.subscribe();
                let _never_closed = exit.wait_for(Option::is_some).await;
            }
        }
    }

    fn remove_work(&self) -> io::Result<()> {
        let removed = remove_tree(&self.work).inspect_err(|e| {
            tracing::error!(preview = self.id, error = %e, "the preview's files could not be removed");
        });
        if let Some(parent) = self.work.parent() {
            let _others_are_there = std::fs::remove_dir(parent);
        }
        removed
    }

    /// The end of its time, when serve has not seen to it.
    pub async fn expire(&self) {
        self.expired.set(true);
        let running: Vec<_> = self.slots.borrow().keys().copied().collect();
        let grace = Duration::from_secs(5);
        for number in &running {
            self.stop(*number, grace);
        }
        let slots: Vec<_> = self.slots.borrow().values().cloned().collect();
        for slot in slots {
            let mut exit = slot.exit.subscribe();
            let _late = tokio::time::timeout(grace, exit.wait_for(Option::is_some)).await;
        }
        self.release().await;
        // The journal stays for a serve to read; the next start of a server removes what is left.
        let _logged = self.remove_work();
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = backlog::widen(TcpListener::bind(address)?)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes a directory that may be gone already.
fn remove_tree(path: &std::path::Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
