//! From requirements to an environment that is ready.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::bytecode::{adopt, compile};
use super::installer::{Bench, Installer, find_uv};
use super::lease::{Flights, Lease, Shared, Story};
use super::lock::FileLock;
use super::packages;
use super::shelf::{COMPILED, Manifest, SITE_PACKAGES, Shelf, Unfinished, remove, size_of};
use super::yard::Yard;
use super::{Environment, EnvironmentError, Interpreter, Requirements};
use crate::confined::Confiner;
use crate::distribution;
use crate::time::UnixMillis;

/// How long making an environment may take.
const DEADLINE: Duration = Duration::from_secs(300);
/// Between two words on an installation that takes its time.
const PROGRESS: Duration = Duration::from_secs(2);

/// Is told what is going on, line by line.
type Progress<'a> = &'a (dyn Fn(String) + Send + Sync);

/// All environments of a data directory. Clones are handles to the same.
#[derive(Clone)]
pub struct Environments {
    inner: Arc<Inner>,
}

/// How environments are made and kept.
#[derive(Clone, Debug)]
pub struct Means {
    /// Confines installers; without it they are plain children of the server.
    pub confiner: Option<Confiner>,
    /// Size of all environments above which the least recently used are removed, in bytes.
    pub max_bytes: u64,
}

struct Inner {
    shelf: Shelf,
    yard: Arc<Yard>,
    max_bytes: u64,
    interpreter: Interpreter,
    /// Where uv is installed if the host has none.
    tools: PathBuf,
    installer: OnceCell<Installer>,
    flights: Flights,
    stories: Shared<Story>,
    leases: Shared<Lease>,
    compiling: Flights,
}

impl Environments {
    /// Opens the directory (`DATA_DIR/environments`; tools go to `tools` beside it), removes what killed builds
    /// left there, and asks the interpreter about itself.
    ///
    /// # Errors
    /// If there is no Python to run previews, or the directory cannot be used.
    pub async fn open(
        directory: PathBuf,
        python: Option<&Path>,
        means: Means,
    ) -> Result<Self, EnvironmentError> {
        let interpreter = Interpreter::find(python).await?;
        let tools = directory.parent().unwrap_or(&directory).join("tools");
        let shelf = Shelf::open(&directory)?;
        let (work, own) = (shelf.work(), [shelf.cache(), shelf.home()]);
        let visible = vec![interpreter.base_prefix.clone()];
        let yard = move || Yard::new(means.confiner, work, &own, visible, DEADLINE);
        let yard = tokio::task::spawn_blocking(yard).await.map_err(std::io::Error::other)??;
        let inner = Inner {
            shelf,
            yard: Arc::new(yard),
            max_bytes: means.max_bytes,
            interpreter,
            tools,
            installer: OnceCell::new(),
            flights: Flights::default(),
            stories: Shared::default(),
            leases: Shared::default(),
            compiling: Flights::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The Python that all of them are for.
    #[must_use]
    pub fn interpreter(&self) -> &Interpreter {
        &self.inner.interpreter
    }

    /// The uv that is used, if there is one yet; it is installed when it is first needed.
    #[must_use]
    pub fn uv(&self) -> Option<PathBuf> {
        find_uv(&self.inner.tools)
    }

    /// An environment by its key, for what still runs from it after a restart.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Environment> {
        let manifest = self.inner.shelf.manifest(key)?;
        Some(self.lease(key, manifest.packages))
    }

    /// The environment for these requirements, made if there is none yet. Known ones take well under a
    /// millisecond; wishes for the same at the same time share one build; dropping the future ends a build.
    ///
    /// # Errors
    /// If they cannot be resolved or installed: with the installer's last lines and, for well-known causes, a hint.
    pub async fn prepare(
        &self,
        wish: &Requirements,
        progress: Progress<'_>,
    ) -> Result<Environment, EnvironmentError> {
        let request = self.request_key(wish);
        if let Some(environment) = self.known(&request) {
            return Ok(environment);
        }
        // An upload has begun with it: then the launch tells its story.
        let story = self.inner.stories.get(&request, Story::default);
        let _flight = story.told_to(progress, self.inner.flights.enter(&request)).await;
        if let Some(environment) = self.known(&request) {
            return Ok(environment);
        }
        let told = |line: String| {
            story.add(line.clone());
            progress(line);
        };
        let made = tokio::time::timeout(DEADLINE, self.make(wish, &request, &told)).await;
        made.unwrap_or_else(|_| {
            let message = format!("The packages were not installed within {} s.", DEADLINE.as_secs());
            Err(EnvironmentError::with_hint(message, "Try again; what was downloaded is kept."))
        })
    }

    /// The environment for these requirements, if there is one already. Asks nobody and makes nothing.
    #[must_use]
    pub fn existing(&self, wish: &Requirements) -> Option<Environment> {
        self.known(&self.request_key(wish))
    }

    fn bench(&self) -> Bench<'_> {
        Bench { shelf: &self.inner.shelf, interpreter: &self.inner.interpreter, yard: &self.inner.yard }
    }

