//! The way to a collector: OTLP over HTTP, by the client that the rest of the server has. Spans wait in a bounded queue, and a thread
//! of its own sends them: nobody who is traced waits for the collector.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;

/// Bytes of a collector's answer.
const ANSWER: usize = 64 * 1024;
/// For a collector to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What spans are sent to, below the address of a collector.
const PATH: &str = "/v1/traces";

/// What makes spans and sends them there.
pub(super) fn provider(endpoint: &str) -> Result<SdkTracerProvider, ExporterBuildError> {
    let address = format!("{}{PATH}", endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_http_client(Collector::new());
    let exporter = exporter.with_endpoint(address).with_timeout(PATIENCE).build()?;
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("previewd");
    }
    let resource = resource.with_attribute(version()).build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())
}

fn version() -> opentelemetry::KeyValue {
    opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))
}

/// Sends what the thread that collects spans gives it, on the server's runtime.
#[derive(Debug)]
struct Collector {
    client: Client<HttpConnector, Full<Bytes>>,
    runtime: Handle,
    /// Whether it was told already that the collector takes nothing.
    told: AtomicBool,
}

impl Collector {
    fn new() -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, runtime: Handle::current(), told: AtomicBool::new(false) }
    }

    /// Once when it begins, once when it is over.
    fn tell(&self, result: &Result<Response<Bytes>, HttpError>) {
        let refused = match result {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        let told = self.told.swap(refused.is_some(), Ordering::Relaxed);
        match refused {
            Some(reason) if !told => {
                tracing::warn!(reason, "the collector does not take traces; they are lost");
            }
            None if told => tracing::info!("the collector takes traces again"),
            _ => {}
        }
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let sending = self.runtime.spawn(send(self.client.clone(), request));
        Box::pin(async move {
            let result = sending.await.map_err(HttpError::from).flatten();
            self.tell(&result);
            result
        })
    }
}

async fn send(
    client: Client<HttpConnector, Full<Bytes>>,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let exchange = async {
        let (parts, body) = client.request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, ANSWER).collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    };
    tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| "no answer in time")?
}
