//! What a preview's own address answers.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use hyper::body::{Body as HttpBody, Bytes};

use super::forward::Forwarder;
use super::limit::Meter;
use super::serve::Seat;
use super::token::{self, Door, Shown};
use super::{Gateway, REQUEST_ID_HEADER, hop, limit, page, rewrite, upgrade};
use crate::config::ExchangeLimits;
use crate::error::{Error, Result};
use crate::history::Via;
use crate::preview::Active;
use crate::store::Health;

const REQUEST_ID: HeaderName = HeaderName::from_static(REQUEST_ID_HEADER);
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// What a client says of itself, and of which nothing is passed on.
const CLAIMED: [HeaderName; 2] = [header::FORWARDED, HeaderName::from_static("x-previewd-probe")];

/// One preview's origin. Clones share its connections.
#[derive(Clone)]
pub struct Origin {
    forwarder: Forwarder,
    door: Arc<Door>,
    limits: ExchangeLimits,
    /// Whether browsers reach it by https, through somebody's proxy.
    secure: bool,
}

impl Origin {
    pub(super) fn new(forwarder: Forwarder, gateway: &Gateway) -> Self {
        let secure = forwarder.preview().base_url.starts_with("https:");
        let id = &forwarder.preview().id;
        let door = Arc::new(Door::new(id, gateway.auth.preview_token(id)));
        Self { forwarder, door, limits: gateway.config.exchange, secure }
    }

    /// As [`Self::answer`], for a request on a connection that may be for other previews as well: the request takes the place that
    /// a connection takes at the preview's own port.
    pub async fn answer_in_turn<B>(&self, request: Request<B>, client: HeaderValue) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let seat = self.forwarder.place().await.map(Arc::new);
        self.answer(request, client, seat).await
    }

    /// Answers one request of a `client`, whose address this is by [`address_of`]. It has its part in a place until its end.
    pub async fn answer<B>(
        &self,
        request: Request<B>,
        client: HeaderValue,
        seat: Option<Seat>,
    ) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let preview = self.forwarder.preview();
        let accept = request.headers().get(header::ACCEPT).cloned();
        let refuse = |error| page::refuse(error, accept.as_ref(), preview);
        let request = request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) });
        match self.admit(&request) {
            Ok(Shown::InQuery) if is_page_visit(&request) => self.trade(request.uri()),
            Ok(_) => self.pass_on(request, client, seat).await.unwrap_or_else(refuse),
            Err(error) => {
                let answer = match error {
                    None => health(preview),
                    Some(error) => refuse(error),
                };
                limit::discard_body(request);
                answer
            }
        }
    }

    /// What the request shows, if it may go on; else why not, or nothing for a health check of whoever has no token.
    fn admit(&self, request: &Request<Body>) -> Result<Shown, Option<Error>> {
        if request.method() == Method::CONNECT {
            return Err(Some(Error::MethodNotAllowed));
        }
        let shown = self.door.shown(request.headers(), request.uri());
        match shown {
            Shown::Nothing if is_health_check(request) => Err(None),
            Shown::Nothing | Shown::Wrong => Err(Some(Error::InvalidPreviewToken)),
            Shown::Token | Shown::InQuery => {
                limit::check(self.limits, request.body().size_hint().lower())?;
                Ok(shown)
            }
        }
    }

    /// The token for a cookie, so that it does not stay in the address bar, in the history and in links.
    fn trade(&self, uri: &Uri) -> Response<Body> {
        let cookie = self.door.cookie(self.secure);
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

    async fn pass_on(
        &self,
        request: Request<Body>,
        client: HeaderValue,
        seat: Option<Seat>,
    ) -> Result<Response<Body>> {
        let preview = Arc::clone(self.forwarder.preview());
        let in_use = preview.in_use();
        let meter = Meter::start(self.limits);
        let (mut parts, body) = request.into_parts();
        let client_side = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
        if let Some(uri) = token::without_token(&parts.uri) {
            parts.uri = uri;
        }
        self.door.strip(&mut parts.headers);
        // Before anything of ours is added: `Connection` may name it.
        let upgrades = hop::strip_request(&mut parts.headers).is_some();
        let request_id = prepare(&mut parts.headers, &parts.uri, client, self.secure);
        let own = parts.headers.get(header::HOST).cloned();
        let request = Request::from_parts(parts, meter.request(body));
        let mut response = tokio::select! {
            biased;
            answered = self.forwarder.send(request, Via::Address, &request_id, (in_use, seat.clone())) => {
                answered.map_err(|error| meter.reason(error))?.response
            }
            late = meter.over() => return Err(late),
        };
        rewrite::response(response.headers_mut(), own.as_ref(), self.secure, preview.port);
        response.headers_mut().entry(REQUEST_ID).or_insert(request_id);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS && upgrades {
            if let Some(client_side) = client_side {
                let code_side = hyper::upgrade::on(&mut response);
                let traffic = self.forwarder.traffic().clone();
                tokio::spawn(async move {
                    upgrade::join(client_side, code_side, preview, meter, &traffic).await;
                    drop(seat);
                });
            }
            return Ok(response);
        }
        Ok(meter.response(response))
    }
}

/// A client's address as applications learn it. It is the same for all requests of a connection.
#[must_use]
pub fn address_of(peer: SocketAddr) -> HeaderValue {
    let address = HeaderValue::from_str(&peer.ip().to_canonical().to_string());
    // RFC 7239, section 6.2. An address has nothing in it that no header may have.
    address.unwrap_or(HeaderValue::from_static("unknown"))
}

/// What the application learns of the client. Whatever the client claims of itself is replaced.
fn prepare(headers: &mut HeaderMap, uri: &Uri, client: HeaderValue, secure: bool) -> HeaderValue {
    // The target's authority, which HTTP/2 always has, overrules `Host`.
    let named = uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = named.or_else(|| headers.get(header::HOST).cloned()) {
        headers.insert(header::HOST, host.clone());
        headers.insert(FORWARDED_HOST, host);
    }
    headers.insert(FORWARDED_FOR, client);
    let proto = if secure { "https" } else { "http" };
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(proto));
    for claimed in CLAIMED {
        headers.remove(claimed);
    }
    request_id(headers)
}

/// The request's own id if it has a usable one, else a new one.
pub fn request_id(headers: &mut HeaderMap) -> HeaderValue {
    const LONGEST: usize = 128;
    let usable = |id: &&HeaderValue| {
        !id.is_empty() && id.len() <= LONGEST && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    if let Some(id) = headers.get(REQUEST_ID).filter(usable) {
        // A copy: what came is a part of the buffer that the connection reads into.
        return HeaderValue::from_bytes(id.as_bytes()).unwrap_or_else(|_| id.clone());
    }
    let id = new_request_id();
    headers.insert(REQUEST_ID, id.clone());
    id
}

/// One that no other request has. It is no secret, and need not be asked of the system.
fn new_request_id() -> HeaderValue {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let id = KEYS.hash_one(COUNT.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
    // Digits have nothing in them that no header may have.
    HeaderValue::try_from(hex::encode(id)).unwrap_or(HeaderValue::from_static("none"))
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
