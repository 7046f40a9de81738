//! Making environments: requirements that are new but whose packages are there, and packages that nobody has yet.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use previewd::environment::{Environments, Interpreter, Means, Requirements};
use tokio::process::Command;

use crate::Outcome;
use crate::measure::{Samples, Table};
use crate::server::Server;

/// Small packages; each choice of some of them makes requirements that nobody has asked for.
const SMALL: [&str; 4] = ["iniconfig", "itsdangerous", "six", "tomli"];
const REQUIREMENTS: &str = "fastapi\nuvicorn\nsqlalchemy\npython-multipart\nwebsockets\n";
const SAMPLE: &str = "from fastapi import FastAPI\nimport sqlalchemy.orm\napp = FastAPI()\n\n\
                      @app.get('/health')\ndef health():\n    return {}\n";
const ROUNDS: usize = 6;
/// What a person takes between an upload and a launch, at least.
const MOMENT: Duration = Duration::from_secs(5);
/// Of the reference: it asks as often as who does nothing about it.
const POLL: Duration = Duration::from_secs(1);
/// For bytecode and for starts.
const PATIENCE: Duration = Duration::from_secs(120);

/// New requirements in turns with the reference, then an empty cache once.
pub async fn measure(server: &Server, table: &mut Table) -> Outcome<()> {
    let all = server.upload(&project(&SMALL.join("\n"))).await?;
    server.launch(&all).await?;
    server.stop(&all).await?;
    let site_packages = compiled_with(&server.data_dir, &SMALL).await?;
    let (mut at_once, mut later, mut polled) = (Samples::default(), Samples::default(), Samples::default());
    for round in 0..ROUNDS {
        at_once.add(launch_new(server, 1 + round, Duration::ZERO).await?);
        later.add(launch_new(server, 1 + ROUNDS + round, MOMENT).await?);
        polled.add(uvicorn(&site_packages, server).await?);
    }
    let reference = polled.median();
    let what = "new requirements, packages in the store, launch right after the upload: ms";
    table.compared(what, at_once.median(), reference, Some(0.25));
    let what = "new requirements, packages in the store, launch 5 s after the upload: ms";
    table.compared(what, later.median(), reference, Some(0.25));
    nothing_cached(server, table).await
}

fn project(more: &str) -> Vec<(String, String)> {
    let requirements = format!("{REQUIREMENTS}{more}\n");
    vec![("app/main.py".to_owned(), SAMPLE.to_owned()), ("requirements.txt".to_owned(), requirements)]
}

/// Launches a project with a choice of the small packages, by the bits of `choice`; each choice is made once.
async fn launch_new(server: &Server, choice: usize, after: Duration) -> Outcome<Duration> {
    let chosen = SMALL.iter().enumerate().filter(|(bit, _)| choice >> bit & 1 == 1).map(|(_, name)| *name);
    let generation = server.upload(&project(&chosen.collect::<Vec<_>>().join("\n"))).await?;
    tokio::time::sleep(after).await;
    let began = Instant::now();
    server.launch(&generation).await?;
    let took = began.elapsed();
    server.stop(&generation).await?;
    Ok(took)
}

/// The packages of the environment that has these, once they have their bytecode.
async fn compiled_with(data_dir: &Path, names: &[&str]) -> Outcome<PathBuf> {
    let found = async {
        loop {
            for environment in std::fs::read_dir(data_dir.join("environments/ready"))?.flatten() {
                let site_packages = environment.path().join("site-packages");
                let has = |name: &&str| {
                    site_packages.join(name).exists() || site_packages.join(format!("{name}.py")).exists()
                };
                if names.iter().all(has) && environment.path().join("compiled").exists() {
                    return Outcome::Ok(site_packages);
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await?
}

/// From the start of the command to the first answer, asked for each second.
async fn uvicorn(site_packages: &Path, server: &Server) -> Outcome<Duration> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let directory = std::env::temp_dir().join(format!("previewd-bench-environments-{port}"));
    std::fs::create_dir_all(directory.join("app"))?;
    std::fs::write(directory.join("app/main.py"), SAMPLE)?;
    let python = Interpreter::find(None).await.map_err(|error| error.to_string())?.executable;
    let began = Instant::now();
    let mut child = Command::new(python)
        .args(["-m", "uvicorn", "app.main:app", "--port", &port.to_string()])
        .env("PYTHONPATH", site_packages)
        .current_dir(&directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    while server.client.get(format!("http://127.0.0.1:{port}/health")).send().await.is_err() {
        tokio::time::sleep(POLL).await;
        if began.elapsed() > PATIENCE {
            return Err("uvicorn does not answer".into());
        }
    }
    let took = began.elapsed();
    child.kill().await?;
    std::fs::remove_dir_all(directory)?;
    Ok(took)
}

/// An environment from an empty cache, beside `python -m venv` and its pip without one.
async fn nothing_cached(server: &Server, table: &mut Table) -> Outcome<()> {
    let root = server.data_dir.join("bench");
    std::fs::create_dir_all(&root)?;
    std::os::unix::fs::symlink(server.data_dir.join("tools"), root.join("tools"))?;
    let means = Means { confiner: None, max_bytes: u64::MAX };
    let environments = Environments::open(root.join("environments"), None, means).await;
    let environments = environments.map_err(|error| error.to_string())?;
    let wish = Requirements::from_requirements_txt(REQUIREMENTS.as_bytes())?;
    let began = Instant::now();
    environments.prepare(&wish, &|_| {}).await.map_err(|error| error.to_string())?;
    let ours = began.elapsed();
    let (venv, list) = (root.join("venv"), root.join("requirements.txt"));
    std::fs::write(&list, REQUIREMENTS)?;
    let began = Instant::now();
    let made = Command::new(&environments.interpreter().executable).args(["-m", "venv"]).arg(&venv).status();
    let made = made.await?.success();
    let mut pip = Command::new(venv.join("bin/pip"));
    let installed = pip.args(["install", "-q", "--no-cache-dir", "-r"]).arg(list).status().await?.success();
    if !made || !installed {
        return Err("venv and pip do not work here".into());
    }
    let theirs = began.elapsed();
    // It writes bytecode in the background, which nobody may remove meanwhile.
    compiled_with(&root, &["fastapi"]).await?;
    let (ours, theirs) = (ours.as_secs_f64() * 1000.0, theirs.as_secs_f64() * 1000.0);
    table.compared("packages that nobody has yet, beside venv and pip: ms", ours, theirs, Some(0.2));
    Ok(())
}
