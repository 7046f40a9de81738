//! Models in forms: their fields are the form's own, beside those of other parameters.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::dependencies::Param;
use super::source::Source;
use crate::interp::strings::title;
use crate::interp::value::{Id, Value, keyword};
use crate::schema::{ClassKind, Mode, Schemas};

impl Schemas<'_, '_> {
    /// The models whose fields a form parameter takes; none if it is a field itself.
    pub(super) fn form_models(&self, param: &Param) -> Vec<Id> {
        if param.source != Source::Form || param.info.is("embed") {
            return Vec::new();
        }
        let models = self.members(&param.ty).into_iter().filter(|member| *member != Value::None);
        let models = models.map(|member| match self.unwrapped(&member).0 {
            Value::Class(id) if self.class_kind(id) == ClassKind::Model => Some(id),
            _ => None,
        });
        models.collect::<Option<Vec<Id>>>().unwrap_or_default()
    }

    /// Whether it is a form that may be left out as a whole.
    pub(super) fn is_optional_form(&self, param: &Param) -> bool {
        self.may_be_none(&param.ty) && !self.form_models(param).is_empty()
    }

    fn may_be_none(&self, ty: &Value) -> bool {
        self.members(ty).contains(&Value::None)
    }

    fn members(&self, ty: &Value) -> Vec<Value> {
        let flat = |ty: &Value| match self.union_args(ty) {
            Some(args) => self.union_members(&args),
            None => vec![ty.clone()],
        };
        // A union among the alternatives may carry its discriminator along.
        flat(ty).iter().flat_map(|member| flat(&self.unwrapped(member).0)).collect()
    }

    /// What a form must meet for one of its models.
    pub(super) fn form_conditions(&mut self, param: &Param, models: &[Id]) -> Vec<Json> {
        let schema = self.schema(&param.ty, &param.env, Mode::Input);
        let shown = (!schema.contains_key("$ref")).then(|| title(&param.name.replace('_', " ")));
        let mut schema = param.info.describe(self, schema, shown);
        schema.remove("default");
        if !self.may_be_none(&param.ty) {
            return vec![schema.into()];
        }
        if let Some(alternatives) = schema.get_mut("anyOf").and_then(Json::as_array_mut) {
            alternatives.retain(|one| one["type"] != "null");
        }
        let absent = self.absent(models);
        if param.info.required() {
            return vec![json!({ "not": absent }), schema.into()];
        }
        vec![json!({ "anyOf": [absent, schema] })]
    }

    /// A form with no field of these models.
    fn absent(&mut self, models: &[Id]) -> Json {
        let looks_at_others = |model: &Id| {
            let config = self.interp.settings_config(*model);
            matches!(keyword(&config, "extra").and_then(Value::as_str), Some("allow" | "forbid"))
        };
        if models.iter().any(looks_at_others) {
            return json!({ "maxProperties": 0 });
        }
        let fields = models.iter().flat_map(|model| self.model_fields(*model, ClassKind::Model));
        let names: BTreeSet<String> = fields.map(|field| field.shown(Mode::Input).to_owned()).collect();
        let any: Vec<Json> = names.iter().map(|name| json!({ "required": [name] })).collect();
        if any.is_empty() { json!({}) } else { json!({ "not": { "anyOf": any } }) }
    }
}
