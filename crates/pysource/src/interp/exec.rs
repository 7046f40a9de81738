//! Statements.

use std::rc::Rc;

use ruff_python_ast::{Expr, Stmt, StmtFor, StmtTry, StmtWhile, Suite};

use super::Interp;
use super::value::{ListKind, ScopeId, Value};

/// How often one loop is followed.
const ITERATIONS: usize = 2_000;

/// Where the execution goes on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Flow {
    Next,
    Return(Value),
    Break,
    Continue,
    Raise,
}

impl<'a> Interp<'a> {
    /// Follows the statements of a module to its end, if it gets there; what it raises is told as a warning.
    pub(super) fn run(&mut self, body: &'a Suite, scope: ScopeId) -> bool {
        let flow = self.block(body, scope);
        if flow == Flow::Raise {
            let place = self.here.clone();
            if let Some(name) = self.raised.take() {
                let message = format!("cannot import {name}: the project has no such module or name");
                self.warn(message.clone());
                let hint = "Add what is missing, or correct the import.";
                self.fail(place, "missing_module", message, hint, not_imported(&name));
            } else {
                self.warn("the import of this module fails here");
            }
        }
        flow == Flow::Next
    }

    pub(super) fn block(&mut self, body: &'a [Stmt], scope: ScopeId) -> Flow {
        for statement in body {
            if !self.step() {
                return Flow::Return(Value::Unknown);
            }
            self.here = self.place(scope, statement);
            let flow = self.statement(statement, scope);
            if flow != Flow::Next {
                return flow;
            }
        }
        Flow::Next
    }

