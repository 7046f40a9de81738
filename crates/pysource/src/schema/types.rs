//! From a type to its schema.

use std::rc::Rc;

use serde_json::Value as Json;

use super::fields::FieldInfo;
use super::known::{scalar, written};
use super::pydantic_v1;
use super::{Env, Mode, Schema, Schemas, schema_of, typed, typed_with};
use crate::interp::MODEL_SCHEMA;
use crate::interp::value::{Call, Id, ListKind, Value, last_part};

/// How deep types may be nested in one another, named ones aside.
const DEPTH: usize = 60;

impl Schemas<'_, '_> {
    pub(crate) fn schema(&mut self, ty: &Value, env: &Env, mode: Mode) -> Schema {
        if self.depth > DEPTH || !self.interp.step() {
            self.met_unknown = true;
            return Schema::new();
        }
        self.depth += 1;
        // pydantic 1 has one shape for both.
        let mode = if self.is_v1() { Mode::Input } else { mode };
        let schema = self.any_schema(ty, env, mode);
        self.depth -= 1;
        schema
    }

    fn any_schema(&mut self, ty: &Value, env: &Env, mode: Mode) -> Schema {
        match ty {
            Value::None => typed("null"),
            Value::External(name) => self.scalar(name, mode).unwrap_or_else(|| self.unknown()),
            Value::Str(text) => {
                let resolved = self.interp.forward_reference(text, env.scope);
                if resolved == *ty { self.unknown() } else { self.schema(&resolved, env, mode) }
            }
            Value::Class(id) => self.class_schema(*id, &[], env, mode),
            Value::Generic(id) => {
                let generic = self.interp.heap.generics[*id].clone();
                match &generic.base {
                    Value::Class(class) => self.class_schema(*class, &generic.args, env, mode),
                    Value::External(name) => self.generic(&name.clone(), &generic.args, env, mode),
                    _ => self.unknown(),
                }
            }
            Value::Call(id) => {
                let call = self.interp.heap.calls[*id].clone();
                self.made_type(*id, &call, env, mode)
            }
            _ => self.unknown(),
        }
    }

    fn scalar(&self, name: &str, mode: Mode) -> Option<Schema> {
        let older = if self.is_v1() { pydantic_v1::scalar(name) } else { None };
        older.or_else(|| scalar(name, mode))
    }

    fn unknown(&mut self) -> Schema {
        self.met_unknown = true;
        Schema::new()
    }

    fn generic(&mut self, name: &str, args: &[Value], env: &Env, mode: Mode) -> Schema {
        let first = args.first().cloned().unwrap_or(Value::Unknown);
        match last_part(name) {
            "Optional" => self.union(&[first, Value::None], env, mode),
            "Union" => self.union(args, env, mode),
            "Annotated" => {
                let info = FieldInfo::from_metadata(self.interp, &args[1..]);
                let schema = self.schema(&first, env, mode);
                info.apply(schema)
            }
            "Literal" => self.literal(args),
            "list" | "List" | "Sequence" | "Iterable" | "deque" | "Deque" | "Collection"
            | "MutableSequence" | "AsyncIterable" | "AsyncIterator" | "Iterator" | "Generator"
            | "AsyncGenerator" => {
                let items = self.schema(&first, env, mode);
                typed_with("array", "items", items)
            }
            "set" | "Set" | "frozenset" | "FrozenSet" | "AbstractSet" => {
                let mut schema = typed_with("array", "items", self.schema(&first, env, mode));
                schema.insert("uniqueItems".to_owned(), true.into());
                schema
            }
            "tuple" | "Tuple" => self.tuple(args, env, mode),
            "dict" | "Dict" | "Mapping" | "MutableMapping" | "defaultdict" | "DefaultDict"
            | "OrderedDict" => {
                let values = self.schema(args.get(1).unwrap_or(&Value::Unknown), env, mode);
                if values.is_empty() && self.is_v1() {
                    return typed("object");
                }
                let values = if values.is_empty() { Json::Bool(true) } else { Json::Object(values) };
                typed_with("object", "additionalProperties", values)
            }
            "ClassVar" | "Final" | "Required" | "NotRequired" | "ReadOnly" | "Mapped" | "SkipValidation" => {
                self.schema(&first, env, mode)
            }
            "RootModel" => self.schema(&first, env, mode),
            "Type" | "type" | "Callable" => Schema::new(),
            _ => self.unknown(),
        }
    }

