//! Class-based views of the common libraries.

use std::collections::BTreeSet;
use std::rc::Rc;

use ruff_python_ast::Stmt;

use super::Interp;
use super::assign::put;
use super::value::{Call, Decorator, Id, Keywords, Value, keyword, last_part};

const VERBS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

impl<'a> Interp<'a> {
    /// Applies a library's decorator that takes a router and makes routes of a class; None for any other.
    pub(super) fn decorate_by_call(&mut self, call: Id, args: &[Value]) -> Option<Value> {
        let made = self.heap.calls[call].clone();
        let [class @ Value::Class(id)] = args else { return None };
        let router = made.args.first().or_else(|| keyword(&made.keywords, "router"));
        let Some(Value::Router(router)) = router else { return None };
        match last_part(&made.callee) {
            "cbv" => {
                self.add_by_names(*router, *id, &made.args[1..]);
                self.adopt(*router, *id);
            }
            "View" => self.add_view(*router, *id, &made.keywords),
            _ => return None,
        }
        Some(class.clone())
    }

    /// `cbv`: the routes that the class's methods made get an instance of the class.
    fn adopt(&mut self, router: Id, class: Id) {
        let items = self.heap.routers[router].items;
        for index in 0..self.heap.lists[items].items.len() {
            let Value::Route(route) = self.heap.lists[items].items[index] else { continue };
            let mut adopted = self.heap.routes[route].as_ref().clone();
            let Value::Function(function) = adopted.endpoint else { continue };
            if self.heap.functions[function].owner != Some(class) {
                continue;
            }
            adopted.view = Some(class);
            let own = self.route_attribute(route, "name");
            if let Some(own) = own.as_str() {
                let name = format!("{}.{own}", self.heap.classes[class].name);
                put(&mut adopted.options, "name", Value::str(name));
            }
            // They are included in the router that they are taken from, whose tags they get again.
            adopted.context.tags.splice(0..0, self.heap.routers[router].context.tags.iter().cloned());
            self.heap.lists[items].items[index] = self.heap.route(adopted);
        }
    }

    /// `cbv(router, "/path")`: methods named after HTTP's are routes at those paths.
    fn add_by_names(&mut self, router: Id, class: Id, paths: &[Value]) {
        for path in paths {
            for verb in VERBS {
                if let Some(method) = self.class_attribute(class, verb) {
                    self.add_by_verb(router, verb, path.clone(), Keywords::new(), &method);
                }
            }
        }
    }

    /// `View`: methods named after HTTP's, and those that are marked as endpoints, are routes below one path.
    fn add_view(&mut self, router: Id, class: Id, options: &Keywords) {
        let path = keyword(options, "path").cloned().unwrap_or(Value::str("/"));
        let instance = self.heap.instance(class);
        for name in self.method_names(class) {
            let Some(method) = self.class_attribute(class, &name) else { continue };
            let mark = self.endpoint_mark(&method);
            if mark.is_none() && !VERBS.contains(&name.as_str()) {
                continue;
            }
            let endpoint = self.bind(&method, &Value::Instance(instance));
            let (mut keywords, mut path) = (self.view_options(class, &name, options), path.clone());
            let mut methods = vec![Value::str(&name)];
            if let Some(mark) = mark {
                methods = match mark.argument(0, "methods") {
                    Some(one @ Value::Str(_)) => vec![one.clone()],
                    Some(given) => self.iterate(&given.clone()).unwrap_or_else(|| vec![Value::Unknown]),
                    None => methods,
                };
                if let (Value::Str(own), Some(more)) =
                    (&path, keyword(&mark.keywords, "path").and_then(Value::as_str))
                {
                    path = Value::str(format!("{own}{more}"));
                }
                for (key, value) in
                    mark.keywords.iter().filter(|(key, _)| !matches!(key.as_ref(), "path" | "methods"))
                {
                    put(&mut keywords, key, value.clone());
                }
            }
            keywords.push((Rc::from("methods"), self.list_of(methods)));
            self.add_by_verb(router, "api_route", path, keywords, &endpoint);
        }
    }

    /// Names of the methods of a class and its ancestors, in alphabetical order.
    fn method_names(&self, class: Id) -> BTreeSet<String> {
        let statements = self.lineage(class).into_iter().flat_map(|id| &self.heap.classes[id].def.body);
        let methods = statements.filter_map(|statement| match statement {
            Stmt::FunctionDef(def) => Some(def.name.to_string()),
            _ => None,
        });
        methods.collect()
    }

    /// What `fastapi_class.endpoint(…)` says of a method.
    fn endpoint_mark(&self, method: &Value) -> Option<Rc<Call>> {
        let Value::Function(id) = method else { return None };
        let marks = self.marks.get(id)?.iter();
        let calls = marks.filter_map(|mark| match mark {
            Value::Call(id) => Some(self.heap.calls[*id].clone()),
            _ => None,
        });
        calls
            .into_iter()
            .find(|call| call.callee.starts_with("fastapi_class") && last_part(&call.callee) == "endpoint")
    }

