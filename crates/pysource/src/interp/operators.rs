//! What operators do: arithmetic, comparisons, and what is in what.

use ruff_python_ast::{CmpOp, Expr, Operator};

use super::Interp;
use super::eval::LENGTH;
use super::value::{ScopeId, Value};

impl<'a> Interp<'a> {
    pub(super) fn binary(&mut self, left: &Value, operator: Operator, right: &Value) -> Value {
        if operator == Operator::BitOr {
            return self.either_type(left, right);
        }
        if operator == Operator::Div
            && let Some(path) = self.path_joined(left, right)
        {
            return path;
        }
        let left = &self.plain(left);
        let right = &self.plain(right);
        match (left, operator, right) {
            (Value::Str(left), Operator::Add, Value::Str(right)) if left.len() + right.len() < LENGTH => {
                Value::str(format!("{left}{right}"))
            }
            (Value::Str(template), Operator::Mod, value) => self.percent(template, value),
            (Value::List(left), Operator::Add, Value::List(right)) => {
                let kind = self.heap.lists[*left].kind;
                let mut items = self.heap.lists[*left].items.clone();
                items.extend(self.heap.lists[*right].items.iter().cloned());
                if items.len() > LENGTH { Value::Unknown } else { self.heap.list(kind, items) }
            }
            (Value::Int(left), _, Value::Int(right)) => arithmetic(*left, operator, *right),
            _ => Value::Unknown,
        }
    }

    /// `A | B`, of types or of dictionaries.
    fn either_type(&mut self, left: &Value, right: &Value) -> Value {
        if let (Value::Dict(left), Value::Dict(right)) = (left, right) {
            let mut items = self.heap.dicts[*left].clone();
            items.extend(self.heap.dicts[*right].clone());
            return self.heap.dict(items);
        }
        let mut args = Vec::new();
        for side in [left, right] {
            match side {
                Value::Generic(id) if self.is_union(&self.heap.generics[*id].base) => {
                    args.extend(self.heap.generics[*id].args.clone());
                }
                other => args.push(other.clone()),
            }
        }
        self.heap.generic(Value::external("typing.Union"), args)
    }

    pub(super) fn is_union(&self, base: &Value) -> bool {
        matches!(base, Value::External(name) if name.as_ref() == "typing.Union")
    }

    pub(super) fn eval_compare(
        &mut self,
        left: &Expr,
        operators: &[CmpOp],
        others: &[Expr],
        scope: ScopeId,
    ) -> Value {
        let left = self.eval(left, scope);
        let ([operator], [other]) = (operators, others) else { return Value::Unknown };
        let right = self.eval(other, scope);
        let outcome = match operator {
            CmpOp::Eq => self.equal(&left, &right),
            CmpOp::NotEq => self.equal(&left, &right).map(|equal| !equal),
            CmpOp::Is => identical(&left, &right),
            CmpOp::IsNot => identical(&left, &right).map(|same| !same),
            CmpOp::In => self.contains(&right, &left),
            CmpOp::NotIn => self.contains(&right, &left).map(|inside| !inside),
            CmpOp::Lt | CmpOp::LtE | CmpOp::Gt | CmpOp::GtE => self.ordered(*operator, &left, &right),
        };
        outcome.map_or(Value::Unknown, Value::Bool)
    }

    pub(super) fn equal(&self, left: &Value, right: &Value) -> Option<bool> {
        match (&self.plain(left), &self.plain(right)) {
            (Value::Unknown | Value::Call(_) | Value::External(_), _)
            | (_, Value::Unknown | Value::Call(_) | Value::External(_)) => None,
            (Value::List(left), Value::List(right)) => {
                let (left, right) = (&self.heap.lists[*left].items, &self.heap.lists[*right].items);
                let plain =
                    |items: &[Value]| items.iter().all(|item| matches!(item, Value::Str(_) | Value::Int(_)));
                (plain(left) && plain(right)).then(|| left == right)
            }
            (left, right) => Some(left == right),
        }
    }

    fn contains(&mut self, container: &Value, item: &Value) -> Option<bool> {
        let item = self.plain(item);
        let length = match container {
            Value::Dict(id) => self.heap.dicts[*id].len(),
            other => self.heap.items(other).map_or(0, <[Value]>::len),
        };
        if !self.charge(length / 4) {
            return None;
        }
        match container {
            Value::Str(text) => Some(text.contains(item.as_str()?)),
            Value::List(_) | Value::Dict(_) => {
                let keys: Vec<Value> = match container {
                    Value::Dict(id) => self.heap.dicts[*id].iter().map(|(key, _)| key.clone()).collect(),
                    other => self.heap.items(other)?.to_vec(),
                };
                let outcomes: Vec<_> = keys.iter().map(|key| self.equal(key, &item)).collect();
                if outcomes.contains(&Some(true)) {
                    return Some(true);
                }
                outcomes.iter().all(Option::is_some).then_some(false)
            }
            _ => None,
        }
    }

    /// `sys.version_info >= (3, 9)` holds for every Python that previews run on; numbers are compared.
    fn ordered(&self, operator: CmpOp, left: &Value, right: &Value) -> Option<bool> {
        let ascending = matches!(operator, CmpOp::Lt | CmpOp::LtE);
        match (left, right) {
            (Value::Int(left), Value::Int(right)) => Some(match operator {
                CmpOp::Lt => left < right,
                CmpOp::LtE => left <= right,
                CmpOp::Gt => left > right,
                _ => left >= right,
            }),
            (Value::External(name), Value::List(_)) if name.as_ref() == "sys.version_info" => {
                let parts = self.heap.items(right)?;
                match parts {
                    [Value::Int(3), Value::Int(minor), ..] if *minor <= 10 => Some(!ascending),
                    [Value::Int(major)] => Some((*major <= 3) != ascending),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

fn identical(left: &Value, right: &Value) -> Option<bool> {
    match (left, right) {
        (Value::Unknown | Value::Call(_) | Value::External(_), _)
        | (_, Value::Unknown | Value::Call(_) | Value::External(_)) => None,
        _ => Some(left == right),
    }
}

fn arithmetic(left: i64, operator: Operator, right: i64) -> Value {
    let result = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Sub => left.checked_sub(right),
        Operator::Mult => left.checked_mul(right),
        Operator::FloorDiv => left.checked_div_euclid(right),
        _ => None,
    };
    result.map_or(Value::Unknown, Value::Int)
}
