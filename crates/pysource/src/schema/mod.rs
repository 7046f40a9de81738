//! JSON Schemas of Python's types, as pydantic makes them.

mod docstring;
pub(crate) mod fields;
mod generics;
mod known;
mod model_fields;
mod models;
mod naming;
mod pydantic_v1;
mod types;

pub(crate) use docstring::{clean, docstring};
pub(crate) use models::ClassKind;
pub(crate) use naming::Names;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use crate::interp::Interp;
use crate::interp::value::{Id, ScopeId, Value};
use crate::operation::unprocessable;

/// A JSON Schema.
pub(crate) type Schema = Map<String, Json>;

/// What a schema is for: some types are read in another shape than they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Mode {
    Input,
    Output,
}

/// Where a type is read: names of forward references, and what type variables stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Env {
    pub(crate) scope: ScopeId,
    pub(crate) variables: Rc<Vec<(Rc<str>, Value)>>,
}

impl Env {
    pub(crate) fn of(scope: ScopeId) -> Self {
        Self { scope, variables: Rc::default() }
    }
}

/// A named schema, under `components/schemas` in the end.
struct Definition {
    /// The type with its arguments, the same for both modes.
    key: Rc<str>,
    mode: Mode,
    /// Its name if no other has the same.
    short: String,
    long: String,
    schema: Schema,
}

/// Makes schemas and collects the named ones.
pub(crate) struct Schemas<'i, 'a> {
    pub(crate) interp: &'i mut Interp<'a>,
    definitions: Vec<Definition>,
    known: HashMap<(Rc<str>, Mode), usize>,
    kinds: RefCell<HashMap<Id, ClassKind>>,
    depth: usize,
    /// [`unprocessable`], since a copy is made sooner.
    pub(crate) unprocessable: Json,
    /// Whether a type since the last reset could not be known.
    pub(crate) met_unknown: bool,
}

impl<'i, 'a> Schemas<'i, 'a> {
    pub(crate) fn new(interp: &'i mut Interp<'a>) -> Self {
        Self {
            interp,
            definitions: Vec::new(),
            known: HashMap::new(),
            kinds: RefCell::default(),
            depth: 0,
            unprocessable: unprocessable(),
            met_unknown: false,
        }
    }

    /// A type annotation as a value; text in it is a forward reference.
    pub(crate) fn annotation(&mut self, expr: &ruff_python_ast::Expr, scope: ScopeId) -> Value {
        self.interp.eval_type(expr, scope)
    }
}

/// A schema with one key.
pub(crate) fn schema_of(key: &str, value: impl Into<Json>) -> Schema {
    let mut schema = Schema::new();
    schema.insert(key.to_owned(), value.into());
    schema
}

/// `{"type": name}`.
pub(crate) fn typed(name: &str) -> Schema {
    schema_of("type", name)
}

/// `{"type": name, key: value}`.
pub(crate) fn typed_with(name: &str, key: &str, value: impl Into<Json>) -> Schema {
    let mut schema = typed(name);
    schema.insert(key.to_owned(), value.into());
    schema
}
