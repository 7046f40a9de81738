//! Serve's end of the conversation with the keeper.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::Layout;
use super::packets::{Packets, connect_in};
use super::protocol::{Answer, Call, Exit, Message, Request, VERSION};

/// How long a keeper may take to answer at its start.
const START: Duration = Duration::from_secs(10);
/// In which a keeper leaves that keeps nothing, once nobody is connected to it.
const LEAVES: Duration = Duration::from_secs(2);
/// After so long without an answer the keeper is asked whether it lives, and it has as long to say so.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the keeper gets of serve's environment; never its secrets.
const KEEPER_ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "TMPDIR", "LANG", "TZ"];

/// Why a call had no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The keeper is gone, and with it what it kept.
    #[error("the keeper is gone")]
    Gone,
    /// It is there and says nothing: it is stopped, or cannot write.
    #[error("the keeper does not answer")]
    Silent,
    /// It could not be reached or started.
    #[error("the keeper could not be started: {0}")]
    Start(String),
    /// It speaks another version, and keeps previews.
    #[error(
        "the running keeper speaks version {0} of the protocol, this previewd version {VERSION}: stop its previews first"
    )]
    Version(u32),
    /// Somebody else has that address.
    #[error("the address is in use")]
    AddressInUse,
    /// It does not know that preview.
    #[error("the keeper does not know this preview")]
    Unknown,
    /// It tried, and failed.
    #[error("{0}")]
    Failed(String),
    /// The packet could not be written or read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What the keeper tells without being asked.
#[derive(Debug)]
pub enum Event {
    /// A journal has grown.
    Output {
        /// Whose.
        preview: String,
        /// What the disk did not take of it.
        memory: Option<File>,
    },
    /// A start is over.
    Exited {
        /// Whose.
        preview: String,
        /// Which start.
        slot: u32,
        /// How.
        exit: Exit,
    },
}

type Waiting = HashMap<u64, oneshot::Sender<(Answer, Option<OwnedFd>)>>;

/// A connection to the keeper.
#[derive(Debug)]
pub struct Client {
    packets: Packets,
    waiting: Mutex<Waiting>,
    next_seq: AtomicU64,
    gone: watch::Sender<bool>,
    heard: Mutex<Instant>,
}

