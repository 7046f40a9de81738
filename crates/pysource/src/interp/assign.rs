//! Binding names, attributes and items.

use std::rc::Rc;

use ruff_python_ast::{Expr, Operator, StmtAugAssign};

use super::Interp;
use super::exec::position;
use super::value::{ScopeId, Value};

impl<'a> Interp<'a> {
    pub(super) fn assign(&mut self, target: &Expr, value: Value, scope: ScopeId) {
        match target {
            Expr::Name(name) => self.set(scope, &name.id, value),
            Expr::Attribute(attribute) => {
                let base = self.eval(&attribute.value, scope);
                self.set_attribute(&base, &attribute.attr, value);
            }
            Expr::Subscript(subscript) => {
                let base = self.eval(&subscript.value, scope);
                let key = self.eval(&subscript.slice, scope);
                self.set_item(&base, key, value);
            }
            Expr::Starred(starred) => self.assign(&starred.value, value, scope),
            Expr::Tuple(tuple) => self.unpack(&tuple.elts, &value, scope),
            Expr::List(list) => self.unpack(&list.elts, &value, scope),
            _ => {}
        }
    }

    fn unpack(&mut self, targets: &[Expr], value: &Value, scope: ScopeId) {
        let items = self.iterate(value).unwrap_or_default();
        let starred = targets.iter().position(Expr::is_starred_expr);
        let fits = match starred {
            Some(_) => items.len() + 1 >= targets.len(),
            None => items.len() == targets.len(),
        };
        for (index, target) in targets.iter().enumerate() {
            let item = match starred {
                _ if !fits => Value::Unknown,
                Some(at) if index == at => {
                    let taken = items[at..items.len() + at + 1 - targets.len()].to_vec();
                    self.list_of(taken)
                }
                Some(at) if index > at => items[items.len() + index - targets.len()].clone(),
                _ => items[index].clone(),
            };
            self.assign(target, item, scope);
        }
    }

    pub(super) fn set_item(&mut self, base: &Value, key: Value, value: Value) {
        let value = if self.uncertain > 0 { Value::Unknown } else { value };
        match (base, key) {
            (Value::Dict(id), key) => {
                self.charge(self.heap.dicts[*id].len() / 8);
                let items = &mut self.heap.dicts[*id];
                match items.iter_mut().find(|(own, _)| *own == key) {
                    Some((_, old)) => *old = value,
                    None => items.push((key, value)),
                }
            }
            (Value::List(id), Value::Int(index)) => {
                let items = &mut self.heap.lists[*id].items;
                if let Some(index) = position(items.len(), index) {
                    items[index] = value;
                }
            }
            // A slice: all of it, or what cannot be told.
            (Value::List(id), Value::Unknown) => {
                let items = self.iterate(&value).unwrap_or_else(|| vec![Value::Unknown]);
                self.heap.lists[*id].items = items;
            }
            _ => {}
        }
    }

    pub(super) fn augment(&mut self, assign: &StmtAugAssign, scope: ScopeId) {
        let old = self.eval(&assign.target, scope);
        let value = self.eval(&assign.value, scope);
        // A list grows in place: routes of a router stay its routes.
        if let (Value::List(id), Operator::Add) = (&old, assign.op) {
            let more = match self.iterate(&value) {
                Some(more) if self.uncertain == 0 => more,
                _ => vec![Value::Unknown],
            };
            self.heap.lists[*id].items.extend(more);
            return;
        }
        let new = self.binary(&old, assign.op, &value);
        self.assign(&assign.target, new, scope);
    }

    pub(super) fn set_attribute(&mut self, base: &Value, name: &str, value: Value) {
        match base {
            Value::Instance(id) => {
                let value = if self.uncertain > 0 { Value::Unknown } else { value };
                put(&mut self.heap.instances[*id].attributes, name, value);
            }
            Value::Router(id) => self.set_router_attribute(*id, name, value),
            Value::Module(module) => {
                if let Some(scope) = self.load(module) {
                    self.set(scope, name, value);
                }
            }
            Value::Class(id) => {
                let scope = self.heap.classes[*id].scope;
                self.set(scope, name, value);
            }
            Value::Route(id) => self.set_route_attribute(*id, name, &value),
            Value::Function(id) => {
                let mut function = self.heap.functions[*id].as_ref().clone();
                put(&mut function.attributes, name, value);
                self.heap.functions[*id] = Rc::new(function);
            }
            _ => {}
        }
    }
}

pub(super) fn put(attributes: &mut super::value::Keywords, name: &str, value: Value) {
    match attributes.iter_mut().find(|(own, _)| own.as_ref() == name) {
        Some((_, old)) => *old = value,
        None => attributes.push((name.into(), value)),
    }
}
