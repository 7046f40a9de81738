//! Uploads and patches as JSON: `{"files": {path: "text" | {"base64": "…"} | null}}`.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::files::Collector;
use super::{MAX_FILES, Upload, path};
use crate::error::{Error, Result};

/// Reads `{"name"?, "entrypoint"?, "files"}`; unknown fields are ignored.
pub(super) fn read_upload(body: &[u8]) -> Result<Upload> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        name: Value,
        #[serde(default)]
        entrypoint: Value,
        files: Entries,
    }
    let Body { name, entrypoint, files } = parse(body)?;
    let mut collected = Collector::default();
    for (path, value) in files.0 {
        let Some(content) = content(&path, value)? else {
            return Err(Error::invalid(path, "A file is null; null deletes a file, and only in a PATCH."));
        };
        collected.add(&path, content)?;
    }
    Ok(Upload {
        name: optional_text("name", name)?,
        entrypoint: optional_text("entrypoint", entrypoint)?,
        files: collected.finish(),
    })
}

/// Reads `{"files": {path: "text" | {"base64": "…"} | null}}`; null deletes. The paths are checked one by one;
/// what the patch leaves is for [`super::check_patch`].
///
/// # Errors
/// As [`super::read_upload`].
pub fn read_patch(body: &[u8]) -> Result<BTreeMap<String, Option<Vec<u8>>>> {
    #[derive(Deserialize)]
    struct Body {
        files: Entries,
    }
    let mut changes = BTreeMap::new();
    for (given, value) in parse::<Body>(body)?.files.0 {
        let path = path::file(&given)?;
        if changes.contains_key(&path) {
            return Err(path::refused(&given, "occurs twice"));
        }
        changes.insert(path, content(&given, value)?);
    }
    super::check_patch([], &changes)?;
    Ok(changes)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| Error::InvalidRequest {
        message: if error.is_data() {
            format!("The body is not what this call takes: {error}.")
        } else {
            format!("The body is not valid JSON: {error}.")
        },
        field: error.is_data().then(|| "files".to_owned()),
    })
}

/// The bytes of a file, `None` for null.
fn content(path: &str, value: Value) -> Result<Option<Vec<u8>>> {
    match value {
        Value::Text(text) => Ok(Some(text.into_bytes())),
        Value::Base64(text) => match STANDARD.decode(text) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => Err(Error::invalid(path, "A file's `base64` is not valid base64 (standard, padded).")),
        },
        Value::Null => Ok(None),
        Value::TooMany => {
            Err(Error::TooLarge { what: "The number of files".to_owned(), limit: MAX_FILES as u64 })
        }
        Value::Other => {
            Err(Error::invalid(path, "A file's content must be a string or an object with `base64`."))
        }
    }
}

fn optional_text(field: &str, value: Value) -> Result<Option<String>> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(text)),
        _ => Err(Error::invalid(field, format!("`{field}` must be a string."))),
    }
}

/// A value of interest. Whatever else there is becomes `Other`, so that the error can name its place.
#[derive(Debug, Default)]
enum Value {
    Text(String),
    Base64(String),
    #[default]
    Null,
    Other,
    /// Stands for all files beyond the limit.
    TooMany,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut found = Value::Other;
        while let Some(key) = map.next_key::<String>()? {
            if key != "base64" {
                map.next_value::<IgnoredAny>()?;
            } else if let (Value::Other, Value::Text(text)) = (&found, map.next_value::<Value>()?) {
                found = Value::Base64(text);
            }
        }
        Ok(found)
    }
}

