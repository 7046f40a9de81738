//! Python's own functions and the few library functions that matter for routes.

use std::rc::Rc;

use super::Interp;
use super::exec::position;
use super::value::{Keywords, ListKind, Value, keyword, last_part};

const NAMES: [&str; 62] = [
    "str",
    "int",
    "float",
    "bool",
    "bytes",
    "list",
    "dict",
    "tuple",
    "set",
    "frozenset",
    "object",
    "type",
    "len",
    "range",
    "enumerate",
    "zip",
    "sorted",
    "reversed",
    "map",
    "filter",
    "any",
    "all",
    "sum",
    "min",
    "max",
    "abs",
    "isinstance",
    "issubclass",
    "hasattr",
    "getattr",
    "setattr",
    "print",
    "super",
    "property",
    "staticmethod",
    "classmethod",
    "iter",
    "next",
    "open",
    "repr",
    "round",
    "vars",
    "dir",
    "id",
    "hash",
    "callable",
    "format",
    "Exception",
    "ValueError",
    "KeyError",
    "TypeError",
    "RuntimeError",
    "ImportError",
    "ModuleNotFoundError",
    "AttributeError",
    "NotImplementedError",
    "bytearray",
    "memoryview",
    "complex",
    "globals",
    "slice",
    "__import__",
];
/// What is kept of `Model.model_json_schema()`: a call with the model.
pub(crate) const MODEL_SCHEMA: &str = "pydantic.model_json_schema";
/// Library calls that take an application or router and are known to add no route.
const HARMLESS: [&str; 19] = [
    "run",
    "TestClient",
    "AsyncClient",
    "ASGITransport",
    "Mangum",
    "add_pagination",
    "print",
    "instrument_app",
    "isinstance",
    "issubclass",
    "register_tortoise",
    "Config",
    "Server",
    "use_route_names_as_operation_ids",
    "len",
    "id",
    "type",
    "get_openapi",
    "hasattr",
];

/// A built-in name, or what cannot be known.
pub(super) fn lookup(name: &str) -> Value {
    if NAMES.contains(&name) { Value::external(format!("builtins.{name}")) } else { Value::Unknown }
}

impl<'a> Interp<'a> {
    pub(super) fn call_external(&mut self, name: &str, args: Vec<Value>, keywords: Keywords) -> Value {
        if let Some(builtin) = name.strip_prefix("builtins.") {
            return self.call_builtin(builtin, args, keywords);
        }
        if self.is_router_class(name) {
            return self.make_router(name, args, keywords);
        }
        let known_root = name.starts_with("fastapi.") || name.starts_with("starlette.");
        match last_part(name) {
            "APIRoute" | "Route" | "Mount" | "WebSocketRoute" | "APIWebSocketRoute" if known_root => {
                self.make_route(name, args, keywords)
            }
            "import_module" if name.starts_with("importlib") => {
                let package = args.get(1).or_else(|| keyword(&keywords, "package")).cloned();
                self.import_by_name(args.first().unwrap_or(&Value::Unknown), package.as_ref())
            }
            "cast" if name.starts_with("typing") => args.into_iter().nth(1).unwrap_or(Value::Unknown),
            "copy" | "deepcopy" if name.starts_with("copy.") => {
                args.into_iter().next().unwrap_or(Value::Unknown)
            }
            "lru_cache" | "cache" if name.starts_with("functools.") => match args.first() {
                Some(function @ Value::Function(_)) => function.clone(),
                _ => self.heap.call(name, args, keywords),
            },
            "add_pagination" => args.into_iter().next().unwrap_or(Value::Unknown),
            "chain" if name.starts_with("itertools") => self.chained(&args),
            "create_model" if name.starts_with("pydantic") => self.heap.call(name, args, keywords),
            _ => match self.call_environment(name, &args, &keywords) {
                Some(value) => value,
                None => self.keep_call(name, args, keywords),
            },
        }
    }

