//! `previewd logs`: a preview's log, for a person at a terminal.

mod ask;

use std::collections::VecDeque;
use std::io::Write as _;
use std::process::ExitCode;

use super::paint::Paint;
use super::serve::{Failed, doing, runtime};
use super::{fail, line::Line};
use crate::config::{Config, LogLevel};
use crate::logs::Source;
use ask::{Lines, Log};

/// What somebody wants to see.
#[derive(Debug, clap::Args)]
pub(super) struct Wanted {
    /// The generation; where none is named, the one whose preview was launched last
    generation: Option<String>,
    /// Goes on with what comes, until the preview is over
    #[arg(long, short)]
    follow: bool,
    /// That level and graver ones: debug, info, warn or error
    #[arg(long, value_parser = level)]
    level: Option<LogLevel>,
    /// About this only: install, startup, app, request or server
    #[arg(long, value_parser = source)]
    source: Option<Source>,
    /// With this text, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Written while this request was handled
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Begins with the last so many
    #[arg(long, short = 'n', value_name = "LINES")]
    tail: Option<u32>,
    /// Prints the entries as JSON, a line each
    #[arg(long)]
    json: bool,
}

fn level(name: &str) -> Result<LogLevel, String> {
    LogLevel::parse(name).ok_or_else(|| "takes debug, info, warn or error".to_owned())
}

fn source(name: &str) -> Result<Source, String> {
    Source::parse(name).ok_or_else(|| "takes install, startup, app, request or server".to_owned())
}

impl Wanted {
    /// What narrows it, as the API takes it.
    fn query(&self) -> form_urlencoded::Serializer<'static, String> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let texts = [
            ("level", self.level.map(|level| level.to_string())),
            ("source", self.source.map(|source| source.as_str().to_owned())),
            ("q", self.grep.clone()),
            ("requestId", self.request_id.clone()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                query.append_pair(name, &text);
            }
        }
        query
    }
}

impl Wanted {
    /// What to ask for to follow the log, when everything up to `seen` was printed.
    fn stream_after(&self, seen: u64) -> String {
        let mut query = self.query();
        match self.tail.filter(|_| seen == 0) {
            Some(lines) => query.append_pair("tail", &lines.to_string()),
            None => query.append_pair("lastEventId", &seen.to_string()),
        };
        format!("/stream?{}", query.finish())
    }
}

/// Prints the log that the server has, and with `--follow` what comes.
pub(super) fn run(config: &Config, wanted: &Wanted) -> ExitCode {
    match runtime().and_then(|runtime| runtime.block_on(show(config, wanted))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

async fn show(config: &Config, wanted: &Wanted) -> Result<(), Failed> {
    let log = Log::find(config, wanted.generation.as_deref()).await?;
    let mut screen = Screen { paint: Paint::stdout(), json: wanted.json, seen: 0 };
    if wanted.follow {
        follow(config, wanted, &log, &mut screen).await
    } else {
        all(wanted, &log, &mut screen).await
    }
}

/// What the server has now.
async fn all(wanted: &Wanted, log: &Log, screen: &mut Screen) -> Result<(), Failed> {
    let query = wanted.query().append_pair("format", "ndjson").finish();
    let Some(mut lines) = log.open(&format!("/download?{query}")).await? else { return Ok(()) };
    let most = wanted.tail.map_or(usize::MAX, |lines| usize::try_from(lines).unwrap_or(usize::MAX));
    let mut last = VecDeque::new();
    while let Some(json) = lines.next().await {
        last.push_back(json);
        // Without a limit nothing is held back.
        while last.len() > most || (most == usize::MAX && !last.is_empty()) {
            let line = last.pop_front().filter(|_| most == usize::MAX);
            if line.is_some_and(|json| !screen.entry(&json)) {
                return Ok(());
            }
        }
    }
    let _nobody_reads = last.iter().all(|json| screen.entry(json));
    Ok(())
}

/// What the server has, and what comes until the preview is over.
async fn follow(config: &Config, wanted: &Wanted, log: &Log, screen: &mut Screen) -> Result<(), Failed> {
    let mut log = log.clone();
    let mut opened = log.open(&wanted.stream_after(screen.seen)).await?;
    // Nothing: the preview ended while the server was away, and everything had been said.
    while let Some(lines) = opened {
        if screen.stream(lines).await {
            break;
        }
        eprintln!("previewd: the server went away; waiting for it");
        opened = log.open_again(config, &wanted.stream_after(screen.seen)).await?;
    }
    Ok(())
}

struct Screen {
    paint: Paint,
    json: bool,
    /// The last id that was printed.
    seen: u64,
}

impl Screen {
    /// Prints the events of a stream. `false` if it broke off.
    async fn stream(&mut self, mut lines: Lines) -> bool {
        let mut kind = String::new();
        while let Some(line) = lines.next().await {
            if let Some(name) = line.strip_prefix("event: ") {
                name.clone_into(&mut kind);
            } else if let Some(data) = line.strip_prefix("data: ") {
                let goes_on = match kind.as_str() {
                    "" => self.entry(data),
                    "gap" => self.say(&format!("… lines were dropped: {data}")),
                    kind => kind != "end",
                };
                if !goes_on {
                    return true;
                }
                kind.clear();
            }
        }
        false
    }

    /// Prints an entry. `false` if nobody reads any more.
    fn entry(&mut self, json: &str) -> bool {
        let Ok(line) = serde_json::from_str::<Line>(json) else { return true };
        self.seen = line.id;
        if self.json { self.say(json) } else { self.say(&line.render_with_time(self.paint)) }
    }

    fn say(&self, text: &str) -> bool {
        writeln!(std::io::stdout(), "{text}").is_ok()
    }
}

/// The end of everything that keeps a log from being shown.
fn refused(why: impl Into<String>) -> Failed {
    doing("the log cannot be shown")(why.into())
}
