//! The same application through its own address and directly over its socket: the same bytes, but for the listed headers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::Method;
use serde_json::json;
use tokio::net::{TcpStream, UnixStream};

use crate::harness::{Answer, Guest, Preview, Server, probe};

/// Headers that each hop writes for itself.
const OWN: [&str; 4] = ["date", "connection", "x-request-id", "transfer-encoding"];

/// Method, target, headers, body.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8]);
/// Status, headers, body, trailers.
type Told = (u16, BTreeMap<String, Vec<Vec<u8>>>, Bytes, Option<Vec<u8>>);

fn socket(server: &Guest, preview: &Preview) -> PathBuf {
    let mut open = vec![server.data_dir().join("run").join(&preview.id)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if std::os::unix::fs::FileTypeExt::is_socket(&std::fs::metadata(&path).unwrap().file_type()) {
            return path;
        }
    }
    panic!("no socket");
}

async fn read(response: Response<hyper::body::Incoming>) -> Told {
    let (parts, body) = response.into_parts();
    let mut headers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, value) in &parts.headers {
        if !OWN.contains(&name.as_str()) {
            headers.entry(name.to_string()).or_default().push(value.as_bytes().to_vec());
        }
    }
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().map(|trailers| format!("{trailers:?}").into_bytes());
    (parts.status.as_u16(), headers, collected.to_bytes(), trailers)
}

fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    preview: &Preview,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let host = format!("localhost:{}", preview.port());
    let request = request.header("host", host).header("x-preview-token", &preview.token);
    request.body(Full::new(Bytes::copy_from_slice(body))).unwrap()
}

#[tokio::test]
async fn answers_are_the_same_byte_for_byte() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&probe()).await;
    let preview = app.launch().await;
    let direct = UnixStream::connect(socket(&server, &preview)).await.unwrap();
    let (mut direct, connection) = hyper::client::conn::http1::handshake(TokioIo::new(direct)).await.unwrap();
    tokio::spawn(connection);
    let address = format!("127.0.0.1:{}", preview.port());
    let through = TcpStream::connect(&address).await.unwrap();
    let (mut through, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(through)).await.unwrap();
    tokio::spawn(connection);
    let second = TcpStream::connect(&address).await.unwrap();
    let exec = TokioExecutor::new();
    let (mut http2, connection) =
        hyper::client::conn::http2::handshake(exec, TokioIo::new(second)).await.unwrap();
    tokio::spawn(connection);

    let large = vec![b'x'; 10 * 1024 * 1024];
    let none: &[(&str, &str)] = &[];
    let range: &[(&str, &str)] = &[("range", "bytes=2-5")];
    let gzip: &[(&str, &str)] = &[("accept-encoding", "gzip")];
    let expects: &[(&str, &str)] = &[("expect", "100-continue")];
    let cases: Vec<Case<'_>> = vec![
        ("GET", "/binary", none, b""),
        ("HEAD", "/matrix/file", none, b""),
        ("GET", "/matrix/file", none, b""),
        ("GET", "/matrix/file", range, b""),
        ("GET", "/matrix/file", &[("range", "bytes=900000-")], b""),
        ("GET", "/matrix/gzip", gzip, b""),
        ("GET", "/matrix/gzip", none, b""),
        ("GET", "/matrix/headers/", none, b""),
        ("GET", "/matrix/nothing", none, b""),
        ("GET", "/bytes/10485760", none, b""),
        ("POST", "/digest", none, &large),
        ("POST", "/digest", expects, b"small"),
        ("PUT", "/mirror/", none, b"mirrored"),
        ("DELETE", "/empty", none, b""),
        ("GET", "/empty", none, b""),
        ("OPTIONS", "/text", none, b""),
        ("PROPFIND", "/text", none, b""),
        ("GET", "/status/304", none, b""),
        ("GET", "/status/500", none, b""),
        ("GET", "/redirect?to=https://elsewhere.example/x", none, b""),
        ("GET", "/cookies", none, b""),
        ("GET", "/latin1", none, b""),
        ("GET", "/nowhere", none, b""),
        ("GET", "/crash", none, b""),
    ];
    for (method, path, headers, body) in cases {
        let make = || request(method, path, headers, body, &preview);
        direct.ready().await.ok();
        if direct.is_closed() {
            let again = UnixStream::connect(socket(&server, &preview)).await.unwrap();
            let (new, connection) = hyper::client::conn::http1::handshake(TokioIo::new(again)).await.unwrap();
            tokio::spawn(connection);
            direct = new;
        }
        let expected = read(direct.send_request(make()).await.unwrap()).await;
        through.ready().await.unwrap();
        let one = read(through.send_request(make()).await.unwrap()).await;
        assert!(
            one == expected,
            "{method} {path}: {:?} and not {:?}",
            (&one.0, &one.1),
            (&expected.0, &expected.1)
        );
        let mut two = make();
        let target = format!("http://localhost:{}{path}", preview.port());
        *two.uri_mut() = target.parse().unwrap();
        two.headers_mut().remove("host");
        two.headers_mut().remove("expect");
        http2.ready().await.unwrap();
        let two = read(http2.send_request(two).await.unwrap()).await;
        let same = (two.0, &two.2) == (expected.0, &expected.2) && two.1 == expected.1;
        assert!(
            same,
            "HTTP/2 {method} {path}: {:?} and not {:?}",
            (&two.0, &two.1),
            (&expected.0, &expected.1)
        );
    }
}

