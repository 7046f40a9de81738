//! Who may call: tokens, and what belongs to others.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{Answer, Generation, Server, asgi};

const SECRET: &str = "the key that this test shares with the server";

/// Every route under `/api` that names a generation.
const ROUTES: &[(&str, &str)] = &[
    ("GET", ""),
    ("DELETE", ""),
    ("GET", "/files"),
    ("PATCH", "/files"),
    ("GET", "/files/app/main.py"),
    ("GET", "/endpoints"),
    ("GET", "/openapi.json"),
    ("POST", "/preview/launch"),
    ("GET", "/preview/status"),
    ("DELETE", "/preview"),
    ("POST", "/preview/request"),
    ("GET", "/preview/config"),
    ("GET", "/preview/logs"),
    ("GET", "/preview/logs/stream"),
    ("POST", "/preview/logs/ticket"),
    ("GET", "/preview/logs/download"),
];

fn token(header: &Value, claims: &Value, secret: &str) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encode(header), encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn hs256(claims: &Value, secret: &str) -> String {
    token(&json!({ "alg": "HS256", "typ": "JWT" }), claims, secret)
}

async fn call(app: &Generation, method: &str, rest: &str) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut call = app.user.call(method.clone(), &app.path(rest));
    if rest.ends_with("/request") {
        call = call.header("x-preview-token", "any").json(&json!({ "method": "GET", "path": "/" }));
    } else if method == Method::PATCH {
        call = call.json(&json!({ "files": { "a": "" } }));
    }
    app.user.send(call).await
}

#[tokio::test]
async fn only_good_tokens_are_taken() {
    let server = Server::with(&[("JWT_SECRET", SECRET)]).await;
    let far = 4_102_444_800_i64;
    let good = hs256(&json!({ "sub": "ana", "exp": far }), SECRET);
    server.with_token(&good).get("/api/projects").await.expect(200);
    let unsigned = token(&json!({ "alg": "none" }), &json!({ "sub": "ana", "exp": far }), SECRET);
    let cut = good.rsplit_once('.').unwrap().0.to_owned();
    let bad = [
        ("expired", hs256(&json!({ "sub": "ana", "exp": 1_000_000_000 }), SECRET)),
        ("another's key", hs256(&json!({ "sub": "ana", "exp": far }), "another key, long enough to be one")),
        ("no subject", hs256(&json!({ "exp": far }), SECRET)),
        ("no end", hs256(&json!({ "sub": "ana" }), SECRET)),
        ("no algorithm", unsigned.clone()),
        ("no algorithm, no signature", format!("{}.", unsigned.rsplit_once('.').unwrap().0)),
        ("no signature", cut),
        ("no token at all", "abc".to_owned()),
        ("empty", String::new()),
        ("not before", hs256(&json!({ "sub": "ana", "exp": far, "nbf": far - 10 }), SECRET)),
    ];
    for (what, token) in bad {
        let answer = server.with_token(&token).get("/api/projects").await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        answer.error(401, "unauthorized");
    }
    let user = server.with_token(&good);
    let url = format!("http://{}/api/projects", server.address());
    for header in [None, Some(format!("Basic {good}")), Some(good.clone())] {
        let mut call = user.client().get(&url);
        if let Some(header) = header {
            call = call.header("authorization", header);
        }
        user.send(call).await.error(401, "unauthorized");
    }
}

#[tokio::test]
async fn every_call_needs_a_token() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    let nobody = Generation { user: server.with_token("nobody"), ..app.clone() };
    for (method, rest) in ROUTES {
        call(&nobody, method, rest).await.error(401, "unauthorized");
    }
    for path in ["/api/projects", "/api/generations", "/api/previews"] {
        nobody.user.get(path).await.error(401, "unauthorized");
    }
    nobody.user.post("/api/projects", &json!({ "name": "x" })).await.error(401, "unauthorized");
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(nobody.user.get(path).await.status, 200, "{path} needs none");
    }
}

#[tokio::test]
async fn what_is_somebody_elses_is_forbidden_and_what_is_not_there_not_found() {
    let server = Server::start().await;
    let (ana, bo) = (server.user("ana"), server.user("bo"));
    let app = ana.upload(&asgi("")).await;
    let preview = app.launch().await;
    let foreign = Generation { user: bo.clone(), ..app.clone() };
    let missing = Generation { id: "gen_doesnotexist".to_owned(), ..app.clone() };
    for (method, rest) in ROUTES {
        call(&foreign, method, rest).await.error(403, "forbidden");
        call(&missing, method, rest).await.error(404, "generation_not_found");
    }
    // A preview's token opens the preview, not the API.
    let body = json!({ "method": "GET", "path": "/" });
    foreign.request(&preview, &body).await.error(403, "forbidden");

    let uploads = |project: &str| format!("/api/projects/{project}/generations");
    let files = json!({ "files": { "a": "" } });
    bo.post(&uploads(&app.project), &files).await.error(403, "forbidden");
    bo.post(&uploads("proj_doesnotexist"), &files).await.error(404, "project_not_found");
    bo.get(&format!("/api/generations?projectId={}", app.project)).await.error(403, "forbidden");
    bo.get("/api/generations?projectId=proj_doesnotexist").await.error(404, "project_not_found");
    assert_eq!(bo.get("/api/generations").await.expect(200), json!({ "generations": [] }));
    assert_eq!(bo.get("/api/projects").await.expect(200), json!({ "projects": [] }));
    assert_eq!(bo.get("/api/previews").await.expect(200), json!({ "previews": [] }));
    app.status().await.expect(200);
}

#[tokio::test]
async fn an_unknown_tier_counts_as_free() {
    let server = Server::with(&[("JWT_SECRET", SECRET)]).await;
    let claims =
        |tier: Value| hs256(&json!({ "sub": "ana", "exp": 4_102_444_800_i64, "tier": tier }), SECRET);
    let mut app = server.with_token(&claims(json!("pro"))).upload(&asgi("")).await;
    for (tier, limit) in [(json!("pro"), 3), (json!("free"), 1), (json!("gold"), 1), (json!(7), 1)] {
        app.user = server.with_token(&claims(tier));
        let config = app.get("/preview/config").await.expect(200);
        assert_eq!(config["limitations"]["maxConcurrentPreviews"], limit, "{config}");
    }
}