    fn union(&mut self, args: &[Value], env: &Env, mode: Mode) -> Schema {
        let mut alternatives: Vec<Json> = Vec::new();
        let mut nullable = false;
        for arg in self.union_members(args) {
            if matches!(arg, Value::None) {
                nullable = true;
                continue;
            }
            // What has alternatives itself, as Decimal does, adds them.
            let flat = match self.schema(&arg, env, mode) {
                mut schema if schema.len() == 1 => match schema.remove("anyOf") {
                    Some(Json::Array(inner)) => inner,
                    _ => vec![Json::Object(schema)],
                },
                schema => vec![Json::Object(schema)],
            };
            for schema in flat {
                if !alternatives.contains(&schema) {
                    alternatives.push(schema);
                }
            }
        }
        if nullable && !self.is_v1() {
            alternatives.push(Json::Object(typed("null")));
        }
        match <[Json; 1]>::try_from(alternatives) {
            Ok([Json::Object(only)]) => only,
            Ok(_) => Schema::new(),
            Err(alternatives) => schema_of("anyOf", alternatives),
        }
    }

    /// Unions in unions are one.
    pub(crate) fn union_members(&self, args: &[Value]) -> Vec<Value> {
        let mut members = Vec::new();
        for arg in args {
            match self.union_args(arg) {
                Some(inner) if members.len() < 200 => members.extend(self.union_members(&inner)),
                _ => members.push(arg.clone()),
            }
        }
        members
    }

    /// The alternatives of `Optional[X]`, `Union[X, Y]` and `X | Y`.
    pub(crate) fn union_args(&self, ty: &Value) -> Option<Vec<Value>> {
        let Value::Generic(id) = ty else { return None };
        let generic = &self.interp.heap.generics[*id];
        let Value::External(name) = &generic.base else { return None };
        match last_part(name) {
            "Union" => Some(generic.args.clone()),
            "Optional" => Some(generic.args.iter().cloned().chain([Value::None]).collect()),
            _ => None,
        }
    }

    fn literal(&mut self, args: &[Value]) -> Schema {
        let values: Option<Vec<Json>> = args.iter().map(|arg| self.json(arg)).collect();
        let Some(values) = values else { return self.unknown() };
        enumeration(values, !self.is_v1())
    }

    fn tuple(&mut self, args: &[Value], env: &Env, mode: Mode) -> Schema {
        if let [item, Value::Ellipsis] = args {
            let items = self.schema(item, env, mode);
            return typed_with("array", "items", items);
        }
        let items: Vec<Json> = args.iter().map(|arg| Json::Object(self.schema(arg, env, mode))).collect();
        let length = items.len();
        let mut schema = typed_with("array", "maxItems", length);
        schema.insert("minItems".to_owned(), length.into());
        schema.insert("prefixItems".to_owned(), items.into());
        schema
    }

