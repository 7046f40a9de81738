//! Programs of the server's own that handle what strangers wrote: run to their end in a sandbox, with bounded output,
//! until a deadline.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::MemfdFlags;
use sandbox::{Cgroups, Helper, Layers, Policy, Program, Sandbox, Workshop};

use crate::id::random_hex;

/// Makes sandboxes for such programs; shared by its clones.
#[derive(Clone, Debug)]
pub struct Confiner {
    name: String,
    place: Arc<OnceLock<Option<Place>>>,
}

/// Where sandboxes are made.
#[derive(Debug)]
struct Place {
    workshop: Workshop,
    /// Whether the host offers every layer.
    complete: bool,
}

/// What is run.
#[derive(Debug)]
pub struct Job {
    /// The program with its arguments and its whole environment; nothing else of it counts.
    pub command: Command,
    /// What it reads from its stdin.
    pub input: Vec<u8>,
    /// What it sees and may use.
    pub policy: Policy,
    /// How long it may take.
    pub patience: Duration,
    /// Bytes of its stdout that are kept, the first ones.
    pub max_stdout: usize,
    /// Bytes of its stderr that are kept, the last ones.
    pub max_stderr: usize,
}

/// How it ended.
#[derive(Debug)]
pub struct Finished {
    /// Its status; none if it was ended at its deadline.
    pub status: Option<ExitStatus>,
    /// What it wrote to stdout.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub stderr: Vec<u8>,
}

impl Confiner {
    /// Its cgroups are found under `name`, which nobody else uses.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), place: Arc::default() }
    }

    /// What this host offers; `None` if it cannot even be asked. Found out at the first call, in some tens of milliseconds.
    #[must_use]
    pub fn layers(&self) -> Option<Layers> {
        self.place().map(|place| place.workshop.layers)
    }

    /// Whether every layer holds that there is.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.place().is_some_and(|place| place.complete)
    }

    /// Ends what still runs, and removes the cgroups.
    pub fn close(&self) {
        if let Some(Some(Place { workshop, .. })) = self.place.get()
            && let Err(error) = workshop.cgroups.sweep().and_then(|()| workshop.cgroups.close())
        {
            tracing::warn!(%error, "cgroups are left");
        }
    }

    fn place(&self) -> Option<&Place> {
        let make = || {
            let helper = Helper::this_program();
            let report = match sandbox::probe(&helper) {
                Ok(report) => report,
                Err(error) => {
                    tracing::warn!(%error, "the layers of isolation cannot be tried");
                    return None;
                }
            };
            let cgroups = Cgroups::open(&self.name);
            if let Err(error) = cgroups.sweep() {
                tracing::warn!(%error, "cgroups of a dead server are left");
            }
            let (layers, complete) = (report.layers(), report.missing().next().is_none());
            Some(Place { workshop: Workshop { helper, cgroups, layers }, complete })
        };
        self.place.get_or_init(make).as_ref()
    }

    /// Runs it. Dropping the future ends it.
    ///
    /// # Errors
    /// If there can be no sandbox, or the program cannot be started.
    pub async fn run(&self, job: Job) -> io::Result<Finished> {
        let this = self.clone();
        let (abandoned, held) = io::pipe()?;
        // A sandbox dies with the thread that made it, so one thread does all of it.
        let work = tokio::task::spawn_blocking(move || this.run_here(&job, abandoned.as_fd()));
        let finished = work.await.map_err(io::Error::other)?;
        drop(held);
        finished
    }

    fn run_here(&self, job: &Job, abandoned: BorrowedFd<'_>) -> io::Result<Finished> {
        let Place { workshop, .. } =
            self.place().ok_or_else(|| io::Error::other("there can be no sandbox"))?;
        let name = format!("job-{}", random_hex::<6>().map_err(io::Error::other)?);
        let mut sandbox = workshop.prepare(&name, job.policy.clone(), None).map_err(io::Error::other)?;
        let finished = run_in(workshop, &mut sandbox, job, abandoned);
        sandbox.destroy().map_err(io::Error::other)?;
        finished.and_then(Ending::complete)
    }
}

/// What is there when the program has ended, or was given up; the rest of its output follows when all inside is gone.
struct Ending {
    status: Option<ExitStatus>,
    stdout: Kept,
    stderr: Kept,
}

impl Ending {
    fn complete(mut self) -> io::Result<Finished> {
        for kept in [&mut self.stdout, &mut self.stderr] {
            while kept.read()? {}
        }
        Ok(Finished { status: self.status, stdout: self.stdout.bytes, stderr: self.stderr.bytes })
    }
}

