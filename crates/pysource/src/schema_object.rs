//! What a schema, a media type or a parameter of a document says by itself, without what it refers to.

use serde_json::{Map, Value};

use crate::json::field;

/// The first media type and its schema, JSON before others.
pub(crate) fn first_content(value: &Value) -> Option<(&str, &Value)> {
    let content = field(value, "content")?.as_object()?;
    let json = content.get_key_value("application/json");
    let (name, media) = json.or_else(|| content.iter().next())?;
    Some((name, field(media, "schema")?))
}

/// The schema of a parameter: its own, or that of its first media type.
pub(crate) fn schema_of(parameter: &Value) -> Option<&Value> {
    field(parameter, "schema").or_else(|| first_content(parameter).map(|(_, schema)| schema))
}

/// The alternatives that describe something: neither null, nor that part of a form is left out.
pub(crate) fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let all = field(schema, "anyOf").or_else(|| field(schema, "oneOf")).and_then(Value::as_array);
    let is_absence = |part: &Value| {
        let mut keys = part.as_object().into_iter().flat_map(Map::keys).peekable();
        keys.peek().is_some() && keys.all(|key| matches!(key.as_str(), "not" | "maxProperties"))
    };
    all.into_iter().flatten().filter(move |part| !is_null(part) && !is_absence(part))
}

fn is_null(schema: &Value) -> bool {
    field(schema, "type").is_some_and(|kind| kind == "null")
}

/// The one alternative, where there is just one.
pub(crate) fn single_alternative(schema: &Value) -> Option<&Value> {
    let mut all = alternatives(schema);
    let only = all.next()?;
    all.next().is_none().then_some(only)
}

pub(crate) fn declared_type(schema: &Value) -> Option<&'static str> {
    match field(schema, "type")? {
        Value::String(name) => known_type(name),
        Value::Array(names) => {
            let mut known = names.iter().filter_map(Value::as_str).filter_map(known_type);
            known.clone().find(|name| *name != "null").or_else(|| known.next())
        }
        _ => None,
    }
}

fn known_type(name: &str) -> Option<&'static str> {
    ["string", "integer", "number", "boolean", "array", "object", "null"]
        .into_iter()
        .find(|known| *known == name)
}

pub(crate) fn value_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

pub(crate) fn implied_type(schema: &Value) -> &'static str {
    if field(schema, "items").is_some() || field(schema, "prefixItems").is_some() {
        "array"
    } else {
        "object"
    }
}
