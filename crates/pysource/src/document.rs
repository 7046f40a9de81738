//! The OpenAPI document around the operations.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::interp::Interp;
use crate::interp::value::{Id, Value, keyword};
use crate::operation::Operation;
use crate::schema::Schemas;

/// Arguments of `FastAPI` that describe the API, and where documents have them.
const INFO: [(&str, &str); 6] = [
    ("summary", "summary"),
    ("description", "description"),
    ("terms_of_service", "termsOfService"),
    ("contact", "contact"),
    ("license_info", "license"),
    ("openapi_external_docs", "externalDocs"),
];

/// A document of an application that offers nothing.
pub(crate) fn empty() -> Json {
    json!({"openapi": "3.1.0", "info": {"title": "FastAPI", "version": "0.1.0"}, "paths": {}})
}

/// The document of an application but for its paths.
pub(crate) fn new<'o>(
    interp: &mut Interp<'_>,
    app: Id,
    components: BTreeMap<String, Json>,
    operations: impl Iterator<Item = &'o Operation>,
) -> Json {
    let mut document = empty();
    describe_application(interp, app, &mut document);
    let mut schemas: BTreeMap<String, Json> = components;
    let mut schemes: BTreeMap<String, Json> = BTreeMap::new();
    let mut validates = false;
    for operation in operations {
        schemes.extend(operation.schemes.iter().cloned());
        validates |= operation.validates;
    }
    if validates {
        schemas.extend(validation_errors(interp.versions.pydantic_v1));
    }
    let mut parts = Map::new();
    for (name, part) in [("schemas", schemas), ("securitySchemes", schemes)] {
        if !part.is_empty() {
            parts.insert(name.to_owned(), part.into_iter().collect::<Map<String, Json>>().into());
        }
    }
    if !parts.is_empty() {
        document["components"] = parts.into();
    }
    document
}

fn describe_application(interp: &mut Interp<'_>, app: Id, document: &mut Json) {
    let options = interp.heap.routers[app].options.clone();
    let plain = |interp: &Interp<'_>, name: &str| keyword(&options, name).map(|value| interp.plain(value));
    for name in ["title", "version"] {
        if let Some(Value::Str(text)) = plain(interp, name) {
            document["info"][name] = text.as_ref().into();
        }
    }
    let mut schemas = Schemas::new(interp);
    for (from, to) in INFO {
        let value = keyword(&options, from).cloned();
        if let Some(value) = value.and_then(|value| schemas.json(&value)).filter(|value| !value.is_null()) {
            let holder = if from == "openapi_external_docs" { &mut *document } else { &mut document["info"] };
            holder[to] = value;
        }
    }
    for (from, to) in [("openapi_tags", "tags"), ("servers", "servers")] {
        let value = keyword(&options, from).cloned();
        if let Some(value) = value.and_then(|value| schemas.json(&value)).filter(Json::is_array) {
            document[to] = value;
        }
    }
    if let Some(root) = keyword(&options, "root_path").and_then(Value::as_str).filter(|root| !root.is_empty())
    {
        document["servers"] = json!([{"url": root.trim_end_matches('/')}]);
    }
}

/// What FastAPI answers to requests that do not fit.
fn validation_errors(pydantic_v1: bool) -> [(String, Json); 2] {
    let mut error = json!({"title": "ValidationError", "type": "object", "required": ["loc", "msg", "type"], "properties": {
        "loc": {"title": "Location", "type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        "msg": {"title": "Message", "type": "string"},
        "type": {"title": "Error Type", "type": "string"}}});
    if !pydantic_v1 {
        error["properties"]["input"] = json!({"title": "Input"});
        error["properties"]["ctx"] = json!({"title": "Context", "type": "object"});
    }
    let answer = json!({"title": "HTTPValidationError", "type": "object", "properties": {
        "detail": {"title": "Detail", "type": "array", "items": {"$ref": "#/components/schemas/ValidationError"}}}});
    [("ValidationError".to_owned(), error), ("HTTPValidationError".to_owned(), answer)]
}