/// The files in the order they came: duplicates are still there, to be refused by name.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor).map(Self)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of files by path")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while entries.len() < MAX_FILES {
            let Some(entry) = map.next_entry()? else { return Ok(entries) };
            entries.push(entry);
        }
        if map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            entries.push((String::new(), Value::TooMany));
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn upload(body: &serde_json::Value) -> Result<Upload> {
        read_upload(body.to_string().as_bytes())
    }

    fn blamed<T: fmt::Debug>(result: Result<T>) -> Option<String> {
        match result {
            Err(Error::InvalidRequest { field, .. }) => field,
            other => panic!("expected an invalid request, got {other:?}"),
        }
    }

    #[test]
    fn text_and_base64_are_files() {
        let read = upload(&json!({
            "name": "Shop", "entrypoint": "app.main:app", "colour": {"a": [1]},
            "files": {"./app/main.py": "x = 1\n", "logo.png": {"base64": "iVBORw==", "mode": 7}, "empty": ""}
        }))
        .unwrap();
        assert_eq!(read.name.as_deref(), Some("Shop"));
        assert_eq!(read.entrypoint.as_deref(), Some("app.main:app"));
        assert_eq!(read.files.keys().collect::<Vec<_>>(), ["app/main.py", "empty", "logo.png"]);
        assert_eq!(read.files["logo.png"], b"\x89PNG");
    }

    #[test]
    fn no_files_is_an_upload_too() {
        assert_eq!(upload(&json!({"files": {}, "name": null})).unwrap(), Upload::default());
    }

    #[test]
    fn the_field_to_blame_is_named() {
        for (body, field) in [
            (json!({}), "files"),
            (json!([]), "files"),
            (json!({"files": []}), "files"),
            (json!({"files": "x"}), "files"),
            (json!({"files": {}, "name": 5}), "name"),
            (json!({"files": {}, "entrypoint": ["a"]}), "entrypoint"),
            (json!({"files": {"a": 5}}), "a"),
            (json!({"files": {"a": null}}), "a"),
            (json!({"files": {"a": ["x"]}}), "a"),
            (json!({"files": {"a": {}}}), "a"),
            (json!({"files": {"a": {"base64": 5}}}), "a"),
            (json!({"files": {"a": {"base64": "not base64"}}}), "a"),
            (json!({"files": {"../a": "x"}}), "../a"),
            (json!({"files": {"/a": "x"}}), "/a"),
            (json!({"files": {"a\u{0}": "x"}}), "a\u{0}"),
            (json!({"files": {"a": "x", "a/b": "x"}}), "a"),
            (json!({"files": {"a": "x", "./a": "x"}}), "a"),
        ] {
            assert_eq!(blamed(upload(&body)).as_deref(), Some(field), "{body}");
        }
    }

    #[test]
    fn a_key_given_twice_is_refused() {
        assert_eq!(blamed(read_upload(br#"{"files": {"a": "1", "a": "2"}}"#)).as_deref(), Some("a"));
        assert_eq!(blamed(read_patch(br#"{"files": {"a": "1", "a": null}}"#)).as_deref(), Some("a"));
    }

    #[test]
    fn what_is_no_json_says_so() {
        for body in [&b""[..], b"{", b"\xff", b"{\"files\": {}} x", &[b'['; 10_000]] {
            assert_eq!(blamed(read_upload(body)), None);
        }
    }

    #[test]
    fn limits_hold() {
        let files =
            |count: usize| (0..count).map(|i| (i.to_string(), json!(""))).collect::<serde_json::Map<_, _>>();
        assert_eq!(upload(&json!({"files": files(5_000)})).unwrap().files.len(), 5_000);
        let error = upload(&json!({"files": files(5_001)})).unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: 5_000, .. }), "{error}");
        let error = upload(&json!({"files": {"a": "x".repeat(10 * 1024 * 1024 + 1)}})).unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: 10_485_760, .. }), "{error}");
    }

    #[test]
    fn a_patch_deletes_with_null() {
        let changes = read_patch(br#"{"files": {"./a": null, "b": "x", "c": {"base64": "eA=="}}}"#).unwrap();
        let expected = [("a", None), ("b", Some(b"x".to_vec())), ("c", Some(b"x".to_vec()))];
        assert_eq!(changes, expected.map(|(path, content)| (path.to_owned(), content)).into());
        assert_eq!(blamed(read_patch(br#"{"files": {"../a": null}}"#)).as_deref(), Some("../a"));
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|v| json!(v)),
            any::<i64>().prop_map(|v| json!(v)),
            ".{0,12}".prop_map(|v| json!(v)),
        ];
        let key = prop_oneof![Just("files".to_owned()), Just("base64".to_owned()), ".{0,8}"];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|v| json!(v)),
                prop::collection::hash_map(key.clone(), inner, 0..5).prop_map(|v| json!(v)),
            ]
        })
    }

    proptest! {
        #[test]
        fn arbitrary_json_is_read_or_refused(files in any_json(), other in any_json()) {
            for body in [json!({"files": files}), other] {
                let body = body.to_string();
                if let Ok(upload) = read_upload(body.as_bytes()) {
                    for path in upload.files.keys() {
                        prop_assert_eq!(&path::file(path).unwrap(), path);
                    }
                }
                let _ = read_patch(body.as_bytes());
            }
        }
    }
}
