//! The fields of models: their types, what is said about them, and how they are called.

use std::rc::Rc;

use super::fields::{FieldInfo, Start};
use super::{ClassKind, Mode, Schemas};
use crate::interp::classes::Field;
use crate::interp::strings::title;
use crate::interp::value::{Id, Value, keyword, last_part};

/// A field of a model.
#[derive(Clone, Debug)]
pub(crate) struct ModelField {
    pub(crate) name: String,
    /// From an alias generator.
    alias: Option<String>,
    pub(crate) ty: Value,
    pub(crate) scope: usize,
    pub(crate) info: FieldInfo,
    /// False in a TypedDict that need not be complete.
    total: bool,
    optional: bool,
}

impl<'a> Schemas<'_, 'a> {
    /// The fields of a model with their types and what is said about them.
    pub(crate) fn model_fields(&mut self, class: Id, kind: ClassKind) -> Vec<ModelField> {
        let config = self.interp.settings_config(class);
        let generator = keyword(&config, "alias_generator").cloned();
        let total =
            !matches!(keyword(&self.interp.heap.classes[class].keywords, "total"), Some(Value::Bool(false)));
        let mut made = Vec::new();
        for field in self.interp.fields(class) {
            let Some(mut field) = self.model_field(&field, kind) else { continue };
            if let (Some(generator), None) = (&generator, field.info.text("alias")) {
                field.alias = self.generated_alias(generator, &field.name);
            }
            field.total = total;
            made.push(field);
        }
        made
    }

    fn model_field(&mut self, field: &Field<'a>, kind: ClassKind) -> Option<ModelField> {
        if field.name.starts_with('_') || field.name == "model_config" {
            return None;
        }
        let ty = self.annotation(field.annotation, field.scope);
        if self.is_generic_of(&ty, "ClassVar")
            || matches!(&ty, Value::External(n) if last_part(n) == "ClassVar")
        {
            return None;
        }
        let (inner, metadata) = self.unwrapped(&ty);
        let mut info = FieldInfo::from_metadata(self.interp, &metadata);
        match &field.default {
            Some(Value::Call(id)) => {
                let call = self.interp.heap.calls[*id].clone();
                match last_part(&call.callee) {
                    "Relationship" | "relationship" | "PrivateAttr" => return None,
                    "field" if kind == ClassKind::Dataclass => {
                        info.start = match call.argument(0, "default") {
                            Some(value) => Start::Default(value.clone()),
                            None if keyword(&call.keywords, "default_factory").is_some() => Start::Made,
                            None => Start::Required,
                        };
                    }
                    _ if super::fields::is_marker(&call.callee) => {
                        info.extend(FieldInfo::from_call(self.interp, &call));
                    }
                    _ => info.start = Start::Default(Value::Call(*id)),
                }
            }
            Some(value) => info.start = Start::Default(value.clone()),
            None if self.is_optional_in_v1(&inner) && info.required() => info.start = Start::Made,
            None => {}
        }
        if info.is("exclude") && kind == ClassKind::Model {
            info.keywords.push((Rc::from("hidden"), Value::Bool(true)));
        }
        let optional = self.is_generic_of(&ty, "NotRequired");
        Some(ModelField {
            name: field.name.to_owned(),
            alias: None,
            ty: inner,
            scope: field.scope,
            info,
            total: true,
            optional,
        })
    }

    /// The type inside `Annotated`, and the metadata from the inside out.
    pub(crate) fn unwrapped(&self, ty: &Value) -> (Value, Vec<Value>) {
        let (mut inner, mut metadata) = (ty.clone(), Vec::new());
        for _ in 0..16 {
            let Value::Generic(id) = &inner else { break };
            let generic = &self.interp.heap.generics[*id];
            if !matches!(&generic.base, Value::External(name) if last_part(name) == "Annotated") {
                break;
            }
            let Some((first, rest)) = generic.args.split_first() else { break };
            metadata.splice(0..0, rest.iter().cloned());
            inner = first.clone();
        }
        (inner, metadata)
    }

    pub(crate) fn is_generic_of(&self, ty: &Value, name: &str) -> bool {
        let Value::Generic(id) = ty else { return false };
        matches!(&self.interp.heap.generics[*id].base, Value::External(base) if last_part(base) == name)
    }

    /// Whether pydantic gives a field of that type a title of its own.
    pub(crate) fn is_titled(&self, ty: &Value) -> bool {
        let (inner, _) = self.unwrapped(ty);
        if let Some(args) = self.union_args(&inner) {
            let members: Vec<Value> =
                self.union_members(&args).into_iter().filter(|one| *one != Value::None).collect();
            return match &members[..] {
                [only] => self.is_titled(only),
                _ => true,
            };
        }
        let class = match &inner {
            Value::Class(id) => Some(*id),
            Value::Generic(id) => match self.interp.heap.generics[*id].base {
                Value::Class(class) => Some(class),
                _ => None,
            },
            _ => None,
        };
        class.is_none_or(|class| matches!(self.class_kind(class), ClassKind::Other | ClassKind::Derived))
    }

    pub(super) fn generated_alias(&mut self, generator: &Value, name: &str) -> Option<String> {
        if let Value::External(function) = generator {
            return Some(match last_part(function) {
                "to_camel" | "camelize" => {
                    let pascal = pascal(name);
                    let mut characters = pascal.chars();
                    let first = characters.next()?;
                    first.to_lowercase().chain(characters).collect()
                }
                "to_pascal" | "pascalize" => pascal(name),
                _ => return None,
            });
        }
        match self.interp.call(generator, vec![Value::str(name)], Vec::new()) {
            Value::Str(alias) => Some(alias.to_string()),
            _ => None,
        }
    }
}

impl ModelField {
    /// The name in documents of that direction.
    pub(crate) fn shown(&self, mode: Mode) -> &str {
        let own = match mode {
            Mode::Input => self.info.text("validation_alias"),
            Mode::Output => self.info.text("serialization_alias"),
        };
        own.or_else(|| self.info.text("alias")).or(self.alias.as_deref()).unwrap_or(&self.name)
    }

    pub(super) fn title_name(&self) -> &str {
        self.info.text("alias").unwrap_or(&self.name)
    }

    pub(super) fn required(&self, kind: ClassKind) -> bool {
        self.info.required() && !self.optional && (kind != ClassKind::TypedDict || self.total)
    }
}

fn pascal(name: &str) -> String {
    title(name).replace('_', "")
}
