//! Where code is run: in a sandbox, forked by a zygote where there is one, as far as the host offers it.

mod ahead;
mod policy;

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;

use rustix::process::Pid;
use sandbox::{Cgroups, Helper, Layer, Policy, Program, Report, Sandbox, Workshop};
use sha2::{Digest, Sha256};

use ahead::REFILL;
pub use policy::bounds;
use policy::policy;

use super::forker::Forker;
use super::identity::{Block, Identities, Identity};
use super::protocol::{Isolation, Start, Warm};
use super::spare::{Room, Spare};
use super::zygote::{Forked, Handover, Recipe, Zygote};
use super::zygotes::Zygotes;
use super::{making, places};

/// What the keeper starts code with.
#[derive(Debug)]
pub struct Housing {
    workshop: Rc<Workshop>,
    report: Report,
    identities: Rc<Identities>,
    zygotes: Rc<Zygotes>,
    /// Where spare sandboxes' databases are.
    spares: PathBuf,
    next_name: Cell<u64>,
    /// Held by each spare that is made for one preview.
    successors: Rc<()>,
}

/// What is there already of a preview whose code is started once more.
#[derive(Debug)]
pub struct Before {
    /// The user id of its code, where the keeper may give one.
    pub identity: Option<Rc<Identity>>,
    /// Made ahead for it.
    pub spare: Option<Spare>,
}

/// Code that runs in a sandbox.
#[derive(Debug)]
pub struct Housed {
    /// Its process, a child of the keeper.
    pub pid: Pid,
    /// Readable once it has ended.
    pub pidfd: OwnedFd,
    /// What it is in.
    pub sandbox: Sandbox,
    /// The user id that it has on the host, where the keeper may give one.
    pub identity: Option<Rc<Identity>>,
    /// Why it was not forked by a zygote, where it was not.
    pub not_forked: Option<String>,
}

/// What a sandbox is made by, and whose it is.
type Place = (Policy, Option<Rc<Identity>>);

/// The ends of a preview's pipes and its socket, for the code.
#[derive(Debug)]
pub struct Ends {
    /// The listening socket.
    pub listener: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
    /// Where structured records go.
    pub records: OwnedFd,
}

impl Housing {
    /// Finds out what the host offers, and removes what a dead keeper of the same data directory left.
    ///
    /// # Errors
    /// If the host cannot even be asked.
    pub fn open(data_dir: &Path) -> io::Result<Rc<Self>> {
        let helper = Helper::this_program();
        let report = sandbox::probe(&helper).map_err(io::Error::other)?;
        let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
        let seed = u16::from_le_bytes([digest[0], digest[1]]);
        let digest = hex::encode(digest);
        let cgroups = Cgroups::open(&format!("previewd-{}", &digest[..16]));
        if let Err(e) = cgroups.sweep() {
            tracing::warn!(error = %e, "cgroups of a dead keeper are left");
        }
        let layers = report.layers();
        let workshop = Rc::new(Workshop { helper, cgroups, layers });
        let identities = Rc::new(Identities::new(seed));
        let spares = places::spares(&places::workroom(data_dir)?);
        let _none_was_left = std::fs::remove_dir_all(&spares);
        Ok(Rc::new(Self {
            zygotes: Zygotes::new(Rc::clone(&workshop), Rc::clone(&identities)),
            identities,
            workshop,
            report,
            spares,
            next_name: Cell::new(0),
            successors: Rc::default(),
        }))
    }

    /// The layers that this host does not offer, by name.
    pub fn missing(&self) -> Vec<String> {
        self.report
            .missing()
            .map(|(layer, finding)| format!("{} ({})", name(layer), finding.detail))
            .collect()
    }

    /// Children of the keeper that are none of a preview's.
    pub fn pids(&self) -> Vec<Pid> {
        self.zygotes.pids()
    }

    /// Ends what was made ahead.
    pub fn close(&self) {
        self.zygotes.end_all();
        // With one whose making has been cut off.
        let _none_was_made = std::fs::remove_dir_all(&self.spares);
        if let Some(workroom) = self.spares.parent() {
            let _something_is_kept_there = std::fs::remove_dir(workroom);
        }
        if let Err(e) = self.workshop.cgroups.sweep().and_then(|()| self.workshop.cgroups.close()) {
            tracing::warn!(error = %e, "cgroups are left");
        }
    }

