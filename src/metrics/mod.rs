//! What is counted, in Prometheus' terms.

mod traffic;

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use traffic::Traffic;

use crate::error::{FailureReason, LaunchFailure};

/// Seconds; from a forked launch to one that installs.
const LAUNCH_BUCKETS: [f64; 11] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0];
/// Seconds; from a glance to a day.
const SESSION_BUCKETS: [f64; 8] = [10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14_400.0, 86_400.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PhaseLabel {
    phase: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VersionLabel {
    version: &'static str,
}

/// What is looked at, and not counted, when somebody asks for the metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Previews that sleep; they run as well.
    pub asleep: usize,
    /// Complete environments.
    pub environments: usize,
    /// Bytes of their files.
    pub environment_bytes: u64,
    /// Entries that the audit log could not take.
    pub audit_lost: u64,
}

/// The server's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    launches: Family<ResultLabel, Counter>,
    launch_seconds: Histogram,
    failures: Family<ReasonLabel, Counter>,
    previews: Family<StatusLabel, Gauge>,
    session_seconds: Histogram,
    phase_seconds: Phases,
    asleep: Gauge,
    environments: Gauge,
    environment_bytes: Gauge,
    audit_lost: Counter,
    subscribers: Gauge,
    delayed_histories: Gauge,
    /// Between clients and previews.
    pub traffic: Traffic,
}

type Phases = Family<PhaseLabel, Histogram, fn() -> Histogram>;

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("previewd");
        let launches = Family::<ResultLabel, Counter>::default();
        for result in ["success", "failure", "cancelled"] {
            // There from the start, so that the first of each is seen as one.
            drop(launches.get_or_create(&ResultLabel { result }));
        }
        registry.register("launches", "Launches that ended, by result", launches.clone());
        let launch_seconds = Histogram::new(LAUNCH_BUCKETS);
        let help = "From the request of a launch to the first answer of the application";
        registry.register("launch_duration_seconds", help, launch_seconds.clone());
        let phase_seconds = Phases::new_with_constructor(|| Histogram::new(LAUNCH_BUCKETS));
        let help = "The same by phase: plan, environment, start, ready";
        registry.register("launch_phase_seconds", help, phase_seconds.clone());
        let failures = Family::<ReasonLabel, Counter>::default();
        for reason in FailureReason::ALL {
            drop(failures.get_or_create(&ReasonLabel { reason: reason.as_str() }));
        }
        registry.register("failures", "Previews that failed, by reason", failures.clone());
        let previews = Family::default();
        registry.register("previews", "Previews by status", previews.clone());
        let session_seconds = Histogram::new(SESSION_BUCKETS);
        let help = "From the first answer of a preview to its end";
        registry.register("session_seconds", help, session_seconds.clone());
        let asleep = Gauge::default();
        registry.register("previews_asleep", "Running previews that sleep", asleep.clone());
        let environments = Gauge::default();
        registry.register("environments", "Complete environments", environments.clone());
        let environment_bytes = Gauge::default();
        registry.register("environment_bytes", "Bytes of their files", environment_bytes.clone());
        let audit_lost = Counter::default();
        let help = "Entries that the audit log could not take";
        registry.register("audit_entries_lost", help, audit_lost.clone());
        let build = Family::<VersionLabel, Gauge>::default();
        build.get_or_create(&VersionLabel { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "The version that runs", build);
        let traffic = Traffic::register(&mut registry);
        let subscribers = Gauge::default();
        registry.register("log_subscribers", "Open log streams", subscribers.clone());
        let delayed_histories = Gauge::default();
        let help = "Previews whose log history waits for the store";
        registry.register("log_history_delayed", help, delayed_histories.clone());
        Self {
            registry,
            launches,
            launch_seconds,
            failures,
            previews,
            session_seconds,
            phase_seconds,
            asleep,
            environments,
            environment_bytes,
            audit_lost,
            subscribers,
            delayed_histories,
            traffic,
        }
    }
}

/// An open log stream; counted for as long as it lives.
#[derive(Debug)]
pub struct Subscriber(Gauge);

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A log whose history is behind; counted for as long as it lives.
#[derive(Debug)]
pub struct Delayed(Gauge);

impl Drop for Delayed {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// A launch that serves now, with the milliseconds of its phases.
    pub fn launched(&self, phases: [(&'static str, u64); 4]) {
        self.launches.get_or_create(&ResultLabel { result: "success" }).inc();
        self.launch_seconds.observe(seconds(phases.iter().map(|(_, millis)| millis).sum()));
        for (phase, millis) in phases {
            self.phase_seconds.get_or_create(&PhaseLabel { phase }).observe(seconds(millis));
        }
    }

    /// A preview that failed, before it served or after.
    pub fn failed(&self, failure: &LaunchFailure, served: bool) {
        if !served {
            self.launches.get_or_create(&ResultLabel { result: "failure" }).inc();
        }
        self.failures.get_or_create(&ReasonLabel { reason: failure.reason.as_str() }).inc();
    }

    /// A launch that was stopped before it served.
    pub fn cancelled(&self) {
        self.launches.get_or_create(&ResultLabel { result: "cancelled" }).inc();
    }

    /// A preview that had served is over.
    pub fn session(&self, millis: u64) {
        self.session_seconds.observe(seconds(millis));
    }

    /// A log stream was opened.
    #[must_use]
    pub fn subscriber(&self) -> Subscriber {
        self.subscribers.inc();
        Subscriber(self.subscribers.clone())
    }

    /// The history of a log is behind.
    #[must_use]
    pub fn history_delayed(&self) -> Delayed {
        self.delayed_histories.inc();
        Delayed(self.delayed_histories.clone())
    }

    /// The previews that there are, by the names of their states.
    pub fn set_previews(&self, states: impl Iterator<Item = &'static str>) {
        for status in ["launching", "running"] {
            self.previews.get_or_create(&StatusLabel { status }).set(0);
        }
        for status in states {
            self.previews.get_or_create(&StatusLabel { status }).inc();
        }
    }

    /// What was found by looking.
    pub fn set_seen(&self, seen: Seen) {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.asleep.set(signed(seen.asleep as u64));
        self.environments.set(signed(seen.environments as u64));
        self.environment_bytes.set(signed(seen.environment_bytes));
        self.audit_lost.inc_by(seen.audit_lost.saturating_sub(self.audit_lost.get()));
    }

    /// All of it as text.
    #[must_use]
    pub fn encode(self: &Arc<Self>) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _infallible = encode(&mut text, &self.registry);
        text
    }
}

fn seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}