    fn request_key(&self, wish: &Requirements) -> String {
        hash([wish.key().as_str(), &self.platform()])
    }

    fn platform(&self) -> String {
        format!("{} {}", self.inner.interpreter.version_text(), self.inner.interpreter.platform)
    }

    fn known(&self, request: &str) -> Option<Environment> {
        let resolution = self.inner.shelf.resolution(request).filter(|known| known.is_fresh())?;
        self.used(&resolution.environment)
    }

    /// A complete environment, marked as used.
    fn used(&self, key: &str) -> Option<Environment> {
        let environment = self.get(key)?;
        self.inner.shelf.touch(key).ok()?;
        self.compile_in_background(&environment);
        Some(environment)
    }

    async fn make(
        &self,
        wish: &Requirements,
        request: &str,
        progress: Progress<'_>,
    ) -> Result<Environment, EnvironmentError> {
        let started = Instant::now();
        let installer = self.installer(progress).await?;
        progress(format!("Resolving {}", counted(wish.len(), "requirement")));
        let pins = match self.resolve(installer, wish, request).await {
            Ok(pins) => pins,
            Err(error) => return self.outdated(request, progress).ok_or(error),
        };
        let key = hash(pins.iter().map(String::as_str).chain([self.platform().as_str()]));
        if self.inner.shelf.manifest(&key).is_none() {
            self.build(installer, &key, &pins, progress).await?;
        }
        self.inner.shelf.record(request, &key, UnixMillis::now())?;
        let environment =
            self.used(&key).ok_or_else(|| EnvironmentError::new("The environment is gone; launch again."))?;
        let seconds = started.elapsed().as_secs_f64();
        progress(format!("Environment ready in {seconds:.1} s ({})", counted(pins.len(), "package")));
        Ok(environment)
    }

    async fn installer(&self, progress: Progress<'_>) -> Result<&Installer, EnvironmentError> {
        self.inner
            .installer
            .get_or_try_init(|| Installer::find(self.bench(), &self.inner.tools, progress))
            .await
    }

    /// From what is downloaded if that will do, so that most new wishes ask no server; what was asked for before
    /// and has grown old is asked for anew.
    async fn resolve(
        &self,
        installer: &Installer,
        wish: &Requirements,
        request: &str,
    ) -> Result<Vec<String>, EnvironmentError> {
        let lines = wish.to_lines();
        if self.inner.shelf.resolution(request).is_none()
            && matches!(installer, Installer::Uv(_))
            && let Ok(pins) = installer.resolve(self.bench(), &lines, true).await
        {
            return Ok(pins);
        }
        installer.resolve(self.bench(), &lines, false).await
    }

    /// What the same requirements had before, if they cannot be resolved again.
    fn outdated(&self, request: &str, progress: Progress<'_>) -> Option<Environment> {
        let environment = self.used(&self.inner.shelf.resolution(request)?.environment)?;
        progress("The package index gave no newer answer; using the packages of the last launch".to_owned());
        Some(environment)
    }

    /// Builds it aside, under a lock that other processes see too.
    async fn build(
        &self,
        installer: &Installer,
        key: &str,
        pins: &[String],
        progress: Progress<'_>,
    ) -> Result<(), EnvironmentError> {
        let shelf = &self.inner.shelf;
        let _lock = FileLock::acquire(shelf.lock(key)).await?;
        if shelf.manifest(key).is_some() {
            return Ok(());
        }
        let unfinished = Unfinished(shelf.building(key));
        remove(&unfinished.0);
        let target = unfinished.0.join(SITE_PACKAGES);
        std::fs::create_dir_all(&target)?;
        progress(format!("Installing {}", counted(pins.len(), "package")));
        if !self.link(pins, &unfinished.0).await {
            self.inner.yard.make(&target)?;
            self.install(installer, pins, &target, progress).await?;
            self.share_bytecode(pins, &unfinished.0).await?;
        }
        progress(format!("Installed {}", pins.join(", ")));
        let python = self.inner.interpreter.version_text();
        let manifest = Manifest { packages: pins.to_vec(), python, bytes: size_of(&target)? };
        shelf.publish(key, &manifest)?;
        self.trim(installer, key).await
    }

