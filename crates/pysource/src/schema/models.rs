//! Classes of the project as schemas: pydantic models, SQLModel, dataclasses, typed dictionaries, enumerations.

use std::rc::Rc;

use ruff_python_ast::{Expr, Stmt};
use serde_json::Value as Json;

use super::docstring::docstring;
use super::fields::{FieldInfo, Start};
use super::types::enumeration;
use super::{Definition, Env, Mode, Schema, Schemas, schema_of, typed, typed_with};
use crate::interp::strings::title;
use crate::interp::value::{Call, Id, Value, keyword, last_part};

/// What kind of data a class describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClassKind {
    Enum,
    Model,
    Dataclass,
    TypedDict,
    NamedTuple,
    /// A library's type by another name.
    Derived,
    /// None that has a schema.
    Other,
}

impl<'a> Schemas<'_, 'a> {
    pub(crate) fn class_kind(&self, class: Id) -> ClassKind {
        if let Some(kind) = self.kinds.borrow().get(&class) {
            return *kind;
        }
        let kind = self.find_kind(class);
        self.kinds.borrow_mut().insert(class, kind);
        kind
    }

    fn find_kind(&self, class: Id) -> ClassKind {
        let interp = &self.interp;
        if interp.is_enum(class) {
            return ClassKind::Enum;
        }
        let models =
            ["BaseModel", "SQLModel", "BaseSettings", "GenericModel", "RootModel", "Document", "Schema"];
        if interp.descends(class, &models) {
            return ClassKind::Model;
        }
        if interp.descends(class, &["TypedDict"]) {
            return ClassKind::TypedDict;
        }
        if interp.descends(class, &["NamedTuple"]) {
            return ClassKind::NamedTuple;
        }
        let decorated = |value: &Value| match value {
            Value::External(name) => last_part(name) == "dataclass",
            Value::Call(id) => last_part(&interp.heap.calls[*id].callee) == "dataclass",
            _ => false,
        };
        if interp.lineage(class).iter().any(|id| interp.heap.classes[*id].decorators.iter().any(decorated)) {
            return ClassKind::Dataclass;
        }
        if interp.descends(class, &["str", "int", "float", "list", "dict"]) {
            return ClassKind::Derived;
        }
        ClassKind::Other
    }

    pub(super) fn class_schema(&mut self, class: Id, args: &[Value], env: &Env, mode: Mode) -> Schema {
        let args: Vec<Value> = args.iter().map(|arg| self.substituted(arg, env)).collect();
        match self.class_kind(class) {
            ClassKind::Other => {
                self.met_unknown = true;
                Schema::new()
            }
            ClassKind::Derived => {
                let base = self.interp.external_bases(class).into_iter().next();
                base.map_or_else(Schema::new, |base| self.schema(&Value::External(base), env, mode))
            }
            kind => self.reference(class, &args, kind, mode),
        }
    }

    fn reference(&mut self, class: Id, args: &[Value], kind: ClassKind, mode: Mode) -> Schema {
        let suffix = args.iter().map(|arg| self.type_name(arg)).collect::<Vec<_>>().join(", ");
        let key: Rc<str> = Rc::from(format!("{class} {suffix}"));
        if let Some(known) = self.known(&key, mode) {
            return known;
        }
        let definition = self.interp.heap.classes[class].clone();
        let shown = if args.is_empty() {
            definition.name.to_string()
        } else {
            format!("{}[{suffix}]", definition.name)
        };
        let long = format!("{}.{shown}", definition.module);
        self.defined(key, &shown, &long, mode, |this| {
            let schema = match kind {
                ClassKind::Enum => this.enum_schema(class),
                ClassKind::NamedTuple => this.named_tuple(class),
                _ => this.model_schema(class, args, kind, mode),
            };
            let mut schema = schema;
            let own_title = keyword(&this.interp.settings_config(class), "title")
                .and_then(Value::as_str)
                .map(str::to_owned);
            schema.insert("title".to_owned(), own_title.unwrap_or_else(|| shown.clone()).into());
            if let Some(text) = docstring(&definition.def.body) {
                schema.insert("description".to_owned(), text.into());
            }
            let extra = this.config_extra(class);
            schema.extend(extra);
            schema
        })
    }

    /// A reference to a named schema that has been made, or is being made.
    fn known(&self, key: &Rc<str>, mode: Mode) -> Option<Schema> {
        let index = self.known.get(&(key.clone(), mode))?;
        Some(schema_of("$ref", super::naming::placeholder(*index)))
    }

    /// A reference to a named schema, which `make` makes the first time.
    pub(crate) fn defined(
        &mut self,
        key: Rc<str>,
        shown: &str,
        long: &str,
        mode: Mode,
        make: impl FnOnce(&mut Self) -> Schema,
    ) -> Schema {
        if let Some(known) = self.known(&key, mode) {
            return known;
        }
        let index = self.definitions.len();
        self.known.insert((key.clone(), mode), index);
        let (short, long) = (safe_name(shown), safe_name(&long.replace('.', "__")));
        self.definitions.push(Definition { key, mode, short, long, schema: Schema::new() });
        // Types of fields start afresh: a chain of models may be as long as it likes, up to the parser's limits.
        self.definitions[index].schema = make(self);
        schema_of("$ref", super::naming::placeholder(index))
    }

    /// What `model_json_schema()` gives, but for its references, which lead into the document.
    pub(super) fn written_out(&mut self, model: &Value) -> Option<Json> {
        let Value::Class(class) = model else { return None };
        let reference = self.class_schema(*class, &[], &Env::default(), Mode::Input);
        let index = super::naming::target(&reference)?;
        Some(Json::Object(self.definitions[index].schema.clone()))
    }

    /// An instance of a model by its fields, where all of them are known.
    pub(super) fn model_as_json(&mut self, instance: Id) -> Option<Json> {
        let made = self.interp.heap.instances[instance].clone();
        if self.class_kind(made.class) != ClassKind::Model || self.depth > 16 {
            return None;
        }
        self.depth += 1;
        let fields = self.model_fields(made.class, ClassKind::Model).into_iter().map(|field| {
            let given = keyword(&made.attributes, &field.name).cloned();
            let value = match (given, field.info.start) {
                (Some(given), _) | (None, Start::Default(given)) => given,
                (None, Start::Made) if self.is_optional_in_v1(&field.ty) => Value::None,
                _ => return None,
            };
            Some((field.name, self.json(&value)?))
        });
        // FastAPI's documents have no nulls.
        let known = |(name, value): (String, Json)| (!value.is_null()).then_some((name, value));
        let json = fields.collect::<Option<Vec<_>>>();
        let json = json.map(|fields| Json::Object(fields.into_iter().filter_map(known).collect()));
        self.depth -= 1;
        json
    }

    fn enum_schema(&mut self, class: Id) -> Schema {
        let members = self.interp.enum_members(class).unwrap_or_default();
        let values: Option<Vec<Json>> = members.iter().map(|member| self.json(member)).collect();
        match values {
            Some(values) if !values.is_empty() => enumeration(values, false),
            _ => {
                self.met_unknown = true;
                Schema::new()
            }
        }
    }

    fn named_tuple(&mut self, class: Id) -> Schema {
        let fields = self.interp.fields(class);
        let items: Vec<Json> = fields
            .iter()
            .map(|field| {
                let ty = self.annotation(field.annotation, field.scope);
                let mut schema = self.schema(&ty, &Env::of(field.scope), Mode::Input);
                schema.insert("title".to_owned(), title(&field.name.replace('_', " ")).into());
                Json::Object(schema)
            })
            .collect();
        let mut schema = typed("array");
        schema.insert("maxItems".to_owned(), items.len().into());
        schema.insert("minItems".to_owned(), items.len().into());
        schema.insert("prefixItems".to_owned(), items.into());
        schema
    }

    fn model_schema(&mut self, class: Id, args: &[Value], kind: ClassKind, mode: Mode) -> Schema {
        let variables = self.variables(class, args);
        let env_at = |scope| Env { scope, variables: Rc::new(variables.clone()) };
        if let Some(root) = self.root_of(class) {
            let scope = self.interp.heap.classes[class].scope;
            return self.schema(&root, &env_at(scope), mode);
        }
        let mut properties = Schema::new();
        let mut required: Vec<Json> = Vec::new();
        for field in self.model_fields(class, kind) {
            let env = env_at(field.scope);
            let name = field.shown(mode).to_owned();
            if field.required(kind) {
                required.push(name.clone().into());
            }
            let schema = self.schema(&field.ty, &env, mode);
            let shown_title = self.is_titled(&field.ty).then(|| title(&field.title_name().replace('_', " ")));
            properties.insert(name, Json::Object(field.info.describe(self, schema, shown_title)));
        }
        if mode == Mode::Output && kind == ClassKind::Model {
            self.computed(class, &mut properties, &mut required);
        }
        object_schema(properties, required)
    }

    /// The type of `root`, if the model is no object.
    fn root_of(&mut self, class: Id) -> Option<Value> {
        let definition = self.interp.heap.classes[class].clone();
        for base in &definition.bases {
            if let Value::Generic(id) = base {
                let generic = self.interp.heap.generics[*id].clone();
                if matches!(&generic.base, Value::External(name) if last_part(name) == "RootModel") {
                    return generic.args.first().cloned();
                }
            }
        }
        let fields = self.interp.fields(class);
        let root = fields.iter().find(|field| {
            field.name == "__root__" || (field.name == "root" && self.interp.descends(class, &["RootModel"]))
        })?;
        Some(self.annotation(root.annotation, root.scope))
    }

    /// `@computed_field` properties: in answers only.
    fn computed(&mut self, class: Id, properties: &mut Schema, required: &mut Vec<Json>) {
        let generator = keyword(&self.interp.settings_config(class), "alias_generator").cloned();
        for ancestor in self.interp.lineage(class).into_iter().rev() {
            let definition = self.interp.heap.classes[ancestor].clone();
            for statement in &definition.def.body {
                let Stmt::FunctionDef(def) = statement else { continue };
                let computed = def
                    .decorator_list
                    .iter()
                    .any(|decorator| is_named(&decorator.expression, "computed_field"));
                let Some(returns) = def.returns.as_deref().filter(|_| computed) else { continue };
                let ty = self.annotation(returns, definition.scope);
                let mut schema = self.schema(&ty, &Env::of(definition.scope), Mode::Output);
                if self.is_titled(&ty) {
                    schema.insert("title".to_owned(), title(&def.name.replace('_', " ")).into());
                }
                if let Some(text) = docstring(&def.body) {
                    schema.insert("description".to_owned(), text.into());
                }
                schema.insert("readOnly".to_owned(), true.into());
                let name =
                    generator.as_ref().and_then(|generator| self.generated_alias(generator, &def.name));
                let name = name.unwrap_or_else(|| def.name.to_string());
                properties.insert(name.clone(), Json::Object(schema));
                required.push(name.into());
            }
        }
    }

    /// What the model's configuration adds to its schema.
    fn config_extra(&mut self, class: Id) -> Schema {
        let config = self.interp.settings_config(class);
        let mut extra = Schema::new();
        match keyword(&config, "extra").and_then(Value::as_str) {
            Some("forbid") => drop(extra.insert("additionalProperties".to_owned(), false.into())),
            Some("allow") => drop(extra.insert("additionalProperties".to_owned(), true.into())),
            _ => {}
        }
        for name in ["json_schema_extra", "schema_extra"] {
            if let Some(Json::Object(more)) =
                keyword(&config, name).cloned().and_then(|value| self.json(&value))
            {
                extra.extend(more);
            }
        }
        extra
    }

    /// `create_model("Name", field=(type, default))`.
    pub(super) fn created_model(&mut self, id: Id, call: &Rc<Call>, env: &Env, mode: Mode) -> Schema {
        let name = call.args.first().and_then(Value::as_str).unwrap_or("Model").to_owned();
        let key: Rc<str> = Rc::from(format!("call {id}"));
        let (call, env) = (call.clone(), env.clone());
        self.defined(key, &name.clone(), &name.clone(), mode, |this| {
            let mut properties = Schema::new();
            let mut required: Vec<Json> = Vec::new();
            for (field, value) in call.keywords.iter().filter(|(field, _)| !field.starts_with("__")) {
                let pair = this.interp.heap.items(value).map(<[Value]>::to_vec).unwrap_or_default();
                let [ty, default] = &pair[..] else { continue };
                let mut info = FieldInfo::default();
                match default {
                    Value::Ellipsis => {}
                    Value::Call(id) => {
                        let call = this.interp.heap.calls[*id].clone();
                        info = FieldInfo::from_call(this.interp, &call);
                    }
                    value => info.start = Start::Default(value.clone()),
                }
                if info.required() {
                    required.push(field.as_ref().into());
                }
                let schema = this.schema(ty, &env, mode);
                let shown = this.is_titled(ty).then(|| title(&field.replace('_', " ")));
                properties.insert(field.to_string(), Json::Object(info.describe(this, schema, shown)));
            }
            let mut schema = object_schema(properties, required);
            schema.insert("title".to_owned(), name.into());
            schema
        })
    }
}

fn object_schema(properties: Schema, required: Vec<Json>) -> Schema {
    let mut schema = typed_with("object", "properties", properties);
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

fn is_named(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Name(own) => own.id.as_str() == name,
        Expr::Attribute(attribute) => attribute.attr.as_str() == name,
        Expr::Call(call) => is_named(&call.func, name),
        _ => false,
    }
}

/// Names of components may have few characters.
fn safe_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
}
