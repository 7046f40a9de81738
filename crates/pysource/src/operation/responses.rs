//! What an operation answers.

use serde_json::{Value as Json, json};

use crate::interp::strings::title;
use crate::interp::value::{Route, Value, first_part, keyword, last_part};
use crate::interp::yields;
use crate::json::object;
use crate::schema::{Env, Mode, Schema, Schemas};

use super::{content, merge};

impl Schemas<'_, '_> {
    pub(super) fn responses(&mut self, route: &Route, unique_id: &str) -> Schema {
        let class = route.context.response_class.clone();
        let media_type = self.media_type_of(class.as_ref());
        let is_json = media_type.is_some() && self.is_json(class.as_ref());
        let status = match keyword(&route.options, "status_code").map(|value| self.status(value)) {
            Some(Some(status)) => status,
            _ if self.class_name(class.as_ref()) == "RedirectResponse" => 307,
            _ => 200,
        };
        let description = keyword(&route.options, "response_description").and_then(Value::as_str);
        let mut response = object([("description", description.unwrap_or("Successful Response").into())]);
        let has_body = !(status < 200 || matches!(status, 204 | 205 | 304));
        let model = self.response_model(route).filter(|_| has_body);
        if let Some(content) = self.streamed(route, class.as_ref()).filter(|_| has_body) {
            response.insert("content".to_owned(), content);
        } else if let Some(media_type) = media_type.as_deref().filter(|_| has_body) {
            let schema = match model {
                _ if !is_json => json!({"type": "string"}),
                Some((ty, env)) => {
                    let schema = self.schema(&ty, &env, Mode::Output);
                    Json::Object(self.titled_schema(&ty, schema, &format!("Response_{unique_id}")))
                }
                None => json!({}),
            };
            response.insert("content".to_owned(), content(media_type, schema));
        }
        let mut responses = Schema::new();
        responses.insert(status.to_string(), response.into());
        let media_type = media_type.unwrap_or_else(|| "application/json".to_owned());
        self.additional(route, unique_id, &media_type, &mut responses);
        responses
    }

    fn titled_schema(&self, ty: &Value, mut schema: Schema, name: &str) -> Schema {
        if self.is_titled(ty) {
            schema.insert("title".to_owned(), title(&name.replace('_', " ")).into());
        }
        schema
    }

    fn status(&mut self, value: &Value) -> Option<i64> {
        match self.interp.plain(value) {
            Value::Int(status) => Some(status),
            // `fastapi.status.HTTP_201_CREATED`, `http.HTTPStatus.CREATED`.
            Value::External(name) => {
                let last = last_part(&name);
                let digits = last.strip_prefix("HTTP_").and_then(|rest| rest.get(..3)?.parse().ok());
                digits.or_else(|| http_status(last))
            }
            _ => None,
        }
    }

    /// The type that is answered with: the one that is declared, or the annotation, unless it is a response itself.
    fn response_model(&mut self, route: &Route) -> Option<(Value, Env)> {
        match keyword(&route.options, "response_model") {
            Some(Value::None) => return None,
            Some(model) => return Some((model.clone(), Env::of(self.scope_of(route)))),
            None => {}
        }
        let Value::Function(id) = route.endpoint else { return None };
        let function = self.interp.shown(id);
        let returns = function.def.returns.as_deref()?;
        let ty = self.annotation(returns, function.signature);
        let is_response = |name: &str| {
            last_part(name).ends_with("Response") && matches!(first_part(name), "fastapi" | "starlette")
        };
        let is_none = match &ty {
            Value::None => true,
            Value::External(name) => is_response(name),
            Value::Class(id) => self.interp.external_bases(*id).iter().any(|base| is_response(base)),
            _ => false,
        };
        if is_none {
            return None;
        }
        Some((ty, Env::of(function.signature)))
    }

    fn scope_of(&self, route: &Route) -> usize {
        match route.endpoint {
            Value::Function(id) => self.interp.heap.functions[id].signature,
            _ => 0,
        }
    }

    fn class_name(&self, class: Option<&Value>) -> String {
        match class {
            Some(Value::External(name)) => last_part(name).to_owned(),
            Some(Value::Class(id)) => {
                let base = self.interp.external_bases(*id).into_iter().next();
                base.map_or_else(String::new, |base| last_part(&base).to_owned())
            }
            _ => String::new(),
        }
    }

    /// Whether a response class writes JSON, so that the type that is answered with counts.
    fn is_json(&self, class: Option<&Value>) -> bool {
        let json = |name: &str| name.ends_with("JSONResponse") || name == "UJSONResponse";
        match class {
            Some(Value::Class(id)) => {
                self.interp.external_bases(*id).iter().any(|base| json(last_part(base)))
            }
            Some(Value::External(name)) => json(last_part(name)),
            _ => true,
        }
    }

