//! FastAPI's applications and routers: how they are made, and what is put into them.

use std::rc::Rc;

use super::Interp;
use super::assign::put;
use super::value::{
    Context, Decorator, Id, Included, Keywords, Route, RouteKind, Router, Value, first_part, keyword,
    last_part,
};

/// Methods that routers have for a verb of HTTP each.
pub(super) const VERBS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/// Positional parameters of `add_api_route` and its like.
const ADD_ROUTE: [&str; 2] = ["path", "endpoint"];

impl<'a> Interp<'a> {
    /// Whether a library's class makes routers or applications that we know.
    pub(super) fn is_router_class(&self, name: &str) -> bool {
        matches!(last_part(name), "FastAPI" | "APIRouter" | "InferringRouter" | "Starlette")
            && matches!(first_part(name), "fastapi" | "starlette" | "fastapi_utils" | "fastapi_restful")
    }

    /// `FastAPI(…)`, `APIRouter(…)`.
    pub(super) fn make_router(&mut self, name: &str, args: Vec<Value>, keywords: Keywords) -> Value {
        let router = self.empty_router(matches!(last_part(name), "FastAPI" | "Starlette"), None);
        self.initialise(router, args, keywords);
        Value::Router(router)
    }

    pub(super) fn instantiate_router(&mut self, class: Id, args: Vec<Value>, keywords: Keywords) -> Value {
        let is_app = self.descends(class, &["FastAPI", "Starlette"]);
        let router = self.empty_router(is_app, Some(class));
        let value = Value::Router(router);
        match self.class_attribute(class, "__init__") {
            Some(init) => {
                let bound = self.bind(&init, &value);
                self.call(&bound, args, keywords);
            }
            None => self.initialise(router, args, keywords),
        }
        value
    }

    fn empty_router(&mut self, is_app: bool, class: Option<Id>) -> Id {
        let items = self.list_of(Vec::new());
        let Value::List(items) = items else { return 0 };
        let context = Context::default();
        let router = Router { is_app, class, attributes: Vec::new(), context, items, options: Vec::new() };
        match self.heap.router(router) {
            Value::Router(id) => id,
            _ => 0,
        }
    }

    /// What the constructor does with its arguments.
    fn initialise(&mut self, id: Id, _args: Vec<Value>, keywords: Keywords) {
        let mut context = self.context(&keywords);
        let is_app = self.heap.routers[id].is_app;
        if is_app {
            context.prefix = Rc::from("");
        }
        context.response_class = keyword(&keywords, "default_response_class").cloned();
        if let Some(routes) = keyword(&keywords, "routes").cloned() {
            match self.iterate(&routes) {
                Some(routes) => {
                    let items = self.heap.routers[id].items;
                    self.heap.lists[items].items.extend(routes);
                }
                None if routes == Value::None => {}
                None => self.warn("the routes that are given here cannot be known"),
            }
        }
        self.heap.routers[id].context = context;
        self.heap.routers[id].options = keywords;
    }

    /// The arguments that routers, inclusions and routes have in common.
    pub(super) fn context(&mut self, keywords: &Keywords) -> Context {
        let (prefix, is_lost) = match keyword(keywords, "prefix").map(|prefix| self.plain(prefix)) {
            Some(Value::Str(prefix)) => (prefix, false),
            None | Some(Value::None) => (Rc::from(""), false),
            Some(_) => {
                self.warn("the prefix cannot be known: the routes below it are not listed");
                (Rc::from(""), true)
            }
        };
        let list = |this: &mut Self, name: &str| match keyword(keywords, name) {
            Some(value) => this.iterate(&value.clone()).unwrap_or_default(),
            None => Vec::new(),
        };
        Context {
            prefix,
            is_lost,
            tags: list(self, "tags"),
            dependencies: list(self, "dependencies"),
            responses: keyword(keywords, "responses").into_iter().cloned().collect(),
            deprecated: keyword(keywords, "deprecated").is_some_and(|value| self.truth(value) == Some(true)),
            include_in_schema: keyword(keywords, "include_in_schema")
                .is_none_or(|value| self.truth(value) != Some(false)),
            response_class: keyword(keywords, "response_class")
                .or_else(|| keyword(keywords, "default_response_class"))
                .cloned(),
            unique_id: keyword(keywords, "generate_unique_id_function").cloned(),
        }
    }

    pub(super) fn router_attribute(&mut self, id: Id, name: &str) -> Value {
        let router = &self.heap.routers[id];
        if let Some(value) = keyword(&router.attributes, name) {
            return value.clone();
        }
        if let Some(class) = router.class
            && let Some(value) = self.class_attribute(class, name)
        {
            let bound = self.bind(&value, &Value::Router(id));
            return match value {
                Value::Function(function) if self.heap.functions[function].is_property => {
                    self.call(&bound, Vec::new(), Vec::new())
                }
                _ => bound,
            };
        }
        match name {
            "router" => Value::Router(id),
            "routes" => Value::List(router.items),
            "prefix" => Value::Str(router.context.prefix.clone()),
            "tags" => {
                let tags = router.context.tags.clone();
                self.list_of(tags)
            }
            "dependencies" => {
                let dependencies = router.context.dependencies.clone();
                self.list_of(dependencies)
            }
            "title" | "version" | "description" | "root_path" | "debug" => {
                keyword(&router.options, name).cloned().unwrap_or(Value::Unknown)
            }
            "state" | "user_middleware" | "exception_handlers" | "dependency_overrides" => Value::Unknown,
            _ => self.heap.method(Value::Router(id), name),
        }
    }

