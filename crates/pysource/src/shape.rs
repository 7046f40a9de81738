//! What an operation takes, in as much of JSON Schema as a form needs, with references followed.

use serde_json::{Map, Value, json};

use crate::endpoint::{Body, Parameter};
use crate::flatten::{DocumentError, Reader};
use crate::json::{FEW, field, has};
use crate::schema_object::{alternatives, first_content, schema_of};

/// How deep objects and arrays are described; a type is all that is said of what lies deeper.
const DEPTH: usize = 6;
/// Bytes of names, descriptions, defaults and examples that the entries of one document may repeat.
pub(crate) const REPEATED: usize = 2 * 1024 * 1024;
/// Said of a value as the document says it.
const KEPT: [&str; 12] = [
    "format",
    "enum",
    "const",
    "default",
    "example",
    "examples",
    "description",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "required",
];

impl<'a> Reader<'a> {
    /// A parameter object that has been resolved.
    pub(crate) fn parameter(
        &mut self,
        parameter: &'a Value,
        name: &str,
        place: &str,
    ) -> Result<Parameter, DocumentError> {
        let schema = schema_of(parameter);
        let mut schema =
            schema.map_or_else(|| Ok(json!({"type": "string"})), |schema| self.shape(schema, 0))?;
        for key in ["description", "example"] {
            if let (Some(value), Some(shape)) = (field(parameter, key), schema.as_object_mut())
                && self.repeat(value)
            {
                shape.entry(key).or_insert_with(|| value.clone());
            }
        }
        let required =
            place == "path" || field(parameter, "required").and_then(Value::as_bool).unwrap_or(false);
        Ok(Parameter { name: name.to_owned(), place: place.to_owned(), required, schema })
    }

    /// What a request body object describes.
    pub(crate) fn body_shape(&mut self, body: Option<&'a Value>) -> Result<Option<Body>, DocumentError> {
        let Some(body) = body.map(|body| self.resolve(body)) else { return Ok(None) };
        let Some((content_type, schema)) = first_content(body) else { return Ok(None) };
        let required = field(body, "required").and_then(Value::as_bool).unwrap_or(false);
        Ok(Some(Body { content_type: content_type.to_owned(), required, schema: self.shape(schema, 0)? }))
    }

    fn shape(&mut self, schema: &'a Value, depth: usize) -> Result<Value, DocumentError> {
        let kind = self.type_name(schema, 0)?;
        let mut shape = Map::new();
        shape.insert("type".to_owned(), kind.into());
        if depth <= DEPTH {
            self.describe(schema, depth, 0, &mut shape)?;
        }
        Ok(shape.into())
    }

    /// Adds what a schema says, and what the parts that it is made of say; what was said first counts.
    fn describe(
        &mut self,
        schema: &'a Value,
        depth: usize,
        nested: usize,
        shape: &mut Map<String, Value>,
    ) -> Result<(), DocumentError> {
        self.spend()?;
        self.keep(schema, shape);
        let referred = self.resolve(schema);
        if !std::ptr::eq(referred, schema) {
            self.keep(referred, shape);
        }
        let schema = referred;
        if field(schema, "contentMediaType").is_some() {
            shape.entry("format").or_insert_with(|| "binary".into());
        }
        self.properties(schema, depth, shape)?;
        if let Some(items) =
            field(schema, "items").filter(|_| shape["type"] == "array" && !has(shape, "items"))
        {
            let items = self.shape(items, depth + 1)?;
            shape.insert("items".to_owned(), items);
        }
        if nested > DEPTH {
            return Ok(());
        }
        for part in field(schema, "allOf").and_then(Value::as_array).into_iter().flatten() {
            self.describe(part, depth, nested + 1, shape)?;
        }
        if let Some(first) = alternatives(schema).next() {
            self.describe(first, depth, nested + 1, shape)?;
        }
        Ok(())
    }

    fn properties(
        &mut self,
        schema: &'a Value,
        depth: usize,
        shape: &mut Map<String, Value>,
    ) -> Result<(), DocumentError> {
        let Some(properties) = field(schema, "properties").and_then(Value::as_object) else { return Ok(()) };
        for (name, property) in properties {
            if !self.has_room(name.len()) {
                break;
            }
            let property = self.shape(property, depth + 1)?;
            let room = properties.len().min(FEW);
            let known = shape.entry("properties").or_insert_with(|| Map::with_capacity(room).into());
            if let Some(known) = known.as_object_mut() {
                known.insert(name.clone(), property);
            }
        }
        Ok(())
    }

    fn keep(&mut self, schema: &'a Value, shape: &mut Map<String, Value>) {
        for key in KEPT {
            if let Some(value) = field(schema, key).filter(|_| !has(shape, key))
                && self.repeat(value)
            {
                shape.insert(key.to_owned(), value.clone());
            }
        }
    }

    /// Whether a value may be repeated in an entry: references could make a small document an endless answer.
    fn repeat(&mut self, value: &Value) -> bool {
        let size = size_of(value, self.room);
        self.has_room(size)
    }

