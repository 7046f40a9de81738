//! `previewd serve`: the server, from its settings to its end.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::served::{HELD_ON, Served};
use super::supervisor::{self, State};
use super::{fail, listen, logging};
use crate::audit::Audit;
use crate::auth::Auth;
use crate::config::{Config, Isolation};
use crate::confined::Confiner;
use crate::drain::Drain;
use crate::environment::{Environments, Means};
use crate::gateway::{self, Gateway, Named, Tls};
use crate::history::History;
use crate::http::{self, App};
use crate::id::random_hex;
use crate::metrics::Metrics;
use crate::preview::{Host, Previews, PublicAddress};
use crate::runtime::local::{LocalRuntime, Settings};
use crate::store::Store;
use crate::time::UnixMillis;
use crate::traces::Traces;

/// The file that has the server's name, where it shares a store.
const SERVER_ID: &str = "server.id";

/// Why a command of the server cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub(super) struct Failed {
    doing: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Says what was being done when it failed.
pub(super) fn doing<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    what: impl Into<String>,
) -> impl FnOnce(E) -> Failed {
    move |source| Failed { doing: what.into(), source: source.into() }
}

/// A server that accepts connections.
pub(super) struct Running {
    /// Its parts.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    confiner: Option<Confiner>,
    _served: Served,
}

