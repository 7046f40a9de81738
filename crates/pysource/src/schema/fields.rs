//! What `Field(…)`, `Query(…)` and their like say about a field.

use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::{Schema, Schemas};
use crate::interp::Interp;
use crate::interp::value::{Call, Keywords, Value, first_part, keyword, last_part};

/// FastAPI's and pydantic's markers.
const MARKERS: [&str; 11] =
    ["Field", "Query", "Path", "Header", "Cookie", "Body", "Form", "File", "Depends", "Security", "Param"];
/// Arguments that bound a value, with their keys, and those for arrays.
const BOUNDS: [(&str, &str, &str); 10] = [
    ("gt", "exclusiveMinimum", "exclusiveMinimum"),
    ("ge", "minimum", "minimum"),
    ("lt", "exclusiveMaximum", "exclusiveMaximum"),
    ("le", "maximum", "maximum"),
    ("multiple_of", "multipleOf", "multipleOf"),
    ("min_length", "minLength", "minItems"),
    ("max_length", "maxLength", "maxItems"),
    ("pattern", "pattern", "pattern"),
    ("min_items", "minItems", "minItems"),
    ("max_items", "maxItems", "maxItems"),
];

/// What a field starts with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Start {
    /// It has to be given.
    #[default]
    Required,
    Default(Value),
    /// It has a default that a function makes.
    Made,
}

/// What is known of a field besides its type.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldInfo {
    /// `Query`, `Field`, …; empty if nothing was said.
    pub(crate) marker: Rc<str>,
    pub(crate) start: Start,
    pub(crate) keywords: Keywords,
    bounds: Vec<(&'static str, Json)>,
}

impl FieldInfo {
    /// From the metadata of `Annotated`; later ones win, and FastAPI's own beat pydantic's `Field`.
    pub(crate) fn from_metadata(interp: &Interp<'_>, metadata: &[Value]) -> Self {
        let mut info = Self::default();
        for value in metadata {
            let Value::Call(id) = value else {
                if let Value::External(name) = value
                    && MARKERS.contains(&last_part(name))
                {
                    info.marker = Rc::from(last_part(name));
                }
                continue;
            };
            let call = interp.heap.calls[*id].clone();
            let inner = Self::from_call(interp, &call);
            info.bounds.extend(inner.bounds);
            info.keywords.extend(inner.keywords);
            if !inner.marker.is_empty() && (inner.marker.as_ref() != "Field" || info.marker.is_empty()) {
                info.marker = inner.marker;
            }
            if inner.start != Start::Required {
                info.start = inner.start;
            }
        }
        info
    }

    /// From a call of a marker, of `annotated_types` or of `StringConstraints`.
    pub(crate) fn from_call(interp: &Interp<'_>, call: &Call) -> Self {
        let name = last_part(&call.callee);
        if let Some(bound) = annotated_type(name) {
            let value = call.args.first().cloned().unwrap_or(Value::Unknown);
            let mut keywords = call.keywords.clone();
            keywords.push((Rc::from(bound), value));
            return Self::from_keywords(interp, &keywords);
        }
        if name == "StringConstraints" || name == "Interval" || name == "Len" {
            return Self::from_keywords(interp, &call.keywords);
        }
        if !is_marker(&call.callee) {
            return Self::default();
        }
        let mut info = Self::from_keywords(interp, &call.keywords);
        info.marker = Rc::from(name);
        if !matches!(name, "Depends" | "Security") {
            info.start = match call.argument(0, "default") {
                Some(Value::Ellipsis) | None => Start::Required,
                Some(Value::External(undefined)) if last_part(undefined).contains("Undefined") => {
                    Start::Required
                }
                Some(value) => Start::Default(value.clone()),
            };
            if keyword(&call.keywords, "default_factory").is_some_and(|factory| *factory != Value::None) {
                info.start = Start::Made;
            }
        } else if let Some(dependency) = call.args.first() {
            info.keywords.push((Rc::from("dependency"), dependency.clone()));
        }
        info
    }

    /// The bounds among the arguments of a call.
    pub(crate) fn from_keywords(interp: &Interp<'_>, keywords: &Keywords) -> Self {
        let first_choice = |value: &Value| match value {
            Value::Call(id) if last_part(&interp.heap.calls[*id].callee) == "AliasChoices" => {
                interp.heap.calls[*id].args.first().cloned()
            }
            _ => None,
        };
        let kept = keywords.iter().map(|(name, value)| match name.as_ref() {
            "validation_alias" => (name.clone(), first_choice(value).unwrap_or_else(|| value.clone())),
            _ => (name.clone(), value.clone()),
        });
        let mut info = Self { keywords: kept.collect(), ..Self::default() };
        for (name, value) in keywords {
            let name = if name.as_ref() == "regex" { "pattern" } else { name.as_ref() };
            let Some((key, ..)) = BOUNDS.iter().find(|(key, ..)| *key == name) else { continue };
            let json = match interp.plain(value) {
                Value::Int(number) => Json::from(number),
                Value::Float(number) => Json::from(number),
                Value::Str(text) => Json::from(text.as_ref()),
                _ => continue,
            };
            info.bounds.push((key, json));
        }
        info
    }

