//! Spans of calls, launches, reloads and requests, as a collector gets them that a test runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Known;
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode as Status};
use prost::Message as _;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, Generation, Server, asgi, eventually};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const WAKER: &str = "00f067aa0ba902b8";

/// What a collector was sent.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    resource: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Collector {
    /// One that listens, and its address.
    async fn start() -> (Self, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self::default();
        let taking = collector.clone();
        let take = move |body: Bytes| async move { taking.take(&body) };
        tokio::spawn(axum::serve(listener, Router::new().route("/v1/traces", post(take))).into_future());
        (collector, address)
    }

    fn take(&self, body: &[u8]) -> StatusCode {
        let Ok(sent) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
        for of_resource in sent.resource_spans {
            let attributes = of_resource.resource.unwrap_or_default().attributes;
            let texts = attributes.into_iter().map(|pair| (pair.key, text(pair.value.and_then(|v| v.value))));
            self.resource.lock().unwrap().extend(texts);
            let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.lock().unwrap().extend(spans);
        }
        StatusCode::OK
    }

    /// The span of this name that is within that one, once it has come.
    async fn within(&self, parent: &str, name: &str) -> Span {
        let wanted = |span: &&Span| span.name == name && hex::encode(&span.parent_span_id) == parent;
        let look = async || self.spans.lock().unwrap().iter().find(wanted).cloned();
        let span = eventually(&format!("a span {name} within {parent}"), look).await;
        assert_eq!(hex::encode(&span.trace_id), TRACE, "{name} is in the caller's trace");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano && span.start_time_unix_nano > 0);
        span
    }
}

