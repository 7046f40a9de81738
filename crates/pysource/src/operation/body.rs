//! The request's body: one model, or one made of several parameters.

use std::rc::Rc;

use serde_json::Value as Json;

use super::content;
use super::dependencies::{Dependant, Param};
use super::source::Source;
use crate::interp::strings::title;
use crate::interp::value::Value;
use crate::json::object;
use crate::schema::{ClassKind, Mode, Schema, Schemas, typed};

impl Schemas<'_, '_> {
    pub(super) fn describe_body(&mut self, dependant: &Dependant, unique_id: &str) -> Option<Json> {
        let params: Vec<&Param> = dependant
            .params
            .iter()
            .filter(|param| matches!(param.source, Source::Body | Source::Form | Source::File))
            .collect();
        let first = *params.first()?;
        let embedded = self.is_embedded(&params);
        let media_type = media_type(&params, embedded);
        let (schema, required) = if embedded {
            let required = params.iter().any(|param| param.info.required());
            (self.combined(&params, unique_id), required)
        } else if self.is_optional_form(first) {
            (self.combined(&params[..1], unique_id), first.info.required())
        } else {
            let schema = self.schema(&first.ty, &first.env, Mode::Input);
            let shown = self.is_titled(&first.ty).then(|| title(&first.name.replace('_', " ")));
            (first.info.describe(self, schema, shown), first.info.required())
        };
        let mut body = object([("content", content(&media_type, schema.into()))]);
        if required {
            body.insert("required".to_owned(), true.into());
        }
        Some(body.into())
    }

    /// Whether the parameters are fields of a body of their own.
    fn is_embedded(&self, params: &[&Param]) -> bool {
        let Some((first, others)) = params.split_first() else { return false };
        let is_form = !self.form_models(first).is_empty();
        others.iter().any(|param| param.name != first.name || (is_form && param.ty != first.ty))
            || first.info.is("embed")
            || (first.source != Source::Body && !self.is_model(&first.ty) && !is_form)
    }

    fn is_model(&self, ty: &Value) -> bool {
        match ty {
            Value::Class(id) => self.class_kind(*id) == ClassKind::Model,
            _ => false,
        }
    }

    /// `Body_…`: an object with a field for each parameter, and with those of the models among a form's.
    fn combined(&mut self, params: &[&Param], unique_id: &str) -> Schema {
        let name = format!("Body_{unique_id}");
        let key: Rc<str> = Rc::from(format!("body {unique_id}"));
        let params: Vec<Param> = params.iter().map(|param| (*param).clone()).collect();
        self.defined(key, &name.clone(), &name.clone(), Mode::Input, |this| {
            let mut properties = Schema::new();
            let mut required: Vec<Json> = Vec::new();
            let mut conditions: Vec<Json> = Vec::new();
            for param in &params {
                let models = this.form_models(param);
                if !models.is_empty() {
                    conditions.extend(this.form_conditions(param, &models));
                    continue;
                }
                let alias = param.info.text("alias").unwrap_or(&param.name).to_owned();
                if properties.contains_key(&alias) {
                    continue;
                }
                if param.info.required() {
                    required.push(alias.clone().into());
                }
                let schema = this.schema(&param.ty, &param.env, Mode::Input);
                let shown = this.is_titled(&param.ty).then(|| title(&alias.replace('_', " ")));
                let schema = param.info.describe(this, schema, shown);
                properties.insert(alias, Json::Object(schema));
            }
            let mut schema = typed("object");
            if conditions.is_empty() || !properties.is_empty() {
                schema.insert("properties".to_owned(), Json::Object(properties));
            }
            if !conditions.is_empty() {
                schema.insert("allOf".to_owned(), conditions.into());
            }
            if !required.is_empty() {
                schema.insert("required".to_owned(), required.into());
            }
            schema.insert("title".to_owned(), name.into());
            schema
        })
    }
}

/// Files make it multipart, forms url-encoded, all else is JSON unless it says otherwise.
fn media_type(params: &[&Param], embedded: bool) -> String {
    let considered = if embedded { params } else { &params[..1] };
    if considered.iter().any(|param| param.source == Source::File) {
        return "multipart/form-data".to_owned();
    }
    let form = considered.iter().find(|param| param.source == Source::Form);
    let chosen = form.or(considered.first());
    let own = chosen.and_then(|param| param.info.text("media_type"));
    let usual = if form.is_some() { "application/x-www-form-urlencoded" } else { "application/json" };
    own.unwrap_or(usual).to_owned()
}
