use std::path::Path;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::AuthSetupError;

/// Largest key file that is read, in bytes.
const MAX_FILE: usize = 1024 * 1024;

type Reader = fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>;

/// The keys of a host application.
#[derive(Default)]
pub(super) struct PublicKeys(Vec<PublicKey>);

pub(super) struct PublicKey {
    /// The only one that this key may check.
    pub algorithm: Algorithm,
    pub key: DecodingKey,
    kid: Option<String>,
}

impl PublicKeys {
    /// Reads a PEM or a JWKS file.
    pub fn read(path: &Path) -> Result<Self, AuthSetupError> {
        let failed = |problem: String| AuthSetupError::PublicKey { path: path.to_owned(), problem };
        let text = std::fs::read(path).map_err(|error| failed(format!("cannot be read: {error}.")))?;
        if text.len() > MAX_FILE {
            return Err(failed("is over 1 MiB: give a PEM or JWKS file.".to_owned()));
        }
        let is_json = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let keys = if is_json { from_jwks(&text) } else { from_pem(&text).map(|key| vec![key]) };
        keys.map(Self).map_err(|problem| failed(problem.to_owned()))
    }

    /// The keys that may have signed a token with this header. One without `kid` (a PEM, mostly) may have signed any.
    pub fn candidates(&self, algorithm: Algorithm, kid: Option<&str>) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().filter(move |key| {
            let is_named = |kid| key.kid.as_deref().is_none_or(|own| own == kid);
            key.algorithm == algorithm && kid.is_none_or(is_named)
        })
    }
}

fn from_pem(text: &[u8]) -> Result<PublicKey, &'static str> {
    if memchr::memmem::find(text, b"PRIVATE KEY-----").is_some() {
        return Err("holds a private key: give the public one, and keep the private one to yourself.");
    }
    let readers: [(Algorithm, Reader); 3] = [
        (Algorithm::RS256, DecodingKey::from_rsa_pem),
        (Algorithm::ES256, DecodingKey::from_ec_pem),
        (Algorithm::EdDSA, DecodingKey::from_ed_pem),
    ];
    readers
        .into_iter()
        .find_map(|(algorithm, read)| Some(PublicKey { algorithm, key: read(text).ok()?, kid: None }))
        .ok_or("is neither a JWKS file nor the PEM of a public RSA, P-256 or Ed25519 key: export it as one.")
}

/// Keys for other purposes are left out; with none left, the file is not what was meant.
fn from_jwks(text: &[u8]) -> Result<Vec<PublicKey>, &'static str> {
    let set: JwkSet =
        serde_json::from_slice(text).map_err(|_| "is no JWKS file: it takes a JSON object with `keys`.")?;
    let keys: Vec<_> = set.keys.iter().filter_map(from_jwk).collect();
    if keys.is_empty() {
        return Err("has no key to verify with: it takes RSA, P-256 or Ed25519 keys.");
    }
    Ok(keys)
}

fn from_jwk(jwk: &Jwk) -> Option<PublicKey> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    let named = format!("{algorithm:?}");
    let declared = jwk.common.key_algorithm.as_ref().is_none_or(|declared| declared.to_string() == named);
    let verifies =
        jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    if !declared || !verifies {
        return None;
    }
    Some(PublicKey { algorithm, key: DecodingKey::from_jwk(jwk).ok()?, kid: jwk.common.key_id.clone() })
}