    fn has_room(&mut self, size: usize) -> bool {
        match self.room.checked_sub(size.max(1)) {
            Some(room) => {
                self.room = room;
                true
            }
            None => false,
        }
    }
}

/// Bytes of a value, about; counting ends once it is over `limit`.
fn size_of(value: &Value, limit: usize) -> usize {
    let mut size = 1;
    match value {
        Value::String(text) => size += text.len(),
        Value::Array(values) => {
            for value in values {
                if size > limit {
                    break;
                }
                size += size_of(value, limit - size);
            }
        }
        Value::Object(values) => {
            for (name, value) in values {
                if size > limit {
                    break;
                }
                size += name.len() + size_of(value, limit - size);
            }
        }
        _ => {}
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entries;

    fn of(operation: &Value, schemas: &Value) -> Value {
        let document = json!({"paths": {"/": {"post": operation}}, "components": {"schemas": schemas}});
        serde_json::to_value(entries(&document).unwrap().remove(0)).unwrap()
    }

    #[test]
    fn a_body_says_what_a_form_must_know() {
        let schemas = json!({
            "Colour": {"type": "string", "enum": ["red", "blue"]},
            "Part": {"type": "object", "properties": {"size": {"type": "number", "default": 1.5}}},
            "Thing": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "minLength": 1, "examples": ["Lamp"]},
                "colour": {"anyOf": [{"$ref": "#/components/schemas/Colour"}, {"type": "null"}]},
                "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
                "inner": {"$ref": "#/components/schemas/Thing"}}}});
        let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}});
        let entry = of(&json!({"requestBody": {"required": true, "content": content}}), &schemas);
        let body = &entry["body"];
        assert_eq!((&body["contentType"], &body["required"]), (&"application/json".into(), &true.into()));
        let schema = &body["schema"];
        assert_eq!(schema["required"], json!(["name"]));
        let properties = &schema["properties"];
        assert_eq!(properties["name"], json!({"type": "string", "minLength": 1, "examples": ["Lamp"]}));
        assert_eq!(properties["colour"], json!({"type": "string", "enum": ["red", "blue"]}));
        assert_eq!(properties["parts"]["items"]["properties"]["size"]["default"], 1.5);
        assert_eq!(
            properties["inner"]["properties"]["name"]["minLength"], 1,
            "a cycle is followed for a while"
        );
    }

    #[test]
    fn a_form_has_the_fields_of_the_models_in_it() {
        let schemas = json!({"Profile": {"type": "object", "properties": {"name": {"type": "string"}}}});
        let absent = json!({"not": {"anyOf": [{"required": ["name"]}]}});
        let profile = json!({"anyOf": [absent, {"anyOf": [{"$ref": "#/components/schemas/Profile"}]}]});
        let form = json!({"type": "object", "properties": {"token": {"type": "string"}}, "allOf": [profile]});
        let content = json!({"application/x-www-form-urlencoded": {"schema": form}});
        let entry = of(&json!({"requestBody": {"content": content}}), &schemas);
        assert_eq!(entry["requestBody"], json!({"name": "string", "token": "string"}));
        let properties = entry["body"]["schema"]["properties"].as_object().unwrap();
        assert_eq!(properties.keys().collect::<Vec<_>>(), ["token", "name"]);
    }

    #[test]
    fn files_and_parameters_are_told() {
        let file = json!({"type": "string", "contentMediaType": "application/octet-stream"});
        let form = json!({"type": "object", "properties": {"cover": file}});
        let entry = of(
            &json!({"requestBody": {"content": {"multipart/form-data": {"schema": form}}},
                "parameters": [{"name": "limit", "in": "query", "required": true, "description": "How many",
                    "schema": {"type": "integer", "maximum": 9, "default": 3}}]}),
            &json!({}),
        );
        assert_eq!(entry["body"]["contentType"], "multipart/form-data");
        assert_eq!(
            entry["body"]["schema"]["properties"]["cover"],
            json!({"type": "string", "format": "binary"})
        );
        let schema = json!({"type": "integer", "maximum": 9, "default": 3, "description": "How many"});
        assert_eq!(
            entry["parameters"],
            json!([{"name": "limit", "in": "query", "required": true, "schema": schema}])
        );
    }

    #[test]
    fn a_small_document_cannot_make_a_large_answer() {
        let long = "x".repeat(100_000);
        let use_of =
            json!({"post": {"requestBody": {"content": {"text/plain": {"schema": {"$ref": "#/c"}}}}}});
        let paths: Map<String, Value> = (0..500).map(|i| (format!("/{i}"), use_of.clone())).collect();
        let document = json!({"c": {"type": "string", "description": long}, "paths": paths});
        let answer = serde_json::to_string(&entries(&document).unwrap()).unwrap();
        assert!(answer.len() < REPEATED + 500 * 400, "{}", answer.len());
    }
}