    fn keep_call(&mut self, name: &str, args: Vec<Value>, keywords: Keywords) -> Value {
        if name == "uvicorn.run" && self.uncertain == 0 {
            let message = "A server is started while the application is imported.".to_owned();
            let hint =
                "Put the call under if __name__ == \"__main__\": previewd serves the application itself.";
            self.fail(self.here.clone(), "server_started_at_import", message, hint, Vec::new());
        }
        let given = args.iter().chain(keywords.iter().map(|(_, value)| value));
        let takes_app = given.clone().any(|value| matches!(value, Value::Router(_)));
        let decorates = matches!(last_part(name), "cbv" | "View" | "Controller" | "Routable");
        if takes_app && !decorates && !HARMLESS.contains(&last_part(name)) {
            self.warn(format!(
                "{name} is given the application or router and may add routes that are not listed"
            ));
        }
        self.heap.call(name, args, keywords)
    }

    fn chained(&mut self, args: &[Value]) -> Value {
        let mut items = Vec::new();
        for arg in args {
            match self.iterate(arg) {
                Some(more) => items.extend(more),
                None => return Value::Unknown,
            }
        }
        self.list_of(items)
    }

    fn call_builtin(&mut self, name: &str, args: Vec<Value>, keywords: Keywords) -> Value {
        let first = args.first().cloned().unwrap_or(Value::Unknown);
        match name {
            "str" => match &first {
                Value::Unknown if args.is_empty() => Value::str(""),
                value => self.as_text(value).map_or(Value::Unknown, Value::Str),
            },
            "int" => match &first {
                Value::Int(_) => first,
                Value::Str(text) => text.trim().parse().map_or(Value::Unknown, Value::Int),
                Value::Bool(value) => Value::Int(i64::from(*value)),
                _ => Value::Unknown,
            },
            "bool" => self.truth(&first).map_or(Value::Unknown, Value::Bool),
            "len" => match self.iterate(&first) {
                Some(items) => i64::try_from(items.len()).map_or(Value::Unknown, Value::Int),
                None => Value::Unknown,
            },
            "list" | "tuple" | "set" | "frozenset" | "sorted" | "reversed" | "iter" => {
                self.as_list(name, &args, &keywords)
            }
            "dict" => self.as_dict(&args, keywords),
            "range" => self.range(&args),
            "enumerate" => self.enumerate(&first, args.get(1).or_else(|| keyword(&keywords, "start"))),
            "zip" => self.zip(&args),
            "map" | "filter" => self.map(name, &args),
            "next" => {
                self.iterate(&first).and_then(|items| items.into_iter().next()).unwrap_or(Value::Unknown)
            }
            "getattr" => self.getattr(&args),
            "hasattr" => self.hasattr(&args),
            "setattr" => {
                if let [base, Value::Str(name), value] = &args[..] {
                    self.set_attribute(&base.clone(), &name.clone(), value.clone());
                }
                Value::None
            }
            "isinstance" => self.is_instance(&args),
            "callable" => Value::Bool(matches!(first, Value::Function(_) | Value::Class(_))),
            "vars" => match &first {
                Value::Module(module) => match self.load(module) {
                    Some(scope) => self.names_of(scope),
                    None => Value::Unknown,
                },
                _ => Value::Unknown,
            },
            "dir" => match self.call_builtin("vars", vec![first], Keywords::new()) {
                Value::Dict(id) => {
                    let names = self.heap.dicts[id].iter().map(|(name, _)| name.clone()).collect();
                    self.list_of(names)
                }
                _ => Value::Unknown,
            },
            "__import__" => self.import_by_name(&first, None),
            "print" => Value::None,
            "type" => match &first {
                Value::Instance(id) => Value::Class(self.heap.instances[*id].class),
                _ => Value::Unknown,
            },
            "any" | "all" => {
                let outcomes: Option<Vec<bool>> = self
                    .iterate(&first)
                    .and_then(|items| items.iter().map(|item| self.truth(item)).collect());
                outcomes.map_or(Value::Unknown, |outcomes| {
                    Value::Bool(if name == "any" {
                        outcomes.contains(&true)
                    } else {
                        !outcomes.contains(&false)
                    })
                })
            }
            "staticmethod" | "classmethod" | "property" => first,
            _ => self.heap.call(&format!("builtins.{name}"), args, keywords),
        }
    }

    fn as_list(&mut self, name: &str, args: &[Value], keywords: &Keywords) -> Value {
        let Some(mut items) = args.first().map_or(Some(Vec::new()), |first| self.iterate(first)) else {
            return Value::Unknown;
        };
        match name {
            "reversed" => items.reverse(),
            "sorted" => {
                let texts = items.iter().all(|item| matches!(item, Value::Str(_)));
                // The order of routes that are sorted otherwise does not matter for what they are.
                if texts && keyword(keywords, "key").is_none() {
                    items.sort_by(|left, right| left.as_str().cmp(&right.as_str()));
                }
            }
            _ => {}
        }
        let kind = match name {
            "tuple" => ListKind::Tuple,
            "set" | "frozenset" => ListKind::Set,
            _ => ListKind::List,
        };
        self.heap.list(kind, items)
    }

