//! Attributes of values.

use super::Interp;
use super::value::{Id, ListKind, Value, keyword, last_part};

impl<'a> Interp<'a> {
    pub(crate) fn attribute(&mut self, base: &Value, name: &str) -> Value {
        match base {
            Value::Module(module) => self.module_attribute(module, name),
            Value::External(of) => Value::external(format!("{of}.{name}")),
            Value::Instance(id) => self.instance_attribute(*id, name),
            Value::Class(id) => self.attribute_of_class(*id, name),
            Value::Router(id) => self.router_attribute(*id, name),
            Value::Function(id) => self.function_attribute(*id, name),
            Value::Route(id) => self.route_attribute(*id, name),
            Value::Call(id) => self.call_attribute(*id, name),
            Value::List(id) if matches!(name, "name" | "ispkg") => self.module_info(*id, name),
            Value::Str(_) | Value::List(_) | Value::Dict(_) | Value::Decorator(_) => {
                self.heap.method(base.clone(), name)
            }
            Value::Generic(id) => {
                let origin = self.heap.generics[*id].base.clone();
                if matches!(origin, Value::Class(_)) { self.attribute(&origin, name) } else { Value::Unknown }
            }
            _ => Value::Unknown,
        }
    }

    /// A named tuple of `pkgutil.iter_modules`.
    fn module_info(&self, id: Id, name: &str) -> Value {
        let index = if name == "name" { 1 } else { 2 };
        self.heap.lists[id].items.get(index).cloned().unwrap_or(Value::Unknown)
    }

    fn instance_attribute(&mut self, id: Id, name: &str) -> Value {
        if let Some(value) = keyword(&self.heap.instances[id].attributes, name) {
            return value.clone();
        }
        let class = self.heap.instances[id].class;
        let receiver = Value::Instance(id);
        if let Some(value) = self.setting(class, name) {
            return value;
        }
        match self.class_attribute(class, name) {
            Some(Value::Function(function)) => {
                let bound = self.bind(&Value::Function(function), &receiver);
                let is_property = self.heap.functions[function].is_property;
                if is_property { self.call(&bound, Vec::new(), Vec::new()) } else { bound }
            }
            Some(value) => self.default_of(&value),
            None if name == "__class__" => Value::Class(class),
            None => Value::Unknown,
        }
    }

    /// What a field starts with: `Field(default=…)` is its default.
    pub(crate) fn default_of(&mut self, value: &Value) -> Value {
        let Value::Call(id) = value else { return value.clone() };
        let call = self.heap.calls[*id].clone();
        if !matches!(last_part(&call.callee), "Field" | "field" | "PrivateAttr") {
            return value.clone();
        }
        if let Some(factory) = keyword(&call.keywords, "default_factory") {
            return self.call(&factory.clone(), Vec::new(), Vec::new());
        }
        match call.argument(0, "default") {
            Some(Value::Ellipsis) | None => Value::Unknown,
            Some(default) => default.clone(),
        }
    }

    fn attribute_of_class(&mut self, class: Id, name: &str) -> Value {
        match self.class_attribute(class, name) {
            Some(Value::Function(id)) if self.heap.functions[id].is_class_method => {
                self.bind(&Value::Function(id), &Value::Class(class))
            }
            Some(value) => self.default_of(&value),
            None => match name {
                "__name__" | "__qualname__" => Value::Str(self.heap.classes[class].name.clone()),
                "__module__" => Value::Str(self.heap.classes[class].module.clone()),
                "__members__" => {
                    let members = self.enum_members(class).unwrap_or_default();
                    let items =
                        members.into_iter().map(|member| (self.attribute(&member, "name"), member)).collect();
                    self.heap.dict(items)
                }
                "model_json_schema" | "schema" if self.descends(class, &["BaseModel", "SQLModel"]) => {
                    self.heap.method(Value::Class(class), name)
                }
                _ => Value::Unknown,
            },
        }
    }

    fn function_attribute(&mut self, id: Id, name: &str) -> Value {
        let shown = self.shown(id);
        if let Some(value) = keyword(&shown.attributes, name) {
            return value.clone();
        }
        match name {
            "__name__" | "__qualname__" => Value::str(shown.def.name.as_str()),
            "__module__" => Value::Str(shown.module.clone()),
            "__wrapped__" => self.heap.functions[id].shows.map_or(Value::Unknown, Value::Function),
            _ => self.heap.method(Value::Function(id), name),
        }
    }

    fn call_attribute(&mut self, id: Id, name: &str) -> Value {
        let call = self.heap.calls[id].clone();
        if call.callee.as_ref() == "builtins.super" {
            return self.super_attribute(&call.args, name);
        }
        if let Some(value) = self.path_attribute(&Value::Call(id), name) {
            return value;
        }
        if let Some(value) = keyword(&call.keywords, name) {
            return value.clone();
        }
        self.heap.method(Value::Call(id), name)
    }

    fn super_attribute(&mut self, args: &[Value], name: &str) -> Value {
        let [Value::Class(owner), receiver] = args else { return Value::Unknown };
        let class = match receiver {
            Value::Instance(id) => Some(self.heap.instances[*id].class),
            Value::Router(id) => self.heap.routers[*id].class,
            Value::Class(id) => Some(*id),
            _ => None,
        };
        let line = class.map_or_else(|| self.lineage(*owner), |class| self.lineage(class));
        let after = line.iter().position(|id| id == owner).map_or(0, |index| index + 1);
        let inherited =
            line[after..].iter().find_map(|id| self.own_name(self.heap.classes[*id].scope, name).cloned());
        match inherited {
            Some(value) => self.bind(&value, receiver),
            None => self.heap.method(receiver.clone(), name),
        }
    }

    /// Routes of a router, flat or as they are kept.
    pub(super) fn list_of(&mut self, items: Vec<Value>) -> Value {
        self.heap.list(ListKind::List, items)
    }
}
