//! What a project offers, as the API tells it.

use indexmap::IndexMap;
use serde::Serialize;

/// Field or parameter names with the OpenAPI type of each, in the order of their declaration.
pub type Fields = IndexMap<String, &'static str>;

/// One operation, serialised as an entry of `GET /endpoints`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// `GET`, `POST`, …; `WEBSOCKET` for WebSockets, `MOUNT` for a mounted application that cannot be read.
    pub method: String,
    /// The full path, parameters in braces without their converters: `/items/{item_id}`.
    pub path: String,
    /// The description, or else the summary.
    pub description: String,
    /// Parameters by place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_schema: Option<RequestSchema>,
    /// Fields of the body; `{"$": type}` for a body that is not an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_body: Option<Fields>,
    /// What it takes besides the body, with all that a form must know of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// The body that it takes, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// Fields of the first successful response; `{"$": type}` for what is not an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_schema: Option<Fields>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its operation id; for what has none, method and path.
    pub operation_id: String,
    /// Marked as deprecated.
    pub deprecated: bool,
    /// Asks for credentials.
    pub secured: bool,
    /// `Some(false)` for what the application's own OpenAPI document leaves out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_schema: Option<bool>,
}

/// One parameter. `schema` is JSON Schema without references, cut where it gets long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// As the request has it.
    pub name: String,
    /// `path`, `query`, `header` or `cookie`.
    #[serde(rename = "in")]
    pub place: String,
    /// Whether it may not be left out.
    pub required: bool,
    /// What it may be.
    pub schema: serde_json::Value,
}

/// A request body. `schema` is JSON Schema without references, cut where it gets long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// `application/json`, `multipart/form-data`, …
    pub content_type: String,
    /// Whether it may not be left out.
    pub required: bool,
    /// What it may be.
    pub schema: serde_json::Value,
}

/// Parameters of an operation by place; empty places are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestSchema {
    /// In the query string.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub query: Fields,
    /// In the path.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub path: Fields,
    /// Among the headers.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub header: Fields,
    /// Among the cookies.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub cookie: Fields,
}

impl RequestSchema {
    /// Whether no place has a parameter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.query.is_empty() && self.path.is_empty() && self.header.is_empty() && self.cookie.is_empty()
    }
}

/// Something that the source does not settle: what is told in its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Warning {
    /// Path in the project.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What cannot be known, and why.
    pub message: String,
}

/// What is served: `module:attribute`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entrypoint {
    /// Dotted module, as `app.main`.
    pub module: String,
    /// Attribute of it, as `app`.
    pub attribute: String,
    /// The attribute is a function that makes the application.
    pub factory: bool,
}

/// What the source says about a project.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// Every operation, hidden ones, mounted ones and WebSockets included.
    pub endpoints: Vec<Endpoint>,
    /// What could not be known.
    pub warnings: Vec<Warning>,
    /// OpenAPI 3.1 document of what the application would list itself.
    pub openapi: serde_json::Value,
    /// What is served, as it was named or found.
    pub served: Option<Entrypoint>,
}

impl Default for Analysis {
    /// Nothing: a document without paths.
    fn default() -> Self {
        let openapi = crate::document::empty();
        Self { endpoints: Vec::new(), warnings: Vec::new(), openapi, served: None }
    }
}
