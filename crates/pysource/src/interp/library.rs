//! Library functions that matter for routes.

use std::rc::Rc;

use super::Interp;
use super::value::{Keywords, Value, keyword, last_part};

/// What is kept of `Model.model_json_schema()`: a call with the model.
pub(crate) const MODEL_SCHEMA: &str = "pydantic.model_json_schema";

/// Library calls that take an application or router and are known to add no route.
const HARMLESS: [&str; 19] = [
    "run",
    "TestClient",
    "AsyncClient",
    "ASGITransport",
    "Mangum",
    "add_pagination",
    "print",
    "instrument_app",
    "isinstance",
    "issubclass",
    "register_tortoise",
    "Config",
    "Server",
    "use_route_names_as_operation_ids",
    "len",
    "id",
    "type",
    "get_openapi",
    "hasattr",
];

impl<'a> Interp<'a> {
    pub(super) fn call_external(&mut self, name: &str, args: Vec<Value>, keywords: Keywords) -> Value {
        if let Some(builtin) = name.strip_prefix("builtins.") {
            return self.call_builtin(builtin, args, keywords);
        }
        if self.is_router_class(name) {
            return self.make_router(name, args, keywords);
        }
        let known_root = name.starts_with("fastapi.") || name.starts_with("starlette.");
        match last_part(name) {
            "APIRoute" | "Route" | "Mount" | "WebSocketRoute" | "APIWebSocketRoute" if known_root => {
                self.make_route(name, args, keywords)
            }
            "import_module" if name.starts_with("importlib") => {
                let package = args.get(1).or_else(|| keyword(&keywords, "package")).cloned();
                self.import_by_name(args.first().unwrap_or(&Value::Unknown), package.as_ref())
            }
            "cast" if name.starts_with("typing") => args.into_iter().nth(1).unwrap_or(Value::Unknown),
            "copy" | "deepcopy" if name.starts_with("copy.") => {
                args.into_iter().next().unwrap_or(Value::Unknown)
            }
            "lru_cache" | "cache" if name.starts_with("functools.") => match args.first() {
                Some(function @ Value::Function(_)) => function.clone(),
                _ => self.heap.call(name, args, keywords),
            },
            "add_pagination" => args.into_iter().next().unwrap_or(Value::Unknown),
            "chain" if name.starts_with("itertools") => self.chained(&args),
            "create_model" if name.starts_with("pydantic") => self.heap.call(name, args, keywords),
            _ => match self.call_environment(name, &args, &keywords) {
                Some(value) => value,
                None => self.keep_call(name, args, keywords),
            },
        }
    }

    fn keep_call(&mut self, name: &str, args: Vec<Value>, keywords: Keywords) -> Value {
        if name == "uvicorn.run" && self.uncertain == 0 {
            let message = "A server is started while the application is imported.".to_owned();
            let hint =
                "Put the call under if __name__ == \"__main__\": previewd serves the application itself.";
            self.fail(self.here.clone(), "server_started_at_import", message, hint, Vec::new());
        }
        let given = args.iter().chain(keywords.iter().map(|(_, value)| value));
        let takes_app = given.clone().any(|value| matches!(value, Value::Router(_)));
        let decorates = matches!(last_part(name), "cbv" | "View" | "Controller" | "Routable");
        if takes_app && !decorates && !HARMLESS.contains(&last_part(name)) {
            self.warn(format!(
                "{name} is given the application or router and may add routes that are not listed"
            ));
        }
        self.heap.call(name, args, keywords)
    }

    fn chained(&mut self, args: &[Value]) -> Value {
        let mut items = Vec::new();
        for arg in args {
            match self.iterate(arg) {
                Some(more) => items.extend(more),
                None => return Value::Unknown,
            }
        }
        self.list_of(items)
    }

    /// A method of what a library gave.
    pub(super) fn method_of_result(
        &mut self,
        id: usize,
        name: &str,
        args: Vec<Value>,
        keywords: Keywords,
    ) -> Value {
        let receiver = Value::Call(id);
        if let Some(value) = self.path_method(&receiver, name, &args) {
            return value;
        }
        let callee: Rc<str> = self.heap.calls[id].callee.clone();
        if callee.as_ref() == "fastapi.decorator" {
            return args.into_iter().next().unwrap_or(Value::Unknown);
        }
        self.keep_call(&format!("{callee}.{name}"), args, keywords)
    }
}
