//! From routers inside routers to one flat list of routes.

use std::rc::Rc;

use crate::interp::Interp;
use crate::interp::value::{Context, Id, RouteKind, Value};

/// How deep routers may be included in one another.
const NESTING: usize = 40;
/// How many routes one project may have.
const ROUTES: usize = 20_000;

impl<'a> Interp<'a> {
    /// The routes of a router, with what `context` and the inclusions add to them.
    pub(crate) fn flatten(&mut self, router: Id, context: &Context, depth: usize, found: &mut Vec<Value>) {
        if depth > NESTING {
            self.warn("routers are included in one another without end");
            return;
        }
        let items = self.heap.routers[router].items;
        let size = context.tags.len() + context.dependencies.len() + context.responses.len();
        if !self.charge((size + 1) * (self.heap.lists[items].items.len() + 1)) {
            return;
        }
        for item in self.heap.lists[items].items.clone() {
            if found.len() >= ROUTES {
                return self.warn(format!("more than {ROUTES} routes: the others are not listed"));
            }
            match item {
                Value::Route(id) => {
                    let mut route = self.heap.routes[id].as_ref().clone();
                    // Mounts are left behind when a router is included.
                    if route.kind == RouteKind::Mount && depth > 0 {
                        let message = "a mount inside an included router is not served by older FastAPI";
                        self.warn_at(route.place.clone(), message);
                    }
                    route.context = route.context.within(context);
                    found.push(self.heap.route(route));
                }
                Value::Included(id) => {
                    let included = self.heap.included[id].clone();
                    let inner = included.context.within(context);
                    self.flatten(included.router, &inner, depth + 1, found);
                }
                _ => self.warn("one of the routes of this application cannot be known"),
            }
        }
    }

    /// All routes of an application, those of mounted ones included (hidden from its schema).
    pub(crate) fn routes_of(&mut self, app: Id) -> Vec<Value> {
        let mut found = Vec::new();
        self.collect(app, "", 0, &mut found);
        found
    }

    fn collect(&mut self, app: Id, prefix: &str, depth: usize, found: &mut Vec<Value>) {
        if depth > NESTING {
            return self.warn("applications are mounted in one another without end");
        }
        let mut flat = Vec::new();
        self.flatten(app, &Context::default(), 0, &mut flat);
        for value in flat {
            let Value::Route(id) = value else { continue };
            let mut route = self.heap.routes[id].as_ref().clone();
            route.context.prefix = Rc::from(format!("{prefix}{}", route.context.prefix));
            match (&route.endpoint, route.kind) {
                (Value::Router(inner), RouteKind::Mount) => {
                    let path = route.context.prefix.clone();
                    self.collect(*inner, &path, depth + 1, found);
                }
                _ if route.context.is_lost => {}
                _ => {
                    route.context.include_in_schema &= depth == 0;
                    found.push(self.heap.route(route));
                }
            }
        }
    }
}