    /// Adds what `other`, which comes later, says.
    pub(crate) fn extend(&mut self, other: Self) {
        if !other.marker.is_empty() {
            self.marker = other.marker;
        }
        if other.start != Start::Required {
            self.start = other.start;
        }
        self.keywords.extend(other.keywords);
        self.bounds.extend(other.bounds);
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        keyword(&self.keywords, name).and_then(Value::as_str)
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        matches!(keyword(&self.keywords, name), Some(Value::Bool(true)))
    }

    pub(crate) fn required(&self) -> bool {
        self.start == Start::Required
    }

    /// The schema of the type, within the bounds.
    pub(crate) fn apply(&self, mut schema: Schema) -> Schema {
        for (name, value) in &self.bounds {
            bound(&mut schema, name, value);
        }
        if let Some(property) = self.text("discriminator")
            && let Some(Json::Array(alternatives)) = schema.remove("anyOf")
        {
            let (null, kinds): (Vec<Json>, Vec<Json>) =
                alternatives.into_iter().partition(|one| one["type"] == "null");
            let mut chosen = Schema::new();
            chosen.insert("oneOf".to_owned(), kinds.into());
            chosen.insert("discriminator".to_owned(), json!({"propertyName": property}));
            if null.is_empty() {
                schema.extend(chosen);
            } else {
                let alternatives: Vec<Json> = [Json::Object(chosen)].into_iter().chain(null).collect();
                schema.insert("anyOf".to_owned(), alternatives.into());
            }
        }
        schema
    }

    /// The schema of a field of that name: bounds, title, description, default.
    pub(crate) fn describe(
        &self,
        schemas: &mut Schemas<'_, '_>,
        schema: Schema,
        title: Option<String>,
    ) -> Schema {
        let mut schema = self.apply(schema);
        let title = title.filter(|_| !(schemas.is_v1() && schema.contains_key("$ref")));
        if let Some(title) = self.text("title").map(str::to_owned).or(title) {
            schema.insert("title".to_owned(), title.into());
        }
        if let Some(description) = self.text("description") {
            schema.insert("description".to_owned(), description.into());
        }
        if let Start::Default(value) = &self.start
            && let Some(json) = schemas.json(value)
            && !json.is_null()
        {
            schema.insert("default".to_owned(), json);
        }
        for (from, to) in [("examples", "examples"), ("deprecated", "deprecated")] {
            let value = keyword(&self.keywords, from).cloned();
            if let Some(json) =
                value.and_then(|value| schemas.json(&value)).filter(|json| *json != Json::Bool(false))
            {
                schema.insert(to.to_owned(), json);
            }
        }
        let extra = keyword(&self.keywords, "json_schema_extra").cloned();
        if let Some(Json::Object(extra)) = extra.and_then(|extra| schemas.json(&extra)) {
            schema.extend(extra);
        }
        if schemas.is_v1() { super::pydantic_v1::around_reference(schema) } else { schema }
    }
}

/// Puts a bound where it belongs: on the alternatives besides null, under the key of their type.
fn bound(schema: &mut Schema, name: &str, value: &Json) {
    if let Some(Json::Array(alternatives)) = schema.get_mut("anyOf") {
        for alternative in alternatives.iter_mut().filter_map(Json::as_object_mut) {
            if alternative.get("type").is_some_and(|kind| kind != "null") {
                bound(alternative, name, value);
            }
        }
        return;
    }
    let Some((_, usual, array)) = BOUNDS.iter().find(|(key, ..)| *key == name) else { return };
    let key = match (schema.get("type").and_then(Json::as_str), name) {
        (Some("array"), "min_length" | "max_length") => array,
        (Some("object"), "min_length") => "minProperties",
        (Some("object"), "max_length") => "maxProperties",
        (Some("string"), "min_length" | "max_length" | "pattern") => usual,
        (Some("string"), _) | (_, "min_length" | "max_length" | "pattern") => return,
        _ => usual,
    };
    schema.insert(key.to_owned(), value.clone());
}

fn annotated_type(name: &str) -> Option<&'static str> {
    Some(match name {
        "Gt" => "gt",
        "Ge" => "ge",
        "Lt" => "lt",
        "Le" => "le",
        "MultipleOf" => "multiple_of",
        "MinLen" => "min_length",
        "MaxLen" => "max_length",
        _ => return None,
    })
}

/// Whether a library's function marks a field.
pub(crate) fn is_marker(callee: &str) -> bool {
    let from = ["fastapi", "pydantic", "sqlmodel"];
    MARKERS.contains(&last_part(callee)) && from.contains(&first_part(callee))
}
