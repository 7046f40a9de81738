//! Database URLs that are written out in the source, against the engine and the drivers.

use std::collections::HashMap;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::{Ranged, TextSize};

use super::imports::no_module;
use super::{Context, Found, Problem};

/// What a URL's scheme takes: the scheme, packages of which one will do, their module, whether it is asynchronous.
const DRIVERS: [(&str, &[&str], &str, bool); 12] = [
    ("sqlite", &[], "sqlite3", false),
    ("sqlite+aiosqlite", &["aiosqlite"], "aiosqlite", true),
    ("postgresql", &["psycopg2-binary", "psycopg2"], "psycopg2", false),
    ("postgresql+psycopg2", &["psycopg2-binary", "psycopg2"], "psycopg2", false),
    ("postgresql+psycopg", &["psycopg"], "psycopg", true),
    ("postgresql+asyncpg", &["asyncpg"], "asyncpg", true),
    ("postgres", &["psycopg2-binary", "psycopg2"], "psycopg2", false),
    ("mysql", &["mysqlclient"], "MySQLdb", false),
    ("mysql+pymysql", &["pymysql"], "pymysql", false),
    ("mysql+aiomysql", &["aiomysql"], "aiomysql", true),
    ("mysql+asyncmy", &["asyncmy"], "asyncmy", true),
    ("mysql+mysqlconnector", &["mysql-connector-python"], "mysql", false),
];

/// Problems of the engines that a module makes.
pub(super) fn check(context: &Context<'_>, body: &[Stmt]) -> Vec<Problem> {
    let mut reader = Reader { context, constants: HashMap::new(), sheltered: 0, found: Vec::new() };
    reader.visit_body(body);
    reader.found
}

struct Reader<'a, 'b> {
    context: &'a Context<'b>,
    /// Names that are bound to text, wherever they are; none for what is bound more than once.
    constants: HashMap<&'a str, Option<&'a str>>,
    /// Above zero in what need not run when the module is imported.
    sheltered: usize,
    found: Vec<Problem>,
}

impl<'a> Visitor<'a> for Reader<'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Assign(assign) = statement
            && let ([Expr::Name(name)], Expr::StringLiteral(text)) =
                (&assign.targets[..], assign.value.as_ref())
        {
            let only = !self.constants.contains_key(name.id.as_str());
            self.constants.insert(name.id.as_str(), only.then_some(text.value.to_str()));
        }
        let shelters = matches!(
            statement,
            Stmt::FunctionDef(_)
                | Stmt::If(_)
                | Stmt::Try(_)
                | Stmt::For(_)
                | Stmt::While(_)
                | Stmt::Match(_)
        );
        self.sheltered += usize::from(shelters);
        walk_stmt(self, statement);
        self.sheltered -= usize::from(shelters);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(call) = expr {
            self.call(call);
        }
        walk_expr(self, expr);
    }
}

impl<'a> Reader<'a, '_> {
    fn call(&mut self, call: &'a ExprCall) {
        let name = match call.func.as_ref() {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => return,
        };
        let is_async = match name {
            "create_async_engine" => true,
            "create_engine" => false,
            _ => return,
        };
        let url = match call.arguments.args.first() {
            Some(Expr::StringLiteral(text)) => Some(text.value.to_str()),
            Some(Expr::Name(name)) => self.constants.get(name.id.as_str()).copied().flatten(),
            _ => None,
        };
        if let Some((scheme, _)) = url.and_then(|url| url.split_once("://")) {
            self.engine(call, is_async, scheme);
        }
    }

    fn engine(&mut self, call: &ExprCall, is_async: bool, scheme: &str) {
        let Some((_, packages, module, driver_is_async)) = DRIVERS.iter().find(|(own, ..)| *own == scheme)
        else {
            return;
        };
        let at = call.range().start();
        let both = scheme == "postgresql+psycopg";
        if is_async && !driver_is_async {
            self.add(at, Found {
                code: "async_engine_sync_url",
                fatal: true,
                message: format!(
                    "An async engine is made with {scheme}://, whose driver is not asynchronous."
                ),
                hint: "Use sqlite+aiosqlite://, postgresql+asyncpg:// or the DATABASE_URL of the environment."
                    .to_owned(),
                signs: vec!["requires an async driver".to_owned()],
            });
        } else if !is_async && *driver_is_async && !both {
            self.add(
                at,
                Found {
                    code: "sync_engine_async_url",
                    fatal: false,
                    message: format!(
                        "A synchronous engine is made with {scheme}://, whose driver is asynchronous."
                    ),
                    hint: "Use create_async_engine, or a URL without the asynchronous driver.".to_owned(),
                    signs: vec!["greenlet_spawn has not been called".to_owned()],
                },
            );
        }
        // Previews get the driver of asynchronous SQLite by themselves.
        let there = packages.is_empty() || packages.iter().any(|one| self.context.installed.has(one));
        if !there && scheme != "sqlite+aiosqlite" {
            let package = packages[0];
            self.add(
                at,
                Found {
                    code: "missing_driver",
                    fatal: !self.context.installed.is_open(),
                    message: format!(
                        "The engine's URL is {scheme}://, and its driver {package} is not required."
                    ),
                    hint: format!("Add {package} to requirements.txt."),
                    signs: vec![no_module(module)],
                },
            );
        }
    }

    fn add(&mut self, at: TextSize, found: Found) {
        let found = Found { fatal: found.fatal && self.sheltered == 0, ..found };
        self.found.push(self.context.problem(at, found));
    }
}
