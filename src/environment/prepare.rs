//! From requirements to an environment that is ready.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, setpriority_process};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::installer::{Bench, Installer};
use super::lease::{Flights, Lease, Shared};
use super::lock::FileLock;
use super::shelf::{Manifest, SITE_PACKAGES, Shelf, remove, size_of};
use super::{Environment, EnvironmentError, Interpreter, Requirements, tool};

/// How long making an environment may take.
const DEADLINE: Duration = Duration::from_secs(300);
/// Size of all environments above which the least recently used are removed, in bytes.
const MAX_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Is told what is going on, line by line.
type Progress<'a> = &'a (dyn Fn(String) + Send + Sync);

/// All environments of a data directory. Clones are handles to the same.
#[derive(Clone)]
pub struct Environments {
    inner: Arc<Inner>,
}

struct Inner {
    shelf: Shelf,
    interpreter: Interpreter,
    /// Where uv is installed if the host has none.
    tools: PathBuf,
    installer: OnceCell<Installer>,
    flights: Flights,
    leases: Shared<Lease>,
    compiling: Flights,
}

impl Environments {
    /// Opens the directory (`DATA_DIR/environments`; tools go to `tools` beside it), removes what killed builds
    /// left there, and asks the interpreter about itself.
    ///
    /// # Errors
    /// If there is no Python to run previews, or the directory cannot be used.
    pub async fn open(directory: PathBuf, python: Option<&Path>) -> Result<Self, EnvironmentError> {
        let interpreter = Interpreter::find(python).await?;
        let tools = directory.parent().unwrap_or(&directory).join("tools");
        let inner = Inner {
            shelf: Shelf::open(directory)?,
            interpreter,
            tools,
            installer: OnceCell::new(),
            flights: Flights::default(),
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
        let waiting = || progress("Waiting for the same packages, which are being installed".to_owned());
        let _flight = self.inner.flights.enter(&request, waiting).await;
        if let Some(environment) = self.known(&request) {
            return Ok(environment);
        }
        let made = tokio::time::timeout(DEADLINE, self.make(wish, &request, progress)).await;
        made.unwrap_or_else(|_| {
            let message = format!("The packages were not installed within {} s.", DEADLINE.as_secs());
            Err(EnvironmentError::with_hint(message, "Try again; what was downloaded is kept."))
        })
    }

    fn bench(&self) -> Bench<'_> {
        Bench { shelf: &self.inner.shelf, interpreter: &self.inner.interpreter }
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
        self.inner.shelf.record(request, &key)?;
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
        tokio::fs::create_dir_all(&target).await?;
        progress(format!("Installing {}", counted(pins.len(), "package")));
        if !pins.is_empty() {
            installer.install(self.bench(), pins, &target).await?;
        }
        let python = self.inner.interpreter.version_text();
        let manifest = Manifest { packages: pins.to_vec(), python, bytes: size_of(&target)? };
        shelf.publish(key, &manifest)?;
        self.trim(installer, key).await
    }

    /// Keeps all environments within their size; the one just made counts as used.
    async fn trim(&self, installer: &Installer, made: &str) -> Result<(), EnvironmentError> {
        let (this, made) = (self.clone(), made.to_owned());
        let trimming =
            move || this.inner.shelf.trim(MAX_BYTES, |key| key == made || this.inner.leases.is_held(key));
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
        let done = self.inner.shelf.ready(&environment.key).join("compiled");
        if done.exists() || self.inner.compiling.is_held(&environment.key) {
            return;
        }
        let turn = self.inner.compiling.get(&environment.key, tokio::sync::Mutex::default);
        let (environment, home) = (environment.clone(), self.inner.shelf.home());
        tokio::spawn(async move {
            match compile(&environment, &home).await {
                Ok(()) => drop(tokio::fs::write(done, b"").await),
                Err(error) => tracing::warn!(%error, "bytecode could not be written"),
            }
            drop((turn, environment));
        });
    }
}

