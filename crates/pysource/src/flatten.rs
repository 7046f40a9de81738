//! From an OpenAPI document, our own or a hostile one, to the flat entries of `GET /endpoints`.

use serde_json::{Map, Value};

use crate::endpoint::{Endpoint, Fields, Parameter, RequestSchema};
use crate::json::{field, member};
use crate::schema_object::{
    declared_type, first_content, implied_type, schema_of, single_alternative, value_type,
};
use crate::shape::REPEATED;

/// How many values may be looked at for one document: references can make a small one endless.
const WORK: usize = 2_000_000;
/// How many references and alternatives may follow one another.
const DEPTH: usize = 32;
/// How many parameters of one operation are described.
const PARAMETERS: usize = 200;
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

const SCHEMAS: &str = "#/components/schemas/";

/// Why a document was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not an object with an object of `paths`.
    #[error("the document has no paths")]
    NoPaths,
    /// It takes more work than any honest document.
    #[error("the document is too large to read")]
    TooLarge,
}

/// The operations of an OpenAPI document, in its order.
///
/// A type that the document leaves open is `object`, and of several alternatives the first counts.
///
/// # Errors
/// [`DocumentError`] for what is no OpenAPI document, or takes too long to read.
pub fn entries(document: &Value) -> Result<Vec<Endpoint>, DocumentError> {
    let paths = field(document, "paths").and_then(Value::as_object).ok_or(DocumentError::NoPaths)?;
    let mut reader = Reader::new(document);
    let mut found = Vec::new();
    for (path, item) in paths {
        let Some(item) = reader.resolve(item).as_object() else { continue };
        for method in METHODS {
            if let Some(operation) = member(item, method).and_then(Value::as_object) {
                found.push(reader.endpoint(method, path, operation, member(item, "parameters"))?);
            }
        }
    }
    Ok(found)
}

/// One operation object, with its references looked up in `document`.
pub(crate) fn entry(
    document: &Value,
    method: &str,
    path: &str,
    operation: &Map<String, Value>,
) -> Result<Endpoint, DocumentError> {
    Reader::new(document).endpoint(method, path, operation, None)
}

pub(crate) struct Reader<'a> {
    document: &'a Value,
    /// `components/schemas` of it.
    schemas: Option<&'a Map<String, Value>>,
    work: usize,
    /// Bytes that entries may still repeat of it.
    pub(crate) room: usize,
}

impl<'a> Reader<'a> {
    fn new(document: &'a Value) -> Self {
        let schemas = field(document, "components").and_then(|parts| field(parts, "schemas")?.as_object());
        Self { document, schemas, work: WORK, room: REPEATED }
    }

    fn endpoint(
        &mut self,
        method: &str,
        path: &str,
        operation: &'a Map<String, Value>,
        shared: Option<&'a Value>,
    ) -> Result<Endpoint, DocumentError> {
        let method = method.to_uppercase();
        let (request_schema, parameters) = self.parameters(shared, member(operation, "parameters"))?;
        let endpoint = Endpoint {
            description: text(operation, "description").or(text(operation, "summary")).unwrap_or_default(),
            request_schema: (!request_schema.is_empty()).then_some(request_schema),
            request_body: self.body(member(operation, "requestBody"))?,
            parameters,
            body: self.body_shape(member(operation, "requestBody"))?,
            response_schema: self.response(member(operation, "responses"))?,
            tags: strings(member(operation, "tags")),
            operation_id: text(operation, "operationId").unwrap_or_else(|| format!("{method} {path}")),
            deprecated: member(operation, "deprecated").and_then(Value::as_bool).unwrap_or(false),
            secured: secured(member(operation, "security").or_else(|| field(self.document, "security"))),
            in_schema: None,
            path: path.to_owned(),
            method,
        };
        Ok(endpoint)
    }

