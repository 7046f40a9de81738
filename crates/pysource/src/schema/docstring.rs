//! Documentation strings, as Python's `inspect` reads them.

use ruff_python_ast::{Expr, Stmt};

/// The documentation at the start of a body, as `inspect.cleandoc` leaves it.
pub(crate) fn docstring(body: &[Stmt]) -> Option<String> {
    let Some(Stmt::Expr(first)) = body.first() else { return None };
    let Expr::StringLiteral(text) = first.value.as_ref() else { return None };
    let text = clean(text.value.to_str());
    (!text.is_empty()).then_some(text)
}

/// Text as `inspect.cleandoc` leaves it.
pub(crate) fn clean(text: &str) -> String {
    let text = text.replace('\t', "        ");
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().trim_start();
    let rest: Vec<&str> = lines.collect();
    let margin = rest
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min();
    let mut cleaned = vec![first];
    cleaned.extend(rest.iter().map(|line| line.get(margin.unwrap_or(0)..).unwrap_or_default()));
    while cleaned.last().is_some_and(|line| line.trim().is_empty()) {
        cleaned.pop();
    }
    while cleaned.first().is_some_and(|line| line.trim().is_empty()) {
        cleaned.remove(0);
    }
    cleaned.join("\n")
}