    /// Starts code in a sandbox of its own. `before` is of the preview's other code, if some has been started.
    ///
    /// # Errors
    /// If a layer is missing that is insisted on, or a step failed.
    pub async fn start(
        self: &Rc<Self>,
        start: &Start,
        ends: Ends,
        before: Option<Before>,
    ) -> io::Result<Housed> {
        self.insist(start.isolation)?;
        let name = self.name(&format!("{}-{}", start.preview, start.slot));
        let is_first = before.is_none();
        let Before { identity, spare } = before.unwrap_or(Before { identity: None, spare: None });
        let Some(forker) = self.forker(&start.warm, identity.as_ref()).await? else {
            // Ready for the next one.
            self.warm_later(&start.warm);
            let why = self.zygotes.why_not(&start.warm.zygote);
            let place = self.place(start, identity, self.block(&start.warm.zygote)?, None)?;
            return self.start_alone(&name, place, start, ends, why).await;
        };
        let instead_of = forker.instead_of.as_deref();
        let wanted = policy(&start.warm, start.database.clone(), instead_of);
        let room = match spare.filter(|spare| spare.suits(&wanted)) {
            Some(spare) => spare.occupy(&wanted),
            None if is_first && instead_of.is_none() => forker.zygote.take_spare(&wanted),
            None => None,
        };
        if is_first {
            self.refill_after(REFILL, &start.warm);
        }
        let (place, made) = match room {
            Some(room) => {
                let identity = room.identity.clone();
                ((self.policy_of(start, identity.as_ref(), instead_of), identity), Some(room))
            }
            None => (self.place(start, identity, forker.block.clone(), instead_of)?, None),
        };
        match self.start_forked(&forker, &name, &place, made, start, &ends).await {
            Ok(housed) => Ok(housed),
            Err(e) => {
                self.zygotes.drop_dead(&forker.key);
                let why = Some(format!("Started without a fork: {e}"));
                let place = (self.policy_of(start, place.1.as_ref(), None), place.1);
                self.start_alone(&format!("{name}-alone"), place, start, ends, why).await
            }
        }
    }

    fn insist(&self, isolation: Isolation) -> io::Result<()> {
        let missing = self.missing();
        if isolation == Isolation::Strict && !missing.is_empty() {
            let list = missing.join(", ");
            return Err(io::Error::other(format!(
                "PREVIEW_ISOLATION is strict, and this host lacks: {list}"
            )));
        }
        Ok(())
    }

    /// What forks for an environment: its own zygote if that is there, else one that is like it, else its own once that is there. `None`
    /// if nothing can.
    async fn forker(&self, warm: &Warm, identity: Option<&Rc<Identity>>) -> io::Result<Option<Forker>> {
        if !self.workshop.layers.namespaces {
            return Ok(None);
        }
        let key = &warm.zygote;
        let block = self.block(key)?;
        let at_home = is_at_home(identity, block.as_ref());
        if !(at_home && self.zygotes.is_ready(key))
            && let Some(forker) = self.stand_in(warm, identity)
        {
            return Ok(Some(forker));
        }
        let zygote = if at_home { self.zygotes.ready(key).await } else { None };
        Ok(zygote.map(|zygote| Forker { key: key.clone(), zygote, block, instead_of: None }))
    }

    /// The zygote of another environment, for code that has this identity already, or none.
    fn stand_in(&self, warm: &Warm, identity: Option<&Rc<Identity>>) -> Option<Forker> {
        let at_home = |key: &str| self.block(key).is_ok_and(|block| is_at_home(identity, block.as_ref()));
        let (key, recipe, zygote) = self.zygotes.like(&warm.zygote, &Recipe::of(warm), at_home)?;
        tracing::debug!(environment = warm.zygote, zygote = key, "a zygote stands in");
        let block = self.block(&key).ok()?;
        Some(Forker { key, zygote, block, instead_of: Some(recipe.packages) })
    }

    fn block(&self, key: &str) -> io::Result<Option<Rc<Block>>> {
        sandbox::is_privileged().then(|| self.identities.block(key)).transpose()
    }

    /// What a start gets that finds nothing made ahead.
    fn place(
        &self,
        start: &Start,
        identity: Option<Rc<Identity>>,
        block: Option<Rc<Block>>,
        instead_of: Option<&[PathBuf]>,
    ) -> io::Result<Place> {
        let identity = match (identity, block) {
            (None, Some(block)) => Some(block.take()?),
            (identity, _) => identity,
        };
        Ok((self.policy_of(start, identity.as_ref(), instead_of), identity))
    }

    fn policy_of(
        &self,
        start: &Start,
        identity: Option<&Rc<Identity>>,
        instead_of: Option<&[PathBuf]>,
    ) -> Policy {
        let mut policy = policy(&start.warm, start.database.clone(), instead_of);
        policy.identity = identity.map(|identity| identity.id());
        policy.files = Some(start.files.clone());
        policy
    }

