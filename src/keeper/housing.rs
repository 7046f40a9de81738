//! Where code is run: in a sandbox, forked by a zygote where there is one, as far as the host offers it.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;

use rustix::process::Pid;
use sandbox::{Cgroups, Helper, Layer, Limits, Network, Policy, Program, Report, Role, Sandbox, Workshop};
use sha2::{Digest, Sha256};

use super::making;
use super::protocol::{Isolation, Start, Warm};
use super::zygote::{Handover, Recipe, Zygote};
use super::zygotes::{Zygotes, identity_of};

/// Name under which a sandbox's directory for the database is mounted.
const DATA: &str = "data";
/// The database in it, as the code sees it.
const DATABASE: &str = "preview.db";

/// What the keeper starts code with.
#[derive(Debug)]
pub struct Housing {
    workshop: Rc<Workshop>,
    report: Report,
    zygotes: Rc<Zygotes>,
    next_name: Cell<u64>,
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
    /// Why it was not forked by a zygote, where it was not.
    pub not_forked: Option<String>,
}

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
    pub fn open(data_dir: &Path) -> io::Result<Self> {
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
        Ok(Self {
            zygotes: Zygotes::new(Rc::clone(&workshop), seed),
            workshop,
            report,
            next_name: Cell::new(0),
        })
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
        if let Err(e) = self.workshop.cgroups.sweep().and_then(|()| self.workshop.cgroups.close()) {
            tracing::warn!(error = %e, "cgroups are left");
        }
    }

    /// Makes a zygote ready, if the host has what that needs.
    pub fn warm(&self, warm: &Warm) {
        if self.workshop.layers.namespaces {
            self.zygotes.begin(&warm.zygote, recipe(warm));
        }
    }

    /// Starts code in a sandbox of its own.
    ///
    /// # Errors
    /// If a layer is missing that is insisted on, or a step failed.
    pub async fn start(&self, start: &Start, ends: Ends) -> io::Result<Housed> {
        let missing = self.missing();
        if start.isolation == Isolation::Strict && !missing.is_empty() {
            let list = missing.join(", ");
            return Err(io::Error::other(format!(
                "PREVIEW_ISOLATION is strict, and this host lacks: {list}"
            )));
        }
        let number = self.next_name.replace(self.next_name.get() + 1);
        let name = format!("{}-{}-{number}", start.preview, start.slot);
        let key = &start.warm.zygote;
        let zygote = if self.workshop.layers.namespaces { self.zygotes.ready(key).await } else { None };
        let policy = self.policy(start);
        let Some(zygote) = zygote else {
            // Ready for the next one.
            self.warm_later(&start.warm);
            let why = self.zygotes.why_not(key);
            return self.start_alone(&name, policy, start, ends, why).await;
        };
        match self.start_forked(&zygote, &name, policy.clone(), start, &ends).await {
            Ok(housed) => Ok(housed),
            Err(e) => {
                self.zygotes.drop_dead(key);
                let why = Some(format!("Started without a fork: {e}"));
                self.start_alone(&format!("{name}-alone"), policy, start, ends, why).await
            }
        }
    }

    async fn start_forked(
        &self,
        zygote: &Zygote,
        name: &str,
        policy: Policy,
        start: &Start,
        ends: &Ends,
    ) -> io::Result<Housed> {
        let mut sandbox = zygote.prepare(&self.workshop, name, policy).await?;
        let handover = Handover {
            spec: super::process::spec_file(&spec(start, sandbox.work_dir()))?,
            listener: ends.listener.try_clone()?,
            records: ends.records.try_clone()?,
            stdout: ends.stdout.try_clone()?,
            stderr: ends.stderr.try_clone()?,
        };
        match zygote.fork(&mut sandbox, &handover).await {
            Ok(forked) => Ok(Housed { pid: forked.pid, pidfd: forked.pidfd, sandbox, not_forked: None }),
            Err(e) => {
                destroy(sandbox);
                Err(e)
            }
        }
    }

    async fn start_alone(
        &self,
        name: &str,
        policy: Policy,
        start: &Start,
        ends: Ends,
        not_forked: Option<String>,
    ) -> io::Result<Housed> {
        let mut sandbox = making::prepare(&self.workshop, name, policy, None).await?;
        let spec = super::process::spec_file(&spec(start, sandbox.work_dir()))?;
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
                Ok(Housed { pid: process.pid(), pidfd, sandbox, not_forked })
            }
            Err(e) => {
                destroy(sandbox);
                Err(e)
            }
        }
    }

    fn warm_later(&self, warm: &Warm) {
        if self.workshop.layers.namespaces {
            self.zygotes.begin_later(&warm.zygote, recipe(warm));
        }
    }

    fn policy(&self, start: &Start) -> Policy {
        let limits = &start.limits;
        let mut policy = Policy::new(Limits {
            memory: limits.memory_mb << 20,
            tasks: limits.tasks,
            open_files: limits.open_files,
            disk: limits.disk_mb << 20,
            cpu: limits.cpu,
        });
        policy.identity = sandbox::is_privileged()
            .then(|| identity_of(self.zygotes.block(&start.warm.zygote), &start.preview));
        policy.role = Role::Program;
        policy.network = if start.egress { Network::Host } else { Network::None };
        policy.read_only.clone_from(&start.warm.visible);
        policy.files = Some(start.files.clone());
        policy.kept = vec![sandbox::Kept {
            source: start.database.clone(),
            name: DATA.to_owned(),
            links: vec![DATABASE.to_owned()],
        }];
        policy
    }
}

/// Ends what is in a sandbox, and tells the log if something is left.
pub fn destroy(sandbox: Sandbox) {
    if let Err(e) = sandbox.destroy() {
        tracing::error!(error = %e, "a sandbox left something behind");
    }
}

/// The runner's instructions; the directory is known only here.
pub fn spec(start: &Start, work_dir: &Path) -> String {
    let mut spec = start.spec.clone();
    spec["dir"] = work_dir.display().to_string().into();
    spec.to_string()
}

fn recipe(warm: &Warm) -> Recipe {
    Recipe {
        python: warm.python.clone(),
        zygote: warm.zygote_program.clone(),
        runner: warm.runner.clone(),
        packages: warm.packages.clone(),
        visible: warm.visible.clone(),
        identity: None,
        delegated: None,
    }
}

fn name(layer: Layer) -> String {
    // Serialised as the word of the contract.
    serde_json::to_value(layer).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
