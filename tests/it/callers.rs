//! Who may call: tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{Server, asgi};

const SECRET: &str = "the key that this test shares with the server";

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

#[tokio::test]
async fn only_good_tokens_are_taken_and_an_unknown_tier_counts_as_free() {
    let server = Server::with(&[("JWT_SECRET", SECRET)]).await;
    only_good_tokens_are_taken(&server).await;
    an_unknown_tier_counts_as_free(&server).await;
}

async fn only_good_tokens_are_taken(server: &Server) {
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

async fn an_unknown_tier_counts_as_free(server: &Server) {
    let claims =
        |tier: Value| hs256(&json!({ "sub": "ana", "exp": 4_102_444_800_i64, "tier": tier }), SECRET);
    let mut app = server.with_token(&claims(json!("pro"))).upload(&asgi("")).await;
    for (tier, limit) in [(json!("pro"), 3), (json!("free"), 1), (json!("gold"), 1), (json!(7), 1)] {
        app.user = server.with_token(&claims(tier));
        let config = app.get("/preview/config").await.expect(200);
        assert_eq!(config["limitations"]["maxConcurrentPreviews"], limit, "{config}");
    }
}

/// Of a host application that has the private key, where the server knows the public one.
#[tokio::test]
async fn a_hosts_tokens_are_taken_by_its_public_key() {
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/src/auth/testdata/");
    let read = |name: &str| std::fs::read_to_string(format!("{keys}{name}")).unwrap();
    let (private, public) = (read("ec.test.pem"), read("ec.test.pub.pem"));
    let (issuer, audience, far) = ("https://host.example.com", "previewd", 4_102_444_800_i64);
    let key = format!("{keys}ec.test.pub.pem");
    let settings = [("JWT_PUBLIC_KEY", &*key), ("JWT_ISSUER", issuer), ("JWT_AUDIENCE", audience)];
    let server = Server::with(&settings).await;
    let signed = |claims: &Value| {
        let key = jsonwebtoken::EncodingKey::from_ec_pem(private.as_bytes()).unwrap();
        jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256), claims, &key)
            .unwrap()
    };
    let good = json!({ "sub": "ana", "exp": far, "iss": issuer, "aud": audience });
    server.with_token(&signed(&good)).get("/api/projects").await.expect(200);
    server.user("ben").get("/api/projects").await.expect(200);
    let bad = [
        (
            "another's",
            signed(&json!({ "sub": "ana", "exp": far, "iss": "https://else.example.com", "aud": audience })),
        ),
        ("for another", signed(&json!({ "sub": "ana", "exp": far, "iss": issuer, "aud": "else" }))),
        ("for nobody", signed(&json!({ "sub": "ana", "exp": far, "iss": issuer }))),
        ("over", signed(&json!({ "sub": "ana", "exp": 1_000_000_000, "iss": issuer, "aud": audience }))),
        ("with what everybody knows as the secret", hs256(&good, &public)),
    ];
    for (what, token) in bad {
        let answer = server.with_token(&token).get("/api/projects").await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        answer.error(401, "unauthorized");
    }
}
