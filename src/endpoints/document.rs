//! The OpenAPI document of a running preview: written by code we do not trust, so read under limits.

use pysource::{DocumentError, Endpoint};
use serde_json::Value;

/// Larger documents are refused, in bytes.
pub const DOCUMENT_BYTES: usize = 8 * 1024 * 1024;

/// Why a document is not used; the source is read in its place.
#[derive(Debug, thiserror::Error)]
pub enum UnusableDocument {
    /// Over [`DOCUMENT_BYTES`].
    #[error("the application's OpenAPI document is over {} MiB", DOCUMENT_BYTES / 1024 / 1024)]
    TooLarge,
    /// No JSON, or nested deeper than the parser goes (128).
    #[error("the application's OpenAPI document is not readable JSON")]
    NotJson,
    /// JSON, but not what OpenAPI describes.
    #[error("the application's OpenAPI document cannot be used: {0}")]
    NotOpenApi(#[from] DocumentError),
}

/// The operations that a document lists, in its order.
///
/// # Errors
/// [`UnusableDocument`], whose message may be shown as a warning.
pub fn from_openapi(document: &[u8]) -> Result<Vec<Endpoint>, UnusableDocument> {
    if document.len() > DOCUMENT_BYTES {
        return Err(UnusableDocument::TooLarge);
    }
    // serde_json itself stops at a depth of 128.
    let value: Value = serde_json::from_slice(document).map_err(|_| UnusableDocument::NotJson)?;
    from_openapi_value(&value)
}

/// The same for a document that has been parsed under a size limit.
///
/// # Errors
/// [`UnusableDocument::NotOpenApi`].
pub fn from_openapi_value(document: &Value) -> Result<Vec<Endpoint>, UnusableDocument> {
    Ok(pysource::entries(document)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_what_the_document_says() {
        let document =
            br#"{"openapi": "3.1.0", "paths": {"/health": {"get": {"summary": "Health", "responses": {}}}}}"#;
        let found = from_openapi(document).unwrap();
        assert_eq!((found[0].method.as_str(), found[0].path.as_str()), ("GET", "/health"));
    }

    #[test]
    fn refuses_what_is_too_large_too_deep_or_something_else() {
        assert!(matches!(from_openapi(&vec![b' '; DOCUMENT_BYTES + 1]), Err(UnusableDocument::TooLarge)));
        assert!(matches!(from_openapi("[".repeat(100_000).as_bytes()), Err(UnusableDocument::NotJson)));
        assert!(matches!(from_openapi(b"<html>"), Err(UnusableDocument::NotJson)));
        assert!(matches!(from_openapi(b"{\"paths\": []}"), Err(UnusableDocument::NotOpenApi(_))));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = from_openapi(&bytes);
        }
    }
}
