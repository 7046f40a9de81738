//! From the envelope to what is sent.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use super::Encoding;
use crate::error::{Error, Result};
use crate::id::random_hex;

/// A body and its content type.
pub(super) type Encoded = (Vec<u8>, Option<String>);

/// A path of the preview and nothing else: no authority, no way out, no query in disguise.
pub(super) fn check_path(path: &str) -> Result<()> {
    let wrong = |message: &str| Err(Error::invalid("path", message));
    if !path.starts_with('/') || path.starts_with("//") {
        return wrong("The path starts with one `/` and names no host.");
    }
    if path.contains(['?', '#', '\\']) || path.chars().any(char::is_control) {
        return wrong("The path has no `?`, `#`, backslash or control character; a query goes in `query`.");
    }
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    // Once more: some servers decode twice.
    let twice = percent_encoding::percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
    for text in [path, &decoded, &twice] {
        if text.split(['/', '\\']).any(|segment| segment == "..") || text.contains(['\0', '\r', '\n']) {
            return wrong(
                "The path stays in the preview: no `..`, encoded or not, and no control characters.",
            );
        }
    }
    Ok(())
}

/// What may not stand in a request line as it is; `%` is left, since a path may be encoded already.
pub(super) fn encode_path(path: &str) -> String {
    const ENCODED: percent_encoding::AsciiSet =
        percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}');
    percent_encoding::utf8_percent_encode(path, &ENCODED).to_string()
}

/// An object as `application/x-www-form-urlencoded`.
pub(super) fn pairs(field: &str, object: &Map<String, Value>) -> Result<String> {
    let mut out = form_urlencoded::Serializer::new(String::new());
    for (name, value) in object {
        for value in values(value) {
            let Some(text) = scalar(value) else {
                let message =
                    format!("The value of `{name}` is a text, a number, true or false, or a list of them.");
                return Err(Error::invalid(field, message));
            };
            out.append_pair(name, &text);
        }
    }
    Ok(out.finish())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// One value, or those of a list.
fn values(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values.as_slice(),
        other => std::slice::from_ref(other),
    }
}

/// A body as the envelope describes it.
pub(super) fn body(body: &Value, encoding: Encoding) -> Result<Encoded> {
    if body.is_null() {
        return Ok((Vec::new(), None));
    }
    let text = || {
        let text = body.as_str();
        text.ok_or_else(|| Error::invalid("body", "With this bodyEncoding the body is a text."))
    };
    let object = || {
        let object = body.as_object();
        object.ok_or_else(|| Error::invalid("body", "A form is an object."))
    };
    let (bytes, kind) = match encoding {
        Encoding::Json => (body.to_string().into_bytes(), "application/json"),
        Encoding::Text => (text()?.as_bytes().to_vec(), "text/plain; charset=utf-8"),
        Encoding::Base64 => {
            let decoded = BASE64_STANDARD.decode(text()?);
            let bytes = decoded.map_err(|_| Error::invalid("body", "The body is not base64."))?;
            (bytes, "application/octet-stream")
        }
        Encoding::Form => (pairs("body", object()?)?.into_bytes(), "application/x-www-form-urlencoded"),
        Encoding::Multipart => return multipart(object()?),
    };
    Ok((bytes, Some(kind.to_owned())))
}

/// An object as `multipart/form-data`. A member is a text, a number, true or false, a file, or a list of them.
fn multipart(object: &Map<String, Value>) -> Result<Encoded> {
    let boundary = format!("previewd-{}", random_hex::<12>().map_err(Error::internal)?);
    let mut out = Vec::new();
    for (name, value) in object {
        for value in values(value) {
            out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            part(&mut out, name, value)?;
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((out, Some(format!("multipart/form-data; boundary={boundary}"))))
}

fn part(out: &mut Vec<u8>, name: &str, value: &Value) -> Result<()> {
    let wrong = || {
        let message = format!(
            "The part `{name}` is a text, a number, true or false, or a file: \
             {{\"filename\", \"contentType\"?, \"text\" | \"base64\"}}."
        );
        Error::invalid("body", message)
    };
    if let Some(text) = scalar(value) {
        out.extend_from_slice(disposition(name, None).as_bytes());
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    let member = |key: &str| value.get(key).and_then(Value::as_str);
    let filename = member("filename").ok_or_else(wrong)?;
    let kind = member("contentType").unwrap_or("application/octet-stream");
    HeaderValue::from_str(kind).map_err(|_| wrong())?;
    let content = match (member("text"), member("base64")) {
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(encoded)) => BASE64_STANDARD.decode(encoded).map_err(|_| wrong())?,
        _ => return Err(wrong()),
    };
    out.extend_from_slice(disposition(name, Some((filename, kind))).as_bytes());
    out.extend_from_slice(&content);
    Ok(())
}

/// The head of a part, with names escaped as browsers do it.
fn disposition(name: &str, file: Option<(&str, &str)>) -> String {
    let escape = |text: &str| text.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22");
    let file = file.map_or_else(String::new, |(filename, kind)| {
        format!("; filename=\"{}\"\r\nContent-Type: {kind}", escape(filename))
    });
    format!("Content-Disposition: form-data; name=\"{}\"{file}\r\n\r\n", escape(name))
}

/// The headers of the envelope.
pub(super) fn headers(headers: Option<&Map<String, Value>>) -> Result<HeaderMap> {
    let mut out = HeaderMap::new();
    for (name, value) in headers.into_iter().flatten() {
        let wrong = || {
            let message = format!(
                "The header `{}` has a name or a value that HTTP does not allow.",
                name.escape_debug()
            );
            Error::invalid("headers", message)
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        for value in values(value) {
            let text = scalar(value).ok_or_else(wrong)?;
            out.append(name.clone(), HeaderValue::from_str(&text).map_err(|_| wrong())?);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_stays_in_the_preview() {
        for path in ["/", "/a/b%20c", "/a..b", "/..a", "/a/%2e/b", "/ü", "/a:b@c"] {
            check_path(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        }
        for path in [
            "",
            "a",
            "//evil/x",
            "@evil/x",
            "http://evil/",
            "/../x",
            "/a/..",
            "/%2e%2e/x",
            "/.%2E/x",
            "/%252e%252e/x",
            "/a\\b",
            "/%2e%2e%5cx",
            "/a?b",
            "/a#b",
            "/a\r\nb",
            "/%0d%0aX",
            "/a\0",
            "/%00",
        ] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_multipart_body_has_a_part_for_each_value() {
        let form = json!({
            "a": ["1", true],
            "f": { "filename": "x\"\r\n.txt", "contentType": "text/plain", "text": "hi" },
            "g": { "filename": "y", "base64": "AP8=" },
        });
        let (body, kind) = body(&form, Encoding::Multipart).unwrap();
        let kind = kind.unwrap();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let expected = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
            --B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\ntrue\r\n\
            --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x%22%0D%0A.txt\"\r\n\
            Content-Type: text/plain\r\n\r\nhi\r\n\
            --B\r\nContent-Disposition: form-data; name=\"g\"; filename=\"y\"\r\n\
            Content-Type: application/octet-stream\r\n\r\n\0\u{FFFD}\r\n--B--\r\n";
        assert_eq!(String::from_utf8_lossy(&body).replace(boundary, "B"), expected);
        for wrong in [json!({ "f": { "filename": "x" } }), json!({ "f": {} }), json!({ "f": [[1]] })] {
            assert!(multipart(wrong.as_object().unwrap()).is_err(), "{wrong}");
        }
    }
}
