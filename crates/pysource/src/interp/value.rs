//! What a name can stand for. Composite values live in [`Heap`] and are named by number, so that no chain of
//! references, however long or circular, is ever dropped recursively.

use std::rc::Rc;

use ruff_python_ast::{StmtClassDef, StmtFunctionDef};

/// A value as far as the source settles it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Could be anything.
    Unknown,
    None,
    Ellipsis,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Rc<str>),
    /// A module of the project, by its dotted name.
    Module(Rc<str>),
    /// Something of a library or of Python itself, by its dotted name: `fastapi.APIRouter`, `builtins.int`.
    External(Rc<str>),
    /// List, tuple, set or routes of a router.
    List(Id),
    Dict(Id),
    Function(Id),
    Class(Id),
    Instance(Id),
    /// FastAPI, APIRouter or Starlette.
    Router(Id),
    /// What calling something external gave.
    Call(Id),
    /// A subscripted type, `list[int]`; the base may be `typing.Union`.
    Generic(Id),
    /// A method of a value that is not the project's own, bound to it.
    Method(Id),
    Route(Id),
    /// One router inside another.
    Included(Id),
    /// `router.get("/x")`: waits for its function.
    Decorator(Id),
}

impl Value {
    pub(crate) fn str(text: impl AsRef<str>) -> Self {
        Self::Str(Rc::from(text.as_ref()))
    }

    pub(crate) fn external(name: impl AsRef<str>) -> Self {
        Self::External(Rc::from(name.as_ref()))
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

/// How many parts a type may have.
const TYPE_SIZE: usize = 500;

/// The number of something in its arena of the heap.
pub(crate) type Id = usize;

/// Where a name is looked up.
pub(crate) type ScopeId = usize;

/// Names of keyword arguments with their values.
pub(crate) type Keywords = Vec<(Rc<str>, Value)>;

/// A place in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) module: Rc<str>,
    pub(crate) offset: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    List,
    Tuple,
    Set,
}

#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) kind: ListKind,
    pub(crate) items: Vec<Value>,
}

/// A function of the project, or a method bound to `receiver`.
#[derive(Clone, Debug)]
pub(crate) struct Function<'a> {
    pub(crate) def: &'a StmtFunctionDef,
    /// Where it was defined; its own names have that as parent.
    pub(crate) scope: ScopeId,
    /// Where its annotations and defaults are read: in a loop, the names as they were when it was defined.
    pub(crate) signature: ScopeId,
    pub(crate) module: Rc<str>,
    pub(crate) receiver: Option<Value>,
    /// The class whose body defines it, for `super()`.
    pub(crate) owner: Option<Id>,
    /// `functools.wraps`: whose name, documentation and parameters it shows.
    pub(crate) shows: Option<Id>,
    /// `__name__` and `__doc__` where they were set.
    pub(crate) attributes: Keywords,
    pub(crate) is_property: bool,
    pub(crate) is_static: bool,
    pub(crate) is_class_method: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Class<'a> {
    pub(crate) def: &'a StmtClassDef,
    pub(crate) name: Rc<str>,
    pub(crate) module: Rc<str>,
    /// Its own names; the parent is where it was defined.
    pub(crate) scope: ScopeId,
    pub(crate) bases: Vec<Value>,
    pub(crate) keywords: Keywords,
    pub(crate) decorators: Vec<Value>,
}

#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) class: Id,
    pub(crate) attributes: Keywords,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) callee: Rc<str>,
    pub(crate) args: Vec<Value>,
    pub(crate) keywords: Keywords,
}

impl Call {
    /// The argument of that name, or at that position.
    pub(crate) fn argument(&self, position: usize, name: &str) -> Option<&Value> {
        keyword(&self.keywords, name).or_else(|| self.args.get(position))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Generic {
    pub(crate) base: Value,
    pub(crate) args: Vec<Value>,
    /// How many types it is made of, those inside counted as often as they occur.
    size: usize,
}

/// What a router adds to everything in it, or an inclusion to everything included.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) prefix: Rc<str>,
    /// Something of the prefix cannot be known: what is in here has no path that could be told.
    pub(crate) is_lost: bool,
    pub(crate) tags: Vec<Value>,
    pub(crate) dependencies: Vec<Value>,
    pub(crate) responses: Vec<Value>,
    pub(crate) deprecated: bool,
    pub(crate) include_in_schema: bool,
    pub(crate) response_class: Option<Value>,
    pub(crate) unique_id: Option<Value>,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            prefix: Rc::from(""),
            is_lost: false,
            tags: Vec::new(),
            dependencies: Vec::new(),
            responses: Vec::new(),
            deprecated: false,
            include_in_schema: true,
            response_class: None,
            unique_id: None,
        }
    }
}

