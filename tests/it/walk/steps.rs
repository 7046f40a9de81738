//! What may be done, and what may happen.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::random::Random;
use super::shortages::{SHORTAGES, Shortage};
use super::{Walk, speaker};
use crate::faults::{Fault, PARTS, Part};
use crate::harness::{Answer, Generation};

/// What callers do to a generation.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Launch,
    LaunchUnawaited,
    LaunchKeeping,
    Stop,
    Reload,
    Break,
    Request,
    Logs,
    Stream,
    Replace,
}

/// One step: somebody does something, and into that something happens.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    deed: Deed,
    app: usize,
    /// What somebody else does at once.
    beside: Option<(Deed, usize)>,
    /// What happens so many milliseconds later.
    fault: Option<(Fault, Part, u64)>,
    /// What there is none of from then on, for a while. What is done beside is done meanwhile.
    shortage: Option<(Shortage, u64)>,
}

const DEEDS: [Deed; 13] = [
    Deed::Launch,
    Deed::Launch,
    Deed::LaunchKeeping,
    Deed::LaunchUnawaited,
    Deed::Stop,
    Deed::Stop,
    Deed::Reload,
    Deed::Reload,
    Deed::Break,
    Deed::Request,
    Deed::Logs,
    Deed::Stream,
    Deed::Replace,
];
const FAULTS: [Fault; 3] = [Fault::Kill, Fault::Terminate, Fault::Pause];
const MOMENTS: [u64; 7] = [0, 2, 7, 20, 50, 110, 300];
/// For how long there is none of something.
const MOMENT: Duration = Duration::from_secs(1);

impl Step {
    /// Draws as many numbers whatever comes of them, so that the way depends on the seed alone.
    pub fn choose(random: &mut Random, apps: usize) -> Self {
        let (deed, app) = (random.one_of(&DEEDS), random.below(apps));
        let (other, other_app, is_beside) = (random.one_of(&DEEDS), random.below(apps), random.below(3) == 0);
        let fault = (random.one_of(&FAULTS), random.one_of(&PARTS), random.one_of(&MOMENTS));
        let (shortage, happens) = ((random.one_of(&SHORTAGES), fault.2), random.below(10));
        Self {
            deed,
            app,
            beside: is_beside.then_some((other, other_app)),
            fault: (happens < 4).then_some(fault),
            shortage: (happens == 4).then_some(shortage),
        }
    }

    pub async fn take(self, walk: &mut Walk) {
        let number = walk.trail.len();
        let server_falls = matches!(self.fault, Some((Fault::Kill | Fault::Terminate, Part::Serve, _)));
        let begin = |(deed, app): (Deed, usize)| tokio::spawn(deed.call(walk.apps[app].clone(), number));
        let mut calls = vec![begin((self.deed, self.app))];
        if let Some((shortage, moment)) = self.shortage {
            tokio::time::sleep(Duration::from_millis(moment)).await;
            let taken = shortage.begin(walk).await;
            calls.extend(self.beside.map(begin));
            tokio::time::sleep(MOMENT).await;
            taken.end();
        } else {
            calls.extend(self.beside.map(begin));
        }
        if let Some((fault, part, moment)) = self.fault {
            tokio::time::sleep(Duration::from_millis(moment)).await;
            fault.strikes(part, &walk.server).await;
        }
        for call in calls {
            match call.await.unwrap() {
                Some(answer) => check(&answer, self.shortage.map(|(shortage, _)| shortage)),
                None => assert!(server_falls, "an answer was cut off by nobody"),
            }
        }
        walk.replace_deleted().await;
    }
}

impl Deed {
    /// Its answer, unless that was cut off with the server.
    async fn call(self, app: Generation, number: usize) -> Option<Answer> {
        let call = match self {
            Self::Launch => app.user.call(Method::POST, &app.path("/preview/launch")),
            Self::LaunchUnawaited => app.user.call(Method::POST, &app.path("/preview/launch?wait=false")),
            Self::LaunchKeeping => {
                let launch = app.user.call(Method::POST, &app.path("/preview/launch"));
                launch.json(&json!({ "database": "keep" }))
            }
            Self::Stop => app.user.call(Method::DELETE, &app.path("/preview")),
            Self::Reload => {
                let files = &speaker(number as u64)["app/main.py"];
                let changes = json!({ "files": { "app/main.py": files } });
                app.user.call(Method::PATCH, &app.path("/files")).json(&changes)
            }
            Self::Break => {
                let changes = json!({ "files": { "app/main.py": "raise SystemExit(3)" } });
                app.user.call(Method::PATCH, &app.path("/files")).json(&changes)
            }
            Self::Request => return request(&app).await,
            Self::Logs => app.user.call(Method::GET, &app.path("/preview/logs?limit=1000")),
            Self::Stream => {
                let tail = app.user.call(Method::GET, &app.path("/preview/logs/stream?tail=3"));
                return status_only(tail).await;
            }
            Self::Replace => app.user.call(Method::DELETE, &app.path("")),
        };
        Answer::of_whole(call.send().await.ok()?).await
    }
}

/// A request through the API, with the token that the status tells.
async fn request(app: &Generation) -> Option<Answer> {
    let status = app.user.call(Method::GET, &app.path("/preview/status"));
    let status = Answer::of_whole(status.send().await.ok()?).await?;
    if status.status != 200 {
        return Some(status);
    }
    let token = status.json()["previewToken"].as_str().unwrap_or_default().to_owned();
    let call = app.user.call(Method::POST, &app.path("/preview/request"));
    let call = call.header("x-preview-token", token).json(&json!({ "method": "GET", "path": "/x" }));
    Answer::of_whole(call.send().await.ok()?).await
}

/// Opens a stream, reads what comes at once, and leaves.
async fn status_only(call: reqwest::RequestBuilder) -> Option<Answer> {
    let mut response = call.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    if status != 200 {
        return Some(Answer { status, headers, bytes: response.bytes().await.ok()? });
    }
    let _first = tokio::time::timeout(Duration::from_millis(30), response.chunk()).await;
    Some(Answer { status, headers, bytes: bytes::Bytes::new() })
}

/// Failures are told as what they are, and none is of a kind that nobody thought of.
fn check(answer: &Answer, shortage: Option<Shortage>) {
    if answer.status < 400 {
        return;
    }
    let body = answer.json();
    let code = body["error"].as_str().unwrap_or_default();
    const EXPECTED: [&str; 9] = [
        "launch_failed",
        "launch_timeout",
        "launch_cancelled",
        "preview_already_running",
        "preview_limit_reached",
        "preview_unavailable",
        "no_active_preview",
        "generation_not_found",
        "invalid_preview_token",
    ];
    let is_explained = shortage.is_some_and(|shortage| shortage.explains(answer, code));
    assert!(EXPECTED.contains(&code) || is_explained, "{} {body}", answer.status);
    assert!(body["message"].as_str().is_some_and(|message| message.len() > 10), "{body}");
}

impl Walk {
    /// There are always as many generations as at first.
    async fn replace_deleted(&mut self) {
        for app in &mut self.apps {
            if app.user.get(&app.path("")).await.status == 404 {
                *app = app.user.upload(&speaker(0)).await;
            }
        }
    }
}
