//! The web UI: embedded in the binary, or read from the directory of `--ui-dir`.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Everything comes from our own origin; nothing inline, nothing framed. `blob:` shows images that a
/// preview answered with.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
     font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// Shown where the binary was built without the web UI.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>previewd</title>\
     </head><body><h1>previewd is running</h1><p>This binary was built without the web UI. Install Node.js 20 \
     or newer with npm and build again, or name a built UI with <code>--ui-dir</code>. The API is described at \
     <a href=\"/docs\">/docs</a>.</p></body></html>";

/// Serves the UI on every path that no other route takes, `/api` excepted: assets by their name, and
/// `index.html` for paths without an extension, which are pages of the UI.
pub fn routes(ui_dir: Option<PathBuf>) -> Router {
    let assets = ui_dir.map_or(Assets::Embedded, Assets::Directory);
    Router::new().fallback(serve).with_state(Arc::new(assets))
}

enum Assets {
    Embedded,
    Directory(PathBuf),
}

struct Asset {
    bytes: Cow<'static, [u8]>,
    /// SHA-256 of the bytes.
    hash: [u8; 32],
}

impl Assets {
    /// The asset of that name, relative to the UI's root.
    async fn get(&self, name: &str) -> Option<Asset> {
        match self {
            Self::Embedded => embedded(name),
            Self::Directory(root) => from_directory(root, name).await,
        }
    }
}

#[cfg(feature = "ui")]
fn embedded(name: &str) -> Option<Asset> {
    /// What `npm run build` made; empty where it could not run (see build.rs).
    #[derive(rust_embed::RustEmbed)]
    #[folder = "$CARGO_MANIFEST_DIR/web/dist"]
    #[allow_missing = true]
    struct Embedded;

    let file = Embedded::get(name)?;
    Some(Asset { hash: file.metadata.sha256_hash(), bytes: file.data })
}

#[cfg(not(feature = "ui"))]
fn embedded(_name: &str) -> Option<Asset> {
    None
}

async fn from_directory(root: &Path, name: &str) -> Option<Asset> {
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if !inside {
        return None;
    }
    let bytes = tokio::fs::read(root.join(name)).await.ok()?;
    Some(Asset { hash: Sha256::digest(&bytes).into(), bytes: bytes.into() })
}

async fn serve(State(assets): State<Arc<Assets>>, request: Request) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        return failure(StatusCode::NOT_FOUND, "not_found", "There is no such call.");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let message = "This address does not take that method.";
        return failure(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    }
    let wanted = path.trim_start_matches('/');
    if is_page(wanted) && (wanted.is_empty() || takes_html(request.headers())) {
        return page(&assets, request.headers()).await;
    }
    match find(&assets, wanted, request.headers()).await {
        Some(response) => response,
        None => {
            failure(StatusCode::NOT_FOUND, "not_found", "No such address: /docs lists the calls of the API.")
        }
    }
}

/// A page of the UI, and not a file: its last part has no extension.
fn is_page(path: &str) -> bool {
    !path.rsplit('/').next().is_some_and(|last| last.contains('.'))
}

/// Whether a browser asks for a page; a program that asks for anything else is told that there is nothing.
fn takes_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    accepted.into_iter().any(|value| value.contains("text/html"))
}

async fn page(assets: &Assets, headers: &HeaderMap) -> Response {
    match find(assets, "index.html", headers).await {
        Some(response) => response,
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], guards(), NOT_BUILT).into_response(),
    }
}

/// The asset, compressed where there is a compressed one and the client takes it.
async fn find(assets: &Assets, name: &str, headers: &HeaderMap) -> Option<Response> {
    let compressed = if takes_brotli(headers) { assets.get(&format!("{name}.br")).await } else { None };
    let encoding = compressed.is_some().then_some((header::CONTENT_ENCODING, "br"));
    let asset = match compressed {
        Some(asset) => asset,
        None => assets.get(name).await?,
    };
    Some(answer(name, asset, encoding, headers))
}

fn answer(
    name: &str,
    asset: Asset,
    encoding: Option<(HeaderName, &'static str)>,
    headers: &HeaderMap,
) -> Response {
    let etag = format!("\"{}\"", hex::encode(&asset.hash[..16]));
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|tags| names(tags, &etag));
    let caching = [
        (header::ETAG, etag),
        (header::CACHE_CONTROL, caching(name).to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, caching, guards()).into_response();
    }
    let mut response = (caching, guards(), asset.bytes).into_response();
    let head = response.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    if let Some((name, value)) = encoding {
        head.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn names(tags: &HeaderValue, etag: &str) -> bool {
    tags.to_str().is_ok_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag))
}

/// Names under `assets/` hold a hash of what is in them; all others may change with the next version.
fn caching(name: &str) -> &'static str {
    if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" }
}

