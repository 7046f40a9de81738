//! Credentials that an operation asks for.

use serde_json::{Value as Json, json};

use super::dependencies::Dependant;
use crate::interp::value::{Keywords, Value, first_part, keyword, last_part};
use crate::schema::{Schema, Schemas};

const SCHEMES: [&str; 11] = [
    "OAuth2PasswordBearer",
    "OAuth2AuthorizationCodeBearer",
    "OAuth2",
    "HTTPBearer",
    "HTTPBasic",
    "HTTPDigest",
    "APIKeyHeader",
    "APIKeyQuery",
    "APIKeyCookie",
    "OpenIdConnect",
    "HTTPBase",
];

impl Schemas<'_, '_> {
    /// Whether a dependency is one of FastAPI's security schemes, or a subclass of one.
    pub(super) fn is_security(&self, target: &Value) -> bool {
        self.scheme_class(target).is_some()
    }

    /// The library's class of a scheme, the name it has, and the arguments it was made with.
    fn scheme_class(&self, target: &Value) -> Option<(String, String, Keywords)> {
        let is_scheme = |name: &str| first_part(name) == "fastapi" && SCHEMES.contains(&last_part(name));
        match target {
            Value::Call(id) => {
                let call = &self.interp.heap.calls[*id];
                is_scheme(&call.callee).then(|| {
                    let name = last_part(&call.callee).to_owned();
                    let mut keywords = call.keywords.clone();
                    if let (Some(first), "OAuth2PasswordBearer") = (call.args.first(), name.as_str()) {
                        keywords.push(("tokenUrl".into(), first.clone()));
                    }
                    (name.clone(), name, keywords)
                })
            }
            Value::Instance(id) => {
                let instance = &self.interp.heap.instances[*id];
                let base =
                    self.interp.external_bases(instance.class).into_iter().find(|base| is_scheme(base))?;
                let name = self.interp.heap.classes[instance.class].name.to_string();
                let keywords = self.interp.router_options(*id);
                Some((last_part(&base).to_owned(), name, keywords))
            }
            _ => None,
        }
    }

    /// Adds what the operation asks for; gives the schemes for the document's components.
    pub(super) fn describe_security(
        &mut self,
        dependant: &Dependant,
        object: &mut Schema,
    ) -> Vec<(String, Json)> {
        let mut asked: Vec<(String, Vec<String>)> = Vec::new();
        let mut schemes: Vec<(String, Json)> = Vec::new();
        for (target, scopes) in &dependant.security {
            let Some((class, name, keywords)) = self.scheme_class(target) else { continue };
            let name = keyword(&keywords, "scheme_name").and_then(Value::as_str).map_or(name, str::to_owned);
            match asked.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => {
                    let more: Vec<String> =
                        scopes.iter().filter(|scope| !known.contains(scope)).cloned().collect();
                    known.extend(more);
                }
                None => asked.push((name.clone(), scopes.clone())),
            }
            schemes.push((name, self.scheme(&class, &keywords)));
        }
        if !asked.is_empty() {
            let security: Vec<Json> = asked.into_iter().map(|(name, scopes)| json!({name: scopes})).collect();
            object.insert("security".to_owned(), security.into());
        }
        schemes
    }

    fn scheme(&mut self, class: &str, keywords: &Keywords) -> Json {
        let text =
            |name: &str| keyword(keywords, name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let scopes = keyword(keywords, "scopes").cloned().and_then(|scopes| self.json(&scopes));
        let scopes = scopes.filter(Json::is_object).unwrap_or_else(|| json!({}));
        let mut scheme = match class {
            "OAuth2PasswordBearer" => json!({"type": "oauth2", "flows": {"password":
                {"scopes": scopes, "tokenUrl": text("tokenUrl")}}}),
            "OAuth2AuthorizationCodeBearer" => json!({"type": "oauth2", "flows": {"authorizationCode":
                {"scopes": scopes, "authorizationUrl": text("authorizationUrl"), "tokenUrl": text("tokenUrl")}}}),
            "OAuth2" => {
                let flows = keyword(keywords, "flows").cloned().and_then(|flows| self.json(&flows));
                json!({"type": "oauth2", "flows": flows.unwrap_or_else(|| json!({}))})
            }
            "HTTPBasic" => json!({"type": "http", "scheme": "basic"}),
            "HTTPDigest" => json!({"type": "http", "scheme": "digest"}),
            "HTTPBearer" => json!({"type": "http", "scheme": "bearer"}),
            "HTTPBase" => json!({"type": "http", "scheme": text("scheme")}),
            "OpenIdConnect" => json!({"type": "openIdConnect", "openIdConnectUrl": text("openIdConnectUrl")}),
            _ => {
                let place = class.trim_start_matches("APIKey").to_lowercase();
                json!({"type": "apiKey", "in": place, "name": text("name")})
            }
        };
        for key in ["description", "bearerFormat"] {
            if !text(key).is_empty() {
                scheme[key] = text(key).into();
            }
        }
        scheme
    }
}
