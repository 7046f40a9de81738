//! Methods of what Python has itself: lists, dictionaries, and whatever else is called by a name of its own.

use super::Interp;
use super::exec::position;
use super::library::MODEL_SCHEMA;
use super::value::{Keywords, Value};

impl<'a> Interp<'a> {
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
}
