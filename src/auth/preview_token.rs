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
    is_same(&of(secret, id), token)
}

/// Whether two tokens are the same, in a time that does not tell how much of them is.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
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

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use super::*;

    /// Tokens so long that a comparison which ends at the first difference would be done at once.
    #[test]
    fn how_much_of_a_token_is_right_cannot_be_told_by_the_time() {
        let token = "t".repeat(1 << 18);
        let (first, last) = (format!("x{}", &token[1..]), format!("{}x", &token[1..]));
        let took = |wrong: &str| -> Duration {
            let began = Instant::now();
            assert!(!is_same(black_box(&token), black_box(wrong)));
            began.elapsed()
        };
        let fastest = |wrong: &str| (0..9).map(|_| took(wrong)).min().unwrap();
        let (at_first, at_last) = (fastest(&first), fastest(&last));
        assert!(at_first * 4 > at_last, "{at_first:?} and {at_last:?}");
    }
}
