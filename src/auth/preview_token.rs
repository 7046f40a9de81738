use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::Key;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::secret::Secret;
use crate::id::PreviewId;

/// Keeps this use of the key apart from the signing of bearer tokens.
const PURPOSE: &[u8] = b"preview-token:";

pub(super) fn of(secret: &Secret, id: &PreviewId) -> String {
    URL_SAFE_NO_PAD.encode(digest(secret, id))
}

pub(super) fn check(secret: &Secret, id: &PreviewId, token: &str) -> bool {
    of(secret, id).as_bytes().ct_eq(token.as_bytes()).into()
}

fn digest(secret: &Secret, id: &PreviewId) -> impl AsRef<[u8]> {
    // A digest is a key of HMAC's own size, however long the secret is.
    let mut key = Key::<Hmac<Sha256>>::default();
    let derived = Sha256::digest(secret.bytes());
    key[..derived.len()].copy_from_slice(&derived);
    let mut mac = Hmac::<Sha256>::new(&key);
    mac.update(PURPOSE);
    mac.update(id.as_str().as_bytes());
    mac.finalize().into_bytes()
}