    /// What `View` gives the route of a method: its annotation does not count.
    fn view_options(&mut self, class: Id, method: &str, options: &Keywords) -> Keywords {
        let models = self.class_attribute(class, "response_model");
        let model = match models {
            Some(Value::Dict(id)) => {
                self.heap.dicts[id].iter().find(|(key, _)| key.as_str() == Some(method)).cloned()
            }
            _ => None,
        };
        let name = view_name(&self.heap.classes[class].name, method);
        let mut given = vec![
            (Rc::from("name"), Value::str(name)),
            (Rc::from("response_model"), model.map_or(Value::None, |(_, model)| model)),
        ];
        if let Some(status) = keyword(options, "default_status_code") {
            given.push((Rc::from("status_code"), status.clone()));
        }
        given
    }

    fn add_by_verb(&mut self, router: Id, verb: &str, path: Value, keywords: Keywords, endpoint: &Value) {
        let place = self.here.clone();
        let decorator = Decorator { router, verb: Rc::from(verb), args: vec![path], keywords, place };
        let decorator = self.heap.decorator(decorator);
        self.call(&decorator, vec![endpoint.clone()], Vec::new());
    }

    /// An instance of a `Routable` has a router with what its decorated methods say.
    pub(super) fn made_view(&mut self, class: Id, instance: &Value) {
        if !self.descends(class, &["Routable"]) {
            return;
        }
        let Value::Instance(id) = instance else { return };
        let options = match keyword(&self.heap.instances[*id].attributes, ROUTER_OPTIONS) {
            Some(Value::Dict(options)) => self.heap.dicts[*options].clone(),
            _ => self.heap.instances[*id]
                .attributes
                .iter()
                .map(|(k, v)| (Value::Str(k.clone()), v.clone()))
                .collect(),
        };
        let options =
            options.into_iter().filter_map(|(key, value)| Some((Rc::from(key.as_str()?), value))).collect();
        let router = self.make_router("fastapi.APIRouter", Vec::new(), options);
        put(&mut self.heap.instances[*id].attributes, "router", router.clone());
        let Value::Router(router) = router else { return };
        for ancestor in self.lineage(class) {
            let definition = self.heap.classes[ancestor].clone();
            for statement in &definition.def.body {
                let Stmt::FunctionDef(def) = statement else { continue };
                if let Some(method @ Value::Function(_)) = self.own_name(definition.scope, &def.name).cloned()
                {
                    self.add_marked(router, &method, instance);
                }
            }
        }
    }

    fn add_marked(&mut self, router: Id, method: &Value, instance: &Value) {
        let Value::Function(function) = method else { return };
        for mark in self.marks.get(function).cloned().unwrap_or_default() {
            let Value::Call(call) = mark else { continue };
            let call = self.heap.calls[call].clone();
            let verb = last_part(&call.callee);
            if !VERBS.contains(&verb) || !call.callee.starts_with("classy_fastapi") {
                continue;
            }
            let path = call.argument(0, "path").cloned().unwrap_or(Value::Unknown);
            let endpoint = self.bind(method, instance);
            let mut keywords = call.keywords.clone();
            if keyword(&keywords, "response_model").is_none() {
                // Its routes are partial functions, whose annotations FastAPI does not see.
                keywords.push((Rc::from("response_model"), Value::None));
            }
            self.add_by_verb(router, verb, path, keywords, &endpoint);
        }
    }

    /// What `super().__init__` of an instance was given.
    pub(crate) fn router_options(&self, instance: Id) -> Keywords {
        match keyword(&self.heap.instances[instance].attributes, ROUTER_OPTIONS) {
            Some(Value::Dict(id)) => {
                let items = self.heap.dicts[*id].iter();
                items.filter_map(|(key, value)| Some((Rc::from(key.as_str()?), value.clone()))).collect()
            }
            _ => Keywords::new(),
        }
    }

    /// A method of an instance that its class does not define itself.
    pub(super) fn inherited_method(&mut self, id: Id, name: &str, keywords: Keywords) -> Value {
        if name == "__init__" {
            let items = keywords.into_iter().map(|(key, value)| (Value::Str(key), value)).collect();
            let options = self.heap.dict(items);
            put(&mut self.heap.instances[id].attributes, ROUTER_OPTIONS, options);
            return Value::None;
        }
        Value::Unknown
    }
}

/// `Get Big Item` for `get` of `BigItemView`.
fn view_name(class: &str, method: &str) -> String {
    let mut name: String = method[..1].to_uppercase() + &method[1..].to_lowercase() + " ";
    let words = class.replace("View", "");
    for (index, c) in words.char_indices().skip_while(|(_, c)| !c.is_ascii_uppercase()) {
        if c.is_ascii_uppercase() && index > 0 && !name.ends_with(' ') {
            name.push(' ');
        }
        name.push(c);
    }
    name
}

/// Keeps what `super().__init__` was given.
const ROUTER_OPTIONS: &str = " router options";