    fn as_dict(&mut self, args: &[Value], keywords: Keywords) -> Value {
        let mut items = match args.first() {
            None => Vec::new(),
            Some(Value::Dict(id)) => self.heap.dicts[*id].clone(),
            Some(other) => {
                let Some(pairs) = self.iterate(other) else { return Value::Unknown };
                let mut items = Vec::new();
                for pair in pairs {
                    match self.heap.items(&pair) {
                        Some([key, value]) => items.push((key.clone(), value.clone())),
                        _ => return Value::Unknown,
                    }
                }
                items
            }
        };
        items.extend(keywords.into_iter().map(|(key, value)| (Value::Str(key), value)));
        self.heap.dict(items)
    }

    fn range(&mut self, args: &[Value]) -> Value {
        let numbers: Option<Vec<i64>> =
            args.iter().map(|arg| if let Value::Int(number) = arg { Some(*number) } else { None }).collect();
        let (start, end, step) = match numbers.as_deref() {
            Some([end]) => (0, *end, 1),
            Some([start, end]) => (*start, *end, 1),
            Some([start, end, step]) if *step > 0 => (*start, *end, *step),
            _ => return Value::Unknown,
        };
        let step = usize::try_from(step).unwrap_or(1);
        let items: Vec<Value> = (start..end).step_by(step).take(5_000).map(Value::Int).collect();
        self.list_of(items)
    }

    fn enumerate(&mut self, items: &Value, start: Option<&Value>) -> Value {
        let Some(items) = self.iterate(items) else { return Value::Unknown };
        let start = if let Some(Value::Int(start)) = start { *start } else { 0 };
        let pairs: Vec<Value> =
            (start..).zip(items).map(|(index, item)| self.tuple(vec![Value::Int(index), item])).collect();
        self.list_of(pairs)
    }

    fn zip(&mut self, args: &[Value]) -> Value {
        let Some(columns) = args.iter().map(|arg| self.iterate(arg)).collect::<Option<Vec<_>>>() else {
            return Value::Unknown;
        };
        let length = columns.iter().map(Vec::len).min().unwrap_or(0);
        let rows: Vec<Value> = (0..length)
            .map(|row| self.tuple(columns.iter().map(|column| column[row].clone()).collect()))
            .collect();
        self.list_of(rows)
    }

    fn map(&mut self, name: &str, args: &[Value]) -> Value {
        let [function, items] = args else { return Value::Unknown };
        let Some(items) = self.iterate(items) else { return Value::Unknown };
        let mut results = Vec::new();
        for item in items {
            let made = self.call(function, vec![item.clone()], Vec::new());
            match (name, self.truth(&made)) {
                ("map", _) => results.push(made),
                (_, Some(true)) => results.push(item),
                (_, Some(false)) => {}
                (_, None) => return Value::Unknown,
            }
        }
        self.list_of(results)
    }

    fn getattr(&mut self, args: &[Value]) -> Value {
        let [base, Value::Str(name), rest @ ..] = args else { return Value::Unknown };
        let value = self.attribute(base, name);
        match rest.first() {
            Some(default) if value.is_unknown() && self.has(base, name) == Some(false) => default.clone(),
            _ => value,
        }
    }