    /// Parameters of the operation beat those of its path item.
    fn parameters(
        &mut self,
        shared: Option<&'a Value>,
        own: Option<&'a Value>,
    ) -> Result<(RequestSchema, Vec<Parameter>), DocumentError> {
        let mut places = RequestSchema::default();
        let mut all: Vec<Parameter> = Vec::new();
        for list in [shared, own].into_iter().flatten().filter_map(Value::as_array) {
            for parameter in list {
                let parameter = self.resolve(parameter);
                let text = |key| field(parameter, key).and_then(Value::as_str);
                let (Some(name), Some(place)) = (text("name"), text("in")) else { continue };
                let schema = schema_of(parameter);
                let kind = schema.map_or(Ok("string"), |schema| self.type_name(schema, 0))?;
                let fields = match place {
                    "query" => &mut places.query,
                    "path" => &mut places.path,
                    "header" => &mut places.header,
                    "cookie" => &mut places.cookie,
                    _ => continue,
                };
                fields.insert(name.to_owned(), kind);
                all.retain(|known| (known.name.as_str(), known.place.as_str()) != (name, place));
                if all.len() < PARAMETERS {
                    all.push(self.parameter(parameter, name, place)?);
                }
            }
        }
        Ok((places, all))
    }

    fn body(&mut self, body: Option<&'a Value>) -> Result<Option<Fields>, DocumentError> {
        let Some((_, schema)) = body.and_then(|body| first_content(self.resolve(body))) else {
            return Ok(None);
        };
        self.fields(schema).map(Some)
    }

    /// Of the first response in the 200s that has a schema which says something.
    fn response(&mut self, responses: Option<&'a Value>) -> Result<Option<Fields>, DocumentError> {
        let Some(responses) = responses.and_then(Value::as_object) else { return Ok(None) };
        let successful = responses.iter().filter(|(status, _)| status.starts_with('2'));
        for (_, response) in successful {
            match first_content(self.resolve(response)) {
                Some((_, Value::Object(schema))) if schema.keys().all(|key| key == "title") => {}
                Some((_, schema)) => return self.fields(schema).map(Some),
                None => {}
            }
        }
        Ok(None)
    }

    fn fields(&mut self, schema: &'a Value) -> Result<Fields, DocumentError> {
        let mut fields = Fields::new();
        self.collect(schema, &mut fields, 0)?;
        if fields.is_empty() {
            fields.insert("$".to_owned(), self.type_name(schema, 0)?);
        }
        Ok(fields)
    }

    fn collect(&mut self, schema: &'a Value, fields: &mut Fields, depth: usize) -> Result<(), DocumentError> {
        self.spend()?;
        if depth > DEPTH {
            return Ok(());
        }
        let schema = self.resolve(schema);
        for part in field(schema, "allOf").and_then(Value::as_array).into_iter().flatten() {
            self.collect(part, fields, depth + 1)?;
        }
        if let Some(only) = single_alternative(schema) {
            self.collect(only, fields, depth + 1)?;
        }
        for (name, property) in field(schema, "properties").and_then(Value::as_object).into_iter().flatten() {
            let kind = self.type_name(property, 0)?;
            fields.insert(name.clone(), kind);
        }
        Ok(())
    }

    pub(crate) fn type_name(
        &mut self,
        schema: &'a Value,
        depth: usize,
    ) -> Result<&'static str, DocumentError> {
        self.spend()?;
        if depth > DEPTH {
            return Ok("object");
        }
        let schema = self.resolve(schema);
        if let Some(name) = declared_type(schema) {
            return Ok(name);
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            for part in field(schema, key).and_then(Value::as_array).into_iter().flatten() {
                let name = self.type_name(part, depth + 1)?;
                if name != "null" {
                    return Ok(name);
                }
            }
        }
        let value = field(schema, "const").or_else(|| field(schema, "enum").and_then(|values| values.get(0)));
        Ok(value.map_or_else(|| implied_type(schema), value_type))
    }

    /// What a chain of references inside the document ends at; what leads nowhere stays as it is.
    pub(crate) fn resolve(&self, value: &'a Value) -> &'a Value {
        let mut value = value;
        for _ in 0..DEPTH {
            let Some(reference) = field(value, "$ref").and_then(Value::as_str) else { break };
            let Some(target) = self.target(reference) else { break };
            value = target;
        }
        value
    }

    /// What a reference names; most name one of the document's schemas, with nothing escaped.
    fn target(&self, reference: &str) -> Option<&'a Value> {
        match (reference.strip_prefix(SCHEMAS), self.schemas) {
            (Some(name), Some(schemas)) if !name.contains(['/', '~']) => schemas.get(name),
            _ => self.document.pointer(reference.strip_prefix('#')?),
        }
    }

    pub(crate) fn spend(&mut self) -> Result<(), DocumentError> {
        self.work = self.work.checked_sub(1).ok_or(DocumentError::TooLarge)?;
        Ok(())
    }
}

