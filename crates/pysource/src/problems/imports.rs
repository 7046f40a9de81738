//! Imports that nothing provides.

use ruff_python_ast::{Expr, Stmt, StmtImportFrom};
use ruff_text_size::{Ranged, TextSize};

use super::stdlib::is_standard;
use super::{Context, Found, Problem, pins};

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

/// Problems of what a module imports when it is imported itself.
pub(super) fn check(context: &Context<'_>, body: &[Stmt]) -> Vec<Problem> {
    let mut found = Vec::new();
    walk(context, body, false, 0, &mut found);
    found
}

/// Goes through what runs at import. `guarded`: a failure is caught.
fn walk(context: &Context<'_>, body: &[Stmt], guarded: bool, depth: usize, found: &mut Vec<Problem>) {
    if depth > DEPTH {
        return;
    }
    let mut inner = |body: &[Stmt], guarded: bool| walk(context, body, guarded, depth + 1, found);
    for statement in body {
        match statement {
            Stmt::If(branch) if is_never_run(&branch.test) => {}
            Stmt::If(branch) => {
                // Which branch runs may depend on anything.
                inner(&branch.body, true);
                branch.elif_else_clauses.iter().for_each(|clause| inner(&clause.body, true));
            }
            Stmt::Try(attempt) => {
                inner(&attempt.body, guarded || !attempt.handlers.is_empty());
                inner(&attempt.finalbody, guarded);
            }
            Stmt::With(with) => inner(&with.body, guarded),
            Stmt::ClassDef(class) => inner(&class.body, guarded),
            _ => {}
        }
    }
    if guarded {
        return;
    }
    for statement in body {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    found.extend(module(context, alias.name.as_str(), alias.start()));
                }
            }
            Stmt::ImportFrom(import) => found.extend(from_import(context, import)),
            _ => {}
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

fn from_import(context: &Context<'_>, import: &StmtImportFrom) -> Vec<Problem> {
    let Some(source) = import.module.as_ref().filter(|_| import.level == 0) else { return Vec::new() };
    let mut found: Vec<Problem> = module(context, source.as_str(), import.start()).into_iter().collect();
    for alias in &import.names {
        let name = alias.name.as_str();
        found.extend(pins::moved(context, source.as_str(), name, alias.start()));
        let need = NEEDS.iter().find(|(module, own, ..)| *module == source.as_str() && *own == name);
        if let Some((_, _, package, why)) = need
            && !context.installed.has(package)
        {
            let found_here = Found {
                code: "missing_requirement",
                fatal: !context.installed.is_open(),
                message: format!("{package} is not among the requirements: {why}."),
                hint: format!("Add {package} to requirements.txt."),
                signs: vec![(*package).to_owned(), no_module(&package.replace('-', "_"))],
            };
            found.push(context.problem(alias.start(), found_here));
        }
    }
    found
}

/// The problem of importing a module of a library, if no requirement brings it.
fn module(context: &Context<'_>, name: &str, at: TextSize) -> Option<Problem> {
    let root = name.split('.').next().unwrap_or(name);
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
