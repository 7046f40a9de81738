//! A request with its headers and bodies, as it is kept.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::head::Head;
use super::redact::{self, REDACTED};

/// Headers and bodies of both sides, without secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KeptDetail)]
pub struct Detail {
    /// Names and values in their order.
    pub request_headers: Vec<(String, String)>,
    /// What was sent.
    pub request_body: Option<Body>,
    /// Names and values in their order.
    pub response_headers: Vec<(String, String)>,
    /// What came back.
    pub response_body: Option<Body>,
    /// Where secrets were taken out: names of headers, `query`, `requestBody`, `responseBody`.
    pub redacted: Vec<String>,
}

/// The beginning of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = KeptBody)]
pub struct Body {
    /// A text, or base64.
    pub data: String,
    /// Which of both.
    pub encoding: Encoding,
    /// Whether there was more of it.
    pub truncated: bool,
}

/// How a body is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeptEncoding)]
pub enum Encoding {
    /// As the text that it is.
    Text,
    /// In base64.
    Base64,
}

impl Body {
    fn new(bytes: Vec<u8>, total: u64) -> Option<Self> {
        let truncated = (bytes.len() as u64) < total;
        if total == 0 {
            return None;
        }
        let (data, encoding) = match text_of(bytes, truncated) {
            Ok(text) => (text, Encoding::Text),
            Err(bytes) => (BASE64_STANDARD.encode(bytes), Encoding::Base64),
        };
        Some(Self { data, encoding, truncated })
    }

    /// The bytes that it stands for; `None` where they were not all kept.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match (self.truncated, self.encoding) {
            (true, _) => None,
            (false, Encoding::Base64) => BASE64_STANDARD.decode(&self.data).ok(),
            (false, Encoding::Text) => Some(self.data.clone().into_bytes()),
        }
    }

    fn redact(&mut self, secrets: &[String]) -> bool {
        if self.encoding != Encoding::Text {
            return false;
        }
        let without = redact::text(&self.data);
        let without = secrets.iter().fold(without, |text, secret| text.replace(secret, REDACTED));
        let changed = without != self.data;
        self.data = without;
        changed
    }
}

/// A text, cut between characters if it was cut. NUL is no text: a database may not hold it.
fn text_of(bytes: Vec<u8>, truncated: bool) -> Result<String, Vec<u8>> {
    const LONGEST_CHARACTER: usize = 4;
    if bytes.contains(&0) {
        return Err(bytes);
    }
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let valid = error.utf8_error().valid_up_to();
    let mut bytes = error.into_bytes();
    if truncated && bytes.len() - valid < LONGEST_CHARACTER {
        bytes.truncate(valid);
    }
    String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes)
}

/// What is kept of one side or the other.
pub(super) fn detail(
    request: (&Head, (Vec<u8>, u64)),
    response: (&Head, (Vec<u8>, u64)),
    query_redacted: bool,
) -> Detail {
    let mut redacted = Vec::new();
    let said = request.0.iter().filter(|(name, _)| redact::is_secret_header(name));
    let secrets = said.flat_map(|(_, value)| redact::secrets_of(&String::from_utf8_lossy(value)));
    let secrets: Vec<_> = secrets.collect();
    let request_headers = headers(request.0, &mut redacted);
    let response_headers = headers(response.0, &mut redacted);
    let mut request_body = Body::new(request.1.0, request.1.1);
    let mut response_body = Body::new(response.1.0, response.1.1);
    if query_redacted {
        redacted.push("query".to_owned());
    }
    if request_body.as_mut().is_some_and(|body| body.redact(&secrets)) {
        redacted.push("requestBody".to_owned());
    }
    if response_body.as_mut().is_some_and(|body| body.redact(&secrets)) {
        redacted.push("responseBody".to_owned());
    }
    Detail { request_headers, request_body, response_headers, response_body, redacted }
}

fn headers(head: &Head, redacted: &mut Vec<String>) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (name, value) in head.iter() {
        let value = if redact::is_secret_header(name) {
            redacted.push(name.to_owned());
            REDACTED.to_owned()
        } else {
            // A referer has a query, too.
            redact::text(&String::from_utf8_lossy(value).replace('\0', "\u{FFFD}"))
        };
        out.push((name.to_owned(), value));
    }
    redacted.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_text_where_they_can_be() {
        let of =
            |bytes: &[u8], total| Body::new(bytes.to_vec(), total).map(|b| (b.data, b.encoding, b.truncated));
        let expect = |data: &str, kind, cut| Some((data.to_owned(), kind, cut));
        assert_eq!(of(b"", 0), None);
        assert_eq!(of("grüß".as_bytes(), 6), expect("grüß", Encoding::Text, false));
        assert_eq!(of(&"grü".as_bytes()[..3], 9), expect("gr", Encoding::Text, true), "cut in a character");
        assert_eq!(of(b"\xff\xfe", 2), expect("//4=", Encoding::Base64, false));
        assert_eq!(of(b"a\0", 2), expect("YQA=", Encoding::Base64, false));
        assert_eq!(of(b"", 5), expect("", Encoding::Text, true), "nothing of it was kept");
    }
}
