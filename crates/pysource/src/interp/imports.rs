//! Import statements: the project's own modules are followed, others stand for themselves by name.

use std::rc::Rc;

use ruff_python_ast::{Alias, StmtImport, StmtImportFrom};

use super::exec::Flow;
use super::value::{Place, ScopeId, Value, first_part};
use super::{Interp, value};

impl<'a> Interp<'a> {
    /// Follows a module of the project, once, after the packages that it is in. None where there is none.
    pub(crate) fn load(&mut self, name: &str) -> Option<ScopeId> {
        if let Some(scope) = self.loaded.get(name) {
            return Some(*scope);
        }
        if !self.sources.modules.contains(name) {
            return None;
        }
        let parent = name.rsplit_once('.').map(|(parent, last)| (self.load(parent), last.to_owned()));
        // The package itself may have imported it meanwhile.
        if let Some(scope) = self.loaded.get(name) {
            return Some(*scope);
        }
        let module: Rc<str> = Rc::from(name);
        let scope = self.new_scope(None, module.clone(), None);
        self.loaded.insert(module.clone(), scope);
        if self.in_doubt() {
            self.doubted.insert(module.clone());
        }
        self.run_module(name, scope);
        if let Some((Some(parent), last)) = parent {
            self.set(parent, &last, Value::Module(module));
        }
        Some(scope)
    }

    fn run_module(&mut self, name: &str, scope: ScopeId) {
        let sources = self.sources;
        let Some(path) = sources.modules.path(name) else { return };
        self.set(scope, "__name__", Value::str(name));
        self.set(scope, "__file__", Value::str(format!("{}/{path}", super::settings::ROOT)));
        let before = std::mem::replace(&mut self.here, Place { module: Rc::from(name), offset: 0 });
        match sources.parsed(path) {
            Some(Ok(parsed)) => {
                if let Some((at, text)) = &parsed.error {
                    let place = Place { module: Rc::from(name), offset: at.to_u32() };
                    self.warn_at(place.clone(), format!("syntax error: {text}"));
                    let message = format!("Python cannot read this: {text}.");
                    let signs = vec![syntax_error_in(path)];
                    self.fail(place, "syntax_error", message, "Correct the syntax.", signs);
                }
                let finished = self.deeper(false, |this| this.run(&parsed.module.body, scope));
                self.scopes[scope].open |= !finished || parsed.error.is_some();
            }
            Some(Err(unread)) => {
                self.scopes[scope].open = true;
                self.warn(unread.to_string());
            }
            None => {}
        }
        self.here = before;
    }

    pub(super) fn import(&mut self, import: &'a StmtImport, scope: ScopeId) -> Flow {
        for alias in &import.names {
            let name = alias.name.as_str();
            let top = first_part(name);
            if self.sources.modules.contains(top) {
                if self.load(name).is_none() {
                    return self.missing(name);
                }
                let (bound, target) =
                    alias.asname.as_ref().map_or((top, top), |asname| (asname.as_str(), name));
                self.set(scope, bound, Value::Module(Rc::from(target)));
            } else {
                let (bound, target) =
                    alias.asname.as_ref().map_or((top, top), |asname| (asname.as_str(), name));
                self.set(scope, bound, Value::external(target));
            }
        }
        Flow::Next
    }

    pub(super) fn import_from(&mut self, import: &'a StmtImportFrom, scope: ScopeId) -> Flow {
        let module = self.module_of(scope);
        let target = import.module.as_ref().map(|name| name.as_str());
        let Some(source) = self.sources.modules.absolute(&module, import.level, target) else {
            return self.missing(&format!(
                "{}{}",
                ".".repeat(import.level as usize),
                target.unwrap_or_default()
            ));
        };
        if !self.sources.modules.contains(first_part(&source)) {
            for alias in &import.names {
                if alias.name.as_str() == "*" {
                    let module = self.module_scope(scope);
                    self.scopes[module].open = true;
                    continue;
                }
                self.set(scope, bound_name(alias), Value::external(format!("{source}.{}", alias.name)));
            }
            return Flow::Next;
        }
        let Some(theirs) = self.load(&source) else { return self.missing(&source) };
        for alias in &import.names {
            if alias.name.as_str() == "*" {
                self.import_all(&source, theirs, scope);
                continue;
            }
            let Some(value) = self.member(&source, theirs, alias.name.as_str()) else {
                return self.missing(&format!("{source}.{}", alias.name));
            };
            self.set(scope, bound_name(alias), value);
        }
        Flow::Next
    }

    /// A name of a module, or a module in a package.
    fn member(&mut self, module: &str, scope: ScopeId, name: &str) -> Option<Value> {
        if let Some(value) = self.own_name(scope, name) {
            return Some(value.clone());
        }
        let inner = format!("{module}.{name}");
        if self.load(&inner).is_some() {
            return Some(Value::Module(Rc::from(inner)));
        }
        if let Some(getter) = self.own_name(scope, "__getattr__").cloned() {
            return Some(self.call(&getter, vec![Value::str(name)], Vec::new()));
        }
        self.scopes[scope].open.then_some(Value::Unknown)
    }

    fn import_all(&mut self, module: &str, theirs: ScopeId, scope: ScopeId) {
        let listed = self.own_name(theirs, "__all__").cloned();
        let listed: Option<Vec<String>> = listed
            .as_ref()
            .and_then(|all| self.heap.items(all))
            .map(|items| items.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        let names = listed.unwrap_or_else(|| {
            let own = self.scopes[theirs].names.keys();
            own.filter(|name| !name.starts_with('_')).map(|name| name.to_string()).collect()
        });
        for name in names {
            if let Some(value) = self.member(module, theirs, &name) {
                self.set(scope, &name, value);
            }
        }
    }

    fn missing(&mut self, name: &str) -> Flow {
        self.raised = Some(name.to_owned());
        Flow::Raise
    }

    /// `importlib.import_module(name, package)`.
    pub(super) fn import_by_name(&mut self, name: &Value, package: Option<&Value>) -> Value {
        let Some(name) = name.as_str() else { return Value::Unknown };
        let level = name.len() - name.trim_start_matches('.').len();
        let full = match (level, package.and_then(Value::as_str)) {
            (0, _) => name.to_owned(),
            // Relative to a package: one dot is the package itself.
            (_, Some(package)) => {
                let ups = u32::try_from(level).unwrap_or(u32::MAX);
                match self.sources.modules.absolute(&format!("{package}._"), ups, Some(&name[level..])) {
                    Some(full) => full,
                    None => return Value::Unknown,
                }
            }
            _ => return Value::Unknown,
        };
        match self.load(&full) {
            Some(_) => Value::Module(Rc::from(full)),
            None if self.sources.modules.contains(first_part(&full)) => Value::Unknown,
            None => Value::external(full),
        }
    }

    /// An attribute of a module of the project.
    pub(super) fn module_attribute(&mut self, module: &str, name: &str) -> Value {
        if name == "__path__" {
            return self
                .heap
                .list(value::ListKind::List, vec![Value::str(super::settings::package_path(module))]);
        }
        let Some(scope) = self.load(module) else { return Value::Unknown };
        self.member(module, scope, name).unwrap_or(Value::Unknown)
    }
}

/// How Python says where a syntax error is.
fn syntax_error_in(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    format!("({name}, line ")
}

fn bound_name(alias: &Alias) -> &str {
    alias.asname.as_ref().unwrap_or(&alias.name).as_str()
}
