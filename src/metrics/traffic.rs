//! What passes between clients and previews, by their own addresses and by the API.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Seconds; from an answer out of memory to a request's whole time.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Class {
    class: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

/// Counts of it. Clones count together.
#[derive(Clone, Debug)]
pub struct Traffic {
    requests: Counter,
    responses: Arc<[Counter; 5]>,
    seconds: Histogram,
    /// Bytes of what clients send.
    pub from_clients: Counter,
    /// Bytes of what they get.
    pub to_clients: Counter,
}

impl Traffic {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = Counter::default();
        registry.register("requests", "Requests passed on to previews", requests.clone());
        let responses = Family::<Class, Counter>::default();
        let of_class = |class| responses.get_or_create_owned(&Class { class });
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"].map(of_class);
        registry.register("responses", "Answers to them, by the class of their status", responses.clone());
        let seconds = Histogram::new(BUCKETS);
        let help = "From a request to the head of its answer";
        registry.register("request_duration_seconds", help, seconds.clone());
        let bytes = Family::<Direction, Counter>::default();
        let [from_clients, to_clients] = ["from_clients", "to_clients"]
            .map(|direction| bytes.get_or_create_owned(&Direction { direction }));
        let help = "Bytes of the bodies of requests and answers, and of WebSockets";
        registry.register("gateway_bytes", help, bytes);
        Self { requests, responses: Arc::new(classes), seconds, from_clients, to_clients }
    }

    /// A request is passed on.
    pub fn request(&self) {
        self.requests.inc();
    }

    /// It is answered: by the preview, or by us in its place.
    pub fn answered(&self, status: u16, after: Duration) {
        if let Some(class) = self.responses.get(usize::from(status / 100).wrapping_sub(1)) {
            class.inc();
        }
        self.seconds.observe(after.as_secs_f64());
    }
}