#[tokio::test]
async fn redirects_to_the_inside_lead_outside_and_pages_are_for_people() {
    let template = [("BASE_URL_TEMPLATE", "https://{id}.preview.example.com")];
    let server = Server::with(&template).await;
    let app = server.user("ana").upload(&probe()).await;
    let launched = app.try_launch(&json!({})).await.expect(200);
    let (id, token) =
        (launched["previewInstanceId"].as_str().unwrap(), launched["previewToken"].as_str().unwrap());
    assert_eq!(launched["baseUrl"], format!("https://{id}.preview.example.com"));
    // By the name of the host, on the server's own listener.
    let call = |path: &str, host: &str| {
        let url = format!("http://{}{path}", server.address());
        app.user.client().request(Method::GET, url).header("host", host)
    };
    let send = async |call: reqwest::RequestBuilder| Answer::of(call.send().await.unwrap()).await;
    let host = format!("{}.preview.example.com", id.replace('_', "-"));
    let echoed = send(call("/echo", &host).header("x-preview-token", token)).await.expect(200);
    let headers = echoed["headers"].as_array().unwrap();
    assert!(
        headers.contains(&json!(["x-forwarded-proto", "https"])) && headers.contains(&json!(["host", host]))
    );
    let env = send(call("/env/PORT", &host).header("x-preview-token", token)).await.expect(200);
    let inside = format!("/redirect?to=http://localhost:{}/there", env["value"].as_str().unwrap());
    let redirect = send(call(&inside, &host).header("x-preview-token", token)).await;
    assert_eq!(redirect.header("location"), Some(format!("https://{host}/there").as_str()));
    send(call("/echo", &host)).await.error(403, "invalid_preview_token");
    let page = send(call("/echo", &host).header("accept", "text/html,*/*")).await;
    assert!(
        page.status == 403 && page.text().contains("<h1>This preview is not open to you"),
        "{}",
        page.text()
    );
    send(call("/", "preview-0000.preview.example.com")).await.error(503, "preview_unavailable");
    assert_eq!(send(call("/healthz", &server.address().to_string())).await.status, 200);
    app.stop().await.expect(200);
    let gone = send(call("/", &host).header("accept", "text/html")).await;
    assert!(gone.status == 503 && gone.text().contains("does not answer"), "{}", gone.text());
}
