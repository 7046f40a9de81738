//! Imports that nothing provides.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt, StmtImportFrom};
use ruff_text_size::{Ranged, TextSize};

use super::stdlib::is_standard;
use super::{Context, Found, Problem, pins};
use crate::interp::value::first_part;

/// How deep blocks are looked into.
const DEPTH: usize = 60;

/// Names that need a package which their own does not bring: module, name, package, why.
const NEEDS: [(&str, &str, &str, &str); 10] = [
    ("pydantic", "EmailStr", "email-validator", "EmailStr needs it"),
    ("pydantic", "NameEmail", "email-validator", "NameEmail needs it"),
    ("fastapi", "Form", "python-multipart", "forms need it"),
    ("fastapi", "File", "python-multipart", "uploads need it"),
    ("fastapi", "UploadFile", "python-multipart", "uploads need it"),
    ("fastapi.security", "OAuth2PasswordRequestForm", "python-multipart", "the login form needs it"),
    ("fastapi.templating", "Jinja2Templates", "jinja2", "templates need it"),
    ("starlette.templating", "Jinja2Templates", "jinja2", "templates need it"),
    ("starlette.middleware.sessions", "SessionMiddleware", "itsdangerous", "sessions need it"),
    ("fastapi.testclient", "TestClient", "httpx", "the test client needs it"),
];

/// Those of them that fail when they are imported, used or not.
const AT_ONCE: [&str; 2] = ["SessionMiddleware", "TestClient"];

/// Problems of what a module imports when it is imported itself.
pub(super) fn check(context: &Context<'_>, body: &[Stmt]) -> Vec<Problem> {
    let mut used = Used(BTreeSet::new());
    used.visit_body(body);
    let mut imports = Imports { context, used: used.0, found: Vec::new() };
    imports.walk(body, false, 0);
    imports.found
}

/// The names that a module uses while it is imported: all but those in its functions' bodies.
struct Used<'a>(BTreeSet<&'a str>);

impl<'a> Visitor<'a> for Used<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let Stmt::FunctionDef(function) = statement else { return walk_stmt(self, statement) };
        function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
        self.visit_parameters(&function.parameters);
        function.returns.iter().for_each(|returns| self.visit_expr(returns));
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Name(name) = expr {
            self.0.insert(name.id.as_str());
        }
        walk_expr(self, expr);
    }
}

struct Imports<'a, 'c> {
    context: &'a Context<'c>,
    used: BTreeSet<&'a str>,
    found: Vec<Problem>,
}

impl Imports<'_, '_> {
    /// Goes through what runs at import. `guarded`: a failure is caught.
    fn walk(&mut self, body: &[Stmt], guarded: bool, depth: usize) {
        if depth > DEPTH {
            return;
        }
        for statement in body {
            match statement {
                Stmt::If(branch) if is_never_run(&branch.test) => {}
                Stmt::If(branch) => {
                    // Which branch runs may depend on anything.
                    self.walk(&branch.body, true, depth + 1);
                    branch
                        .elif_else_clauses
                        .iter()
                        .for_each(|clause| self.walk(&clause.body, true, depth + 1));
                }
                Stmt::Try(attempt) => {
                    self.walk(&attempt.body, guarded || !attempt.handlers.is_empty(), depth + 1);
                    self.walk(&attempt.finalbody, guarded, depth + 1);
                }
                Stmt::With(with) => self.walk(&with.body, guarded, depth + 1),
                Stmt::ClassDef(class) => self.walk(&class.body, guarded, depth + 1),
                Stmt::Import(import) if !guarded => {
                    let modules = import.names.iter();
                    self.found.extend(
                        modules.filter_map(|alias| module(self.context, alias.name.as_str(), alias.start())),
                    );
                }
                Stmt::ImportFrom(import) if !guarded => self.names_of(import),
                _ => {}
            }
        }
    }

    fn names_of(&mut self, import: &StmtImportFrom) {
        let Some(source) = import.module.as_ref().filter(|_| import.level == 0) else { return };
        let context = self.context;
        self.found.extend(module(context, source.as_str(), import.start()));
        for alias in &import.names {
            let name = alias.name.as_str();
            self.found.extend(pins::moved(context, source.as_str(), name, alias.start()));
            let bound = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
            let need = NEEDS.iter().find(|(module, own, ..)| *module == source.as_str() && *own == name);
            if let Some((_, _, package, why)) = need
                && !context.installed.has(package)
                && (AT_ONCE.contains(&name) || self.used.contains(bound))
            {
                let found = Found {
                    code: "missing_requirement",
                    fatal: !context.installed.is_open(),
                    message: format!("{package} is not among the requirements: {why}."),
                    hint: format!("Add {package} to requirements.txt."),
                    signs: vec![(*package).to_owned(), no_module(&package.replace('-', "_"))],
                };
                self.found.push(context.problem(alias.start(), found));
            }
        }
    }
}

fn is_never_run(test: &Expr) -> bool {
    match test {
        Expr::Name(name) => name.id.as_str() == "TYPE_CHECKING",
        Expr::Attribute(attribute) => attribute.attr.as_str() == "TYPE_CHECKING",
        Expr::Compare(compare) => {
            matches!(compare.left.as_ref(), Expr::Name(name) if name.id.as_str() == "__name__")
        }
        _ => false,
    }
}

/// The problem of importing a module of a library, if no requirement brings it.
fn module(context: &Context<'_>, name: &str, at: TextSize) -> Option<Problem> {
    let root = first_part(name);
    if context.modules.contains(root) || is_standard(root) {
        return None;
    }
    let package = context.installed.missing(root)?;
    let fatal = !context.installed.is_open();
    let sure = if fatal { "no requirement provides it" } else { "no requirement is known to provide it" };
    let found = Found {
        code: "missing_requirement",
        fatal,
        message: format!("{root} is imported, and {sure}."),
        hint: format!("Add {package} to requirements.txt, or remove the import."),
        signs: vec![no_module(root)],
    };
    Some(context.problem(at, found))
}

/// What Python says of a module, or one in it, that is not there.
pub(super) fn no_module(name: &str) -> String {
    format!("No module named '{name}")
}
