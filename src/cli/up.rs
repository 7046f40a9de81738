//! `previewd up`: one directory, served by one process for as long as somebody watches.

mod place;
mod screen;
mod session;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::paint::Colour;
use super::serve::{Failed, doing, runtime, start, told_to_end};
use super::{USAGE, fail};
use crate::config::Config;
use screen::Screen;
use session::Session;
use watch::Watch;

/// Serves one directory, until it is told to end. Nothing that it started is left then.
pub(super) fn run(config: Config, directory: &Path) -> ExitCode {
    let directory = match directory.canonicalize() {
        Ok(directory) if directory.is_dir() => directory,
        _ => {
            eprintln!("previewd up: {} is no directory", directory.display());
            return ExitCode::from(USAGE);
        }
    };
    // The terminal is for the preview's log; of the server only what went wrong.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let served = runtime().and_then(|runtime| runtime.block_on(serve(config, directory)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

async fn serve(config: Config, directory: PathBuf) -> Result<(), Failed> {
    let screen = Screen::new();
    let end = end_of_signal()?;
    let begun = async {
        let (config, served) = place::of_its_own(config).await?;
        start(config, served).await
    };
    let running = tokio::select! {
        // Nothing runs yet.
        () = end.cancelled() => return Ok(()),
        running = begun => running?,
    };
    let kept = &running.app.config.data_dir;
    // As events name it.
    let watch = Watch::new(&directory, kept.canonicalize().unwrap_or_else(|_| kept.clone()));
    let session = Session::open(running.app.clone(), running.address, directory, screen, end.clone());
    let mut session = session.await.map_err(doing("the project cannot be kept"))?;
    session.launch().await;
    match &watch {
        Ok(_) => screen.say("  Edits reload it; Ctrl-C stops it.\n"),
        Err(error) => {
            screen.tell(Colour::Careful, "edits are not seen:", &format!("{error}; Ctrl-C stops it"));
        }
    }
    loop {
        tokio::select! {
            () = end.cancelled() => break,
            () = edited(watch.as_ref().ok()) => session.apply_edits().await,
            () = session.over() => {}
        }
    }
    screen.say("\nStopping…");
    session.end().await;
    running.end().await;
    Ok(())
}

async fn edited(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.edited().await,
        None => std::future::pending().await,
    }
}

/// Is cancelled at the first SIGINT or SIGTERM.
fn end_of_signal() -> Result<CancellationToken, Failed> {
    let told = told_to_end().map_err(doing("signals cannot be received"))?;
    let end = CancellationToken::new();
    let cancel = end.clone();
    tokio::spawn(async move {
        told.await;
        cancel.cancel();
    });
    Ok(end)
}