fn takes_brotli(headers: &HeaderMap) -> bool {
    let accepts = |value: &HeaderValue| {
        value.to_str().is_ok_and(|list| list.split(',').any(|coding| coding.trim() == "br"))
    };
    headers.get_all(header::ACCEPT_ENCODING).iter().any(accepts)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "map") => "application/json",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn guards() -> [(HeaderName, &'static str); 3] {
    [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ]
}

fn failure(status: StatusCode, code: &str, message: &str) -> Response {
    let kind = if status == StatusCode::NOT_FOUND { "not_found" } else { "failed" };
    let body = serde_json::json!({ "status": kind, "error": code, "message": message, "details": {} });
    (status, guards(), axum::Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    const ACCEPTS_BROTLI: (&str, &str) = ("accept-encoding", "gzip, br");

    /// A built UI of four files, removed with the guard.
    struct Built(PathBuf);

    impl Built {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("previewd-ui-{name}-{}", std::process::id()));
            std::fs::create_dir_all(root.join("assets")).unwrap();
            std::fs::write(root.join("index.html"), "<!doctype html>page").unwrap();
            std::fs::write(root.join("assets/app-1a2b.js"), "script").unwrap();
            std::fs::write(root.join("assets/app-1a2b.js.br"), "compressed").unwrap();
            std::fs::write(root.join("favicon.svg"), "<svg/>").unwrap();
            Self(root)
        }

        async fn get(&self, path: &str, header: Option<(&str, &str)>) -> (StatusCode, HeaderMap, String) {
            self.call(Method::GET, path, header).await
        }

        async fn call(
            &self,
            method: Method,
            path: &str,
            header: Option<(&str, &str)>,
        ) -> (StatusCode, HeaderMap, String) {
            let mut request = Request::builder().method(method).uri(path);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            let request = request.body(Body::empty()).unwrap();
            let response = routes(Some(self.0.clone())).oneshot(request).await.unwrap();
            let (status, headers) = (response.status(), response.headers().clone());
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, headers, String::from_utf8(body.to_vec()).unwrap())
        }
    }

    impl Drop for Built {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn pages_without_an_extension_are_the_index_and_are_guarded() {
        let ui = Built::new("pages");
        for path in ["/", "/g/gen_1", "/apis"] {
            let (status, headers, body) = ui.get(path, Some(BROWSER)).await;
            assert_eq!((status, body.as_str()), (StatusCode::OK, "<!doctype html>page"), "{path}");
            assert_eq!(headers["cache-control"], "no-cache");
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["referrer-policy"], "no-referrer");
            let csp = headers["content-security-policy"].to_str().unwrap();
            assert!(csp.contains("frame-ancestors 'none'") && !csp.contains("unsafe-inline"), "{csp}");
        }
    }

    #[tokio::test]
    async fn hashed_assets_are_kept_for_ever_and_compressed_where_taken() {
        let ui = Built::new("assets");
        let (_, headers, body) = ui.get("/assets/app-1a2b.js", None).await;
        assert_eq!(body, "script");
        assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");
        let (_, headers, body) = ui.get("/assets/app-1a2b.js", Some(ACCEPTS_BROTLI)).await;
        assert_eq!((body.as_str(), &headers["content-encoding"]), ("compressed", &"br".parse().unwrap()));
        let (_, headers, body) = ui.get("/favicon.svg", Some(ACCEPTS_BROTLI)).await;
        assert_eq!(body, "<svg/>");
        assert!(!headers.contains_key("content-encoding"));
    }

    #[tokio::test]
    async fn a_known_etag_is_answered_without_a_body() {
        let ui = Built::new("etag");
        let (_, headers, _) = ui.get("/favicon.svg", None).await;
        let etag = headers["etag"].to_str().unwrap();
        let (status, _, body) = ui.get("/favicon.svg", Some(("if-none-match", etag))).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));
        let (status, ..) = ui.get("/favicon.svg", Some(("if-none-match", "\"other\""))).await;
        assert_eq!(status, StatusCode::OK);
    }

    #[tokio::test]
    async fn what_is_not_there_is_a_json_error() {
        let ui = Built::new("missing");
        std::fs::write(ui.0.with_extension("secret.txt"), "secret").unwrap();
        let outside = format!("/../{}", ui.0.with_extension("secret.txt").file_name().unwrap().display());
        for path in ["/assets/gone.js", "/g/gen_1", "/api", "/api/nothing", "/api/x.js", outside.as_str()] {
            let (status, headers, body) = ui.get(path, None).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(headers["content-type"], "application/json");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!((&body["status"], &body["error"]), (&"not_found".into(), &"not_found".into()));
        }
        std::fs::remove_file(ui.0.with_extension("secret.txt")).unwrap();
    }

    #[tokio::test]
    async fn only_reading_is_taken() {
        let ui = Built::new("methods");
        let (status, _, body) = ui.call(Method::POST, "/g/gen_1", None).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(body.contains("method_not_allowed"));
        let (status, ..) = ui.call(Method::HEAD, "/", None).await;
        assert_eq!(status, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_directory_without_a_ui_says_so() {
        let ui = Built(std::env::temp_dir().join("previewd-ui-nowhere"));
        let (status, _, body) = ui.get("/", None).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("built without the web UI"));
    }
}
