//! What of a project is served, where nobody said so.

use ruff_python_ast::{Expr, Stmt, StmtFunctionDef, StmtImportFrom};

use crate::endpoint::Entrypoint;
use crate::modules::{Files, Modules};
use crate::parse::parse;

/// Modules that are looked at, in this order.
const MODULES: [(&str, &str); 2] = [("app/main.py", "app.main"), ("main.py", "main")];
/// How often an application may be handed on from one module to another.
const HOPS: usize = 8;

/// Finds what is served: `app` of `app/main.py`, or else of `main.py` at the root; in either the attribute `app`,
/// else the module's one FastAPI instance, else a function without required parameters that makes one.
#[must_use]
pub fn find_entrypoint(files: &Files) -> Option<Entrypoint> {
    let modules = Modules::new(files);
    MODULES.iter().find_map(|(path, module)| {
        files.get(*path)?;
        let (attribute, factory) = Finder { modules: &modules }.attribute(module)?;
        Some(Entrypoint { module: (*module).to_owned(), attribute, factory })
    })
}

/// What a name of a module is bound to, as far as an entry point is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    App,
    Factory,
    Other,
    /// Anything could be behind it.
    Unknown,
}

struct Finder<'a> {
    modules: &'a Modules<'a>,
}

impl Finder<'_> {
    fn attribute(&self, module: &str) -> Option<(String, bool)> {
        let names = self.names(module, HOPS);
        let last = |wanted: &str| names.iter().rev().find(|(name, _)| name == wanted).map(|(_, kind)| *kind);
        match last("app") {
            Some(Kind::App | Kind::Unknown) => return Some(("app".to_owned(), false)),
            Some(Kind::Factory) => return Some(("app".to_owned(), true)),
            _ => {}
        }
        let mut instances: Vec<&String> = of_kind(&names, Kind::App);
        instances.dedup();
        if let [only] = instances[..] {
            return Some((only.clone(), false));
        }
        of_kind(&names, Kind::Factory).first().map(|name| ((*name).clone(), true))
    }

    /// The names that a module binds at its top level, in order.
    fn names(&self, module: &str, hops: usize) -> Vec<(String, Kind)> {
        let (Some(path), Some(hops)) = (self.modules.path(module), hops.checked_sub(1)) else {
            return Vec::new();
        };
        let Ok(parsed) = parse(self.modules.bytes(path)) else { return Vec::new() };
        let mut names = Vec::new();
        self.bind(&parsed.module.body, module, hops, &mut names);
        names
    }

    fn bind(&self, body: &[Stmt], module: &str, hops: usize, names: &mut Vec<(String, Kind)>) {
        for statement in body {
            match statement {
                Stmt::Assign(assign) => {
                    let kind = kind_of(&assign.value, names);
                    let targets = assign.targets.iter().filter_map(Expr::as_name_expr);
                    names.extend(targets.map(|target| (target.id.to_string(), kind)));
                }
                Stmt::AnnAssign(assign) => {
                    if let (Some(target), Some(value)) = (assign.target.as_name_expr(), &assign.value) {
                        let kind = kind_of(value, names);
                        names.push((target.id.to_string(), kind));
                    }
                }
                Stmt::FunctionDef(function) => {
                    let kind = if makes_app(function, names) { Kind::Factory } else { Kind::Other };
                    names.push((function.name.to_string(), kind));
                }
                Stmt::ClassDef(class) => names.push((class.name.to_string(), Kind::Other)),
                Stmt::Import(import) => {
                    let bound = |alias: &ruff_python_ast::Alias| {
                        alias.asname.as_ref().unwrap_or(&alias.name).to_string()
                    };
                    let first = |name: String| name.split('.').next().unwrap_or_default().to_owned();
                    names.extend(import.names.iter().map(|alias| (first(bound(alias)), Kind::Other)));
                }
                Stmt::ImportFrom(import) => self.bind_import(import, module, hops, names),
                Stmt::If(branch) => {
                    self.bind(&branch.body, module, hops, names);
                    for clause in &branch.elif_else_clauses {
                        self.bind(&clause.body, module, hops, names);
                    }
                }
                Stmt::Try(attempt) => self.bind(&attempt.body, module, hops, names),
                Stmt::With(with) => self.bind(&with.body, module, hops, names),
                _ => {}
            }
        }
    }

    fn bind_import(
        &self,
        import: &StmtImportFrom,
        module: &str,
        hops: usize,
        names: &mut Vec<(String, Kind)>,
    ) {
        let Some(source) = self.modules.absolute(module, import.level, import.module.as_deref()) else {
            return;
        };
        if !self.modules.contains(&source) {
            // A class or function of a library is no application, unless it goes by the name of one.
            let kind = |alias: &ruff_python_ast::Alias| match alias
                .asname
                .as_ref()
                .unwrap_or(&alias.name)
                .as_str()
            {
                "app" => Kind::Unknown,
                _ => Kind::Other,
            };
            names.extend(import.names.iter().map(|alias| (bound_name(alias), kind(alias))));
            return;
        }
        let theirs = self.names(&source, hops);
        for alias in &import.names {
            if alias.name.as_str() == "*" {
                names.extend(theirs.iter().filter(|(name, _)| !name.starts_with('_')).cloned());
                continue;
            }
            let found = theirs.iter().rev().find(|(name, _)| name == alias.name.as_str());
            names.push((bound_name(alias), found.map_or(Kind::Other, |(_, kind)| *kind)));
        }
    }
}

