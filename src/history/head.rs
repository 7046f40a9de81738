//! Headers as they were, in a piece of memory of their own.

use axum::http::HeaderMap;

/// The headers of a message. Those of a [`HeaderMap`] are parts of the buffer that their connection reads into: whoever
/// holds one of them keeps the whole buffer, and the connection has to take another.
#[derive(Clone, Debug, Default)]
pub struct Head(Box<[u8]>);

/// Between a name, which has none, and its value.
const COLON: u8 = b':';
/// Behind a value, which has none.
const LINE_END: u8 = b'\n';

impl Head {
    /// Names and values in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let lines = self.0.split_inclusive(|byte| *byte == LINE_END);
        lines.filter_map(|line| {
            let (name, value) = line.split_at_checked(memchr::memchr(COLON, line)?)?;
            Some((std::str::from_utf8(name).ok()?, value.get(1..value.len() - 1)?))
        })
    }
}

impl From<&HeaderMap> for Head {
    fn from(headers: &HeaderMap) -> Self {
        let size = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 2).sum();
        let mut text = Vec::with_capacity(size);
        for (name, value) in headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.push(COLON);
            text.extend_from_slice(value.as_bytes());
            text.push(LINE_END);
        }
        Self(text.into_boxed_slice())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn every_header_comes_back_as_it_was() {
        let mut headers = HeaderMap::new();
        headers.append("a", HeaderValue::from_static("1:2"));
        headers.append("empty", HeaderValue::from_static(""));
        headers.append("a", HeaderValue::from_bytes(b"\xfc\tx").unwrap());
        let head = Head::from(&headers);
        let told: Vec<_> = head.iter().collect();
        let expected: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!((told.len(), &told), (3, &expected));
        assert_eq!(Head::default().iter().count(), 0);
    }
}