/// Credentials are asked for unless one of the alternatives asks for none.
fn secured(security: Option<&Value>) -> bool {
    let Some(alternatives) = security.and_then(Value::as_array) else { return false };
    !alternatives.is_empty()
        && alternatives.iter().all(|one| one.as_object().is_some_and(|one| !one.is_empty()))
}

fn text(operation: &Map<String, Value>, key: &str) -> Option<String> {
    member(operation, key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_parameters_body_and_response() {
        let document = json!({"paths": {"/users/{id}": {
            "parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}],
            "post": {
                "summary": "Make", "operationId": "make", "tags": ["users"], "deprecated": true,
                "security": [{"OAuth2": []}],
                "parameters": [
                    {"name": "q", "in": "query", "schema": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
                    {"name": "x-key", "in": "header", "schema": {"$ref": "#/components/schemas/Colour"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}},
                "responses": {"201": {"content": {"application/json": {
                    "schema": {"type": "array", "items": {"$ref": "#/components/schemas/User"}}}}}}}}},
            "components": {"schemas": {
                "Colour": {"enum": ["red"]},
                "User": {"properties": {"name": {"type": "string"}, "friends": {"type": "array"},
                    "best": {"$ref": "#/components/schemas/User"}}}}}});
        let mut found = serde_json::to_value(entries(&document).unwrap()).unwrap();
        // What they say in detail is tested beside it.
        let entry = found[0].as_object_mut().unwrap();
        assert!(entry.remove("parameters").is_some() && entry.remove("body").is_some());
        assert_eq!(
            found,
            json!([{"method": "POST", "path": "/users/{id}", "description": "Make",
                "requestSchema": {"query": {"q": "string"}, "path": {"id": "integer"}, "header": {"x-key": "string"}},
                "requestBody": {"name": "string", "friends": "array", "best": "object"},
                "responseSchema": {"$": "array"}, "tags": ["users"], "operationId": "make",
                "deprecated": true, "secured": true}])
        );
    }

    #[test]
    fn cycles_of_references_end() {
        let document = json!({"paths": {"/": {"get": {"responses": {"200": {"content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/A"}}}}}}}},
            "components": {"schemas": {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}}}});
        let found = entries(&document).unwrap();
        assert_eq!(found[0].response_schema.as_ref().unwrap()["$"], "object");
    }

    #[test]
    fn a_document_that_multiplies_itself_is_refused() {
        let both =
            |to: usize| json!({"allOf": [{"$ref": format!("#/c/{to}")}, {"$ref": format!("#/c/{to}")}]});
        let schemas: Map<String, Value> = (0..40).map(|i| (i.to_string(), both(i + 1))).collect();
        let document = json!({"c": schemas, "paths": {"/": {"get": {"requestBody":
            {"content": {"application/json": {"schema": {"$ref": "#/c/0"}}}}}}}});
        assert_eq!(entries(&document), Err(DocumentError::TooLarge));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let key = prop::sample::select(vec![
            "paths",
            "/",
            "get",
            "post",
            "parameters",
            "schema",
            "$ref",
            "anyOf",
            "allOf",
            "type",
            "properties",
            "responses",
            "200",
            "content",
            "application/json",
            "requestBody",
            "name",
            "in",
            "enum",
            "security",
        ]);
        let word =
            prop::sample::select(vec!["#/paths", "#", "#/paths/~1/get", "query", "string", "null", ""]);
        let leaf =
            prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), word.prop_map(Value::from)];
        leaf.prop_recursive(8, 128, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key.clone().prop_map(str::to_owned), inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn never_panics(document in any_json()) {
            let wrapped = json!({"paths": {"/": document, "/x": {"get": document}}});
            let _ = entries(&wrapped);
        }
    }
}