    /// Installs what is pinned, and says from time to time how far that is.
    async fn install(
        &self,
        installer: &Installer,
        pins: &[String],
        target: &Path,
        progress: Progress<'_>,
    ) -> Result<(), EnvironmentError> {
        let began = Instant::now();
        let installing = installer.install(self.bench(), pins, target);
        tokio::pin!(installing);
        loop {
            tokio::select! {
                installed = &mut installing => break installed?,
                () = tokio::time::sleep(PROGRESS) => {
                    let (there, seconds) = (installed_in(target), began.elapsed().as_secs());
                    progress(format!("Installing: {there} of {} in place after {seconds} s", pins.len()));
                }
            }
        }
        Ok(())
    }

    /// Links what other environments have, if that is all, with its bytecode.
    async fn link(&self, pins: &[String], building: &Path) -> bool {
        let (this, pins, building) = (self.clone(), pins.to_vec(), building.to_owned());
        let linking = move || {
            let keys = this.inner.shelf.compiled_with(&pins)?;
            // Held, so that they are not removed meanwhile.
            let held: Vec<_> = keys.iter().filter_map(|key| this.get(key)).collect();
            let others: Vec<_> = held.iter().map(|other| other.site_packages.clone()).collect();
            let target = building.join(SITE_PACKAGES);
            let linked = packages::link(&pins, &target, &others, &this.inner.interpreter.cache_tag)?;
            if linked {
                std::fs::write(building.join(COMPILED), b"")?;
            }
            Ok::<_, std::io::Error>(linked)
        };
        match tokio::task::spawn_blocking(linking).await.map_err(std::io::Error::other).flatten() {
            Ok(linked) => linked,
            Err(error) => {
                // An installer does it then.
                tracing::debug!(%error, "packages could not be linked");
                false
            }
        }
    }

    /// Gives an environment that is being made the bytecode of those that have the same packages.
    async fn share_bytecode(&self, pins: &[String], building: &Path) -> Result<(), EnvironmentError> {
        let (this, pins, building) = (self.clone(), pins.to_vec(), building.to_owned());
        let sharing = move || {
            let others = this.inner.shelf.compiled_with(&pins)?;
            let others: Vec<_> =
                others.iter().map(|key| this.inner.shelf.ready(key).join(SITE_PACKAGES)).collect();
            let complete = adopt(&building.join(SITE_PACKAGES), &others, &this.inner.interpreter.cache_tag)?;
            if complete { std::fs::write(building.join(COMPILED), b"") } else { Ok(()) }
        };
        Ok(tokio::task::spawn_blocking(sharing).await.map_err(std::io::Error::other)??)
    }

    /// Keeps all environments within their size; the one just made counts as used.
    async fn trim(&self, installer: &Installer, made: &str) -> Result<(), EnvironmentError> {
        let (this, made) = (self.clone(), made.to_owned());
        let trimming = move || {
            this.inner.shelf.trim(this.inner.max_bytes, |key| key == made || this.inner.leases.is_held(key))
        };
        if tokio::task::spawn_blocking(trimming).await.map_err(std::io::Error::other)?? {
            installer.clean(self.bench()).await?;
        }
        Ok(())
    }

    fn lease(&self, key: &str, packages: Vec<String>) -> Environment {
        Environment {
            key: key.to_owned(),
            python: self.inner.interpreter.executable.clone(),
            site_packages: self.inner.shelf.ready(key).join(SITE_PACKAGES),
            packages,
            lease: self.inner.leases.get(key, || Lease),
        }
    }

    /// Writes bytecode at the lowest priority, once per environment: imports take half to a third of the time
    /// with it, but no launch waits for it.
    fn compile_in_background(&self, environment: &Environment) {
        let done = self.inner.shelf.ready(&environment.key).join(COMPILED);
        if done.exists() || self.inner.compiling.is_held(&environment.key) {
            return;
        }
        let turn = self.inner.compiling.get(&environment.key, tokio::sync::Mutex::default);
        let (environment, home) = (environment.clone(), self.inner.shelf.home());
        let key = format!("{}.bytecode", environment.key);
        let (aside, lock) = (self.inner.shelf.building(&key), self.inner.shelf.lock(&key));
        let yard = Arc::clone(&self.inner.yard);
        tokio::spawn(async move {
            let compiling = async {
                let _lock = FileLock::acquire(lock).await?;
                if !done.exists() {
                    compile(&environment, &yard, &home, &aside).await?;
                    tokio::fs::write(done, b"").await?;
                }
                std::io::Result::Ok(())
            };
            if let Err(error) = compiling.await {
                tracing::warn!(%error, "bytecode could not be written");
            }
            drop((turn, environment));
        });
    }
}

/// How many packages are whole: their metadata comes last.
fn installed_in(target: &Path) -> usize {
    distribution::installed_in(target).map_or(0, |packages| packages.len())
}

fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update("\n");
    }
    hex::encode(&hash.finalize()[..16])
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests;
