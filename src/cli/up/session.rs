//! One directory and its preview.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::screen::Screen;
use crate::cli::listen;
use crate::cli::paint::Colour;
use crate::config::Tier;
use crate::error::{Error, LaunchFailure, Result};
use crate::generation::{Files, check_patch, read_directory};
use crate::http::App;
use crate::id::{PreviewId, UserId};
use crate::preview::{Active, LaunchRequest, State, StopReason};
use crate::store::{Generation, NewGeneration, Project};
use crate::traces::Parent;

/// Whose everything is: the person at the terminal.
const USER: &str = "local";
/// How long the token in the printed address is good, in seconds: a week.
const TOKEN_LIFE: u64 = 7 * 24 * 3600;
/// Longest name of a project that the API takes.
const LONGEST_NAME: usize = 100;
/// For the last lines of a log, once a preview is over.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The project in a directory, and the preview of it.
pub(super) struct Session {
    app: App,
    address: SocketAddr,
    directory: PathBuf,
    screen: Screen,
    end: CancellationToken,
    generation: Generation,
    /// As the store has them.
    files: Files,
    /// Previews that a server before us left running: not ours to stop.
    foreign: BTreeSet<PreviewId>,
    shown: Option<Shown>,
}

/// The preview whose log is being printed.
struct Shown {
    preview: Arc<Active>,
    printing: JoinHandle<()>,
}

impl Session {
    /// Uploads the directory.
    pub(super) async fn open(
        app: App,
        address: SocketAddr,
        directory: PathBuf,
        screen: Screen,
        end: CancellationToken,
    ) -> Result<Self> {
        let files = read_directory(&directory, &app.config.data_dir)?;
        let project = project_of(&app, &directory).await?;
        let (left, foreign): (Vec<_>, Vec<_>) =
            app.previews.all_active().into_iter().partition(|preview| preview.project_id == project.id);
        // Of an `up` that was killed: this one takes its place.
        stop(&left).await;
        let generation = app.store.create_generation(NewGeneration {
            project_id: project.id,
            user_id: project.user_id,
            name: project.name,
            entrypoint: None,
            found: None,
            files: files.clone(),
        });
        let generation = generation.await?;
        let foreign = foreign.into_iter().map(|preview| preview.id.clone()).collect();
        Ok(Self { app, address, directory, screen, end, generation, files, foreign, shown: None })
    }

    /// Launches what was uploaded and says where it is, or why it does not start.
    pub(super) async fn launch(&mut self) {
        let count = self.files.len();
        self.screen.tell(Colour::Strong, &self.generation.name, &format!("({count} files)"));
        let request = LaunchRequest { limit: u32::MAX, ..LaunchRequest::default() };
        // Not to be dropped half-way: whoever has a place must get an owner.
        let launched = self.app.previews.launch(&self.generation, request).await;
        let ui = match self.ui_address() {
            Ok(ui) => ui,
            Err(error) => return self.refused(&error),
        };
        match launched {
            Ok(preview) => self.show(preview).await,
            Err(error) => self.refused(&error),
        }
        let preview = self.shown.as_ref().map(|shown| &shown.preview);
        let running = preview.filter(|preview| matches!(preview.state(), State::Running(_)));
        let address = running.map(|preview| {
            let token = self.app.auth.preview_token(&preview.id);
            format!("{}/?preview_token={token}", preview.base_url)
        });
        self.screen.addresses(&ui, address.as_deref());
    }

    /// Prints its log from now on, and waits until it serves or does not.
    async fn show(&mut self, preview: Arc<Active>) {
        let printing = tokio::spawn(self.screen.follow(Arc::clone(&preview.hub)));
        self.shown = Some(Shown { preview: Arc::clone(&preview), printing });
        tokio::select! {
            () = self.end.cancelled() => {}
            state = preview.wait_for(|state| *state != State::Launching) => match state {
                State::Running(running) => {
                    self.screen.tell(Colour::Good, "running", &format!("after {} ms", running.phases.total()));
                }
                _ => self.over().await,
            }
        }
    }

    /// Returns once the preview that is shown is over, and has said why.
    pub(super) async fn over(&mut self) {
        let Some(shown) = &mut self.shown else { return std::future::pending().await };
        let state = shown.preview.wait_for(State::is_over).await;
        let _cut = tokio::time::timeout(LAST_LINES, &mut shown.printing).await;
        self.shown = None;
        if let State::Failed(failure) = &state {
            self.screen.failure("it does not run:", failure);
        } else if let State::Stopped { reason, .. } = &state {
            self.screen.tell(Colour::Careful, "over:", reason.as_str());
        }
        self.screen.say("  The next edit starts it again.");
    }