fn bound_name(alias: &ruff_python_ast::Alias) -> String {
    alias.asname.as_ref().unwrap_or(&alias.name).to_string()
}

fn of_kind(names: &[(String, Kind)], wanted: Kind) -> Vec<&String> {
    names.iter().filter(|(_, kind)| *kind == wanted).map(|(name, _)| name).collect()
}

fn kind_of(value: &Expr, names: &[(String, Kind)]) -> Kind {
    let known = |name: &str| names.iter().rev().find(|(bound, _)| bound == name).map(|(_, kind)| *kind);
    match value {
        Expr::Call(call) => match call.func.as_ref() {
            Expr::Name(name) if name.id.as_str() == "FastAPI" => Kind::App,
            Expr::Attribute(attribute) if attribute.attr.as_str() == "FastAPI" => Kind::App,
            Expr::Name(name) if known(&name.id) == Some(Kind::Factory) => Kind::App,
            _ => Kind::Unknown,
        },
        Expr::Name(name) => known(&name.id).unwrap_or(Kind::Unknown),
        expr if expr.is_literal_expr() => Kind::Other,
        _ => Kind::Unknown,
    }
}

/// A function that can be called without arguments and returns a FastAPI instance.
fn makes_app(function: &StmtFunctionDef, outer: &[(String, Kind)]) -> bool {
    let parameters = &function.parameters;
    let required = parameters.iter_non_variadic_params().any(|parameter| parameter.default.is_none());
    if required || function.is_async {
        return false;
    }
    let mut names = outer.to_vec();
    function.body.iter().any(|statement| match statement {
        Stmt::Assign(assign) => {
            let kind = kind_of(&assign.value, &names);
            let targets = assign.targets.iter().filter_map(Expr::as_name_expr);
            names.extend(targets.map(|target| (target.id.to_string(), kind)));
            false
        }
        Stmt::AnnAssign(assign) => {
            if let (Some(target), Some(value)) = (assign.target.as_name_expr(), &assign.value) {
                let kind = kind_of(value, &names);
                names.push((target.id.to_string(), kind));
            }
            false
        }
        Stmt::Return(returned) => {
            returned.value.as_deref().is_some_and(|value| kind_of(value, &names) == Kind::App)
        }
        _ => false,
    })
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