    async fn start_forked(
        &self,
        forker: &Forker,
        name: &str,
        (policy, identity): &Place,
        made: Option<Room>,
        start: &Start,
        ends: &Ends,
    ) -> io::Result<Housed> {
        let identity = identity.clone();
        let (sandbox, forked) = match made {
            Some(room) => furnish(room, &start.files).await?,
            None => self.fork(&forker.zygote, name, policy.clone()).await?,
        };
        let paths = forker.instead_of.as_deref();
        let gone = spec(start, sandbox.work_dir(), paths).and_then(|spec| forked.go(&handover(spec, ends)?));
        match gone {
            Ok(()) => {
                let Forked { pid, pidfd, .. } = forked;
                Ok(Housed { pid, pidfd, sandbox, identity, not_forked: None })
            }
            Err(e) => {
                destroy(sandbox);
                Err(e)
            }
        }
    }

    async fn fork(&self, zygote: &Zygote, name: &str, policy: Policy) -> io::Result<(Sandbox, Forked)> {
        let mut sandbox = zygote.prepare(&self.workshop, name, policy).await?;
        match zygote.fork(&mut sandbox).await {
            Ok(forked) => Ok((sandbox, forked)),
            Err(e) => {
                destroy(sandbox);
                Err(e)
            }
        }
    }

    async fn start_alone(
        &self,
        name: &str,
        (policy, identity): Place,
        start: &Start,
        ends: Ends,
        not_forked: Option<String>,
    ) -> io::Result<Housed> {
        let mut sandbox = making::prepare(&self.workshop, name, policy, None).await?;
        let spec = spec(start, sandbox.work_dir(), None)?;
        let program = Program {
            path: start.warm.python.clone(),
            arguments: start.arguments().map(OsString::from).collect(),
            environment: start.env.iter().map(|(k, v)| (k.into(), v.into())).collect(),
            stdout: Stdio::from(ends.stdout),
            stderr: Stdio::from(ends.stderr),
            fds: super::process::places(spec, ends.listener, ends.records).into(),
        };
        match making::spawn(&self.workshop, &mut sandbox, program).await {
            Ok(process) => {
                let pidfd = process.pidfd().try_clone_to_owned()?;
                Ok(Housed { pid: process.pid(), pidfd, sandbox, identity, not_forked })
            }
            Err(e) => {
                destroy(sandbox);
                Err(e)
            }
        }
    }

    /// A name for a cgroup.
    fn name(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.next_name.replace(self.next_name.get() + 1))
    }
}

/// Code of another environment keeps its preview's identity, and so its database, but not the way by the zygote.
fn is_at_home(identity: Option<&Rc<Identity>>, block: Option<&Rc<Block>>) -> bool {
    match (identity, block) {
        (Some(identity), Some(block)) => identity.is_of(block),
        _ => true,
    }
}

/// Ends what is in a sandbox, and tells the log if something is left.
pub fn destroy(sandbox: Sandbox) {
    if let Err(e) = sandbox.destroy() {
        tracing::error!(error = %e, "a sandbox left something behind");
    }
}

/// The runner's instructions; the directory is known only here, and where the packages are if that is not their own place.
pub fn spec(start: &Start, work_dir: &Path, paths: Option<&[PathBuf]>) -> io::Result<OwnedFd> {
    let mut spec = start.spec.clone();
    if let Some(paths) = paths {
        spec["paths"] = paths.iter().map(|path| path.display().to_string()).collect();
    }
    spec["dir"] = work_dir.display().to_string().into();
    super::process::spec_file(&spec.to_string())
}

fn handover(spec: OwnedFd, ends: &Ends) -> io::Result<Handover> {
    Ok(Handover {
        spec,
        listener: ends.listener.try_clone()?,
        records: ends.records.try_clone()?,
        stdout: ends.stdout.try_clone()?,
        stderr: ends.stderr.try_clone()?,
    })
}

/// Brings the files to a place that was made ahead.
async fn furnish(room: Room, files: &Path) -> io::Result<(Sandbox, Forked)> {
    let Room { sandbox, forked, furnisher, .. } = room;
    let furnished = match furnisher.furnish(files) {
        Ok(furnishing) => making::furnished(furnishing).await,
        Err(e) => Err(io::Error::other(e)),
    };
    match furnished {
        Ok(()) => Ok((sandbox, forked)),
        Err(e) => {
            destroy(sandbox);
            Err(e)
        }
    }
}

fn name(layer: Layer) -> String {
    // Serialised as the word of the contract.
    serde_json::to_value(layer).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
