//! What a preview's own address answers.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use hyper::body::{Body as HttpBody, Bytes};

use super::forward::Forwarder;
use super::record::Counted;
use super::token::{self, Shown};
use super::{REQUEST_ID_HEADER, hop, page, rewrite, upgrade};
use crate::auth::Auth;
use crate::error::Error;
use crate::history::Via;
use crate::id::random_hex;
use crate::metrics::Metrics;
use crate::preview::Active;
use crate::store::Health;

/// One preview's origin. Clones share its connections.
#[derive(Clone)]
pub struct Origin {
    forwarder: Forwarder,
    auth: Arc<Auth>,
    metrics: Arc<Metrics>,
    /// Whether browsers reach it by https, through somebody's proxy.
    secure: bool,
}

impl Origin {
    pub(super) fn new(forwarder: Forwarder, auth: Arc<Auth>, metrics: Arc<Metrics>) -> Self {
        let secure = forwarder.preview().base_url.starts_with("https:");
        Self { forwarder, auth, metrics, secure }
    }

    /// Answers one request of the client at `peer`.
    pub async fn answer<B>(&self, request: Request<B>, peer: SocketAddr) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let preview = self.forwarder.preview();
        let accept = request.headers().get(header::ACCEPT).cloned();
        let refuse = |error| page::refuse(error, accept.as_ref(), preview);
        if request.method() == Method::CONNECT {
            return refuse(Error::MethodNotAllowed);
        }
        match token::shown(request.headers(), request.uri(), &self.auth, &preview.id) {
            Shown::Nothing if is_health_check(&request) => health(preview),
            Shown::Nothing | Shown::Wrong => refuse(Error::InvalidPreviewToken),
            Shown::InQuery if is_page_visit(&request) => self.trade(request.uri()),
            Shown::Token | Shown::InQuery => match self.pass_on(request, peer).await {
                Ok(response) => response,
                Err(error) => refuse(error),
            },
        }
    }

    /// The token for a cookie, so that it does not stay in the address bar, in the history and in links.
    fn trade(&self, uri: &Uri) -> Response<Body> {
        let id = &self.forwarder.preview().id;
        let cookie = token::cookie(id, &self.auth.preview_token(id), self.secure);
        let target = token::without_token(uri).map_or_else(|| "/".to_owned(), |u| u.to_string());
        // `//host` would be another origin to a browser.
        let target = format!("/{}", target.trim_start_matches(['/', '\\']));
        let headers = [
            (header::LOCATION, target),
            (header::SET_COOKIE, cookie),
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (header::REFERRER_POLICY, "no-referrer".to_owned()),
        ];
        (StatusCode::SEE_OTHER, headers).into_response()
    }

    async fn pass_on<B>(&self, request: Request<B>, peer: SocketAddr) -> Result<Response<Body>, Error>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let preview = Arc::clone(self.forwarder.preview());
        let in_use = preview.in_use();
        self.metrics.request();
        let (mut parts, body) = request.into_parts();
        let seat = parts.extensions.remove::<super::serve::Seat>();
        let client_side = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
        if let Some(uri) = token::without_token(&parts.uri) {
            parts.uri = uri;
        }
        token::strip(&mut parts.headers, &self.auth, &preview.id);
        // Before anything of ours is added: `Connection` may name it.
        let upgrades = hop::strip_request(&mut parts.headers).is_some();
        let request_id = prepare(&mut parts.headers, &parts.uri, peer, self.secure);
        let own = parts.headers.get(header::HOST).cloned();
        let request = Request::from_parts(parts, Body::new(body));
        let mut response = self.forwarder.send(request, Via::Address, &request_id).await?.response;
        rewrite::response(response.headers_mut(), own.as_ref(), self.secure, preview.port);
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().entry(REQUEST_ID_HEADER).or_insert(value);
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS && upgrades {
            if let Some(client_side) = client_side {
                let code_side = hyper::upgrade::on(&mut response);
                tokio::spawn(async move {
                    upgrade::join(client_side, code_side, preview).await;
                    drop(seat);
                });
            }
            return Ok(response);
        }
        Ok(response.map(|body| Body::new(Counted::new(body, in_use))))
    }
}

/// What the application learns of the client. Whatever the client claims of itself is replaced.
fn prepare(headers: &mut HeaderMap, uri: &Uri, peer: SocketAddr, secure: bool) -> String {
    // The target's authority, which HTTP/2 always has, overrules `Host`.
    let named = uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = named.or_else(|| headers.get(header::HOST).cloned()) {
        headers.insert(header::HOST, host.clone());
        headers.insert("x-forwarded-host", host);
    }
    if let Ok(address) = HeaderValue::from_str(&peer.ip().to_canonical().to_string()) {
        headers.insert("x-forwarded-for", address);
    }
    let proto = if secure { "https" } else { "http" };
    headers.insert("x-forwarded-proto", HeaderValue::from_static(proto));
    for claimed in ["forwarded", "x-previewd-probe"] {
        headers.remove(claimed);
    }
    request_id(headers)
}

/// The request's own id if it has a usable one, else a new one.
pub fn request_id(headers: &mut HeaderMap) -> String {
    const LONGEST: usize = 128;
    let given = headers.get(REQUEST_ID_HEADER).and_then(|v| v.to_str().ok());
    let usable =
        |id: &&str| !id.is_empty() && id.len() <= LONGEST && id.bytes().all(|b| b.is_ascii_graphic());
    if let Some(id) = given.filter(usable) {
        return id.to_owned();
    }
    let id = random_hex::<8>().unwrap_or_default();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID_HEADER, value);
    }
    id
}

fn is_health_check<B>(request: &Request<B>) -> bool {
    request.uri().path() == "/health" && matches!(*request.method(), Method::GET | Method::HEAD)
}

/// A request that can follow a redirect without losing anything.
fn is_page_visit<B>(request: &Request<B>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && hop::upgrade_of(request.headers()).is_none()
}

/// Whether it serves, and nothing else of it. A preview that sleeps serves, and is not woken for this.
fn health(preview: &Active) -> Response<Body> {
    let ok = preview.state().answering().is_some_and(|running| running.health != Health::Unhealthy);
    let (status, text) =
        if ok { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable\n") };
    (status, [(header::CACHE_CONTROL, "no-store")], text).into_response()
}
