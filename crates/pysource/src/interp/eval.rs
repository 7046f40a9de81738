//! Expressions.

use std::rc::Rc;

use ruff_python_ast::{
    Arguments, BoolOp, Comprehension, Expr, ExprCall, ExprDict, ExprFString, InterpolatedStringElement,
    Number, UnaryOp,
};

use super::Interp;
use super::value::{Keywords, ListKind, ScopeId, Value};

/// Longer strings and lists are not built.
pub(super) const LENGTH: usize = 10_000;
/// The name of functions that do nothing but give their argument.
pub(super) const WRITTEN_OUT: &str = "builtins.lambda";

impl<'a> Interp<'a> {
    pub(crate) fn eval(&mut self, expr: &Expr, scope: ScopeId) -> Value {
        if !self.step() {
            return Value::Unknown;
        }
        match expr {
            Expr::StringLiteral(text) => Value::str(text.value.to_str()),
            Expr::Name(name) => self.lookup(scope, &name.id),
            // As documents show it.
            Expr::BytesLiteral(bytes) => {
                let bytes: Vec<u8> = bytes.value.bytes().collect();
                String::from_utf8(bytes).map_or(Value::Unknown, Value::str)
            }
            Expr::NoneLiteral(_) => Value::None,
            Expr::BooleanLiteral(literal) => Value::Bool(literal.value),
            Expr::EllipsisLiteral(_) => Value::Ellipsis,
            Expr::NumberLiteral(literal) => match &literal.value {
                Number::Int(int) => int.as_i64().map_or(Value::Unknown, Value::Int),
                Number::Float(float) => Value::Float(*float),
                Number::Complex { .. } => Value::Unknown,
            },
            _ => self.deeper(Value::Unknown, |this| this.eval_compound(expr, scope)),
        }
    }

    fn eval_compound(&mut self, expr: &Expr, scope: ScopeId) -> Value {
        match expr {
            Expr::Attribute(attribute) => {
                let base = self.eval(&attribute.value, scope);
                self.attribute(&base, &attribute.attr)
            }
            Expr::Call(call) => self.eval_call(call, scope),
            Expr::FString(text) => self.eval_fstring(text, scope),
            Expr::BinOp(operation) => {
                let left = self.eval(&operation.left, scope);
                let right = self.eval(&operation.right, scope);
                self.binary(&left, operation.op, &right)
            }
            Expr::List(list) => self.eval_list(ListKind::List, &list.elts, scope),
            Expr::Tuple(tuple) => self.eval_list(ListKind::Tuple, &tuple.elts, scope),
            Expr::Set(set) => self.eval_list(ListKind::Set, &set.elts, scope),
            Expr::Dict(dict) => self.eval_dict(dict, scope),
            Expr::Subscript(subscript) => {
                let base = self.eval(&subscript.value, scope);
                self.subscript(&base, &subscript.slice, scope)
            }
            Expr::BoolOp(operation) => self.eval_bool(operation.op, &operation.values, scope),
            Expr::UnaryOp(operation) => self.eval_unary(operation.op, &operation.operand, scope),
            Expr::Compare(compare) => {
                self.eval_compare(&compare.left, &compare.ops, &compare.comparators, scope)
            }
            Expr::If(choice) => {
                let test = self.eval(&choice.test, scope);
                match self.truth(&test) {
                    Some(true) => self.eval(&choice.body, scope),
                    Some(false) => self.eval(&choice.orelse, scope),
                    None => Value::Unknown,
                }
            }
            Expr::Named(named) => {
                let value = self.eval(&named.value, scope);
                self.assign(&named.target, value.clone(), scope);
                value
            }
            Expr::ListComp(list) => {
                self.eval_comprehension(ListKind::List, &list.elt, &list.generators, scope)
            }
            Expr::Generator(list) => {
                self.eval_comprehension(ListKind::List, &list.elt, &list.generators, scope)
            }
            Expr::SetComp(set) => self.eval_comprehension(ListKind::Set, &set.elt, &set.generators, scope),
            Expr::DictComp(dict) => {
                let Some(key) = dict.key.as_deref() else { return Value::Unknown };
                let mut items = Vec::new();
                let known = self.comprehend(&dict.generators, scope, &mut |this, inner| {
                    let pair = (this.eval(key, inner), this.eval(&dict.value, inner));
                    items.push(pair);
                });
                if known { self.heap.dict(items) } else { Value::Unknown }
            }
            Expr::Starred(starred) => self.eval(&starred.value, scope),
            // One that gives what is written there; what others do is not followed.
            Expr::Lambda(lambda) if lambda.parameters.is_none() && is_written_out(&lambda.body) => {
                let given = self.eval(&lambda.body, scope);
                self.heap.call(WRITTEN_OUT, vec![given], Keywords::new())
            }
            _ => Value::Unknown,
        }
    }