    fn statement(&mut self, statement: &'a Stmt, scope: ScopeId) -> Flow {
        match statement {
            Stmt::Expr(expr) => {
                self.eval(&expr.value, scope);
            }
            Stmt::Assign(assign) => {
                let value = self.eval(&assign.value, scope);
                for target in &assign.targets {
                    self.assign(target, value.clone(), scope);
                }
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    let value = self.eval(value, scope);
                    self.assign(&assign.target, value, scope);
                }
            }
            Stmt::AugAssign(assign) => self.augment(assign, scope),
            Stmt::FunctionDef(function) => self.define_function(function, scope),
            Stmt::ClassDef(class) => self.define_class(class, scope),
            Stmt::Import(import) => return self.import(import, scope),
            Stmt::ImportFrom(import) => return self.import_from(import, scope),
            Stmt::If(branch) => return self.branch(branch, scope),
            Stmt::For(each) => return self.for_each(each, scope),
            Stmt::While(repeat) => return self.repeat(repeat, scope),
            Stmt::Try(attempt) => return self.attempt(attempt, scope),
            Stmt::With(with) => {
                for item in &with.items {
                    let value = self.eval(&item.context_expr, scope);
                    if let Some(target) = &item.optional_vars {
                        let entered =
                            if matches!(value, Value::Instance(_)) { value } else { Value::Unknown };
                        self.assign(target, entered, scope);
                    }
                }
                return self.block(&with.body, scope);
            }
            Stmt::Match(choice) => return self.choose(choice, scope),
            Stmt::Return(returned) => {
                let value = returned.value.as_ref().map_or(Value::None, |value| self.eval(value, scope));
                return Flow::Return(value);
            }
            Stmt::Raise(_) => return Flow::Raise,
            Stmt::Break(_) => return Flow::Break,
            Stmt::Continue(_) => return Flow::Continue,
            Stmt::Global(global) => {
                let names: Vec<Rc<str>> = global.names.iter().map(|name| Rc::from(name.as_str())).collect();
                self.scopes[scope].globals.extend(names);
            }
            Stmt::Delete(delete) => self.delete(&delete.targets, scope),
            Stmt::TypeAlias(alias) => {
                if let Expr::Name(name) = alias.name.as_ref() {
                    let value = self.eval(&alias.value, scope);
                    self.set(scope, &name.id, value);
                }
            }
            _ => {}
        }
        Flow::Next
    }

    fn for_each(&mut self, each: &'a StmtFor, scope: ScopeId) -> Flow {
        let iterable = self.eval(&each.iter, scope);
        let Some(items) = self.iterate(&iterable) else {
            self.uncertain += 1;
            self.assign(&each.target, Value::Unknown, scope);
            let flow = self.block(&each.body, scope);
            self.uncertain -= 1;
            return if matches!(flow, Flow::Return(_)) { Flow::Return(Value::Unknown) } else { Flow::Next };
        };
        if items.len() > ITERATIONS {
            self.warn(format!("a loop of more than {ITERATIONS} rounds is not followed"));
            return Flow::Next;
        }
        for item in items {
            self.assign(&each.target, item, scope);
            match self.round(&each.body, scope) {
                Flow::Next | Flow::Continue => {}
                Flow::Break => return Flow::Next,
                flow => return flow,
            }
        }
        self.block(&each.orelse, scope)
    }

    fn round(&mut self, body: &'a Suite, scope: ScopeId) -> Flow {
        self.rounds += 1;
        let flow = self.block(body, scope);
        self.rounds -= 1;
        flow
    }

    fn repeat(&mut self, repeat: &'a StmtWhile, scope: ScopeId) -> Flow {
        for _ in 0..ITERATIONS {
            let test = self.eval(&repeat.test, scope);
            match self.truth(&test) {
                Some(false) => return self.block(&repeat.orelse, scope),
                Some(true) => match self.round(&repeat.body, scope) {
                    Flow::Next | Flow::Continue => {}
                    Flow::Break => return Flow::Next,
                    flow => return flow,
                },
                None => return self.either(&[&repeat.body], false, scope),
            }
        }
        self.warn(format!("a loop of more than {ITERATIONS} rounds is not followed"));
        Flow::Return(Value::Unknown)
    }

    fn attempt(&mut self, attempt: &'a StmtTry, scope: ScopeId) -> Flow {
        let caught = usize::from(!attempt.handlers.is_empty());
        self.tried += caught;
        let mut flow = self.block(&attempt.body, scope);
        self.tried -= caught;
        if flow == Flow::Raise
            && let Some(handler) = attempt.handlers.first().and_then(|handler| handler.as_except_handler())
        {
            self.raised = None;
            if let Some(name) = &handler.name {
                self.set(scope, name, Value::Unknown);
            }
            flow = self.block(&handler.body, scope);
        } else if flow == Flow::Next {
            flow = self.block(&attempt.orelse, scope);
        }
        match self.block(&attempt.finalbody, scope) {
            Flow::Next => flow,
            last => last,
        }
    }

    /// Truth of a value, as `if` sees it.
    pub(super) fn truth(&self, value: &Value) -> Option<bool> {
        match value {
            Value::None => Some(false),
            Value::Bool(value) => Some(*value),
            Value::Int(value) => Some(*value != 0),
            Value::Float(value) => Some(*value != 0.0),
            Value::Str(text) => Some(!text.is_empty()),
            Value::List(id) => Some(!self.heap.lists[*id].items.is_empty()),
            Value::Dict(id) => Some(!self.heap.dicts[*id].is_empty()),
            Value::Router(_) | Value::Function(_) | Value::Class(_) | Value::Module(_) | Value::Route(_) => {
                Some(true)
            }
            _ => None,
        }
    }

    /// What a loop over a value goes through.
    pub(super) fn iterate(&mut self, value: &Value) -> Option<Vec<Value>> {
        let length = match value {
            Value::List(id) => self.heap.lists[*id].items.len(),
            Value::Dict(id) => self.heap.dicts[*id].len(),
            Value::Class(id) => self.scopes[self.heap.classes[*id].scope].names.len(),
            _ => 0,
        };
        if !self.charge(length / 8) {
            return None;
        }
        match value {
            Value::List(id) => Some(self.heap.lists[*id].items.clone()),
            Value::Dict(id) => Some(self.heap.dicts[*id].iter().map(|(key, _)| key.clone()).collect()),
            Value::Str(text) if text.len() < ITERATIONS => {
                Some(text.chars().map(|one| Value::str(one.to_string())).collect())
            }
            Value::Class(id) => self.enum_members(*id),
            _ => None,
        }
    }

    fn delete(&mut self, targets: &'a [Expr], scope: ScopeId) {
        for target in targets {
            match target {
                Expr::Name(name) => {
                    self.scopes[scope].names.remove(name.id.as_str());
                }
                Expr::Subscript(subscript) => {
                    let base = self.eval(&subscript.value, scope);
                    let key = self.eval(&subscript.slice, scope);
                    self.remove_item(&base, &key);
                }
                _ => {}
            }
        }
    }

    fn remove_item(&mut self, base: &Value, key: &Value) {
        match (base, key) {
            (Value::Dict(id), key) => self.heap.dicts[*id].retain(|(own, _)| own != key),
            (Value::List(id), Value::Int(index)) => {
                let items = &mut self.heap.lists[*id].items;
                if let Some(index) = position(items.len(), *index) {
                    items.remove(index);
                }
            }
            (Value::List(_), _) => self.warn("what is removed from this list cannot be told"),
            _ => {}
        }
    }

    pub(super) fn tuple(&mut self, items: Vec<Value>) -> Value {
        self.heap.list(ListKind::Tuple, items)
    }
}

/// Python's index, which counts from the end when negative.
pub(super) fn position(length: usize, index: i64) -> Option<usize> {
    let length_signed = i64::try_from(length).ok()?;
    let index = if index < 0 { index + length_signed } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

/// What Python says where a module, or a name in one, is not there.
fn not_imported(name: &str) -> Vec<String> {
    let mut signs = vec![format!("No module named '{name}")];
    if let Some((module, last)) = name.rsplit_once('.') {
        signs.push(format!("cannot import name '{last}' from '{module}'"));
    }
    signs
}