fn run_in(
    workshop: &Workshop,
    sandbox: &mut Sandbox,
    job: &Job,
    abandoned: BorrowedFd<'_>,
) -> io::Result<Ending> {
    let deadline = Instant::now() + job.patience;
    let (mut stdout, out) = Kept::pipe(job.max_stdout, Side::First)?;
    let (mut stderr, err) = Kept::pipe(job.max_stderr, Side::Last)?;
    let program = program(&job.command, input(&job.input)?, out, err);
    let pending = sandbox.spawn(&workshop.helper, program).map_err(io::Error::other)?;
    let process = pending.wait().map_err(io::Error::other)?;
    sandbox.adopt(process.pidfd()).map_err(io::Error::other)?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let watched = [Some(process.pidfd()), Some(abandoned), stdout.open(), stderr.open()];
        let ready = wait(&watched, left)?;
        if ready[2] {
            stdout.read()?;
        }
        if ready[3] {
            stderr.read()?;
        }
        if ready[0] || ready[1] || left.is_zero() {
            let status = process.try_wait().map_err(io::Error::other)?;
            return Ok(Ending { status, stdout, stderr });
        }
    }
}

/// As a command says it, with these in place of the standard streams.
fn program(command: &Command, stdin: OwnedFd, stdout: io::PipeWriter, stderr: io::PipeWriter) -> Program {
    let set = command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    Program {
        path: command.get_program().into(),
        arguments: command.get_args().map(ToOwned::to_owned).collect(),
        environment: set.collect(),
        stdout: Stdio::from(stdout),
        stderr: Stdio::from(stderr),
        fds: vec![(stdin, 0)],
    }
}

/// In memory, so that nobody has to feed it.
fn input(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = std::fs::File::from(rustix::fs::memfd_create("input", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0))?;
    Ok(file.into())
}

/// Which of the descriptors have something to tell, after at most so long.
fn wait(watched: &[Option<BorrowedFd<'_>>; 4], patience: Duration) -> io::Result<[bool; 4]> {
    let (indexes, fds): (Vec<_>, Vec<_>) =
        watched.iter().enumerate().filter_map(|(index, fd)| Some((index, (*fd)?))).unzip();
    let mut polled: Vec<_> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let timeout = Timespec {
        tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(patience.subsec_nanos()),
    };
    match poll(&mut polled, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut ready = [false; 4];
    for (index, polled) in indexes.into_iter().zip(&polled) {
        ready[index] = !polled.revents().is_empty();
    }
    Ok(ready)
}

/// Which end of an output is kept, if it is too long.
#[derive(Clone, Copy)]
enum Side {
    First,
    Last,
}

/// A pipe's output, as far as it is kept.
struct Kept {
    pipe: Option<io::PipeReader>,
    bytes: Vec<u8>,
    most: usize,
    side: Side,
}

impl Kept {
    fn pipe(most: usize, side: Side) -> io::Result<(Self, io::PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        Ok((Self { pipe: Some(reader), bytes: Vec::new(), most, side }, writer))
    }

    fn open(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Takes what is there; says whether there was something.
    fn read(&mut self) -> io::Result<bool> {
        let Some(pipe) = &mut self.pipe else { return Ok(false) };
        let mut chunk = [0; 16 * 1024];
        match pipe.read(&mut chunk) {
            Ok(0) => self.pipe = None,
            Ok(count) => {
                self.keep(&chunk[..count]);
                return Ok(true);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    fn keep(&mut self, chunk: &[u8]) {
        match self.side {
            Side::First => {
                self.bytes.extend_from_slice(&chunk[..chunk.len().min(self.most - self.bytes.len())]);
            }
            Side::Last => {
                self.bytes.extend_from_slice(chunk);
                self.bytes.drain(..self.bytes.len().saturating_sub(self.most));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_kept_up_to_its_bound_from_either_side() {
        for (side, expected) in [(Side::First, "abcd"), (Side::Last, "efgh")] {
            let (mut kept, mut writer) = Kept::pipe(4, side).unwrap();
            writer.write_all(b"abcdefgh").unwrap();
            drop(writer);
            while kept.read().unwrap() {}
            assert_eq!(kept.bytes, expected.as_bytes());
            assert!(kept.open().is_none());
        }
    }

    #[test]
    fn waiting_tells_who_is_ready() {
        let ((reader, writer), (quiet, _open)) = (io::pipe().unwrap(), io::pipe().unwrap());
        drop(writer);
        let watched = [Some(reader.as_fd()), Some(quiet.as_fd()), None, None];
        assert_eq!(wait(&watched, Duration::from_secs(5)).unwrap(), [true, false, false, false]);
    }
}