    pub(super) fn set_router_attribute(&mut self, id: Id, name: &str, value: Value) {
        match (name, &value) {
            ("routes", value) => match self.iterate(value) {
                Some(items) if self.uncertain == 0 => {
                    let list = self.heap.routers[id].items;
                    self.heap.lists[list].items = items;
                }
                _ => self.warn("the routes that are set here cannot be known: the earlier ones are listed"),
            },
            ("router", Value::Router(other)) if *other != id => {
                self.heap.routers[id].items = self.heap.routers[*other].items;
            }
            ("prefix", Value::Str(prefix)) => self.heap.routers[id].context.prefix = prefix.clone(),
            ("tags", value) => {
                if let Some(tags) = self.iterate(value) {
                    self.heap.routers[id].context.tags = tags;
                }
            }
            ("title" | "version" | "description" | "openapi_version", _) => {
                put(&mut self.heap.routers[id].options, name, value);
            }
            ("openapi", _) => {
                put(&mut self.heap.routers[id].attributes, name, Value::Unknown);
            }
            _ => put(&mut self.heap.routers[id].attributes, name, value),
        }
    }

    /// A method of FastAPI or APIRouter itself.
    pub(super) fn router_method(
        &mut self,
        id: Id,
        name: &str,
        args: Vec<Value>,
        keywords: Keywords,
    ) -> Value {
        match name {
            "__init__" => self.initialise(id, args, keywords),
            "include_router" => self.include(id, &args, &keywords),
            "mount" | "host" => self.mount(id, &args, &keywords),
            "add_api_route" | "add_route" | "add_api_websocket_route" | "add_websocket_route" => {
                let verb = match name {
                    "add_api_route" => "api_route",
                    "add_route" => "route",
                    _ => "websocket",
                };
                let mut keywords = keywords;
                let names = ADD_ROUTE
                    .iter()
                    .map(|name| Rc::from(*name))
                    .chain([Rc::from(if verb == "route" { "methods" } else { "name" })]);
                keywords.extend(names.zip(args));
                let endpoint =
                    keyword(&keywords, "endpoint").or_else(|| keyword(&keywords, "route")).cloned();
                let place = self.here.clone();
                let decorator =
                    Decorator { router: id, verb: Rc::from(verb), args: Vec::new(), keywords, place };
                self.add(&decorator, &endpoint.unwrap_or(Value::Unknown));
            }
            "api_route" | "route" | "websocket" | "websocket_route" => {
                return self.decorator(id, name, args, keywords);
            }
            _ if VERBS.contains(&name) => return self.decorator(id, name, args, keywords),
            "on_event" | "exception_handler" | "middleware" => {
                return self.heap.call("fastapi.decorator", Vec::new(), Vec::new());
            }
            _ => {}
        }
        Value::None
    }

    fn include(&mut self, id: Id, args: &[Value], keywords: &Keywords) {
        let router = args.first().or_else(|| keyword(keywords, "router")).cloned().unwrap_or(Value::Unknown);
        let Value::Router(router) = router else {
            return self.warn("which router is included here cannot be known: its routes are not listed");
        };
        if self.uncertain > 0 {
            return self.warn("this router may be included or not: its routes are not listed");
        }
        let own = self.context(keywords);
        let context = own.within(&self.heap.routers[id].context);
        let items = self.heap.routers[id].items;
        if self.versions.copies_on_include {
            let mut copied = Vec::new();
            self.flatten(router, &context, 0, &mut copied);
            self.heap.lists[items].items.extend(copied);
        } else {
            let included = self.heap.include(Included { router, context });
            self.heap.lists[items].items.push(included);
        }
    }

    fn mount(&mut self, id: Id, args: &[Value], keywords: &Keywords) {
        let path = args.first().or_else(|| keyword(keywords, "path")).cloned().unwrap_or(Value::Unknown);
        let app = args.get(1).or_else(|| keyword(keywords, "app")).cloned().unwrap_or(Value::Unknown);
        let Value::Str(path) = self.plain(&path) else {
            return self.warn("the path of this mount cannot be known: what is mounted is not listed");
        };
        if self.uncertain > 0 {
            return self.warn(format!("what is mounted at {path} may be there or not: it is not listed"));
        }
        let context = Context { prefix: Rc::from(path.trim_end_matches('/')), ..Context::default() };
        let place = self.here.clone();
        let (kind, methods, options) = (RouteKind::Mount, Vec::new(), Vec::new());
        let route = Route { kind, context, methods, endpoint: app, options, place, view: None };
        let route = self.heap.route(route);
        let items = self.heap.routers[id].items;
        self.heap.lists[items].items.push(route);
    }
}
