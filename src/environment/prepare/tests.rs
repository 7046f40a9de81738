use std::sync::Mutex;

use super::super::bytecode::cached;
use super::super::tool;
use super::*;

/// A fresh directory; uv is installed beside it, once for all tests and runs.
fn directory(name: &str) -> PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/environments");
    let directory = all.join(name);
    remove(&directory);
    directory
}

/// Installers run as plain children here: what confines them is the built binary, which other tests run.
async fn open(directory: PathBuf) -> Environments {
    let means = Means { confiner: None, max_bytes: u64::MAX };
    Environments::open(directory, None, means).await.unwrap()
}

async fn environments(name: &str) -> Environments {
    open(directory(name)).await
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
    // Whoever waits is told the same; of a second build there would be a third.
    assert_eq!(
        (count("Resolving"), count("Installing 1 package"), count("Environment")),
        (2, 2, 2),
        "{lines:?}"
    );
}

#[tokio::test]
async fn what_others_have_is_linked_without_an_installer() {
    let all = environments("linked").await;
    let mut parts = Vec::new();
    for text in ["six", "idna"] {
        let part = all.prepare(&wish(text), &|_| {}).await.unwrap();
        let compiled = all.inner.shelf.ready(&part.key).join(COMPILED);
        until(|| compiled.exists()).await;
        parts.push(part);
    }
    // An installer would have to download them again, and link other files.
    remove(&all.inner.shelf.cache().join("archive-v0"));
    let both = all.prepare(&wish("six\nidna\n"), &|_| {}).await.unwrap();
    let inode = |environment: &Environment, file: &str| {
        let file = environment.site_packages.join(file);
        std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(file).unwrap())
    };
    let tag = &all.inner.interpreter.cache_tag;
    for (part, file) in [(0, "six.py"), (1, "idna/core.py")] {
        assert_eq!(inode(&both, file), inode(&parts[part], file));
        let cached = cached(Path::new(file), tag).unwrap();
        let cached = cached.to_str().unwrap();
        assert_eq!(inode(&both, cached), inode(&parts[part], cached));
    }
    assert!(all.inner.shelf.ready(&both.key).join(COMPILED).exists());
    let python = tool::command(&both.python, Path::new("/"))
        .env("PYTHONPATH", &both.site_packages)
        .args(["-S", "-c", "import six, idna, importlib.metadata as m; m.version('six'), m.version('idna')"])
        .output();
    assert!(python.await.unwrap().status.success());
    // What one of them has lost is not linked: an installer brings it.
    for environment in [&parts[0], &both] {
        std::fs::remove_file(environment.site_packages.join("six.py")).unwrap();
    }
    let third = all.prepare(&wish("six\nidna\niniconfig\n"), &|_| {}).await.unwrap();
    let compiled = all.inner.shelf.ready(&third.key).join(COMPILED);
    until(|| compiled.exists()).await;
    std::fs::remove_file(third.site_packages.join("six.py")).unwrap();
    let fourth = all.prepare(&wish("six\niniconfig\n"), &|_| {}).await.unwrap();
    assert!(fourth.site_packages.join("six.py").exists());
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
        assert!(!error.tail.join("").contains(all.inner.shelf.work().to_str().unwrap()), "{error:?}");
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
    let root = shelf.work().parent().unwrap().to_owned();
    open(root).await;
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

#[tokio::test]
async fn an_old_answer_is_asked_anew_and_kept_if_there_is_no_other() {
    let all = environments("outdated").await;
    let shelf = &all.inner.shelf;
    std::fs::create_dir_all(shelf.building("before").join(SITE_PACKAGES)).unwrap();
    shelf.publish("before", &Manifest { packages: vec![], python: String::new(), bytes: 0 }).unwrap();
    let old = UnixMillis(UnixMillis::now().0 - 25 * 60 * 60 * 1000);
    for text in ["sqlite3", "idna"] {
        shelf.record(&all.request_key(&wish(text)), "before", old).unwrap();
    }
    let lines = Mutex::new(Vec::new());
    let progress = |line| lines.lock().unwrap().push(line);
    assert_eq!(all.prepare(&wish("sqlite3"), &progress).await.unwrap().key, "before");
    assert!(lines.lock().unwrap().last().unwrap().contains("packages of the last launch"));
    assert_ne!(all.prepare(&wish("idna"), &progress).await.unwrap().key, "before");
}