    /// Brings the preview to what is in the directory now.
    pub(super) async fn apply_edits(&mut self) {
        match self.upload_edits().await {
            Ok(changed) if changed.is_empty() => {}
            Ok(changed) => self.reload(&changed).await,
            Err(error) => self.refused(&error),
        }
    }

    async fn upload_edits(&mut self) -> Result<Vec<String>> {
        let files = read_directory(&self.directory, &self.app.config.data_dir)?;
        let changes = changes(&self.files, &files);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        check_patch(
            self.files.iter().map(|(path, content)| (path.as_str(), content.len() as u64)),
            &changes,
        )?;
        let paths = changes.keys().cloned().collect();
        let patched = self.app.store.patch_files(&self.generation.id, changes).await?;
        self.generation = patched.ok_or(Error::GenerationNotFound)?;
        self.files = files;
        Ok(paths)
    }

    async fn reload(&mut self, changed: &[String]) {
        let began = Instant::now();
        self.follow_another();
        let what = match changed {
            [one] => one.clone(),
            more => format!("{} files", more.len()),
        };
        self.screen.tell(Colour::Quiet, "edited:", &what);
        let reloaded = tokio::select! {
            () = self.end.cancelled() => return,
            reloaded = self.app.previews.reload(&self.generation, Parent::default()) => reloaded,
        };
        match reloaded {
            Ok(Some(None)) => {
                let told =
                    format!("revision {} in {} ms", self.generation.revision, began.elapsed().as_millis());
                self.screen.tell(Colour::Good, "reloaded:", &told);
            }
            Ok(Some(Some(failure))) => self.not_reloaded(&failure),
            Ok(None) => self.launch().await,
            Err(error) => self.refused(&error),
        }
    }

    fn not_reloaded(&self, failure: &LaunchFailure) {
        self.screen.failure("not reloaded, the old code goes on:", failure);
    }

    /// Somebody may have stopped the preview and launched it again, in the UI.
    fn follow_another(&mut self) {
        let Some(active) = self.app.previews.active(&self.generation.id) else { return };
        if self.shown.as_ref().is_none_or(|shown| shown.preview.id != active.id) {
            let printing = tokio::spawn(self.screen.follow(Arc::clone(&active.hub)));
            self.shown = Some(Shown { preview: active, printing });
        }
    }

    fn refused(&self, error: &Error) {
        self.screen.tell(Colour::Bad, "it does not run:", &error.to_string());
        self.screen.say("  The next edit tries again.");
    }

    /// The generation's page, signed in.
    fn ui_address(&self) -> Result<String> {
        let token = self.app.auth.issue(&UserId(USER.to_owned()), Tier::Pro, TOKEN_LIFE)?;
        let address = listen::reached_at(self.address);
        let scheme = self.app.config.scheme();
        Ok(format!("{scheme}://{address}/g/{}#token={token}", self.generation.id))
    }

    /// Stops everything that was started here, from the UI as well.
    pub(super) async fn end(self) {
        let ours = self.app.previews.all_active();
        let ours: Vec<_> = ours.into_iter().filter(|preview| !self.foreign.contains(&preview.id)).collect();
        stop(&ours).await;
        if let Some(shown) = self.shown {
            let _cut = tokio::time::timeout(LAST_LINES, shown.printing).await;
        }
    }
}

async fn stop(previews: &[Arc<Active>]) {
    for preview in previews {
        preview.request_stop(StopReason::Stopped);
    }
    for preview in previews {
        preview.wait_for(State::is_over).await;
    }
}

/// The project that is called like the directory, made at the first time.
async fn project_of(app: &App, directory: &std::path::Path) -> Result<Project> {
    let user = UserId(USER.to_owned());
    let name = directory.file_name().unwrap_or(directory.as_os_str()).to_string_lossy();
    let name: String = name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let known = app.store.projects(&user).await?.into_iter().find(|project| project.name == name);
    match known {
        Some(project) => Ok(project),
        None => Ok(app.store.create_project(&user, &name).await?),
    }
}

/// What turns the one into the other.
fn changes(old: &Files, new: &Files) -> BTreeMap<String, Option<Vec<u8>>> {
    let written = new.iter().filter(|(path, content)| old.get(*path) != Some(content));
    let written = written.map(|(path, content)| (path.clone(), Some(content.clone())));
    let gone = old.keys().filter(|path| !new.contains_key(*path)).map(|path| (path.clone(), None));
    written.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> Files {
        pairs.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn changes_are_what_was_written_and_what_is_gone() {
        let old = files(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let new = files(&[("a", "1"), ("b", "x"), ("d", "4")]);
        let expected = BTreeMap::from([
            ("b".to_owned(), Some(b"x".to_vec())),
            ("c".to_owned(), None),
            ("d".to_owned(), Some(b"4".to_vec())),
        ]);
        assert_eq!(changes(&old, &new), expected);
        assert!(changes(&new, &new).is_empty());
    }
}
