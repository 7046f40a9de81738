//! What of a project is served, where nobody said so.

use crate::endpoint::Entrypoint;
use crate::interp::value::{Value, last_part};
use crate::interp::{Interp, Sources};
use crate::modules::Files;
use crate::pins::Versions;
use crate::read::with_sources;

/// Modules that are looked at, in this order.
const MODULES: [(&str, &str); 2] = [("app/main.py", "app.main"), ("main.py", "main")];
/// Names that factories go by, the usual ones first.
const FACTORIES: [&str; 8] = [
    "create_app",
    "get_app",
    "make_app",
    "build_app",
    "create_application",
    "get_application",
    "app_factory",
    "build_application",
];

/// Finds what is served: `app` of `app/main.py`, or else of `main.py` at the root; in either the attribute `app`,
/// else the module's one FastAPI instance, else a function without required parameters that makes one.
#[must_use]
pub fn find_entrypoint(files: &Files) -> Option<Entrypoint> {
    with_sources(files, |sources| Some(find(files, sources)?.1))?
}

/// The same, and the reader that has followed its module.
pub(crate) fn find<'a>(files: &Files, sources: &'a Sources<'a>) -> Option<(Interp<'a>, Entrypoint)> {
    MODULES.iter().filter(|(path, _)| files.contains_key(*path)).find_map(|(_, module)| {
        let mut interp = Interp::new(sources, Versions::of(files));
        let (attribute, factory) = attribute(&mut interp, module)?;
        Some((interp, Entrypoint { module: (*module).to_owned(), attribute, factory }))
    })
}

/// The attribute of a module to serve, and whether it has to be called.
fn attribute(interp: &mut Interp<'_>, module: &str) -> Option<(String, bool)> {
    let scope = interp.load(module)?;
    let names = interp.names(scope);
    let bound = |wanted: &str| names.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    match bound("app") {
        Some(value @ Value::Function(_)) => {
            let factory = makes_app(interp, &value);
            return Some(("app".to_owned(), factory));
        }
        Some(value) if may_serve(interp, &value) => return Some(("app".to_owned(), false)),
        _ => {}
    }
    let mut instances: Vec<&(String, Value)> =
        names.iter().filter(|(_, value)| is_app(interp, value)).collect();
    instances.dedup_by(|one, other| one.1 == other.1);
    if let [(only, _)] = instances[..] {
        return Some((only.clone(), false));
    }
    let usual = FACTORIES.iter().filter_map(|name| Some(((*name).to_owned(), bound(name)?)));
    let others = names.iter().filter(|(name, _)| name.to_lowercase().contains("app")).cloned();
    let candidates: Vec<(String, Value)> = usual.chain(others).collect();
    candidates.into_iter().find(|(_, value)| makes_app(interp, value)).map(|(name, _)| (name, true))
}

fn is_app(interp: &Interp<'_>, value: &Value) -> bool {
    matches!(value, Value::Router(id) if interp.heap.routers[*id].is_app)
}

/// Whether what is called `app` could be an application: one that is known, or made by something that is not.
fn may_serve(interp: &Interp<'_>, value: &Value) -> bool {
    match value {
        Value::Router(_) => is_app(interp, value),
        Value::External(name) => last_part(name) == "app",
        Value::Call(_) | Value::Instance(_) | Value::Unknown => true,
        _ => false,
    }
}

/// A function of the project that can be called without arguments and returns an application.
fn makes_app(interp: &mut Interp<'_>, value: &Value) -> bool {
    let Value::Function(id) = value else { return false };
    let function = interp.heap.functions[*id].clone();
    let required = function.def.parameters.iter_non_variadic_params().any(|one| one.default.is_none());
    if required || function.def.is_async {
        return false;
    }
    let made = interp.call(value, Vec::new(), Vec::new());
    is_app(interp, &made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Option<String> {
        let files: Files =
            files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        let entry = find_entrypoint(&files)?;
        Some(format!("{}:{}{}", entry.module, entry.attribute, if entry.factory { "()" } else { "" }))
    }

    const APP: &str = "from fastapi import FastAPI\napp = FastAPI()\n";

    #[test]
    fn the_package_comes_before_the_root() {
        assert_eq!(found(&[("app/main.py", APP), ("main.py", APP)]).as_deref(), Some("app.main:app"));
        assert_eq!(found(&[("main.py", APP)]).as_deref(), Some("main:app"));
        assert_eq!(found(&[("server.py", APP)]), None);
    }

    #[test]
    fn the_one_instance_or_a_factory_is_found() {
        let api = "import fastapi\napi: fastapi.FastAPI = fastapi.FastAPI()\n";
        assert_eq!(found(&[("main.py", api)]).as_deref(), Some("main:api"));
        let factory = "from fastapi import FastAPI\ndef create_app(x=1):\n    a = FastAPI()\n    return a\n";
        assert_eq!(found(&[("main.py", factory)]).as_deref(), Some("main:create_app()"));
        let made = format!("{factory}server = create_app()\n");
        assert_eq!(found(&[("main.py", &made)]).as_deref(), Some("main:server"));
        let needs = "from fastapi import FastAPI\ndef create_app(x):\n    return FastAPI()\n";
        assert_eq!(found(&[("main.py", needs)]), None);
    }

    #[test]
    fn an_instance_of_another_module_counts() {
        let core = ("app/core.py", APP);
        let cases = [
            "from app.core import app\n",
            "from .core import app\n",
            "from app.core import *\n",
            "from app.core import app as api\napp = api\n",
        ];
        for text in cases {
            assert_eq!(found(&[("app/main.py", text), core]).as_deref(), Some("app.main:app"), "{text}");
        }
        let renamed = found(&[("app/main.py", "from .core import app as api\n"), core]);
        assert_eq!(renamed.as_deref(), Some("app.main:api"));
    }

    #[test]
    fn the_package_named_app_is_no_application() {
        assert_eq!(found(&[("main.py", "import app.core\n"), ("app/core.py", "")]), None);
        assert_eq!(found(&[("main.py", "from main import app\n")]), None);
    }
}
