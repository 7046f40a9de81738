//! What programs ask about values: their attributes by name, and what they are instances of.

use super::Interp;
use super::value::{ListKind, RouteKind, Value, keyword, last_part};

impl<'a> Interp<'a> {
    pub(super) fn getattr(&mut self, args: &[Value]) -> Value {
        let [base, Value::Str(name), rest @ ..] = args else { return Value::Unknown };
        let value = self.attribute(base, name);
        match rest.first() {
            Some(default) if value.is_unknown() && self.has(base, name) == Some(false) => default.clone(),
            _ => value,
        }
    }

    pub(super) fn hasattr(&mut self, args: &[Value]) -> Value {
        let [base, Value::Str(name)] = args else { return Value::Unknown };
        self.has(base, name).map_or(Value::Unknown, Value::Bool)
    }

    /// Whether a value has that attribute, where that is known.
    fn has(&mut self, base: &Value, name: &str) -> Option<bool> {
        match base {
            Value::Module(module) => {
                let scope = self.load(module)?;
                if self.own_name(scope, name).is_some() {
                    return Some(true);
                }
                Some(self.sources.modules.contains(&format!("{module}.{name}")))
            }
            Value::Class(id) => self.class_attribute(*id, name).is_some().then_some(true),
            Value::Instance(id) => {
                let known = keyword(&self.heap.instances[*id].attributes, name).is_some();
                let class = self.heap.instances[*id].class;
                (known || self.class_attribute(class, name).is_some()).then_some(true)
            }
            Value::Router(_) => {
                matches!(name, "routes" | "prefix" | "include_router" | "tags").then_some(true)
            }
            Value::Str(_) | Value::Int(_) | Value::None | Value::Function(_) | Value::List(_) => {
                (name == "routes" || name == "router").then_some(false)
            }
            _ => None,
        }
    }

    pub(super) fn is_instance(&mut self, args: &[Value]) -> Value {
        let [value, class] = args else { return Value::Unknown };
        let classes = self.iterate(class).unwrap_or_else(|| vec![class.clone()]);
        let outcomes: Vec<Option<bool>> = classes.iter().map(|class| self.is_of(value, class)).collect();
        if outcomes.contains(&Some(true)) {
            return Value::Bool(true);
        }
        if outcomes.iter().all(|outcome| *outcome == Some(false)) {
            Value::Bool(false)
        } else {
            Value::Unknown
        }
    }

    fn is_of(&self, value: &Value, class: &Value) -> Option<bool> {
        match (value, class) {
            (Value::Unknown | Value::Call(_), _) | (_, Value::Unknown | Value::Call(_)) => None,
            (Value::Instance(id), Value::Class(class)) => {
                Some(self.lineage(self.heap.instances[*id].class).contains(class))
            }
            (Value::Instance(id), Value::External(name)) => {
                Some(self.descends(self.heap.instances[*id].class, &[last_part(name)]))
            }
            (Value::Router(id), Value::Class(class)) => {
                Some(self.heap.routers[*id].class.is_some_and(|own| self.lineage(own).contains(class)))
            }
            (value, Value::External(name)) => Some(match (value, last_part(name)) {
                (Value::Router(id), "APIRouter") => !self.heap.routers[*id].is_app,
                (Value::Router(id), "FastAPI" | "Starlette") => self.heap.routers[*id].is_app,
                (Value::Route(id), "APIRoute") => self.heap.routes[*id].kind == RouteKind::Http,
                (Value::Route(_), "BaseRoute" | "Route")
                | (Value::Str(_), "str")
                | (Value::Int(_), "int")
                | (Value::Dict(_), "dict") => true,
                (Value::List(id), kind) => match self.heap.lists[*id].kind {
                    ListKind::List => kind == "list",
                    ListKind::Tuple => kind == "tuple",
                    ListKind::Set => kind == "set",
                },
                _ => false,
            }),
            (_, Value::Class(_)) => Some(false),
            _ => None,
        }
    }
}