    fn hasattr(&mut self, args: &[Value]) -> Value {
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

    fn is_instance(&mut self, args: &[Value]) -> Value {
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
                (Value::Route(id), "APIRoute") => self.heap.routes[*id].kind == super::value::RouteKind::Http,
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

    pub(super) fn call_method(
        &mut self,
        receiver: &Value,
        name: &str,
        args: Vec<Value>,
        keywords: Keywords,
    ) -> Value {
        match receiver {
            Value::Router(id) => self.router_method(*id, name, args, keywords),
            Value::List(id) => self.list_method(*id, name, &args),
            Value::Dict(id) => self.dict_method(*id, name, &args, keywords),
            Value::Str(text) => self.text_method(&text.clone(), name, &args, &keywords),
            Value::Call(id) => self.method_of_result(*id, name, args, keywords),
            Value::Instance(id) => self.inherited_method(*id, name, keywords),
            Value::Class(_) => self.heap.call(MODEL_SCHEMA, vec![receiver.clone()], keywords),
            _ => Value::Unknown,
        }
    }

    fn list_method(&mut self, id: usize, name: &str, args: &[Value]) -> Value {
        let uncertain = self.uncertain > 0;
        let first = if uncertain { Value::Unknown } else { args.first().cloned().unwrap_or(Value::Unknown) };
        match name {
            "append" | "add" => self.heap.lists[id].items.push(first),
            "insert" => {
                let value = args.get(1).cloned().unwrap_or(Value::Unknown);
                let length = self.heap.lists[id].items.len();
                let index = if let Value::Int(index) = first { position(length, index) } else { None };
                self.heap.lists[id].items.insert(index.unwrap_or(length), value);
            }
            "extend" | "update" => {
                let more = self.iterate(&first).unwrap_or_else(|| vec![Value::Unknown]);
                self.heap.lists[id].items.extend(more);
            }
            "remove" | "discard" => {
                let items = &mut self.heap.lists[id].items;
                match items.iter().position(|item| *item == first) {
                    Some(index) => drop(items.remove(index)),
                    None => self.warn("what is removed from this list cannot be told"),
                }
            }
            "clear" => self.heap.lists[id].items.clear(),
            "pop" => {
                let items = &mut self.heap.lists[id].items;
                return items.pop().unwrap_or(Value::Unknown);
            }
            "copy" => {
                let list = self.heap.lists[id].clone();
                return self.heap.list(list.kind, list.items);
            }
            _ => return Value::Unknown,
        }
        Value::None
    }

    fn dict_method(&mut self, id: usize, name: &str, args: &[Value], keywords: Keywords) -> Value {
        self.charge(self.heap.dicts[id].len() / 8);
        let items = self.heap.dicts[id].clone();
        let key = args.first().cloned().unwrap_or(Value::Unknown);
        match name {
            "items" => {
                let pairs: Vec<Value> =
                    items.into_iter().map(|(key, value)| self.tuple(vec![key, value])).collect();
                self.list_of(pairs)
            }
            "keys" => self.list_of(items.into_iter().map(|(key, _)| key).collect()),
            "values" => self.list_of(items.into_iter().map(|(_, value)| value).collect()),
            "get" if key.is_unknown() => Value::Unknown,
            "get" => self.dict_item(id, &key).or_else(|| args.get(1).cloned()).unwrap_or(Value::None),
            "pop" => {
                let value =
                    self.dict_item(id, &key).or_else(|| args.get(1).cloned()).unwrap_or(Value::Unknown);
                self.heap.dicts[id].retain(|(own, _)| *own != key);
                value
            }
            "popitem" => match self.heap.dicts[id].pop() {
                Some((key, value)) if self.uncertain == 0 => self.tuple(vec![key, value]),
                _ => Value::Unknown,
            },
            "copy" => self.heap.dict(items),
            "update" => {
                let more = match args.first() {
                    Some(Value::Dict(other)) => self.heap.dicts[*other].clone(),
                    _ => Vec::new(),
                };
                let named = keywords.into_iter().map(|(key, value)| (Value::Str(key), value));
                for (key, value) in more.into_iter().chain(named) {
                    self.set_item(&Value::Dict(id), key, value);
                }
                Value::None
            }
            "setdefault" => match self.dict_item(id, &key) {
                Some(value) => value,
                None => {
                    let value = args.get(1).cloned().unwrap_or(Value::None);
                    self.set_item(&Value::Dict(id), key, value.clone());
                    value
                }
            },
            _ => Value::Unknown,
        }
    }

    /// A method of what a library gave.
    fn method_of_result(&mut self, id: usize, name: &str, args: Vec<Value>, keywords: Keywords) -> Value {
        let receiver = Value::Call(id);
        if let Some(value) = self.path_method(&receiver, name, &args) {
            return value;
        }
        let callee: Rc<str> = self.heap.calls[id].callee.clone();
        if callee.as_ref() == "fastapi.decorator" {
            return args.into_iter().next().unwrap_or(Value::Unknown);
        }
        self.keep_call(&format!("{callee}.{name}"), args, keywords)
    }
}