async fn compile(environment: &Environment, home: &Path) -> std::io::Result<()> {
    let mut command = tool::command(&environment.python, home);
    command.args(["-I", "-S", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]);
    let mut child = command
        .arg(&environment.site_packages)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        setpriority_process(Some(pid), 19)?;
    }
    // Its status tells of files that are no Python of this version, which some packages have.
    child.wait().await.map(drop)
}

/// A build that has not been renamed yet; removed when it is given up.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        remove(&self.0);
    }
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
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A fresh directory; uv is installed beside it, once for all tests and runs.
    fn directory(name: &str) -> PathBuf {
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/environments");
        let directory = all.join(name);
        remove(&directory);
        directory
    }

    async fn environments(name: &str) -> Environments {
        Environments::open(directory(name), None).await.unwrap()
    }

    fn wish(text: &str) -> Requirements {
        Requirements::from_requirements_txt(text.as_bytes()).unwrap()
    }

    /// Polls until something is so.
    async fn until(mut so: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !so() {
            assert!(Instant::now() < deadline, "never came");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn failure(environments: &Environments, text: &str) -> EnvironmentError {
        environments.prepare(&wish(text), &|_| {}).await.unwrap_err()
    }

    #[tokio::test]
    async fn packages_are_installed_once_and_found_again() {
        let all = environments("shared").await;
        let lines = Mutex::new(Vec::new());
        let progress = |line| lines.lock().unwrap().push(line);
        let started = Instant::now();
        let first = all.prepare(&wish("fastapi>=0.110\n").with_uvicorn(), &progress).await.unwrap();
        println!("first: {:?}", started.elapsed());
        for package in ["fastapi", "pydantic", "uvicorn"] {
            assert!(first.site_packages.join(package).is_dir(), "{package}");
        }
        let told = std::mem::take(&mut *lines.lock().unwrap()).join("\n");
        assert!(told.contains("Resolving 2 requirements") && told.contains("Installing"), "{told}");
        assert!(told.contains("Environment ready in"), "{told}");

        let started = Instant::now();
        let again = all.prepare(&wish("uvicorn\nFastAPI >= 0.110"), &progress).await.unwrap();
        println!("known: {:?}", started.elapsed());
        assert_eq!(again.key, first.key);
        assert!(lines.lock().unwrap().is_empty(), "nothing to tell of a known one");

        let started = Instant::now();
        let other = all.prepare(&wish("fastapi>=0.100\nuvicorn"), &progress).await.unwrap();
        println!("other wish, same packages: {:?}", started.elapsed());
        assert_eq!(other.key, first.key, "named by what it resolves to");
        assert!(!lines.lock().unwrap().iter().any(|line| line.contains("Installing")));

        let python = tool::command(&first.python, Path::new("/"))
            .env("PYTHONPATH", &first.site_packages)
            .args(["-S", "-c", "import fastapi, uvicorn"])
            .output()
            .await
            .unwrap();
        assert!(python.status.success());
        let compiled = all.inner.shelf.ready(&first.key).join("compiled");
        until(|| compiled.exists()).await;
        assert!(first.site_packages.join("fastapi/__pycache__").is_dir());
    }

    #[tokio::test]
    async fn wishes_at_the_same_time_share_one_build() {
        let all = environments("single-flight").await;
        let lines = Mutex::new(Vec::new());
        let progress = |line| lines.lock().unwrap().push(line);
        let (one, two) = (wish("idna\n"), wish("idna # the same"));
        let (one, two) = tokio::join!(all.prepare(&one, &progress), all.prepare(&two, &progress));
        assert_eq!(one.unwrap().key, two.unwrap().key);
        let lines = lines.into_inner().unwrap();
        let count = |sign: &str| lines.iter().filter(|line| line.starts_with(sign)).count();
        assert_eq!((count("Installing 1 package"), count("Waiting")), (1, 1), "{lines:?}");
    }

    #[tokio::test]
    async fn failures_are_explained() {
        let all = environments("failures").await;
        for (text, hint) in [
            ("sqlite3", "part of Python itself"),
            ("fastapi==0.0.0.1", "was never released"),
            ("pydantic==1.10.2\nfastapi>=0.130", "exclude each other"),
        ] {
            let error = failure(&all, text).await;
            assert!(error.hint.as_deref().is_some_and(|told| told.contains(hint)), "{error:?}");
            assert!(!error.tail.is_empty());
            let root = all.inner.shelf.home();
            assert!(!error.tail.join("").contains(root.parent().unwrap().to_str().unwrap()), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_build_that_is_given_up_leaves_nothing() {
        let all = environments("given-up").await;
        let building = all.inner.shelf.building("");
        let has_build = || std::fs::read_dir(&building).unwrap().any(|entry| entry.unwrap().path().is_dir());
        let wish = wish("sqlalchemy");
        let build = tokio::spawn({
            let (all, wish) = (all.clone(), wish.clone());
            async move { all.prepare(&wish, &|_| {}).await.map(drop) }
        });
        until(has_build).await;
        build.abort();
        assert!(build.await.unwrap_err().is_cancelled());
        assert!(!has_build());
        let environment = all.prepare(&wish, &|_| {}).await.unwrap();
        assert!(environment.site_packages.join("sqlalchemy").is_dir());
    }

    #[tokio::test]
    async fn what_a_killed_build_left_goes_at_the_next_start() {
        let all = environments("killed").await;
        let shelf = &all.inner.shelf;
        for key in ["dead", "alive"] {
            std::fs::create_dir_all(shelf.building(key).join(SITE_PACKAGES)).unwrap();
            std::fs::write(shelf.lock(key), b"").unwrap();
        }
        let _alive = FileLock::acquire(shelf.lock("alive")).await.unwrap();
        let root = shelf.home().parent().unwrap().to_owned();
        Environments::open(root, None).await.unwrap();
        assert!(!shelf.building("dead").exists());
        assert!(shelf.building("alive").exists(), "somebody is still at it");
    }

    #[tokio::test]
    async fn the_least_recently_used_goes_first_and_none_in_use() {
        let all = environments("trim").await;
        let shelf = &all.inner.shelf;
        for key in ["a", "b", "c"] {
            std::fs::create_dir_all(shelf.building(key)).unwrap();
            shelf.publish(key, &Manifest { packages: vec![], python: String::new(), bytes: 10 }).unwrap();
        }
        shelf.touch("a").unwrap();
        let in_use = all.get("b").unwrap();
        let held = |key: &str| all.inner.leases.is_held(key);
        assert!(!shelf.trim(30, held).unwrap());
        assert!(shelf.trim(20, held).unwrap());
        assert!(all.get("c").is_none() && all.get("a").is_some());
        assert!(shelf.trim(0, held).unwrap());
        assert!(all.get("a").is_none() && all.get("b").is_some());
        drop(in_use);
        assert!(shelf.trim(0, held).unwrap());
        assert!(all.get("b").is_none());
    }

    #[tokio::test]
    async fn pip_does_where_there_is_no_uv() {
        let all = environments("pip").await;
        let pip = Installer::Pip(all.interpreter().executable.clone());
        let pins = pip.resolve(all.bench(), &["Idna==3.7".to_owned()], false).await.unwrap();
        assert_eq!(pins, ["idna==3.7"]);
        let target = all.inner.shelf.building("pip");
        pip.install(all.bench(), &pins, &target).await.unwrap();
        assert!(target.join("idna").is_dir());
        let error = pip.resolve(all.bench(), &["sqlite3".to_owned()], false).await.unwrap_err();
        assert!(error.hint.unwrap().contains("part of Python itself"));
    }
}
