//! FastAPI's applications and routers: how they are made, and what is put into them.

use std::rc::Rc;

use super::Interp;
use super::assign::put;
use super::value::{
    Context, Decorator, Id, Included, Keywords, ListKind, Route, RouteKind, Router, Value, first_part,
    keyword, last_part,
};

const VERBS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
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
    fn context(&mut self, keywords: &Keywords) -> Context {
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

    fn decorator(&mut self, router: Id, verb: &str, args: Vec<Value>, keywords: Keywords) -> Value {
        let place = self.here.clone();
        self.heap.decorator(Decorator { router, verb: Rc::from(verb), args, keywords, place })
    }

    /// Applies `@router.get(…)` to its function.
    pub(super) fn register(&mut self, decorator: Id, args: Vec<Value>) -> Value {
        let Some(endpoint) = args.into_iter().next() else { return Value::Unknown };
        let decorator = self.heap.decorators[decorator].clone();
        self.add(&decorator, &endpoint);
        endpoint
    }

    fn add(&mut self, decorator: &Decorator, endpoint: &Value) {
        let mut route = match self.route_of(decorator, endpoint) {
            Ok(route) => route,
            Err(reason) => return self.warn_at(decorator.place.clone(), reason),
        };
        if self.uncertain > 0 {
            let reason =
                format!("the route {} may be there or not: the source does not say", route.context.prefix);
            return self.warn_at(decorator.place.clone(), reason);
        }
        let router = &self.heap.routers[decorator.router];
        let mut outer = router.context.clone();
        if !route_takes_context(route.kind) {
            outer = Context { prefix: outer.prefix, ..Context::default() };
            if route.kind == RouteKind::Plain {
                outer.prefix = Rc::from("");
            }
        }
        let items = router.items;
        route.context = route.context.within(&outer);
        let route = self.heap.route(route);
        self.heap.lists[items].items.push(route);
    }

    fn route_of(&mut self, decorator: &Decorator, endpoint: &Value) -> Result<Route, String> {
        let keywords = &decorator.keywords;
        let kind = match decorator.verb.as_ref() {
            "websocket" | "websocket_route" => RouteKind::WebSocket,
            "route" => RouteKind::Plain,
            _ => RouteKind::Http,
        };
        let path =
            decorator.args.first().or_else(|| keyword(keywords, "path")).cloned().unwrap_or(Value::Unknown);
        let Value::Str(path) = self.plain(&path) else {
            return Err("the path of this route cannot be known: it is not listed".to_owned());
        };
        let mut context = self.context(keywords);
        context.prefix = path;
        let methods = match keyword(keywords, "methods").or_else(|| decorator.args.get(1)) {
            _ if kind == RouteKind::WebSocket => Vec::new(),
            _ if VERBS.contains(&decorator.verb.as_ref()) => vec![Rc::from(decorator.verb.to_uppercase())],
            None | Some(Value::None) => self.default_methods(endpoint),
            Some(given) => {
                let given = self.iterate(&given.clone());
                let texts = |items: Vec<Value>| {
                    let texts =
                        items.iter().map(|item| Some(Rc::from(self.plain(item).as_str()?.to_uppercase())));
                    texts.collect::<Option<Vec<Rc<str>>>>()
                };
                given.and_then(texts).ok_or("the methods of this route cannot be known: it is not listed")?
            }
        };
        let place = decorator.place.clone();
        let endpoint = endpoint.clone();
        Ok(Route { kind, context, methods, endpoint, options: keywords.clone(), place, view: None })
    }

    /// A class that answers for itself has the methods that it defines.
    fn default_methods(&self, endpoint: &Value) -> Vec<Rc<str>> {
        if let Value::Class(id) = endpoint {
            let defined = VERBS.iter().filter(|verb| self.class_attribute(*id, verb).is_some());
            return defined.map(|verb| Rc::from(verb.to_uppercase())).collect();
        }
        vec![Rc::from("GET")]
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

    /// `APIRoute(…)`, `Route(…)`, `WebSocketRoute(…)`, `Mount(…)` as objects, for lists of routes.
    pub(super) fn make_route(&mut self, name: &str, args: Vec<Value>, keywords: Keywords) -> Value {
        let kind = match last_part(name) {
            "Mount" => RouteKind::Mount,
            "WebSocketRoute" | "APIWebSocketRoute" => RouteKind::WebSocket,
            "APIRoute" => RouteKind::Http,
            _ => RouteKind::Plain,
        };
        let mut keywords = keywords;
        let second = if kind == RouteKind::Mount { "app" } else { "endpoint" };
        keywords.extend([Rc::from("path"), Rc::from(second)].into_iter().zip(args));
        let endpoint = keyword(&keywords, second).cloned().unwrap_or(Value::Unknown);
        if kind == RouteKind::Mount {
            return self.make_mount(&endpoint, &keywords);
        }
        let verb = match kind {
            RouteKind::WebSocket => "websocket",
            RouteKind::Http => "api_route",
            _ => "route",
        };
        let decorator = Decorator {
            router: 0,
            verb: Rc::from(verb),
            args: Vec::new(),
            keywords,
            place: self.here.clone(),
        };
        match self.route_of(&decorator, &endpoint) {
            Ok(route) => self.heap.route(route),
            Err(reason) => {
                self.warn(reason);
                Value::Unknown
            }
        }
    }

    fn make_mount(&mut self, app: &Value, keywords: &Keywords) -> Value {
        let Some(Value::Str(path)) = keyword(keywords, "path").map(|path| self.plain(path)) else {
            self.warn("the path of this mount cannot be known: what is mounted is not listed");
            return Value::Unknown;
        };
        let endpoint = match keyword(keywords, "routes").cloned() {
            Some(routes) => {
                let options = vec![(Rc::from("routes"), routes)];
                self.make_router("starlette.applications.Starlette", Vec::new(), options)
            }
            None => app.clone(),
        };
        let context = Context { prefix: Rc::from(path.trim_end_matches('/')), ..Context::default() };
        let (kind, place) = (RouteKind::Mount, self.here.clone());
        let (methods, options) = (Vec::new(), Vec::new());
        self.heap.route(Route { kind, context, methods, endpoint, options, place, view: None })
    }

    pub(super) fn route_attribute(&mut self, id: Id, name: &str) -> Value {
        let route = self.heap.routes[id].clone();
        match name {
            "path" | "path_format" => Value::Str(route.context.prefix.clone()),
            "endpoint" | "app" => route.endpoint.clone(),
            "methods" => {
                let methods = route.methods.iter().map(|method| Value::Str(method.clone())).collect();
                self.heap.list(ListKind::Set, methods)
            }
            "tags" => self.list_of(route.context.tags.clone()),
            "include_in_schema" => Value::Bool(route.context.include_in_schema),
            "name" => match keyword(&route.options, "name") {
                Some(name @ Value::Str(_)) => name.clone(),
                _ => self.attribute(&route.endpoint, "__name__"),
            },
            "operation_id" | "summary" | "response_model" | "status_code" => {
                keyword(&route.options, name).cloned().unwrap_or(Value::None)
            }
            _ => Value::Unknown,
        }
    }

    pub(super) fn set_route_attribute(&mut self, id: Id, name: &str, value: &Value) {
        let mut route = self.heap.routes[id].as_ref().clone();
        match (name, value) {
            ("include_in_schema", value) => {
                route.context.include_in_schema = self.truth(value) != Some(false);
            }
            ("operation_id" | "summary" | "description" | "status_code" | "response_model", value) => {
                put(&mut route.options, name, value.clone());
            }
            ("tags", value) => route.context.tags = self.iterate(value).unwrap_or_default(),
            _ => return,
        }
        self.heap.routes[id] = Rc::new(route);
    }
}

/// Starlette's own routes know nothing of tags and dependencies.
fn route_takes_context(kind: RouteKind) -> bool {
    matches!(kind, RouteKind::Http | RouteKind::WebSocket)
}