/// Runs the server until it is told to end. Previews go on.
pub(super) fn run(config: Config) -> ExitCode {
    logging::start(config.log_format);
    let result = runtime().and_then(|runtime| {
        runtime.block_on(async {
            let served = Served::hold(&config.data_dir, HELD_ON).await;
            let served = served.map_err(doing(unusable(&config.data_dir)))?;
            let running = start(config, served).await?;
            // Before anybody is told that it runs, and may end it.
            let end = told_to_end().map_err(doing("signals cannot be received"))?;
            let _stdout_closed =
                writeln!(io::stdout(), "listening on {}://{}", running.app.config.scheme(), running.address);
            tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %running.address, "server started");
            supervisor::tell(State::Ready);
            end.await;
            supervisor::tell(State::Stopping);
            tracing::info!("server draining");
            running.end().await;
            tracing::info!("server ended");
            Ok(())
        })
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

/// The threads that everything runs on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(doing("no threads can be started"))
}

/// From now on SIGTERM and SIGINT end nothing by themselves. The future returns at the first of them.
pub(super) fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// What is said of a data directory that cannot be had.
pub(super) fn unusable(data_dir: &Path) -> String {
    format!("the data directory {} cannot be used", data_dir.display())
}

/// Opens everything, takes over what runs, and accepts connections. `served` is of the data directory.
pub(super) async fn start(config: Config, served: Served) -> Result<Running, Failed> {
    take_descriptors();
    let config = Arc::new(config);
    let listener = listen::on(config.listen, HELD_ON).await;
    let listener = listener.map_err(doing(format!("{} cannot be listened on", config.listen)))?;
    let address = listener.local_addr().map_err(doing("the address is not known"))?;
    served.at(address).map_err(doing("the data directory cannot be written"))?;
    let audit = Audit::open(&config.data_dir, config.audit_limit_mb.saturating_mul(1 << 20));
    let audit = audit.map_err(doing("the audit log cannot be written"))?;
    let traces = Traces::to(config.otlp_endpoint.as_deref()).map_err(doing("traces cannot be sent"))?;
    let tls = Tls::open(&config).map_err(doing("the certificate cannot be used"))?;
    let auth = Arc::new(Auth::open(&config).map_err(doing("tokens cannot be checked"))?);
    let store = open_store(&config, address).await?.with_quotas(config.quotas);
    warn_of_no_merging(&config);
    let confiner = confiner(&config);
    let means =
        Means { confiner: confiner.clone(), max_bytes: config.environments_limit_mb.saturating_mul(1 << 20) };
    let directory = config.data_dir.join("environments");
    let environments = Environments::open(directory, config.python.as_deref(), means);
    let environments = environments.await.map_err(doing("environments cannot be made"))?;
    let settings = Settings {
        python_prefix: environments.interpreter().base_prefix.clone(),
        isolation: config.isolation,
        limits: config.limits,
        egress: config.egress,
        memory_merge: config.memory_merge,
        launch_timeout: Duration::from_secs(config.launch_timeout),
        confiner: confiner.clone(),
    };
    let runtime = LocalRuntime::connect(&config.data_dir, settings).await;
    let runtime = Arc::new(runtime.map_err(doing("previews cannot be run"))?);
    let metrics = Arc::new(Metrics::default());
    let (addresses, to_serve) = mpsc::unbounded_channel();
    let previews = Previews::new(Host {
        config: Arc::clone(&config),
        store: store.clone(),
        runtime: runtime.clone(),
        environments: environments.clone(),
        metrics: Arc::clone(&metrics),
        traces: traces.clone(),
        addresses,
    });
    let (history, drain) = (History::new(store.clone()), Drain::default());
    let gateway = Gateway::new(
        Arc::clone(&config),
        Arc::clone(&auth),
        Arc::clone(&metrics),
        tls,
        history,
        drain.clone(),
        traces,
    );
    drain.serve(serve_previews(to_serve, gateway.clone()));
    previews.recover().await.map_err(doing("what runs cannot be taken over"))?;
    let ends = drain.clone();
    drain.serve(async move {
        tokio::select! {
            () = ends.deaf() => {}
            () = runtime.keep_connected() => {}
        }
    });
    if store.is_shared() {
        drain.serve(sweep(store.clone(), Duration::from_secs(config.cleanup_interval), drain.clone()));
    }
    let app = App::new(config, auth, store, previews, environments, metrics, gateway, audit);
    drain.serve(accept(listener, app.clone()));
    Ok(Running { app, address, confiner, _served: served })
}

impl Running {
    /// Lets open requests end, up to a limit.
    pub(super) async fn end(self) {
        let config = &self.app.config;
        let (delay, patience) = (config.drain_delay, config.drain_timeout);
        let drained = self.app.gateway.drain.run(Duration::from_secs(delay), Duration::from_secs(patience));
        if !drained.await {
            tracing::warn!("requests were still open at the end");
        }
        self.app.gateway.history.flush().await;
        self.app.audit.close();
        self.app.gateway.traces.close().await;
        if let Some(confiner) = self.confiner {
            confiner.close();
        }
    }
}

/// A store that servers share is told which of them this is, and where the others find it.
async fn open_store(config: &Config, address: SocketAddr) -> Result<Store, Failed> {
    let store = Store::open(&config.store_url).await.map_err(doing("the store cannot be opened"))?;
    if !store.is_shared() {
        return Ok(store);
    }
    let id = server_id(&config.data_dir).map_err(doing("the data directory cannot be written"))?;
    let found_at = config.advertise.clone().unwrap_or_else(|| listen::reached_at(address).to_string());
    let found_at = crate::http::found_at(config, &found_at);
    store.of_server(&id, &found_at).await.map_err(doing("the store does not take this server"))
}

/// The name of this data directory's server, made at its first start.
fn server_id(data_dir: &Path) -> io::Result<String> {
    let path = data_dir.join(SERVER_ID);
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let id = random_hex::<8>().map_err(io::Error::other)?;
    let aside = path.with_extension("tmp");
    std::fs::write(&aside, format!("{id}\n"))?;
    std::fs::rename(aside, path)?;
    Ok(id)
}

/// Records from time to time the ends that servers which are gone have not.
async fn sweep(store: Store, interval: Duration, drain: Drain) {
    /// After a preview's time, for its own server to record the end.
    const LATE: i64 = 60_000;
    loop {
        tokio::select! {
            () = drain.deaf() => return,
            () = tokio::time::sleep(interval) => {}
        }
        match store.expire_forgotten(UnixMillis(UnixMillis::now().0 - LATE)).await {
            Ok(0) => {}
            Ok(count) => tracing::warn!(count, "previews of a server that is gone have expired"),
            Err(e) => tracing::warn!(error = %e, "nothing could be swept"),
        }
    }
}

/// What the server itself runs is confined as well, unless nothing is.
fn confiner(config: &Config) -> Option<Confiner> {
    let directory = config.data_dir.as_os_str().as_encoded_bytes();
    let name = format!("previewd-serve-{}", &hex::encode(Sha256::digest(directory))[..16]);
    (config.isolation != Isolation::Off).then(|| Confiner::new(name))
}

/// Previews run all the same, with more memory than the operator believes.
fn warn_of_no_merging(config: &Config) {
    let found = sandbox::memory_merging();
    if config.memory_merge && !found.available {
        tracing::warn!(
            found = found.detail,
            fix = found.fix,
            "PREVIEW_MEMORY_MERGE is on, and nothing is merged"
        );
    }
}

/// As many as the host allows: clients and previews take some each. The keeper inherits the limit.
fn take_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// Serves each preview's own address.
async fn serve_previews(mut addresses: mpsc::UnboundedReceiver<PublicAddress>, gateway: Gateway) {
    loop {
        tokio::select! {
            () = gateway.drain.deaf() => return,
            address = addresses.recv() => match address {
                Some(address) => {
                    tokio::spawn(gateway::serve(address, gateway.clone()));
                }
                None => return,
            }
        }
    }
}

async fn accept(listener: TcpListener, app: App) {
    /// Between an accept that failed (no descriptors left, say) and the next try.
    const PAUSE: Duration = Duration::from_millis(50);
    let (router, drain) = (http::router(app.clone()), app.gateway.drain.clone());
    loop {
        let accepted = tokio::select! {
            () = drain.deaf() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let client = Client { app: app.clone(), router: router.clone(), peer };
                drain.serve(connection(stream, client));
            }
            Err(e) => {
                tracing::warn!(error = %e, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Whoever is at the other end of a connection, and what there is for them.
#[derive(Clone)]
struct Client {
    app: App,
    router: axum::Router,
    peer: SocketAddr,
}

impl Client {
    /// A preview answers where its own name is called, else the API and the page.
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        match self.app.gateway.named(&request, &self.app.previews) {
            Some(Named::Preview(origin)) => {
                Ok(origin.answer_in_turn(request, gateway::address_of(self.peer)).await)
            }
            Some(Named::Nobody) => Ok(Named::nobody(&request)),
            None => match self.app.gateway.misdirected(&request) {
                Some(refusal) => Ok(refusal),
                None => {
                    let mut request = request.map(Body::new);
                    request.extensions_mut().insert(ConnectInfo(self.peer));
                    self.router.oneshot(request).await
                }
            },
        }
    }
}

async fn connection(stream: TcpStream, client: Client) {
    // Small writes are log lines that somebody waits for.
    let _not_fatal = stream.set_nodelay(true);
    let header_timeout = Duration::from_secs(client.app.config.header_timeout);
    let drain = client.app.gateway.drain.clone();
    let taken = tokio::select! {
        taken = client.app.gateway.tls.take(stream, client.peer, header_timeout) => taken,
        () = drain.deaf() => return,
    };
    let Ok(stream) = taken else { return };
    let server = gateway::http_server(header_timeout);
    let service = service_fn(move |request| client.clone().answer(request));
    let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A client that breaks off is none of our errors.
        _ = connection.as_mut() => return,
        () = drain.deaf() => connection.as_mut().graceful_shutdown(),
    }
    // Streams have no end of their own: they end with the server, and their readers come back to the next one.
    let _broken_off = connection.await;
}