    /// Newer FastAPI streams what a generator yields, an item a line or as events.
    fn streamed(&mut self, route: &Route, class: Option<&Value>) -> Option<Json> {
        let Value::Function(id) = route.endpoint else { return None };
        let function = self.interp.shown(id);
        if self.interp.versions.copies_on_include || !yields(&function.def.body) {
            return None;
        }
        let events = self.class_name(class) == "EventSourceResponse";
        if class.is_some() && !events {
            return None;
        }
        let ty = function.def.returns.as_deref().map(|returns| self.annotation(returns, function.signature));
        let item = ty.and_then(|ty| match ty {
            Value::Generic(id) => self.interp.heap.generics[id].args.first().cloned(),
            _ => None,
        });
        let env = Env::of(function.signature);
        if events {
            return Some(json!({"text/event-stream": {"itemSchema": {"type": "object"}}}));
        }
        let schema = item.map_or_else(Schema::new, |item| self.schema(&item, &env, Mode::Output));
        Some(object([("application/jsonl", object([("itemSchema", schema.into())]).into())]).into())
    }

    /// The media type of a response class; None for one that has no fixed one.
    fn media_type_of(&mut self, class: Option<&Value>) -> Option<String> {
        if let Some(Value::Class(id)) = class
            && let Some(Value::Str(own)) = self.interp.class_attribute(*id, "media_type")
        {
            return Some(own.to_string());
        }
        Some(
            match self.class_name(class).as_str() {
                "HTMLResponse" => "text/html",
                "PlainTextResponse" => "text/plain",
                "RedirectResponse" | "StreamingResponse" | "FileResponse" | "Response" => return None,
                "EventSourceResponse" => "text/event-stream",
                _ => "application/json",
            }
            .to_owned(),
        )
    }

    /// `responses={404: {"model": …}}` of the route and of what it is in.
    fn additional(&mut self, route: &Route, unique_id: &str, media_type: &str, responses: &mut Schema) {
        for declared in &route.context.responses {
            let Value::Dict(id) = declared else { continue };
            for (code, response) in self.interp.heap.dicts[*id].clone() {
                let Some(code) = self
                    .status(&code)
                    .map(|code| code.to_string())
                    .or_else(|| code.as_str().map(str::to_owned))
                else {
                    continue;
                };
                let code = if code.eq_ignore_ascii_case("default") {
                    "default".to_owned()
                } else {
                    code.to_uppercase()
                };
                let described = self.additional_response(&response, route, &code, unique_id, media_type);
                let entry = responses.entry(code.clone()).or_insert_with(|| json!({}));
                if let (Some(entry), Json::Object(described)) = (entry.as_object_mut(), described) {
                    merge(entry, described);
                    let usual = reason(&code);
                    entry.entry("description").or_insert_with(|| usual.into());
                }
            }
        }
    }

    fn additional_response(
        &mut self,
        response: &Value,
        route: &Route,
        code: &str,
        unique_id: &str,
        media_type: &str,
    ) -> Json {
        let Value::Dict(id) = response else { return json!({}) };
        let mut made = Schema::new();
        for (key, value) in self.interp.heap.dicts[*id].clone() {
            match key.as_str() {
                Some("model") if value != Value::None => {
                    let env = Env::of(self.scope_of(route));
                    let schema = self.schema(&value, &env, Mode::Output);
                    let schema = self.titled_schema(&value, schema, &format!("Response_{code}_{unique_id}"));
                    merge(&mut made, object([("content", content(media_type, schema.into()))]));
                }
                Some(key) if key != "model" => {
                    if let Some(Json::Object(inner)) = self.json(&value).map(|inner| json!({key: inner})) {
                        merge(&mut made, inner);
                    }
                }
                _ => {}
            }
        }
        Json::Object(made)
    }
}

fn http_status(name: &str) -> Option<i64> {
    Some(match name {
        "OK" => 200,
        "CREATED" => 201,
        "ACCEPTED" => 202,
        "NO_CONTENT" => 204,
        "MOVED_PERMANENTLY" => 301,
        "FOUND" => 302,
        "SEE_OTHER" => 303,
        "NOT_MODIFIED" => 304,
        "TEMPORARY_REDIRECT" => 307,
        "BAD_REQUEST" => 400,
        "UNAUTHORIZED" => 401,
        "FORBIDDEN" => 403,
        "NOT_FOUND" => 404,
        "CONFLICT" => 409,
        "UNPROCESSABLE_ENTITY" => 422,
        "INTERNAL_SERVER_ERROR" => 500,
        _ => return None,
    })
}

/// What a status means, where nobody says.
fn reason(code: &str) -> &'static str {
    match code {
        "200" => "OK",
        "201" => "Created",
        "202" => "Accepted",
        "204" => "No Content",
        "302" => "Found",
        "304" => "Not Modified",
        "400" => "Bad Request",
        "401" => "Unauthorized",
        "403" => "Forbidden",
        "404" => "Not Found",
        "409" => "Conflict",
        "418" => "I'm a Teapot",
        "422" => "Unprocessable Entity",
        "429" => "Too Many Requests",
        "500" => "Internal Server Error",
        "503" => "Service Unavailable",
        "default" => "Default Response",
        "4XX" => "Client Error",
        "5XX" => "Server Error",
        _ => "Additional Response",
    }
}
