mod checks;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use super::fail;
use super::paint::{Colour, Paint};
use crate::config::{Config, Limits};
use checks::Check;
use sandbox::{Finding, Layer};

/// What this host offers, as `--json` prints it.
#[derive(Serialize)]
struct Diagnosis {
    /// Whether previews can run.
    ok: bool,
    checks: Vec<Check>,
    isolation: BTreeMap<Layer, Finding>,
    limits: Limits,
}

/// Says what this host offers, and fails if previews could not run.
pub(super) fn run(config: &Config, json: bool) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error),
    };
    let diagnosis = runtime.block_on(diagnose(config));
    let text = if json {
        serde_json::to_string_pretty(&diagnosis)
    } else {
        Ok(diagnosis.for_people(Paint::stdout()))
    };
    match text {
        // Whoever reads only the first lines has what they wanted.
        Ok(text) => drop(writeln!(std::io::stdout(), "{}", text.trim_end())),
        Err(error) => return fail(1, &error),
    }
    if diagnosis.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn diagnose(config: &Config) -> Diagnosis {
    let (isolation, probed) = match sandbox::probe(&sandbox::Helper::this_program()) {
        Ok(report) => (report.findings, Ok(())),
        Err(error) => (nothing_known(), Err(error)),
    };
    let mut checks = checks::python(config).await;
    checks.push(checks::data_directory(config));
    checks.push(checks::environments(config));
    checks.push(checks::store(config).await);
    checks.push(checks::listen(config));
    checks.push(checks::ports(config));
    checks.push(checks::limits(config));
    checks.push(checks::isolation(config, &isolation, probed));
    checks.push(checks::cpu_awake(config.cpu_awake));
    checks.extend(config.memory_merge.then(|| checks::memory_merge(sandbox::memory_merging())));
    Diagnosis { ok: checks.iter().all(|check| check.ok), checks, isolation, limits: config.limits }
}

/// The layers where the probe itself could not run.
fn nothing_known() -> BTreeMap<Layer, Finding> {
    let unknown = Finding { available: false, detail: "could not be tried".to_owned(), fix: None };
    Layer::ALL.into_iter().map(|layer| (layer, unknown.clone())).collect()
}

impl Diagnosis {
    fn for_people(&self, paint: Paint) -> String {
        let mut text = String::new();
        for check in &self.checks {
            let colour = if check.ok { Colour::Good } else { Colour::Bad };
            let mark = paint.paint(colour, if check.ok { "ok     " } else { "MISSING" });
            text += &line(paint, &mark, &check.name, &check.detail, check.fix.as_deref());
        }
        text += &format!("\n{}\n", paint.paint(Colour::Strong, "Layers of isolation, each tried"));
        for (layer, finding) in &self.isolation {
            let colour = if finding.available { Colour::Good } else { Colour::Careful };
            let mark = paint.paint(colour, if finding.available { "ok     " } else { "without" });
            text += &line(paint, &mark, &name_of(*layer), &finding.detail, finding.fix.as_deref());
        }
        let (colour, verdict) = match self.ok {
            true => (Colour::Good, "Previews can run on this host."),
            false => (Colour::Bad, "Previews cannot run on this host yet: see what is missing above."),
        };
        text + &format!("\n{}\n", paint.paint(colour, verdict))
    }
}

fn line(paint: Paint, mark: &str, name: &str, detail: &str, fix: Option<&str>) -> String {
    let line = format!("  {mark}  {name:<18} {detail}\n");
    match fix {
        Some(fix) => line + &format!("{:30}{}\n", "", paint.paint(Colour::Quiet, &format!("-> {fix}"))),
        None => line,
    }
}

/// The name that `--json` uses.
fn name_of(layer: Layer) -> String {
    serde_json::to_value(layer).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis(ok: bool) -> Diagnosis {
        let check = if ok { Check::good("python", "3.11") } else { Check::bad("python", "none", "get it") };
        let limits = Limits { memory_mb: 512, tasks: 128, open_files: 1024, disk_mb: 256, cpu: 1.0 };
        Diagnosis { ok, checks: vec![check], isolation: nothing_known(), limits }
    }

    #[test]
    fn json_has_the_shape_that_is_promised() {
        let value = serde_json::to_value(diagnosis(false)).unwrap();
        assert_eq!(value["ok"], false);
        let check = serde_json::json!({"name": "python", "ok": false, "detail": "none", "fix": "get it"});
        assert_eq!(value["checks"][0], check);
        let layers = value["isolation"].as_object().unwrap();
        assert_eq!(layers.len(), 10);
        assert_eq!(layers["cgroup_memory"]["available"], false);
        assert_eq!(value["limits"]["openFiles"], 1024);
        assert!(serde_json::to_value(diagnosis(true)).unwrap()["checks"][0]["fix"].is_null());
    }

    #[test]
    fn people_are_told_what_is_missing_and_how_to_get_it() {
        let text = diagnosis(false).for_people(Paint::plain());
        assert!(text.contains("MISSING  python             none\n"), "{text}");
        assert!(text.contains("-> get it") && text.contains("cannot run"), "{text}");
        assert!(diagnosis(true).for_people(Paint::plain()).ends_with("\nPreviews can run on this host.\n"));
    }
}