fn text(value: Option<Known>) -> String {
    match value {
        Some(Known::StringValue(text)) => text,
        Some(Known::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn id(span: &Span) -> String {
    hex::encode(&span.span_id)
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let pair = span.attributes.iter().find(|pair| pair.key == key)?;
    Some(text(pair.value.clone().and_then(|value| value.value)))
}

fn has_failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == Status::Error)
}

async fn call(app: &Generation, method: Method, rest: &str, body: &serde_json::Value) -> Answer {
    let call = app.user.call(method, &app.path(rest)).json(body);
    app.user.send(call.header("traceparent", format!("00-{TRACE}-{CALLER}-01"))).await
}

/// Settings that have spans sent to this address without delay.
fn settings(address: &str) -> [(&'static str, &str); 2] {
    [("OTLP_ENDPOINT", address), ("OTEL_BSP_SCHEDULE_DELAY", "20")]
}

#[tokio::test]
async fn a_launch_a_reload_and_requests_are_spans_of_the_callers_trace() {
    let (collector, address) = Collector::start().await;
    let server = Server::with(&settings(&address)).await;
    let app = server.user("ana").upload(&asgi("")).await;

    let body = call(&app, Method::POST, "/preview/launch", &json!({})).await.expect(200);
    let of_call = collector.within(CALLER, "POST /api/generations/{id}/preview/launch").await;
    assert_eq!(attribute(&of_call, "http.response.status_code").as_deref(), Some("200"));
    assert_eq!(attribute(&of_call, "previewd.user").as_deref(), Some("ana"));
    let launch = collector.within(&id(&of_call), "preview.launch").await;
    assert_eq!(attribute(&launch, "previewd.preview").as_deref(), body["previewInstanceId"].as_str());
    assert!(!has_failed(&launch));
    let mut ends = Vec::new();
    for phase in ["plan", "environment", "start", "ready"] {
        let phase = collector.within(&id(&launch), phase).await;
        assert!(phase.end_time_unix_nano <= launch.end_time_unix_nano);
        ends.push(phase.end_time_unix_nano);
    }
    assert!(ends.is_sorted(), "one after the other: {ends:?}");
    assert_eq!(collector.resource.lock().unwrap()["service.name"], "previewd");

    // By the API: within the call.
    let envelope =
        json!({ "method": "GET", "path": "/x", "headers": { "X-Preview-Token": body["previewToken"] } });
    call(&app, Method::POST, "/preview/request", &envelope).await.expect(200);
    let of_call = collector.within(CALLER, "POST /api/generations/{id}/preview/request").await;
    let asked = collector.within(&id(&of_call), "GET preview").await;
    assert_eq!(attribute(&asked, "url.path").as_deref(), Some("/x"));

    let edit = json!({ "files": asgi("edited = True") });
    call(&app, Method::PATCH, "/files", &edit).await.expect(200);
    let of_call = collector.within(CALLER, "PATCH /api/generations/{id}/files").await;
    let reload = collector.within(&id(&of_call), "preview.reload").await;
    collector.within(&id(&reload), "ready").await;
}

#[tokio::test]
async fn what_fails_is_told_and_the_application_learns_whose_request_it_is() {
    let (collector, address) = Collector::start().await;
    let [endpoint, delay] = settings(&address);
    let server = Server::with(&[endpoint, delay, ("IDLE_ACTION", "sleep"), ("INACTIVE_TIMEOUT", "1")]).await;
    let user = server.user("ana");
    let app = user.upload(&asgi("raise SystemExit(3)")).await;
    call(&app, Method::POST, "/preview/launch", &json!({})).await.error(500, "launch_failed");
    let of_call = collector.within(CALLER, "POST /api/generations/{id}/preview/launch").await;
    assert!(has_failed(&of_call));
    assert!(has_failed(&collector.within(&id(&of_call), "preview.launch").await));

    let echo = json!({ "app/main.py": ECHO, "requirements.txt": crate::harness::NO_MORE_THAN_A_SERVER });
    let app = user.upload(&echo).await;
    let preview = app.launch().await;
    let asked = preview.call(Method::GET, "/").header("traceparent", format!("00-{TRACE}-{CALLER}-01"));
    let heard = asked.send().await.unwrap().text().await.unwrap();
    let span = collector.within(CALLER, "GET preview").await;
    assert_eq!(heard, format!("00-{TRACE}-{}-01", id(&span)));
    assert_eq!(attribute(&span, "previewd.via").as_deref(), Some("address"));

    // Whoever finds it asleep is told where the time went.
    let asleep = async || (app.status().await.expect(200)["asleep"] == true).then_some(());
    eventually("sleep", asleep).await;
    let waker = preview.call(Method::GET, "/").header("traceparent", format!("00-{TRACE}-{WAKER}-01"));
    assert_eq!(waker.send().await.unwrap().status(), 200);
    let span = collector.within(WAKER, "GET preview").await;
    let wake = collector.within(&id(&span), "preview.wake").await;
    collector.within(&id(&wake), "ready").await;
}

/// Answers with the trace that it was called in.
const ECHO: &str = "\
async def app(scope, receive, send):
    if scope['type'] != 'http':
        return
    said = dict(scope['headers']).get(b'traceparent', b'')
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    await send({'type': 'http.response.body', 'body': said})
";

#[tokio::test]
async fn a_collector_that_is_silent_or_gone_is_nobodys_concern() {
    // Connections are made, and nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let server = Server::with(&settings(&address)).await;
    let app = server.user("ana").upload(&asgi("")).await;
    assert_eq!(app.launch().await.get("/x").await.text(), "you asked for /x");
    app.stop().await.expect(200);
    let began = Instant::now();
    assert!(server.terminate_serve().success());
    assert!(began.elapsed() < Duration::from_secs(20), "the end does not wait for it: {:?}", began.elapsed());
    drop(silent);
    let before = server.log().len();
    server.serve_again().await;
    app.launch().await;
    app.stop().await.expect(200);
    let told = async || {
        let log = server.log();
        let count = log[before..].matches("the collector does not take traces").count();
        (count > 0).then_some(count)
    };
    assert_eq!(eventually("a word of the collector that is gone", told).await, 1, "once");
}
