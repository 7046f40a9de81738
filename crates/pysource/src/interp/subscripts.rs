//! Parts of lists, dictionaries and texts, by index, key or slice.

use ruff_python_ast::Expr;

use super::Interp;
use super::exec::position;
use super::value::{ScopeId, Value};

impl<'a> Interp<'a> {
    pub(super) fn subscript(&mut self, base: &Value, slice: &Expr, scope: ScopeId) -> Value {
        match base {
            Value::List(id) if slice.is_slice_expr() => self.sliced(*id, slice, scope),
            Value::List(id) => match self.eval(slice, scope) {
                Value::Int(index) => {
                    let items = &self.heap.lists[*id].items;
                    position(items.len(), index).map_or(Value::Unknown, |index| items[index].clone())
                }
                _ => Value::Unknown,
            },
            Value::Dict(id) => {
                let key = self.eval(slice, scope);
                self.dict_item(*id, &key).unwrap_or(Value::Unknown)
            }
            Value::External(name) if name.as_ref() == "os.environ" => {
                let key = self.eval(slice, scope);
                self.environment_value(&key).unwrap_or(Value::Unknown)
            }
            Value::Class(id) if self.is_enum(*id) => {
                let key = self.eval(slice, scope);
                key.as_str()
                    .map_or(Value::Unknown, |name| self.class_attribute(*id, name).unwrap_or(Value::Unknown))
            }
            Value::External(_) | Value::Class(_) | Value::Generic(_) => {
                let args = match slice {
                    Expr::Tuple(tuple) => {
                        tuple.elts.iter().map(|element| self.eval(element, scope)).collect()
                    }
                    one => vec![self.eval(one, scope)],
                };
                self.heap.generic(base.clone(), args)
            }
            Value::Str(text) if slice.is_slice_expr() => self.sliced_text(text, slice, scope),
            _ => Value::Unknown,
        }
    }

    pub(super) fn dict_item(&mut self, id: usize, key: &Value) -> Option<Value> {
        self.charge(self.heap.dicts[id].len() / 8);
        let items = &self.heap.dicts[id];
        items.iter().rev().find(|(own, _)| own == key).map(|(_, value)| value.clone())
    }

    fn bounds(&mut self, slice: &Expr, length: usize, scope: ScopeId) -> Option<(usize, usize)> {
        let Expr::Slice(slice) = slice else { return None };
        if slice.step.is_some() {
            return None;
        }
        let mut bound = |expr: Option<&Expr>, otherwise: usize| match expr.map(|expr| self.eval(expr, scope))
        {
            None => Some(otherwise),
            Some(Value::Int(index)) if index < 0 => {
                Some(length.saturating_sub(usize::try_from(index.unsigned_abs()).ok()?))
            }
            Some(Value::Int(index)) => Some(usize::try_from(index).ok()?.min(length)),
            _ => None,
        };
        let start = bound(slice.lower.as_deref(), 0)?;
        let end = bound(slice.upper.as_deref(), length)?;
        Some((start, end.max(start)))
    }

    fn sliced(&mut self, id: usize, slice: &Expr, scope: ScopeId) -> Value {
        let length = self.heap.lists[id].items.len();
        let Some((start, end)) = self.bounds(slice, length, scope) else { return Value::Unknown };
        self.charge((end - start) / 8);
        let list = &self.heap.lists[id];
        let (kind, items) = (list.kind, list.items[start..end].to_vec());
        self.heap.list(kind, items)
    }

    fn sliced_text(&mut self, text: &str, slice: &Expr, scope: ScopeId) -> Value {
        let characters: Vec<char> = text.chars().collect();
        let Some((start, end)) = self.bounds(slice, characters.len(), scope) else { return Value::Unknown };
        Value::str(characters[start..end].iter().collect::<String>())
    }
}
