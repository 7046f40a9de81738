//! From a route to its operation in an OpenAPI document, as FastAPI decides it.

mod body;
mod dependencies;
mod forms;
mod parameters;
mod responses;
mod security;
mod signature;
mod source;

use std::rc::Rc;

use serde_json::{Value as Json, json};

use crate::interp::strings::title;
use crate::interp::value::{Id, Route, RouteKind, Value, keyword};
use crate::json::object;
use crate::schema::{Schema, Schemas};
use dependencies::Dependant;

/// An operation with what the document's components need for it.
pub(crate) struct Operation {
    pub(crate) object: Schema,
    /// Security schemes by name.
    pub(crate) schemes: Vec<(String, Json)>,
    /// The schema of validation errors is referred to.
    pub(crate) validates: bool,
}

impl Schemas<'_, '_> {
    /// The operation of a route for one of its methods.
    pub(crate) fn operation(&mut self, id: Id, method: &str) -> Operation {
        let route = self.interp.heap.routes[id].clone();
        self.met_unknown = false;
        let name = self.route_name(&route);
        let unique_id = self.unique_id(id, &route, &name, method);
        let dependant = self.dependant_of(&route);
        let mut described = Schema::with_capacity(8);
        let tags: Vec<Json> = route
            .context
            .tags
            .iter()
            .filter_map(|tag| self.interp.shown_text(tag))
            .map(|tag| tag.as_ref().into())
            .collect();
        if !tags.is_empty() {
            described.insert("tags".to_owned(), tags.into());
        }
        let text = |this: &Self, key: &str| {
            keyword(&route.options, key)
                .map(|value| this.interp.plain(value))
                .and_then(|v| v.as_str().map(str::to_owned))
        };
        let summary = text(self, "summary").unwrap_or_else(|| title(&name.replace('_', " ")));
        described.insert("summary".to_owned(), summary.into());
        if let Some(description) = text(self, "description").or_else(|| self.documentation(&route)) {
            described.insert("description".to_owned(), description.into());
        }
        let operation_id = text(self, "operation_id").unwrap_or_else(|| unique_id.clone());
        described.insert("operationId".to_owned(), operation_id.into());
        if route.context.deprecated {
            described.insert("deprecated".to_owned(), true.into());
        }
        let schemes = self.describe_security(&dependant, &mut described);
        let has_parameters = self.describe_parameters(&dependant, &mut described);
        let body = self.describe_body(&dependant, &unique_id);
        let validates = has_parameters || body.is_some();
        if let Some(body) = body.filter(|_| !matches!(method, "GET" | "HEAD" | "OPTIONS")) {
            described.insert("requestBody".to_owned(), body);
        }
        let mut responses = self.responses(&route, &unique_id);
        let validates =
            validates && ["422", "4XX", "default"].iter().all(|status| !responses.contains_key(*status));
        if validates {
            responses.insert("422".to_owned(), self.unprocessable.clone());
        }
        described.insert("responses".to_owned(), Json::Object(responses));
        self.add_extra(&route, &mut described);
        if self.met_unknown {
            let message = format!(
                "a type of {method} {} cannot be known: it is shown as anything",
                route.context.prefix
            );
            self.interp.warn_at(route.place.clone(), message);
        }
        Operation { object: described, schemes, validates }
    }

    fn dependant_of(&mut self, route: &Route) -> Dependant {
        let names = path_names(&route.context.prefix);
        self.dependant(route, &names)
    }

    /// The function's or class's name, unless the route is given one.
    fn route_name(&mut self, route: &Route) -> String {
        if let Some(Value::Str(name)) = keyword(&route.options, "name") {
            return name.to_string();
        }
        let endpoint = match &route.endpoint {
            Value::Instance(id) => Value::Class(self.interp.heap.instances[*id].class),
            other => other.clone(),
        };
        match self.interp.attribute(&endpoint, "__name__") {
            Value::Str(name) => name.to_string(),
            _ => String::from("endpoint"),
        }
    }

    fn unique_id(&mut self, id: Id, route: &Route, name: &str, method: &str) -> String {
        if let Some(custom) = route.context.unique_id.clone()
            && matches!(custom, Value::Function(_))
        {
            match self.interp.call(&custom, vec![Value::Route(id)], Vec::new()) {
                Value::Str(made) => return made.to_string(),
                _ => self
                    .interp
                    .warn_at(route.place.clone(), "the operation id cannot be known: FastAPI's own is shown"),
            }
        }
        let first = if route.kind == RouteKind::Http { route.methods.first().map(Rc::as_ref) } else { None };
        let path = without_converters(&route.context.prefix);
        let safe =
            |text: &str| text.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect::<String>();
        format!("{}_{}", safe(&format!("{name}{path}")), first.unwrap_or(method).to_lowercase())
    }

    /// The docstring up to a form feed.
    fn documentation(&mut self, route: &Route) -> Option<String> {
        let Value::Function(id) = route.endpoint else { return None };
        let function = self.interp.shown(id);
        let text = match keyword(&function.attributes, "__doc__") {
            Some(given) => crate::schema::clean(given.as_str()?),
            None => crate::schema::docstring(&function.def.body)?,
        };
        Some(text.split('\u{c}').next().unwrap_or(&text).trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn add_extra(&mut self, route: &Route, object: &mut Schema) {
        let extra = keyword(&route.options, "openapi_extra").cloned();
        if let Some(Json::Object(extra)) = extra.and_then(|extra| self.json(&extra)) {
            merge(object, extra);
        }
    }
}

/// What almost every operation answers to requests that do not fit.
pub(crate) fn unprocessable() -> Json {
    json!({"description": "Validation Error", "content": {"application/json":
        {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}}})
}

/// The `content` of a body or response: a schema by its media type.
fn content(media_type: &str, schema: Json) -> Json {
    object([(media_type, object([("schema", schema)]).into())]).into()
}

/// Puts what is new into an object, and into the objects in it.
pub(crate) fn merge(target: &mut Schema, more: Schema) {
    for (key, value) in more {
        match (target.get_mut(&key), value) {
            (Some(Json::Object(inner)), Json::Object(value)) => merge(inner, value),
            (Some(Json::Array(inner)), Json::Array(value)) => inner.extend(value),
            (_, value) => {
                target.insert(key, value);
            }
        }
    }
}

/// The path as documents show it: `{file:path}` is `{file}`.
pub(crate) fn without_converters(path: &str) -> String {
    let mut shown = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        shown.push_str(before);
        shown.push('{');
        shown.push_str(name.split(':').next().unwrap_or(name));
        shown.push('}');
        rest = tail;
    }
    shown.push_str(rest);
    shown
}

/// The names of the parameters in a path.
fn path_names(path: &str) -> Vec<String> {
    let shown = without_converters(path);
    let parts = shown.split('{').skip(1);
    parts.filter_map(|part| part.split_once('}')).map(|(name, _)| name.to_owned()).collect()
}
