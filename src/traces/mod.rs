//! What becomes of calls, launches and requests, as OpenTelemetry's spans: sent to a collector where the operator names one, and
//! nothing at all elsewhere. A span ends when it is dropped.

mod collector;

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, StatusCode};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

/// For a collector to take the last spans, when the server ends.
const LAST: Duration = Duration::from_secs(2);
/// Goes with `traceparent`.
const STATE: &str = "tracestate";

/// Where spans go. Clones share it; by default they go nowhere.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<On>);

#[derive(Clone, Debug)]
struct On {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
}

/// What a span is within: one of the caller's, one of ours, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Parent(Option<SpanContext>);

/// Something under way.
#[derive(Debug, Default)]
pub struct Span(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    tracer: SdkTracer,
    span: opentelemetry_sdk::trace::Span,
}

impl Traces {
    /// Spans go to the collector at this address, if there is one. What else there is to say of them is said by
    /// OpenTelemetry's own variables. Within the server's runtime.
    ///
    /// # Errors
    /// If one of these variables cannot be understood.
    pub fn to(endpoint: Option<&str>) -> Result<Self, ExporterBuildError> {
        let Some(endpoint) = endpoint else { return Ok(Self::default()) };
        let provider = collector::provider(endpoint)?;
        Ok(Self(Some(On { tracer: provider.tracer("previewd"), provider })))
    }

    /// What the headers of a request say that it is within.
    #[must_use]
    pub fn parent(&self, headers: &HeaderMap) -> Parent {
        if self.0.is_none() {
            return Parent::default();
        }
        let said =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
        let said = said.span().span_context().clone();
        Parent(said.is_valid().then_some(said))
    }

    /// Something that the server does.
    #[must_use]
    pub fn span(&self, name: &'static str, parent: &Parent) -> Span {
        let Some(on) = &self.0 else { return Span::default() };
        Span::start(&on.tracer, SpanBuilder::from_name(name), parent)
    }

    /// A request that is being answered: within what its headers say, or else within `parent`. From then on they say that
    /// whatever is passed on is within this.
    #[must_use]
    pub fn answer(&self, name: impl FnOnce() -> String, headers: &mut HeaderMap, parent: Parent) -> Span {
        let Some(on) = &self.0 else { return Span::default() };
        let parent = Parent(self.parent(headers).0.or(parent.0));
        let span =
            Span::start(&on.tracer, SpanBuilder::from_name(name()).with_kind(SpanKind::Server), &parent);
        headers.remove(STATE);
        TraceContextPropagator::new().inject_context(&span.parent().context(), &mut HeaderInjector(headers));
        span
    }

    /// Sends what has not been sent, for a while.
    pub async fn close(&self) {
        let Some(On { provider, .. }) = self.0.clone() else { return };
        // What the collector does not take now is lost, and has been complained of.
        let _taken = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST)).await;
    }
}

impl Parent {
    fn context(&self) -> Context {
        let context = Context::new();
        self.0.clone().map_or_else(|| context.clone(), |parent| context.with_remote_span_context(parent))
    }
}

impl Span {
    fn start(tracer: &SdkTracer, builder: SpanBuilder, parent: &Parent) -> Self {
        let span = tracer.build_with_context(builder, &parent.context());
        Self(Some(Box::new(Open { tracer: tracer.clone(), span })))
    }

    /// What else is within it.
    #[must_use]
    pub fn parent(&self) -> Parent {
        Parent(self.0.as_ref().map(|open| open.span.span_context().clone()))
    }

    /// A step of it.
    #[must_use]
    pub fn step(&self, name: &'static str) -> Self {
        let Some(open) = &self.0 else { return Self::default() };
        Self::start(&open.tracer, SpanBuilder::from_name(name), &self.parent())
    }

    /// A step of it that has just ended.
    pub fn step_since(&self, name: &'static str, took: Duration) {
        let Some(open) = &self.0 else { return };
        let now = SystemTime::now();
        let began = SpanBuilder::from_name(name).with_start_time(now.checked_sub(took).unwrap_or(now));
        drop(Self::start(&open.tracer, began, &self.parent()));
    }

    /// Something that is known of it.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(open) = &mut self.0 {
            open.span.set_attribute(KeyValue::new(key, value));
        }
    }

    /// What came of a request. That it was the caller's fault is no error of ours.
    pub fn answered(&mut self, status: StatusCode) {
        self.set("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            self.fail(status.as_str().to_owned());
        }
    }

    /// It went wrong.
    pub fn fail(&mut self, why: impl Into<String>) {
        if let Some(open) = &mut self.0 {
            open.span.set_status(Status::error(why.into()));
        }
    }

    /// Whether anything becomes of what is told of it.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.span.is_recording())
    }
}
