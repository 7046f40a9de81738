//! Annotations: expressions in which text is code.

use std::rc::Rc;

use ruff_python_ast::Expr;
use ruff_python_parser::parse_expression;

use super::Interp;
use super::value::{ScopeId, Value};

/// Longer forward references are not read.
const LENGTH: usize = 500;

impl Interp<'_> {
    /// The type that an annotation means.
    pub(crate) fn eval_type(&mut self, expr: &Expr, scope: ScopeId) -> Value {
        match expr {
            Expr::StringLiteral(text) => self.forward_reference(text.value.to_str(), scope),
            _ => self.eval(expr, scope),
        }
    }

    /// The type that text means, as code in `scope` would; the text itself if it means none.
    pub(crate) fn forward_reference(&mut self, text: &str, scope: ScopeId) -> Value {
        let nesting = text.bytes().filter(|byte| b"([.|".contains(byte)).count();
        if text.len() > LENGTH || nesting > 60 {
            return Value::str(text);
        }
        self.deeper(Value::Unknown, |this| match parse_expression(text.trim()) {
            Ok(parsed) if !parsed.expr().is_string_literal_expr() => this.eval(parsed.expr(), scope),
            _ => Value::str(text),
        })
    }

    /// The text of a value where a document shows it: keys, tags.
    pub(crate) fn shown_text(&self, value: &Value) -> Option<Rc<str>> {
        match self.enum_value(value) {
            Some(inner) => self.text_of(&inner),
            None => self.text_of(value),
        }
    }
}
