//! The keeper's main loop: one thread, so that no process's parent can die under it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::net::SocketFlags;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::connection::{Outbox, deliver};
use super::held::Held;
use super::housing::Housing;
use super::journal::Kind;
use super::packets::{Packets, listen_in};
use super::protocol::{Answer, Call, Message, Open, Request, Start, VERSION};
use super::readiness::watched;
use super::{Layout, process};

/// How long a keeper with nothing to keep waits for a serve before it exits.
const LINGER: Duration = Duration::from_millis(500);
/// Between an accept that failed (no descriptors left, say) and the next try.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest sleep towards a deadline, since a suspended machine's timers stand still.
const DEADLINE_CHECK: Duration = Duration::from_secs(30);

struct Keeper {
    layout: Layout,
    outbox: Outbox,
    housing: Rc<Housing>,
    held: RefCell<BTreeMap<String, Rc<Held>>>,
    /// Whose files could not be removed when they were closed. Serve tries again while it lives; the last try is the keeper's.
    unclosed: RefCell<Vec<Rc<Held>>>,
    changed: Notify,
    /// Of the connection that is listened to.
    newest: Cell<u64>,
    /// Starts that are under way: their children are not known yet, and must not be taken for strays.
    starting: Cell<usize>,
}

/// Keeps until there is nothing to keep and nobody connected. Prints `ready` once it can be reached.
///
/// # Errors
/// If another keeper holds the data directory, or the socket cannot be made.
pub fn run(data_dir: &Path) -> io::Result<()> {
    let layout = Layout::new(data_dir);
    let lock = File::options().create(true).truncate(false).write(true).open(layout.lock())?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    std::fs::create_dir_all(layout.run())?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let housing = Housing::open(data_dir)?;
    let keeper = Rc::new(Keeper {
        layout,
        housing,
        outbox: Outbox::default(),
        held: RefCell::default(),
        unclosed: RefCell::default(),
        changed: Notify::new(),
        newest: Cell::new(0),
        starting: Cell::new(0),
    });
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, keeper.serve())
}

