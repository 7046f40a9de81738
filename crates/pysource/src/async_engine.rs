//! Whether a project builds SQLAlchemy's asynchronous engine, which needs another database URL.

use ruff_python_ast::Expr;
use ruff_python_ast::visitor::{Visitor, walk_expr};

use crate::modules::{Files, Modules};
use crate::parse::parse;
use crate::read::with_deep_stack;

const NAMES: [&str; 3] = ["create_async_engine", "async_engine_from_config", "AsyncEngine"];

/// Whether any module of the project, its tests aside, uses an asynchronous engine.
#[must_use]
pub fn uses_async_engine(files: &Files) -> bool {
    let modules = Modules::new(files);
    let mut suspects = modules.iter().filter(|(name, _)| !is_test(name)).map(|(_, path)| modules.bytes(path));
    with_deep_stack(|| suspects.any(uses_one)).unwrap_or(false)
}

fn is_test(module: &str) -> bool {
    module
        .split('.')
        .any(|part| part == "tests" || part == "test" || part == "conftest" || part.starts_with("test_"))
}

fn uses_one(bytes: &[u8]) -> bool {
    // Most files are settled without parsing them.
    if !NAMES.iter().any(|name| bytes.windows(name.len()).any(|window| window == name.as_bytes())) {
        return false;
    }
    let Ok(parsed) = parse(bytes) else { return false };
    let mut finder = Finder { found: false };
    finder.visit_body(&parsed.module.body);
    finder.found
}

struct Finder {
    found: bool,
}

impl<'a> Visitor<'a> for Finder {
    fn visit_expr(&mut self, expr: &'a Expr) {
        let name = match expr {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => "",
        };
        self.found |= NAMES.contains(&name);
        walk_expr(self, expr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(path: &str, text: &str) -> bool {
        uses_async_engine(&Files::from([(path.to_owned(), text.as_bytes().to_vec())]))
    }

    #[test]
    fn usage_in_any_module_counts() {
        assert!(uses(
            "app/db.py",
            "from sqlalchemy.ext.asyncio import create_async_engine\ne = create_async_engine(u)\n"
        ));
        assert!(uses(
            "app/db.py",
            "import sqlalchemy.ext.asyncio as aio\ndef f():\n  return aio.create_async_engine(u)\n"
        ));
        assert!(uses("db.py", "def f(engine: AsyncEngine): ...\n"));
    }

    #[test]
    fn words_and_tests_do_not() {
        assert!(!uses("app/db.py", "# create_async_engine\ns = 'create_async_engine(u)'\n"));
        assert!(!uses("tests/conftest.py", "e = create_async_engine(u)\n"));
        assert!(!uses("app/db.py", "from sqlalchemy import create_engine\ne = create_engine(u)\n"));
    }
}
