//! What is counted, in Prometheus' terms.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::error::LaunchFailure;

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

/// The server's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    launches: Family<ResultLabel, Counter>,
    launch_seconds: Histogram,
    failures: Family<ReasonLabel, Counter>,
    previews: Family<StatusLabel, Gauge>,
    session_seconds: Histogram,
    requests: Counter,
    subscribers: Gauge,
    delayed_histories: Gauge,
}

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
        let failures = Family::default();
        registry.register("failures", "Previews that failed, by reason", failures.clone());
        let previews = Family::default();
        registry.register("previews", "Previews by status", previews.clone());
        let session_seconds = Histogram::new(SESSION_BUCKETS);
        let help = "From the first answer of a preview to its end";
        registry.register("session_seconds", help, session_seconds.clone());
        let requests = Counter::default();
        registry.register("requests", "Requests passed on to previews", requests.clone());
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
            requests,
            subscribers,
            delayed_histories,
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
    /// A launch that serves now.
    pub fn launched(&self, millis: u64) {
        self.launches.get_or_create(&ResultLabel { result: "success" }).inc();
        self.launch_seconds.observe(seconds(millis));
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

    /// A request to a preview.
    pub fn request(&self) {
        self.requests.inc();
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