impl Keeper {
    async fn serve(self: Rc<Self>) -> io::Result<()> {
        let socket = watched(listen_in(self.layout.data_dir(), Layout::socket_name())?)?;
        println!("ready");
        io::stdout().flush()?;
        tokio::task::spawn_local(Rc::clone(&self).reap());
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        loop {
            tokio::select! {
                ready = socket.readable() => {
                    let accepted = self.accept(&mut ready?);
                    if !accepted {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                () = self.nothing_to_do() => break,
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        self.end_all().await;
        // Removed while the lock is held, so that it cannot be a successor's.
        let _gone_already = std::fs::remove_file(self.layout.data_dir().join(Layout::socket_name()));
        Ok(())
    }

    /// `false` if somebody is there and cannot be let in.
    fn accept(self: &Rc<Self>, ready: &mut tokio::io::unix::AsyncFdReadyGuard<'_, OwnedFd>) -> bool {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accepted = ready.try_io(|fd| Ok(rustix::net::accept_with(fd.get_ref(), flags)?));
        match accepted {
            Ok(Ok(fd)) => {
                tokio::task::spawn_local(Rc::clone(self).connection(fd));
            }
            Ok(Err(e)) => {
                tracing::warn!(error = %e, "a connection could not be accepted");
                return false;
            }
            Err(_would_block) => {}
        }
        true
    }

    async fn connection(self: Rc<Self>, fd: OwnedFd) {
        let packets = match Packets::new(fd) {
            Ok(packets) => Rc::new(packets),
            Err(e) => {
                tracing::warn!(error = %e, "a connection could not be used");
                return;
            }
        };
        let queue = self.outbox.connect();
        let number = self.newest.get() + 1;
        self.newest.set(number);
        for held in self.held.borrow().values() {
            held.reader_changed();
        }
        tokio::select! {
            result = deliver(Rc::clone(&packets), queue) => log_end(result),
            result = self.listen_to(&packets, number) => log_end(result),
        }
        for held in self.held.borrow().values() {
            held.reader_left();
        }
        self.changed.notify_waiters();
    }

    async fn listen_to(self: &Rc<Self>, packets: &Packets, number: u64) -> io::Result<()> {
        while let Some((bytes, _fds)) = packets.receive().await? {
            // What a serve that is dead still wanted is for the next one to decide.
            if self.newest.get() != number {
                break;
            }
            let call: Call = serde_json::from_slice(&bytes)?;
            self.handle(call);
        }
        Ok(())
    }

    fn handle(self: &Rc<Self>, call: Call) {
        let seq = call.seq;
        let (answer, fd) = match call.request {
            Request::Hello { .. } => {
                (Answer::Hello { version: VERSION, missing: self.housing.missing() }, None)
            }
            Request::Next { after } => self.next(after.as_deref()),
            Request::Open(open) => self.open(open),
            Request::Listener { preview } => self.listener(&preview),
            Request::Note { preview, payload } => (self.note(&preview, &payload), None),
            Request::Warm(warm) => {
                self.housing.warm(&warm);
                (Answer::Done, None)
            }
            Request::Start(start) => {
                tokio::task::spawn_local(Rc::clone(self).start(seq, start));
                return;
            }
            Request::Stop { preview, slot, grace_ms } => {
                let stop = |held: Rc<Held>| held.stop(slot, Duration::from_millis(grace_ms));
                (done_if(self.get(&preview).is_some_and(stop)), None)
            }
            Request::Consumed { preview, offset } => {
                let held = self.get(&preview);
                (done_if(held.inspect(|held| held.consumed(offset)).is_some()), None)
            }
            Request::Trim { preview, offset, first_id } => (self.trim(&preview, offset, first_id), None),
            Request::Usage { preview } => (self.usage(&preview), None),
            Request::Close { preview } => {
                tokio::task::spawn_local(Rc::clone(self).close(seq, preview));
                return;
            }
        };
        self.outbox.send_with(Message::Answer { seq, answer }, fd);
    }

    fn get(&self, preview: &str) -> Option<Rc<Held>> {
        self.held.borrow().get(preview).cloned()
    }

    fn next(&self, after: Option<&str>) -> (Answer, Option<OwnedFd>) {
        let all = self.held.borrow();
        let mut later = all.iter().filter(|(id, _)| after.is_none_or(|after| id.as_str() > after));
        let held = later.next().map(|(_, held)| held);
        (Answer::Next { kept: held.map(|held| held.describe()) }, held.and_then(|held| held.memory()))
    }

    fn open(self: &Rc<Self>, open: Open) -> (Answer, Option<OwnedFd>) {
        let id = open.preview.clone();
        if self.get(&id).is_some() {
            return (Answer::Failed { message: "this preview is kept already".to_owned() }, None);
        }
        let held = match Held::open(&self.layout, self.outbox.clone(), open) {
            Ok(held) => held,
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => return (Answer::AddressInUse, None),
            Err(e) => return (failed(&e), None),
        };
        self.held.borrow_mut().insert(id.clone(), Rc::clone(&held));
        let deadline = tokio::task::spawn_local(Rc::clone(self).at_deadline(Rc::clone(&held)));
        held.end_with(deadline.abort_handle());
        self.listener(&id)
    }

    fn listener(&self, preview: &str) -> (Answer, Option<OwnedFd>) {
        match self.get(preview).map(|held| held.listener()) {
            Some(Ok(Some(fd))) => (Answer::Done, Some(fd)),
            Some(Err(e)) => (failed(&e), None),
            Some(Ok(None)) | None => (Answer::Unknown, None),
        }
    }

    fn note(&self, preview: &str, payload: &str) -> Answer {
        let Some(held) = self.get(preview) else { return Answer::Unknown };
        held.write(Kind::Note, 0, payload.as_bytes(), false);
        held.flush();
        Answer::Done
    }

    async fn start(self: Rc<Self>, seq: u64, start: Box<Start>) {
        self.starting.set(self.starting.get() + 1);
        let answer = match self.get(&start.preview) {
            Some(held) => match held.start(&self.housing, &start).await {
                Ok(()) => Answer::Done,
                Err(e) => failed(&e),
            },
            None => Answer::Unknown,
        };
        self.starting.set(self.starting.get() - 1);
        self.reap_strays();
        self.outbox.send(Message::Answer { seq, answer });
    }

    fn trim(&self, preview: &str, offset: u64, first_id: u64) -> Answer {
        match self.get(preview).map(|held| held.trim(offset, first_id)) {
            Some(Ok(())) => Answer::Done,
            Some(Err(e)) => failed(&e),
            None => Answer::Unknown,
        }
    }

    fn usage(&self, preview: &str) -> Answer {
        match self.get(preview) {
            Some(held) => Answer::Usage { memory_bytes: held.memory_bytes() },
            None => Answer::Unknown,
        }
    }

    async fn close(self: Rc<Self>, seq: u64, preview: String) {
        let answer = match self.get(&preview) {
            Some(held) => match held.close().await {
                Ok(()) => Answer::Done,
                Err(e) => {
                    self.unclosed.borrow_mut().push(held);
                    failed(&e)
                }
            },
            None => Answer::Unknown,
        };
        self.held.borrow_mut().remove(&preview);
        self.outbox.send(Message::Answer { seq, answer });
        self.changed.notify_waiters();
    }

    async fn at_deadline(self: Rc<Self>, held: Rc<Held>) {
        loop {
            match held.ends_at.left() {
                0 => break,
                left => tokio::time::sleep(Duration::from_millis(left).min(DEADLINE_CHECK)).await,
            }
        }
        held.expire().await;
        if !self.outbox.is_connected() {
            let id = held.describe().preview;
            self.held.borrow_mut().remove(&id);
            self.changed.notify_waiters();
        }
    }

    /// Returns when nothing is kept and nobody has been connected for a while.
    async fn nothing_to_do(&self) {
        loop {
            let changed = self.changed.notified();
            let idle = || self.held.borrow().is_empty() && !self.outbox.is_connected();
            if !idle() {
                changed.await;
            } else if tokio::time::timeout(LINGER, changed).await.is_err() && idle() {
                return;
            }
        }
    }

    async fn reap(self: Rc<Self>) {
        let Ok(mut children) = signal(SignalKind::child()) else { return };
        while children.recv().await.is_some() {
            self.reap_strays();
        }
    }

    fn reap_strays(&self) {
        if self.starting.get() == 0 {
            let mut known = self.housing.pids();
            known.extend(self.held.borrow().values().flat_map(|held| held.pids()));
            process::reap_strays(&known);
        }
    }

    async fn end_all(&self) {
        let all: Vec<_> = self.held.borrow().values().cloned().collect();
        for held in all {
            held.expire().await;
        }
        for held in self.unclosed.take() {
            let _logged = held.remove_files();
        }
        self.housing.close();
    }
}

fn done_if(known: bool) -> Answer {
    if known { Answer::Done } else { Answer::Unknown }
}

fn failed(error: &io::Error) -> Answer {
    Answer::Failed { message: error.to_string() }
}

fn log_end(result: io::Result<()>) {
    if let Err(e) = result {
        tracing::warn!(error = %e, "the connection to serve ended");
    }
}
