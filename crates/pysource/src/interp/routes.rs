//! Routes: how they are registered, made as objects, and looked into.

use std::rc::Rc;

use super::Interp;
use super::assign::put;
use super::routing::VERBS;
use super::value::{Context, Decorator, Id, Keywords, ListKind, Route, RouteKind, Value, keyword, last_part};

impl<'a> Interp<'a> {
    pub(super) fn decorator(
        &mut self,
        router: Id,
        verb: &str,
        args: Vec<Value>,
        keywords: Keywords,
    ) -> Value {
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

    pub(super) fn add(&mut self, decorator: &Decorator, endpoint: &Value) {
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
