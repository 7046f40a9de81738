//! How far two OpenAPI documents of one application agree, feature by feature.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// How deep schemas are compared.
const DEPTH: usize = 6;
/// Keys that say what values are, not what they are called.
const MEANING: [&str; 22] = [
    "type",
    "format",
    "contentMediaType",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "maxProperties",
    "discriminator",
    "uniqueItems",
    "default",
    "required",
    "writeOnly",
    "readOnly",
];

/// Agreements and totals by feature, and what differs.
#[derive(Default)]
pub struct Agreement {
    /// `(agreeing, all)` by feature.
    pub counts: BTreeMap<&'static str, (usize, usize)>,
    /// One line for each disagreement.
    pub differences: Vec<String>,
}

impl Agreement {
    /// Share of a feature's agreements, from 0 to 1.
    pub fn share(&self, feature: &str) -> f64 {
        let (agreeing, all) = self.counts.get(feature).copied().unwrap_or((0, 0));
        if all == 0 { 1.0 } else { agreeing as f64 / all as f64 }
    }

    fn count(&mut self, feature: &'static str, place: &str, ours: &Value, theirs: &Value) {
        let counts = self.counts.entry(feature).or_default();
        counts.1 += 1;
        if ours == theirs {
            counts.0 += 1;
        } else {
            self.differences.push(format!("{feature} of {place}:\n    ours   {ours}\n    theirs {theirs}"));
        }
    }

    /// Adds the comparison of two documents.
    pub fn add(&mut self, name: &str, ours: &Value, theirs: &Value) {
        for (path, item) in theirs["paths"].as_object().unwrap_or(&Map::new()) {
            for (method, operation) in item.as_object().unwrap() {
                let place = format!("{name} {method} {path}");
                let found = &ours["paths"][path][method];
                self.count("operation found", &place, &json!(found.is_object()), &json!(true));
                if found.is_object() {
                    self.compare_operation(&place, (ours, found), (theirs, operation));
                }
            }
        }
        for (path, item) in ours["paths"].as_object().unwrap_or(&Map::new()) {
            for method in item.as_object().unwrap().keys() {
                let real = theirs["paths"][path][method].is_object();
                let place = format!("{name} {method} {path}");
                self.count("operation is real", &place, &json!(real), &json!(true));
            }
        }
        self.count(
            "security schemes",
            name,
            &ours["components"]["securitySchemes"],
            &theirs["components"]["securitySchemes"],
        );
    }

    fn compare_operation(&mut self, place: &str, ours: (&Value, &Value), theirs: (&Value, &Value)) {
        for feature in ["summary", "description", "operationId", "tags", "deprecated", "security"] {
            self.count(feature, place, &ours.1[feature], &theirs.1[feature]);
        }
        let (mine, real) = (parameters(ours.0, ours.1), parameters(theirs.0, theirs.1));
        for key in mine.keys().chain(real.keys().filter(|key| !mine.contains_key(*key))) {
            let place = format!("{place} {key}");
            let none = Value::Null;
            self.count("parameter", &place, mine.get(key).unwrap_or(&none), real.get(key).unwrap_or(&none));
        }
        let (mine, real) = (bodies(ours.0, ours.1), bodies(theirs.0, theirs.1));
        self.compare_fields("body field", place, &mine, &real);
        let (mine, real) = (responses(ours.0, ours.1), responses(theirs.0, theirs.1));
        for status in mine.keys().chain(real.keys().filter(|status| !mine.contains_key(*status))) {
            let place = format!("{place} {status}");
            let none = Value::Null;
            let (mine, real) = (mine.get(status).unwrap_or(&none), real.get(status).unwrap_or(&none));
            self.compare_fields("response field", &place, mine, real);
        }
    }

    /// Objects field by field, anything else as one.
    fn compare_fields(&mut self, feature: &'static str, place: &str, ours: &Value, theirs: &Value) {
        if ours.is_null() && theirs.is_null() {
            return;
        }
        let fields = |value: &Value| value["schema"]["properties"].as_object().cloned().unwrap_or_default();
        let (mine, real) = (fields(ours), fields(theirs));
        if mine.is_empty() || real.is_empty() {
            return self.count(feature, place, ours, theirs);
        }
        let conditions = |value: &Value| value["schema"]["allOf"].clone();
        if !(conditions(ours).is_null() && conditions(theirs).is_null()) {
            self.count(feature, &format!("{place} allOf"), &conditions(ours), &conditions(theirs));
        }
        for name in mine.keys().chain(real.keys().filter(|name| !mine.contains_key(*name))) {
            let described = |value: &Value, fields: &Map<String, Value>| {
                let required =
                    value["schema"]["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
                json!([value["media"], fields.get(name), required])
            };
            let place = format!("{place} .{name}");
            self.count(feature, &place, &described(ours, &mine), &described(theirs, &real));
        }
    }
}

fn parameters(document: &Value, operation: &Value) -> BTreeMap<String, Value> {
    let list = operation["parameters"].as_array().cloned().unwrap_or_default();
    let described =
        |one: &Value| json!({"required": one["required"], "schema": meaning(document, &one["schema"], 0)});
    list.iter()
        .map(|one| {
            (
                format!("{} in {}", one["name"].as_str().unwrap_or("?"), one["in"].as_str().unwrap_or("?")),
                described(one),
            )
        })
        .collect()
}

fn content(document: &Value, holder: &Value) -> Value {
    let Some((media, inner)) = holder["content"].as_object().and_then(|content| content.iter().next()) else {
        return Value::Null;
    };
    json!({"media": media, "schema": meaning(document, &inner["schema"], 0)})
}

fn bodies(document: &Value, operation: &Value) -> Value {
    content(document, &operation["requestBody"])
}

fn responses(document: &Value, operation: &Value) -> BTreeMap<String, Value> {
    let all = operation["responses"].as_object().cloned().unwrap_or_default();
    all.iter().map(|(status, response)| (status.clone(), content(document, response))).collect()
}

/// A schema without its words, references resolved.
fn meaning(document: &Value, schema: &Value, depth: usize) -> Value {
    let mut schema = schema.clone();
    if let Some(target) = schema["$ref"].as_str().and_then(|at| document.pointer(at.trim_start_matches('#')))
    {
        let default = schema.get("default").cloned();
        schema = target.clone();
        if let (Some(default), Some(object)) = (default, schema.as_object_mut()) {
            object.insert("default".to_owned(), default);
        }
    }
    if depth > DEPTH {
        return json!("…");
    }
    let inner = |one: &Value| meaning(document, one, depth + 1);
    let mut kept = Map::new();
    for key in MEANING {
        if let Some(value) = schema.get(key) {
            kept.insert(key.to_owned(), plain_number(value));
        }
    }
    for key in ["items", "additionalProperties", "not"] {
        if let Some(value) = schema.get(key) {
            kept.insert(key.to_owned(), inner(value));
        }
    }
    for key in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        if let Some(list) = schema.get(key).and_then(Value::as_array) {
            kept.insert(key.to_owned(), list.iter().map(inner).collect());
        }
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let properties: Map<String, Value> =
            properties.iter().map(|(name, one)| (name.clone(), inner(one))).collect();
        kept.insert("properties".to_owned(), properties.into());
    }
    if schema.is_boolean() { schema } else { kept.into() }
}

/// 1.0 is 1.
fn plain_number(value: &Value) -> Value {
    match value.as_f64() {
        Some(number) if value.is_number() => json!(number),
        _ => value.clone(),
    }
}
