//! Parameters in path, query, headers and cookies.

use serde_json::Value as Json;

use super::dependencies::{Dependant, Param};
use super::source::Source;
use crate::interp::strings::title;
use crate::interp::value::{Value, keyword};
use crate::json::{field, object};
use crate::schema::fields::FieldInfo;
use crate::schema::{ClassKind, Env, Mode, Schema, Schemas};

/// Places in the order of FastAPI's documents.
const PLACES: [(Source, &str); 4] = [
    (Source::Path, "path"),
    (Source::Query, "query"),
    (Source::Header, "header"),
    (Source::Cookie, "cookie"),
];

impl Schemas<'_, '_> {
    /// Adds the parameters; says whether there are any.
    pub(super) fn describe_parameters(&mut self, dependant: &Dependant, object: &mut Schema) -> bool {
        let mut parameters: Vec<Json> = Vec::new();
        let mut any = false;
        for (source, place) in PLACES {
            for param in dependant.params.iter().filter(|param| param.source == source) {
                any = true;
                for parameter in self.described(param, place) {
                    replace_or_push(&mut parameters, parameter);
                }
            }
        }
        if !parameters.is_empty() {
            object.insert("parameters".to_owned(), parameters.into());
        }
        any
    }

    /// One parameter, or the fields of a model that stands for several.
    fn described(&mut self, param: &Param, place: &str) -> Vec<Json> {
        if is_false(&param.info, "include_in_schema") {
            return Vec::new();
        }
        let convert = place == "header" && !is_false(&param.info, "convert_underscores");
        if let Some((class, optional)) = self.parameter_model(param) {
            let kind = self.class_kind(class);
            let fields = self.model_fields(class, kind);
            return fields
                .iter()
                .map(|field| {
                    let alias = field.shown(Mode::Input);
                    let name = if convert && alias == field.name {
                        alias.replace('_', "-")
                    } else {
                        alias.to_owned()
                    };
                    let env = Env::of(field.scope);
                    let required = field.info.required() && !optional;
                    self.parameter(&name, place, required, &field.ty, &env, &field.info)
                })
                .collect();
        }
        let name = match param.info.text("validation_alias").or(param.info.text("alias")) {
            Some(alias) => alias.to_owned(),
            None if convert => param.name.replace('_', "-"),
            None => param.name.clone(),
        };
        let required = place == "path" || param.info.required();
        vec![self.parameter(&name, place, required, &param.ty, &param.env, &param.info)]
    }

    fn parameter(
        &mut self,
        name: &str,
        place: &str,
        required: bool,
        ty: &Value,
        env: &Env,
        info: &FieldInfo,
    ) -> Json {
        let schema = self.schema(ty, env, Mode::Input);
        let shown = self.is_titled(ty).then(|| title(&name.replace('_', " ")));
        let schema = info.describe(self, schema, shown);
        let mut parameter = object([
            ("name", name.into()),
            ("in", place.into()),
            ("required", required.into()),
            ("schema", schema.into()),
        ]);
        if let Some(description) = info.text("description") {
            parameter.insert("description".to_owned(), description.into());
        }
        if info.is("deprecated") {
            parameter.insert("deprecated".to_owned(), true.into());
        }
        parameter.into()
    }

    /// The model of a parameter that stands for all its fields, and whether it may be absent.
    fn parameter_model(&self, param: &Param) -> Option<(usize, bool)> {
        if param.source == Source::Path {
            return None;
        }
        let members = match self.union_args(&param.ty) {
            Some(args) => self.union_members(&args),
            None => vec![param.ty.clone()],
        };
        let optional = members.contains(&Value::None) && !param.info.required();
        let mut others = members.into_iter().filter(|member| *member != Value::None);
        match (others.next(), others.next()) {
            (Some(Value::Class(id)), None) if self.class_kind(id) == ClassKind::Model => Some((id, optional)),
            _ => None,
        }
    }
}

fn is_false(info: &FieldInfo, name: &str) -> bool {
    matches!(keyword(&info.keywords, name), Some(Value::Bool(false)))
}

/// Of two parameters of one name, a required one stays.
fn replace_or_push(parameters: &mut Vec<Json>, parameter: Json) {
    let alike = |other: &Json, key| field(other, key) == field(&parameter, key);
    match parameters.iter_mut().find(|other| alike(other, "name") && alike(other, "in")) {
        Some(known) if known["required"] == true && parameter["required"] != true => {}
        Some(known) => *known = parameter,
        None => parameters.push(parameter),
    }
}
