//! Alternatives: `if`, `match`, and what is known after one of several ways that were not told apart.

use std::collections::HashMap;
use std::rc::Rc;

use ruff_python_ast::{Expr, StmtIf, StmtMatch, Suite};

use super::Interp;
use super::exec::Flow;
use super::value::{ScopeId, Value};

impl<'a> Interp<'a> {
    pub(super) fn branch(&mut self, branch: &'a StmtIf, scope: ScopeId) -> Flow {
        if is_type_checking(&branch.test) {
            return self.for_types_only(&branch.body, scope);
        }
        let mut arms: Vec<(Option<&'a Expr>, &'a Suite)> = vec![(Some(&branch.test), &branch.body)];
        arms.extend(branch.elif_else_clauses.iter().map(|clause| (clause.test.as_ref(), &clause.body)));
        let mut possible: Vec<&'a Suite> = Vec::new();
        for (test, body) in arms {
            let outcome = test.map_or(Some(true), |test| {
                let value = self.eval(test, scope);
                self.truth(&value)
            });
            match outcome {
                Some(false) => {}
                Some(true) if possible.is_empty() => return self.block(body, scope),
                Some(true) => {
                    possible.push(body);
                    return self.either(&possible, true, scope);
                }
                None => possible.push(body),
            }
        }
        if possible.is_empty() { Flow::Next } else { self.either(&possible, false, scope) }
    }

    /// Names that only type checkers see are still good for reading annotations.
    fn for_types_only(&mut self, body: &'a Suite, scope: ScopeId) -> Flow {
        let before = self.scopes[scope].names.clone();
        self.block(body, scope);
        self.raised = None;
        for (name, value) in before {
            self.set(scope, &name, value);
        }
        Flow::Next
    }

    /// Follows alternatives of which the source does not say which will run: no route of theirs is certain, and a
    /// name that they leave with different values is unknown.
    pub(super) fn either(&mut self, bodies: &[&'a Suite], exhaustive: bool, scope: ScopeId) -> Flow {
        let before = self.scopes[scope].names.clone();
        self.charge(before.len() * bodies.len());
        let mut after: Vec<HashMap<Rc<str>, Value>> = Vec::new();
        let mut returned: Vec<Value> = Vec::new();
        self.uncertain += 1;
        for body in bodies {
            self.scopes[scope].names = before.clone();
            match self.block(body, scope) {
                Flow::Return(value) => returned.push(value),
                Flow::Raise => self.raised = None,
                _ => after.push(std::mem::take(&mut self.scopes[scope].names)),
            }
        }
        self.uncertain -= 1;
        if after.is_empty() && exhaustive {
            self.scopes[scope].names = before;
            let same = returned.windows(2).all(|pair| pair[0] == pair[1]);
            return returned.pop().filter(|_| same).map_or(Flow::Raise, Flow::Return);
        }
        if !exhaustive {
            after.push(before);
        }
        self.scopes[scope].names = merged(after);
        Flow::Next
    }

    pub(super) fn choose(&mut self, choice: &'a StmtMatch, scope: ScopeId) -> Flow {
        let subject = self.eval(&choice.subject, scope);
        let mut possible: Vec<&'a Suite> = Vec::new();
        for case in &choice.cases {
            match self.matches(&case.pattern, &subject, scope) {
                Some(false) => {}
                Some(true) if case.guard.is_none() && possible.is_empty() => {
                    return self.block(&case.body, scope);
                }
                Some(true) if case.guard.is_none() => {
                    possible.push(&case.body);
                    return self.either(&possible, true, scope);
                }
                _ => possible.push(&case.body),
            }
        }
        self.either(&possible, false, scope)
    }

    fn matches(
        &mut self,
        pattern: &'a ruff_python_ast::Pattern,
        subject: &Value,
        scope: ScopeId,
    ) -> Option<bool> {
        use ruff_python_ast::Pattern;
        match pattern {
            Pattern::MatchAs(any) if any.pattern.is_none() && any.name.is_none() => Some(true),
            Pattern::MatchValue(literal) => {
                let value = self.eval(&literal.value, scope);
                self.equal(subject, &value)
            }
            Pattern::MatchOr(any) => {
                let outcomes: Vec<_> =
                    any.patterns.iter().map(|one| self.matches(one, subject, scope)).collect();
                if outcomes.contains(&Some(true)) {
                    return Some(true);
                }
                outcomes.iter().all(|one| *one == Some(false)).then_some(false)
            }
            _ => None,
        }
    }
}

fn is_type_checking(test: &Expr) -> bool {
    match test {
        Expr::Name(name) => name.id.as_str() == "TYPE_CHECKING",
        Expr::Attribute(attribute) => attribute.attr.as_str() == "TYPE_CHECKING",
        _ => false,
    }
}

/// The names of several outcomes: those that differ are unknown.
fn merged(outcomes: Vec<HashMap<Rc<str>, Value>>) -> HashMap<Rc<str>, Value> {
    let mut outcomes = outcomes.into_iter();
    let mut names = outcomes.next().unwrap_or_default();
    for outcome in outcomes {
        for (name, value) in outcome {
            match names.get_mut(&name) {
                Some(known) if *known != value => *known = Value::Unknown,
                Some(_) => {}
                None => {
                    names.insert(name, value);
                }
            }
        }
    }
    names
}
