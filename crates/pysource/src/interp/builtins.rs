//! Python's own functions.

use super::Interp;
use super::value::{Keywords, ListKind, Value, keyword};

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
/// A built-in name, or what cannot be known.
pub(super) fn lookup(name: &str) -> Value {
    if NAMES.contains(&name) { Value::external(format!("builtins.{name}")) } else { Value::Unknown }
}

impl<'a> Interp<'a> {
    pub(super) fn call_builtin(&mut self, name: &str, args: Vec<Value>, keywords: Keywords) -> Value {
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
}
