use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{Auth, Tier};
use crate::config::Config;
use crate::error::Error;
use crate::id::{PreviewId, UserId, random_hex};
use crate::time::UnixMillis;

const RSA: &[u8] = include_bytes!("testdata/rsa.test.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("testdata/rsa.test.pub.pem");
const EC: &[u8] = include_bytes!("testdata/ec.test.pem");
const EC_PUBLIC: &[u8] = include_bytes!("testdata/ec.test.pub.pem");
const ED: &[u8] = include_bytes!("testdata/ed.test.pem");
const ED_PUBLIC: &[u8] = include_bytes!("testdata/ed.test.pub.pem");

/// A data directory that goes when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("previewd-auth-{}", random_hex::<8>().unwrap()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn config(&self, settings: &[(&str, &str)]) -> Config {
        let data_dir = self.0.join("data");
        let environment =
            [("PREVIEW_DATA_DIR", data_dir.to_str().unwrap())].into_iter().chain(settings.iter().copied());
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        Config::read(Vec::new(), environment, Path::new("/nowhere")).unwrap()
    }

    fn auth(&self, settings: &[(&str, &str)]) -> Auth {
        Auth::open(&self.config(settings)).unwrap()
    }

    /// With the host application's key, issuer and audience configured.
    fn trusting(&self, key: &[u8]) -> Auth {
        let file = self.file("key", key);
        self.auth(&[
            ("PREVIEW_JWT_PUBLIC_KEY", &file),
            ("PREVIEW_JWT_ISSUER", "https://host.example"),
            ("PREVIEW_JWT_AUDIENCE", "previews"),
        ])
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn problem(&self, key: &[u8]) -> String {
        let file = self.file("key", key);
        Auth::open(&self.config(&[("PREVIEW_JWT_PUBLIC_KEY", &file)])).err().unwrap().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn now() -> i64 {
    UnixMillis::now().0 / 1000
}

fn sign(alg: Algorithm, kid: Option<&str>, key: &EncodingKey, claims: &Value) -> String {
    encode(&Header { kid: kid.map(str::to_owned), ..Header::new(alg) }, claims, key).unwrap()
}

fn host_claims() -> Value {
    json!({"sub": "ana", "exp": now() + 60, "iss": "https://host.example", "aud": ["others", "previews"], "tier": "pro"})
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA).unwrap()
}

fn refusal(auth: &Auth, token: &str) -> String {
    match auth.verify(token) {
        Err(Error::Unauthorized { message }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn own_tokens_say_who_calls() {
    let auth = Directory::new().auth(&[]);
    for (user, tier) in [("ana", Tier::Free), ("Zoë|42@x", Tier::Pro)] {
        let user = UserId(user.to_owned());
        let caller = auth.verify(&auth.issue(&user, tier, 60).unwrap()).unwrap();
        assert_eq!((caller.user, caller.tier), (user, tier));
    }
}

#[test]
fn a_configured_secret_is_the_key_and_none_is_kept() {
    let directory = Directory::new();
    let auth = directory.auth(&[("PREVIEW_JWT_SECRET", "shared with the host")]);
    let key = EncodingKey::from_secret(b"shared with the host");
    let caller =
        auth.verify(&sign(Algorithm::HS256, None, &key, &json!({"sub": "ana", "exp": now() + 60}))).unwrap();
    assert_eq!((caller.user.0.as_str(), caller.tier), ("ana", Tier::Free));
    assert!(!directory.0.join("data").exists());
}

#[test]
fn an_unknown_tier_is_free() {
    let auth = Directory::new().auth(&[("PREVIEW_JWT_SECRET", "s")]);
    for tier in [json!("platinum"), json!("PRO"), json!(7), json!(null), json!({"pro": true})] {
        let claims = json!({"sub": "ana", "exp": now() + 60, "tier": tier});
        let token = sign(Algorithm::HS256, None, &EncodingKey::from_secret(b"s"), &claims);
        assert_eq!(auth.verify(&token).unwrap().tier, Tier::Free, "{tier}");
    }
}

#[test]
fn claims_that_do_not_hold_are_refused() {
    let auth = Directory::new().auth(&[("PREVIEW_JWT_SECRET", "s")]);
    let refused = |claims: Value| {
        refusal(&auth, &sign(Algorithm::HS256, None, &EncodingKey::from_secret(b"s"), &claims))
    };
    assert!(refused(json!({"sub": "ana", "exp": now() - 1})).contains("expired"));
    assert!(refused(json!({"sub": "ana", "exp": now() + 60, "nbf": now() + 30})).contains("not valid yet"));
    assert!(refused(json!({"sub": "ana"})).contains("lacks a claim"));
    for claims in [
        json!({"exp": now() + 60}),
        json!({"sub": 7, "exp": now() + 60}),
        json!({"sub": "", "exp": now() + 60}),
        json!({"sub": "a\0b", "exp": now() + 60}),
        json!({"sub": "a".repeat(257), "exp": now() + 60}),
        json!({"sub": "ana", "exp": "tomorrow"}),
        json!({"sub": "ana", "exp": null}),
        json!({"sub": "ana", "exp": -5}),
        json!({"sub": "ana", "exp": now() + 60, "nbf": "later"}),
        json!(["ana"]),
    ] {
        assert!(!refused(claims.clone()).is_empty(), "{claims}");
    }
}

#[test]
fn what_is_no_token_of_ours_is_refused() {
    let auth = Directory::new().auth(&[]);
    let good = auth.issue(&UserId("ana".to_owned()), Tier::Free, 60).unwrap();
    let parts: Vec<_> = good.split('.').collect();
    let other_key = EncodingKey::from_secret(b"another");
    let claims = json!({"sub": "ana", "exp": now() + 60, "tier": "pro"});
    let forged = URL_SAFE_NO_PAD.encode(claims.to_string());
    let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    for token in [
        "",
        "a.b.c",
        "é.é.é",
        &format!("{unsigned}.{forged}."),
        &format!("{unsigned}.{forged}.{}", parts[2]),
        &format!("{}.{forged}.{}", parts[0], parts[2]),
        &format!("{}.{}.", parts[0], parts[1]),
        &format!("{good}A"),
        &sign(Algorithm::HS256, None, &other_key, &claims),
        &sign(Algorithm::HS512, None, &other_key, &claims),
        &sign(Algorithm::RS256, None, &rsa(), &claims),
    ] {
        assert!(!refusal(&auth, token).is_empty(), "{token}");
    }
    assert!(auth.verify(&good).is_ok());
}

#[test]
fn oversized_tokens_are_refused_unread() {
    let auth = Directory::new().auth(&[("PREVIEW_JWT_SECRET", "s")]);
    let claims = json!({"sub": "ana", "exp": now() + 60, "more": "x".repeat(8 * 1024)});
    let token = sign(Algorithm::HS256, None, &EncodingKey::from_secret(b"s"), &claims);
    assert!(refusal(&auth, &token).contains("too long"));
}

#[test]
fn host_tokens_of_each_algorithm_are_trusted_by_pem() {
    let directory = Directory::new();
    for (algorithm, key, public) in [
        (Algorithm::RS256, rsa(), RSA_PUBLIC),
        (Algorithm::ES256, EncodingKey::from_ec_pem(EC).unwrap(), EC_PUBLIC),
        (Algorithm::EdDSA, EncodingKey::from_ed_pem(ED).unwrap(), ED_PUBLIC),
    ] {
        let auth = directory.trusting(public);
        let caller = auth.verify(&sign(algorithm, Some("any"), &key, &host_claims())).unwrap();
        assert_eq!((caller.user.0.as_str(), caller.tier), ("ana", Tier::Pro), "{algorithm:?}");
        // Our own tokens, which name no issuer, go on working beside them.
        let own = auth.issue(&UserId("ben".to_owned()), Tier::Free, 60).unwrap();
        assert_eq!(auth.verify(&own).unwrap().user.0, "ben");
    }
}

#[test]
fn the_public_key_is_no_secret_to_sign_with() {
    let auth = Directory::new().trusting(RSA_PUBLIC);
    let confused = EncodingKey::from_secret(RSA_PUBLIC);
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        assert!(!refusal(&auth, &sign(algorithm, None, &confused, &host_claims())).is_empty());
    }
}

#[test]
fn host_tokens_must_be_for_us_and_signed_as_configured() {
    let auth = Directory::new().trusting(RSA_PUBLIC);
    let with = |name: &str, value: Value| {
        let mut claims = host_claims();
        claims[name] = value;
        sign(Algorithm::RS256, None, &rsa(), &claims)
    };
    let without = |name: &str| {
        let mut claims = host_claims();
        claims.as_object_mut().unwrap().remove(name);
        sign(Algorithm::RS256, None, &rsa(), &claims)
    };
    for token in [
        with("iss", json!("https://evil.example")),
        with("aud", json!("others")),
        with("aud", json!([])),
        with("exp", json!(now() - 60)),
        with("nbf", json!(now() + 60)),
        without("iss"),
        without("aud"),
        without("exp"),
        without("sub"),
        sign(Algorithm::RS512, None, &rsa(), &host_claims()),
        sign(Algorithm::PS256, None, &rsa(), &host_claims()),
        sign(Algorithm::ES256, None, &EncodingKey::from_ec_pem(EC).unwrap(), &host_claims()),
    ] {
        assert!(!refusal(&auth, &token).is_empty(), "{token}");
    }
    assert!(auth.verify(&with("sub", json!("ben"))).is_ok());
}

#[test]
fn a_jwks_file_is_asked_for_the_key_that_the_token_names() {
    let jwk = |key: &EncodingKey, algorithm, kid: &str| {
        let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        jwk
    };
    let (ec, ed) = (EncodingKey::from_ec_pem(EC).unwrap(), EncodingKey::from_ed_pem(ED).unwrap());
    let keys = vec![
        jwk(&EncodingKey::from_secret(b"symmetric"), Algorithm::HS256, "oct"),
        jwk(&rsa(), Algorithm::RS256, "r1"),
        jwk(&ec, Algorithm::ES256, "e1"),
        jwk(&ed, Algorithm::EdDSA, "d1"),
    ];
    let auth = Directory::new().trusting(&serde_json::to_vec(&JwkSet { keys }).unwrap());
    for (algorithm, key, kid) in
        [(Algorithm::RS256, &rsa(), "r1"), (Algorithm::ES256, &ec, "e1"), (Algorithm::EdDSA, &ed, "d1")]
    {
        assert!(auth.verify(&sign(algorithm, Some(kid), key, &host_claims())).is_ok(), "{kid}");
        assert!(auth.verify(&sign(algorithm, None, key, &host_claims())).is_ok(), "{kid} unnamed");
        refusal(&auth, &sign(algorithm, Some("r2"), key, &host_claims()));
    }
    let symmetric = EncodingKey::from_secret(b"symmetric");
    refusal(&auth, &sign(Algorithm::HS256, Some("oct"), &symmetric, &host_claims()));
}

#[test]
fn unusable_key_files_are_explained_at_start() {
    let directory = Directory::new();
    for (key, part) in [
        (RSA, "private key"),
        (b"hello".as_slice(), "neither a JWKS file nor"),
        (b"".as_slice(), "neither a JWKS file nor"),
        (br#"{"keys": 7}"#.as_slice(), "no JWKS file"),
        (br#"{"keys": []}"#.as_slice(), "no key to verify with"),
        (&vec![b'a'; 1024 * 1024 + 1], "over 1 MiB"),
    ] {
        let text = directory.problem(key);
        assert!(text.contains("PREVIEW_JWT_PUBLIC_KEY") && text.contains(part), "{text}");
    }
    let missing = directory.config(&[("PREVIEW_JWT_PUBLIC_KEY", "/nowhere/key.pem")]);
    assert!(Auth::open(&missing).err().unwrap().to_string().contains("cannot be read"));
}

#[test]
fn the_kept_secret_is_the_owners_alone_and_stays() {
    let directory = Directory::new();
    let token = directory.auth(&[]).issue(&UserId("ana".to_owned()), Tier::Free, 60).unwrap();
    let file = directory.0.join("data/jwt.secret");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(directory.auth(&[]).verify(&token).is_ok());

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let text = Auth::open(&directory.config(&[])).err().unwrap().to_string();
    assert!(text.contains("chmod 600"), "{text}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&file, "short\n").unwrap();
    let text = Auth::open(&directory.config(&[])).err().unwrap().to_string();
    assert!(text.contains("cut short"), "{text}");
}

#[test]
fn first_starts_at_once_agree_on_the_secret() {
    let directory = Directory::new();
    let config = directory.config(&[]);
    let tokens: Vec<_> = std::thread::scope(|scope| {
        let issue = || Auth::open(&config).unwrap().issue(&UserId("ana".to_owned()), Tier::Free, 60).unwrap();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(issue)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let auth = directory.auth(&[]);
    assert!(tokens.iter().all(|token| auth.verify(token).is_ok()));
    assert_eq!(std::fs::read_dir(&config.data_dir).unwrap().count(), 1, "nothing is left aside");
}

#[test]
fn a_preview_token_is_for_one_preview_and_one_key() {
    let (one, other) = (Directory::new().auth(&[]), Directory::new().auth(&[]));
    let (a, b) = (PreviewId::parse("preview_a").unwrap(), PreviewId::parse("preview_b").unwrap());
    let token = one.preview_token(&a);
    assert_eq!((token.len(), &token), (43, &one.preview_token(&a)));
    assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    assert!(one.check_preview_token(&a, &token));
    assert!(!one.check_preview_token(&b, &token));
    assert!(!other.check_preview_token(&a, &token));
    for wrong in ["", &token[1..], &format!("{token}="), "é"] {
        assert!(!one.check_preview_token(&a, wrong), "{wrong}");
    }
}

#[test]
fn no_token_is_issued_that_would_be_refused() {
    let auth = Directory::new().auth(&[]);
    for user in ["", " ", "a\nb", &"a".repeat(257)] {
        let issued = auth.issue(&UserId(user.to_owned()), Tier::Free, 60);
        assert!(matches!(issued, Err(Error::InvalidRequest { .. })), "{user:?}");
    }
}