    /// Types that calls make: `NewType`, `TypeVar`, `conint(…)`, `create_model(…)`.
    fn made_type(&mut self, id: Id, call: &Rc<Call>, env: &Env, mode: Mode) -> Schema {
        let bare = match last_part(&call.callee) {
            "NewType" => return self.schema(call.args.get(1).unwrap_or(&Value::Unknown), env, mode),
            "TypeVar" => {
                let name = call.args.first().and_then(Value::as_str).unwrap_or_default();
                let bound = env
                    .variables
                    .iter()
                    .find(|(own, _)| own.as_ref() == name)
                    .map(|(_, value)| value.clone());
                return match bound.or_else(|| call.argument(usize::MAX, "bound").cloned()) {
                    Some(value) if value != Value::Call(id) => self.schema(&value, env, mode),
                    _ => Schema::new(),
                };
            }
            "create_model" => return self.created_model(id, call, env, mode),
            "conint" => typed("integer"),
            "confloat" => typed("number"),
            "constr" => typed("string"),
            "condecimal" => self.scalar("Decimal", mode).unwrap_or_default(),
            "conbytes" => self.scalar("bytes", mode).unwrap_or_default(),
            "condate" => typed_with("string", "format", "date"),
            "conlist" | "conset" => {
                let item = call.args.first().or_else(|| call.argument(0, "item_type")).cloned();
                let items = self.schema(&item.unwrap_or(Value::Unknown), env, mode);
                typed_with("array", "items", items)
            }
            _ => return self.unknown(),
        };
        FieldInfo::from_keywords(self.interp, &call.keywords).apply(bare)
    }

    /// A value as JSON, where it has a form that pydantic would write.
    pub(crate) fn json(&mut self, value: &Value) -> Option<Json> {
        if !self.interp.step() {
            return None;
        }
        Some(match value {
            Value::None => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            Value::Float(value) => Json::from(*value),
            Value::Str(text) => Json::from(text.as_ref()),
            Value::List(id) => {
                let list = &self.interp.heap.lists[*id];
                if list.items.len() > 1_000 || self.depth > DEPTH {
                    return None;
                }
                let mut items = list.items.clone();
                if list.kind == ListKind::Set {
                    items.dedup();
                }
                self.depth += 1;
                let made: Option<Vec<Json>> = items.iter().map(|item| self.json(item)).collect();
                self.depth -= 1;
                Json::Array(made?)
            }
            Value::Dict(id) => {
                if self.depth > DEPTH {
                    return None;
                }
                let items = self.interp.heap.dicts[*id].clone();
                self.depth += 1;
                let made: Option<Schema> = items
                    .iter()
                    .map(|(key, value)| Some((self.interp.shown_text(key)?.to_string(), self.json(value)?)))
                    .collect();
                self.depth -= 1;
                Json::Object(made?)
            }
            Value::Instance(id) => {
                let Some(inner) = self.interp.enum_value(value) else { return self.model_as_json(*id) };
                if matches!(inner, Value::Instance(_)) {
                    return None;
                }
                self.json(&inner)?
            }
            Value::Call(id) => match self.interp.heap.calls[*id].clone() {
                call if call.callee.as_ref() == MODEL_SCHEMA => self.written_out(call.args.first()?)?,
                call if self.is_v1() => pydantic_v1::written(&call)?,
                call => written(&call)?,
            },
            _ => return None,
        })
    }
}

/// The schema of a closed set of values.
pub(super) fn enumeration(values: Vec<Json>, is_literal: bool) -> Schema {
    let kind = |value: &Json| match value {
        Json::String(_) => Some("string"),
        Json::Bool(_) => Some("boolean"),
        Json::Number(number) if number.is_f64() => Some("number"),
        Json::Number(_) => Some("integer"),
        Json::Null => Some("null"),
        _ => None,
    };
    let kinds: Vec<_> = values.iter().map(kind).collect();
    let mut schema = Schema::new();
    if let Some(Some(first)) = kinds.first()
        && kinds.iter().all(|kind| *kind == Some(first))
    {
        schema.insert("type".to_owned(), (*first).into());
    }
    match <[Json; 1]>::try_from(values) {
        Ok([only]) if is_literal => schema.insert("const".to_owned(), only),
        Ok(one) => schema.insert("enum".to_owned(), one.to_vec().into()),
        Err(values) => schema.insert("enum".to_owned(), values.into()),
    };
    schema
}