impl Context {
    /// What holds for something with `self` inside of `outer`.
    pub(crate) fn within(&self, outer: &Self) -> Self {
        let joined = |outer: &[Value], own: &[Value]| outer.iter().chain(own).cloned().collect();
        Self {
            prefix: Rc::from(format!("{}{}", outer.prefix, self.prefix)),
            is_lost: outer.is_lost || self.is_lost,
            tags: joined(&outer.tags, &self.tags),
            dependencies: joined(&outer.dependencies, &self.dependencies),
            responses: joined(&outer.responses, &self.responses),
            deprecated: outer.deprecated || self.deprecated,
            include_in_schema: outer.include_in_schema && self.include_in_schema,
            response_class: self.response_class.clone().or_else(|| outer.response_class.clone()),
            unique_id: self.unique_id.clone().or_else(|| outer.unique_id.clone()),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Router {
    /// FastAPI or Starlette, not APIRouter.
    pub(crate) is_app: bool,
    /// Methods and attributes of the project's own subclass.
    pub(crate) class: Option<Id>,
    /// Of the subclass's own attributes, and those set from outside.
    pub(crate) attributes: Keywords,
    pub(crate) context: Context,
    /// A list of routes, mounts and included routers.
    pub(crate) items: Id,
    /// The arguments it was made with.
    pub(crate) options: Keywords,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteKind {
    Http,
    /// Starlette's own: serves, but never in the schema.
    Plain,
    WebSocket,
    Mount,
}

#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) kind: RouteKind,
    /// Its prefix is the whole path.
    pub(crate) context: Context,
    pub(crate) methods: Vec<Rc<str>>,
    /// Function, class or, for a mount, application.
    pub(crate) endpoint: Value,
    /// The decorator's arguments.
    pub(crate) options: Keywords,
    pub(crate) place: Place,
    /// A class whose instance is the first parameter of the endpoint.
    pub(crate) view: Option<Id>,
}

#[derive(Clone, Debug)]
pub(crate) struct Included {
    pub(crate) router: Id,
    pub(crate) context: Context,
}

#[derive(Clone, Debug)]
pub(crate) struct Method {
    pub(crate) receiver: Value,
    pub(crate) name: Rc<str>,
}

/// A decorator that registers the function it is given.
#[derive(Clone, Debug)]
pub(crate) struct Decorator {
    pub(crate) router: Id,
    pub(crate) verb: Rc<str>,
    pub(crate) args: Vec<Value>,
    pub(crate) keywords: Keywords,
    pub(crate) place: Place,
}

/// All composite values of one reading.
#[derive(Default)]
pub(crate) struct Heap<'a> {
    pub(crate) lists: Vec<List>,
    pub(crate) dicts: Vec<Vec<(Value, Value)>>,
    pub(crate) functions: Vec<Rc<Function<'a>>>,
    pub(crate) classes: Vec<Rc<Class<'a>>>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) routers: Vec<Router>,
    pub(crate) calls: Vec<Rc<Call>>,
    pub(crate) generics: Vec<Rc<Generic>>,
    pub(crate) methods: Vec<Rc<Method>>,
    pub(crate) routes: Vec<Rc<Route>>,
    pub(crate) included: Vec<Rc<Included>>,
    pub(crate) decorators: Vec<Rc<Decorator>>,
}

fn put<T>(arena: &mut Vec<T>, value: T) -> Id {
    arena.push(value);
    arena.len() - 1
}

impl<'a> Heap<'a> {
    pub(crate) fn list(&mut self, kind: ListKind, items: Vec<Value>) -> Value {
        Value::List(put(&mut self.lists, List { kind, items }))
    }

    pub(crate) fn dict(&mut self, items: Vec<(Value, Value)>) -> Value {
        Value::Dict(put(&mut self.dicts, items))
    }

    pub(crate) fn function(&mut self, function: Function<'a>) -> Value {
        Value::Function(put(&mut self.functions, Rc::new(function)))
    }

    pub(crate) fn class(&mut self, class: Class<'a>) -> Id {
        put(&mut self.classes, Rc::new(class))
    }

    pub(crate) fn instance(&mut self, class: Id) -> Id {
        put(&mut self.instances, Instance { class, attributes: Vec::new() })
    }

    pub(crate) fn router(&mut self, router: Router) -> Value {
        Value::Router(put(&mut self.routers, router))
    }

    pub(crate) fn call(&mut self, callee: &str, args: Vec<Value>, keywords: Keywords) -> Value {
        Value::Call(put(&mut self.calls, Rc::new(Call { callee: Rc::from(callee), args, keywords })))
    }

    /// A subscripted type; unknown if it is larger than any honest one, since types are followed recursively.
    pub(crate) fn generic(&mut self, base: Value, args: Vec<Value>) -> Value {
        let size_of =
            |value: &Value| if let Value::Generic(id) = value { self.generics[*id].size } else { 1 };
        let size = args.iter().chain([&base]).map(size_of).sum::<usize>() + 1;
        if size > TYPE_SIZE {
            return Value::Unknown;
        }
        Value::Generic(put(&mut self.generics, Rc::new(Generic { base, args, size })))
    }

    pub(crate) fn method(&mut self, receiver: Value, name: &str) -> Value {
        Value::Method(put(&mut self.methods, Rc::new(Method { receiver, name: Rc::from(name) })))
    }

    pub(crate) fn route(&mut self, route: Route) -> Value {
        Value::Route(put(&mut self.routes, Rc::new(route)))
    }

    pub(crate) fn include(&mut self, included: Included) -> Value {
        Value::Included(put(&mut self.included, Rc::new(included)))
    }

    pub(crate) fn decorator(&mut self, decorator: Decorator) -> Value {
        Value::Decorator(put(&mut self.decorators, Rc::new(decorator)))
    }

    /// Items of a list, tuple or set.
    pub(crate) fn items(&self, value: &Value) -> Option<&[Value]> {
        match value {
            Value::List(id) => Some(&self.lists[*id].items),
            _ => None,
        }
    }
}

/// The keyword argument of that name.
pub(crate) fn keyword<'k>(keywords: &'k Keywords, name: &str) -> Option<&'k Value> {
    keywords.iter().rev().find(|(key, _)| key.as_ref() == name).map(|(_, value)| value)
}

/// The last part of a dotted name.
pub(crate) fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The first part of a dotted name.
pub(crate) fn first_part(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}