impl Client {
    /// Connects to the keeper of a data directory; starts one when none answers.
    ///
    /// # Errors
    /// If none can be started, or the one that runs speaks another version.
    pub async fn connect_or_start(
        layout: &Layout,
    ) -> Result<(Arc<Self>, mpsc::UnboundedReceiver<Event>), ClientError> {
        let began = Instant::now();
        let deadline = began + START;
        loop {
            let started = match connect_in(layout.data_dir(), Layout::socket_name()) {
                Ok(fd) => match Self::greet(fd).await {
                    Err(ClientError::Gone) => Ok(()),
                    Err(ClientError::Version(_)) if began.elapsed() < LEAVES => {
                        Err(io::Error::other("one of another version leaves"))
                    }
                    result => return result,
                },
                Err(_nobody_answers) => start_keeper(layout).await,
            };
            if Instant::now() >= deadline {
                let why = started.err().map_or_else(|| "it does not answer".to_owned(), |e| e.to_string());
                return Err(ClientError::Start(why));
            }
            if started.is_err() {
                // Another serve may be starting one at this moment and hold its lock, or an old one be about to leave.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn greet(fd: OwnedFd) -> Result<(Arc<Self>, mpsc::UnboundedReceiver<Event>), ClientError> {
        let client = Arc::new(Self {
            packets: Packets::new(fd)?,
            waiting: Mutex::default(),
            next_seq: AtomicU64::new(1),
            gone: watch::Sender::new(false),
            heard: Mutex::new(Instant::now()),
        });
        let (sender, events) = mpsc::unbounded_channel();
        let listening = tokio::spawn(Arc::clone(&client).listen(sender));
        let greeted = client.hello().await;
        if greeted.is_err() {
            // Nothing is to hold a keeper that would leave otherwise.
            listening.abort();
        }
        greeted.map(|()| (client, events))
    }

    async fn hello(&self) -> Result<(), ClientError> {
        match self.call(Request::Hello { version: VERSION }).await? {
            (Answer::Hello { version: VERSION, missing }, _) => {
                for layer in missing {
                    tracing::warn!(
                        layer,
                        "this host does not offer a layer of isolation; see `previewd doctor`"
                    );
                }
                Ok(())
            }
            (Answer::Hello { version, .. }, _) => Err(ClientError::Version(version)),
            _ => Err(ClientError::Gone),
        }
    }

    /// Asks, and waits for the answer: as long as the keeper says anything at all.
    ///
    /// # Errors
    /// If the keeper is gone or silent, or the answer is no success.
    pub async fn call(&self, request: Request) -> Result<(Answer, Option<OwnedFd>), ClientError> {
        let seq = self.next_seq.fetch_add(1, Ordering::Relaxed);
        tokio::select! {
            answer = self.ask(seq, request) => answer,
            () = self.falls_silent() => {
                self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&seq);
                Err(ClientError::Silent)
            }
        }
    }

    async fn ask(&self, seq: u64, request: Request) -> Result<(Answer, Option<OwnedFd>), ClientError> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(seq, sender);
        let bytes = serde_json::to_vec(&Call { seq, request }).map_err(io::Error::from)?;
        let sent = self.packets.send(&bytes, &[]).await;
        if sent.is_err() || *self.gone.borrow() {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&seq);
            return Err(match sent {
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => e.into(),
                _ => ClientError::Gone,
            });
        }
        match receiver.await {
            Ok((Answer::Unknown, _)) => Err(ClientError::Unknown),
            Ok((Answer::AddressInUse, _)) => Err(ClientError::AddressInUse),
            Ok((Answer::Failed { message }, _)) => Err(ClientError::Failed(message)),
            Ok(answer) => Ok(answer),
            Err(_) => Err(ClientError::Gone),
        }
    }

    /// Returns when the keeper has not said a word for a while, although it was asked for one.
    async fn falls_silent(&self) {
        loop {
            tokio::time::sleep(PATIENCE).await;
            let asked = Instant::now();
            let seq = self.next_seq.fetch_add(1, Ordering::Relaxed);
            let hello = serde_json::to_vec(&Call { seq, request: Request::Hello { version: VERSION } });
            // If it cannot even be asked, it is silent.
            let _asked =
                tokio::time::timeout(PATIENCE, self.packets.send(&hello.unwrap_or_default(), &[])).await;
            tokio::time::sleep_until(asked + PATIENCE).await;
            if *self.heard.lock().unwrap_or_else(PoisonError::into_inner) < asked {
                return;
            }
        }
    }

    /// Returns when the keeper is gone.
    pub async fn gone(&self) {
        let mut gone = self.gone.subscribe();
        let _sender_lives_with_self = gone.wait_for(|gone| *gone).await;
    }

    async fn listen(self: Arc<Self>, events: mpsc::UnboundedSender<Event>) {
        loop {
            match self.packets.receive().await {
                Ok(Some((bytes, fds))) => {
                    *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                    self.take(&bytes, fds, &events);
                }
                Ok(None) => break,
                Err(e) => {
                    tracing::error!(error = %e, "the connection to the keeper broke");
                    break;
                }
            }
        }
        self.gone.send_replace(true);
        // Dropping the senders answers everybody who waits.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self, bytes: &[u8], mut fds: Vec<OwnedFd>, events: &mpsc::UnboundedSender<Event>) {
        let event = match serde_json::from_slice(bytes) {
            Ok(Message::Answer { seq, answer }) => {
                let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&seq);
                if let Some(waiting) = waiting {
                    let _caller_left = waiting.send((answer, fds.pop()));
                }
                return;
            }
            Ok(Message::Output { preview }) => Event::Output { preview, memory: fds.pop().map(File::from) },
            Ok(Message::Exited { preview, slot, exit }) => Event::Exited { preview, slot, exit },
            Err(e) => {
                tracing::error!(error = %e, "the keeper said something unknown");
                return;
            }
        };
        let _nobody_listens = events.send(event);
    }
}

/// Starts a keeper that outlives serve, in a session of its own.
async fn start_keeper(layout: &Layout) -> io::Result<()> {
    use std::os::unix::process::CommandExt;
    let log = File::options().create(true).append(true).open(layout.log())?;
    let program = std::env::current_exe()?;
    // An upgrade may have put another file in its place, which need not understand this server.
    let file = if program.exists() { &program } else { Path::new("/proc/self/exe") };
    let mut command = std::process::Command::new(file);
    command.arg0(&program).arg("keeper").arg(layout.data_dir()).env_clear();
    let kept = |name: &&str| std::env::var_os(name).map(|value| ((*name).to_owned(), value));
    command.envs(KEEPER_ENVIRONMENT.iter().filter_map(kept));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    // SAFETY: setsid is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?));
    }
    let mut child = tokio::process::Command::from(command).spawn()?;
    let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
    let mut line = String::new();
    let mut stdout = BufReader::new(stdout);
    tokio::time::timeout(START, stdout.read_line(&mut line))
        .await
        .map_err(|_| io::Error::other("it does not get ready"))??;
    if line.trim() == "ready" { Ok(()) } else { Err(io::Error::other("it ended at once")) }
}