    fn eval_list(&mut self, kind: ListKind, elements: &[Expr], scope: ScopeId) -> Value {
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            let value = self.eval(element, scope);
            if element.is_starred_expr() {
                match self.iterate(&value) {
                    Some(more) => items.extend(more),
                    None => return Value::Unknown,
                }
            } else {
                items.push(value);
            }
        }
        self.heap.list(kind, items)
    }

    fn eval_dict(&mut self, dict: &ExprDict, scope: ScopeId) -> Value {
        let mut items: Vec<(Value, Value)> = Vec::with_capacity(dict.items.len());
        for item in &dict.items {
            let value = self.eval(&item.value, scope);
            match (&item.key, value) {
                (Some(key), value) => {
                    let key = self.eval(key, scope);
                    items.push((key, value));
                }
                (None, Value::Dict(id)) => items.extend(self.heap.dicts[id].clone()),
                (None, _) => return Value::Unknown,
            }
        }
        self.heap.dict(items)
    }

    fn eval_fstring(&mut self, text: &ExprFString, scope: ScopeId) -> Value {
        let mut result = String::new();
        for part in &text.value {
            let elements = match part {
                ruff_python_ast::FStringPart::Literal(literal) => {
                    result.push_str(&literal.value);
                    continue;
                }
                ruff_python_ast::FStringPart::FString(inner) => &inner.elements,
            };
            for element in elements {
                match element {
                    InterpolatedStringElement::Literal(literal) => result.push_str(&literal.value),
                    InterpolatedStringElement::Interpolation(inner) => {
                        let value = self.eval(&inner.expression, scope);
                        match self.as_text(&value) {
                            Some(shown) if inner.format_spec.is_none() => result.push_str(&shown),
                            _ => return Value::Unknown,
                        }
                    }
                }
            }
            if result.len() > LENGTH {
                return Value::Unknown;
            }
        }
        Value::str(result)
    }

    /// `str(value)`, which classes of the project may decide themselves.
    pub(super) fn as_text(&mut self, value: &Value) -> Option<Rc<str>> {
        if let Value::Instance(id) = value
            && let Some(method) = self.class_attribute(self.heap.instances[*id].class, "__str__")
        {
            let bound = self.bind(&method, value);
            return self.call(&bound, Vec::new(), Vec::new()).as_str().map(Rc::from);
        }
        self.text_of(value)
    }

    /// `str(value)` of what is not the project's own.
    pub(super) fn text_of(&self, value: &Value) -> Option<Rc<str>> {
        match value {
            Value::Str(text) => Some(text.clone()),
            Value::Int(number) => Some(Rc::from(number.to_string())),
            Value::Bool(true) => Some(Rc::from("True")),
            Value::Bool(false) => Some(Rc::from("False")),
            Value::None => Some(Rc::from("None")),
            Value::Instance(_) => self.enum_text(value),
            _ => None,
        }
    }

    fn eval_bool(&mut self, operator: BoolOp, values: &[Expr], scope: ScopeId) -> Value {
        let stops_at = operator == BoolOp::Or;
        let mut last = Value::Unknown;
        let mut known = true;
        for value in values {
            last = self.eval(value, scope);
            match self.truth(&last) {
                Some(truth) if truth == stops_at => {
                    // After an unknown operand only the truth is sure, not which operand gives it.
                    return if known {
                        last
                    } else if stops_at {
                        Value::Unknown
                    } else {
                        Value::Bool(false)
                    };
                }
                Some(_) => {}
                None => known = false,
            }
        }
        if known { last } else { Value::Unknown }
    }

    fn eval_unary(&mut self, operator: UnaryOp, operand: &Expr, scope: ScopeId) -> Value {
        let value = self.eval(operand, scope);
        match (operator, &value) {
            (UnaryOp::Not, value) => self.truth(value).map_or(Value::Unknown, |truth| Value::Bool(!truth)),
            (UnaryOp::USub, Value::Int(number)) => number.checked_neg().map_or(Value::Unknown, Value::Int),
            (UnaryOp::USub, Value::Float(number)) => Value::Float(-number),
            (UnaryOp::UAdd, _) => value,
            _ => Value::Unknown,
        }
    }

    fn eval_comprehension(
        &mut self,
        kind: ListKind,
        element: &Expr,
        generators: &[Comprehension],
        scope: ScopeId,
    ) -> Value {
        let mut items = Vec::new();
        let known = self.comprehend(generators, scope, &mut |this, inner| {
            let value = this.eval(element, inner);
            items.push(value);
        });
        if known { self.heap.list(kind, items) } else { Value::Unknown }
    }

    /// Runs `body` for each round of the generators; false where they cannot be known.
    fn comprehend(
        &mut self,
        generators: &[Comprehension],
        scope: ScopeId,
        body: &mut dyn FnMut(&mut Self, ScopeId),
    ) -> bool {
        let Some((first, rest)) = generators.split_first() else {
            body(self, scope);
            return true;
        };
        let iterable = self.eval(&first.iter, scope);
        let Some(items) = self.iterate(&iterable) else { return false };
        let module = self.module_of(scope);
        let inner = self.new_scope(Some(scope), module, None);
        for item in items.into_iter().take(LENGTH) {
            self.assign(&first.target, item, inner);
            let mut wanted = Some(true);
            for test in &first.ifs {
                let value = self.eval(test, inner);
                wanted = if wanted == Some(true) { self.truth(&value) } else { wanted };
            }
            match wanted {
                Some(true) => {
                    if !self.comprehend(rest, inner, body) {
                        return false;
                    }
                }
                Some(false) => {}
                None => return false,
            }
        }
        true
    }

    fn eval_call(&mut self, call: &ExprCall, scope: ScopeId) -> Value {
        if let Expr::Name(name) = call.func.as_ref() {
            match name.id.as_str() {
                "super" if call.arguments.args.is_empty() => return self.super_of(scope),
                "exec" => {
                    let module = self.module_scope(scope);
                    self.scopes[module].open = true;
                }
                "globals" | "locals" | "vars" if call.arguments.args.is_empty() => {
                    return self.names_of(scope);
                }
                _ => {}
            }
        }
        let callee = self.eval(&call.func, scope);
        let Some((args, keywords)) = self.arguments(&call.arguments, scope) else {
            return self.call_with_unknown_arguments(&callee);
        };
        let place = self.place(scope, call);
        let before = std::mem::replace(&mut self.here, place);
        let value = self.call(&callee, args, keywords);
        self.here = before;
        value
    }

    /// Positional and keyword arguments; None where `*args` or `**kwargs` hide some.
    pub(super) fn arguments(
        &mut self,
        arguments: &Arguments,
        scope: ScopeId,
    ) -> Option<(Vec<Value>, Keywords)> {
        let mut args = Vec::with_capacity(arguments.args.len());
        for argument in &arguments.args {
            let value = self.eval(argument, scope);
            if argument.is_starred_expr() {
                args.extend(self.iterate(&value)?);
            } else {
                args.push(value);
            }
        }
        let mut keywords = Keywords::with_capacity(arguments.keywords.len());
        for argument in &arguments.keywords {
            let value = self.eval(&argument.value, scope);
            match (&argument.arg, value) {
                (Some(name), value) => keywords.push((Rc::from(name.as_str()), value)),
                (None, Value::Dict(id)) => {
                    for (key, value) in self.heap.dicts[id].clone() {
                        keywords.push((Rc::from(key.as_str()?), value));
                    }
                }
                (None, _) => return None,
            }
        }
        Some((args, keywords))
    }
}

/// Whether evaluating an expression does nothing.
fn is_written_out(expr: &Expr) -> bool {
    match expr {
        Expr::List(list) => list.elts.iter().all(is_written_out),
        Expr::Tuple(tuple) => tuple.elts.iter().all(is_written_out),
        Expr::Dict(dict) => dict
            .items
            .iter()
            .all(|item| item.key.as_ref().is_some_and(Expr::is_literal_expr) && is_written_out(&item.value)),
        other => other.is_literal_expr(),
    }
}
