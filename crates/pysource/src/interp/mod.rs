//! An abstract interpreter for what a project does when it is imported. It follows module-level statements and
//! the project's own functions that these call, knows FastAPI's routers, and treats all else as unknown. Steps
//! and depth are bounded; nothing of the project is executed.

mod assign;
mod attributes;
mod builtins;
mod call;
mod choices;
pub(crate) mod classes;
mod eval;
mod exec;
mod imports;
mod library;
mod methods;
mod operators;
mod reflection;
mod routes;
mod routing;
mod settings;
pub(crate) mod strings;
mod subscripts;
mod types;
pub(crate) mod value;
mod views;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use ruff_python_ast::Stmt;
use ruff_text_size::{Ranged, TextSize};

use crate::endpoint::Warning;
use crate::modules::Modules;
use crate::parse::{Parsed, Unread, line_at, parse};
use crate::pins::Versions;
pub(crate) use call::yields;
pub(crate) use library::MODEL_SCHEMA;
use value::{Heap, Id, Place, ScopeId, Value};

/// Statements, expressions and iterations that are followed in one reading.
const STEPS: usize = 1_000_000;
/// How deep calls, imports and expressions may nest together.
const DEPTH: usize = 700;
/// How many warnings are kept.
const WARNINGS: usize = 200;

/// The project's modules, parsed when first needed.
pub(crate) struct Sources<'a> {
    pub(crate) modules: Modules<'a>,
    parsed: BTreeMap<&'a str, OnceLock<Result<Parsed, Unread>>>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(modules: Modules<'a>) -> Self {
        let parsed = modules.iter().map(|(_, path)| (path, OnceLock::new())).collect();
        Self { modules, parsed }
    }

    /// Parses all files that may be needed, until `done`, while another thread already reads the first of them.
    /// Imports are mostly in the order of their names: from the other end on, the two seldom want the same file.
    pub(crate) fn parse_ahead(&self, done: &AtomicBool) {
        for (path, slot) in self.parsed.iter().rev() {
            if done.load(Ordering::Relaxed) {
                return;
            }
            if !is_test(path) {
                slot.get_or_init(|| parse(self.modules.bytes(path)));
            }
        }
    }

    /// Path and statements of a module.
    pub(crate) fn body(&self, module: &str) -> Option<(&'a str, &[Stmt])> {
        let path = self.modules.path(module)?;
        match self.parsed(path)? {
            Ok(parsed) => Some((path, &parsed.module.body)),
            Err(_) => None,
        }
    }

    /// What has been parsed; references to it are over.
    pub(crate) fn into_parsed(self) -> Vec<Parsed> {
        self.parsed.into_values().filter_map(|slot| slot.into_inner()?.ok()).collect()
    }

    fn parsed(&self, path: &str) -> Option<&Result<Parsed, Unread>> {
        Some(self.parsed.get(path)?.get_or_init(|| parse(self.modules.bytes(path))))
    }
}

/// Names that belong together: a module's, a class's, or those of one call.
pub(crate) struct Scope {
    names: HashMap<Rc<str>, Value>,
    parent: Option<ScopeId>,
    module: Rc<str>,
    is_class: bool,
    /// The class whose body or method this is.
    owner: Option<Id>,
    /// Names that statements here bind in the module instead.
    globals: Vec<Rc<str>>,
    /// A module's names may be more than these: its import failed, or binds names in ways that are not followed.
    open: bool,
}

pub(crate) struct Interp<'a> {
    pub(crate) sources: &'a Sources<'a>,
    pub(crate) heap: Heap<'a>,
    scopes: Vec<Scope>,
    loaded: HashMap<Rc<str>, ScopeId>,
    warnings: BTreeSet<(Place, String)>,
    steps: usize,
    depth: usize,
    /// Above zero while following code that may not run.
    uncertain: usize,
    /// Above zero while following code whose failures are caught.
    tried: usize,
    /// Modules whose import may not happen, or may fail without harm.
    doubted: BTreeSet<Rc<str>>,
    /// How many loops are being followed, one in another.
    rounds: usize,
    /// The libraries that will run it.
    pub(crate) versions: Versions,
    /// Decorators of libraries on functions of the project.
    marks: HashMap<Id, Vec<Value>>,
    /// `.env` of the project, once something has loaded it.
    environment: HashMap<String, String>,
    /// Where the statement that is followed begins.
    here: Place,
    /// What the code that is followed could not import, if it raised for that.
    raised: Option<String>,
    failures: Vec<Failure>,
}

/// Something that makes the import of a module fail.
pub(crate) struct Failure {
    pub(crate) place: Place,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: String,
    /// Words of what Python then says.
    pub(crate) signs: Vec<String>,
    /// It happens whenever the project is imported, and nothing catches it.
    pub(crate) certain: bool,
}

impl<'a> Interp<'a> {
    pub(crate) fn new(sources: &'a Sources<'a>, versions: Versions) -> Self {
        Self {
            sources,
            heap: Heap::default(),
            scopes: Vec::new(),
            loaded: HashMap::new(),
            warnings: BTreeSet::new(),
            steps: 0,
            depth: 0,
            uncertain: 0,
            tried: 0,
            doubted: BTreeSet::new(),
            rounds: 0,
            versions,
            marks: HashMap::new(),
            environment: HashMap::new(),
            here: Place::default(),
            raised: None,
            failures: Vec::new(),
        }
    }

    pub(crate) fn warn(&mut self, message: impl Into<String>) {
        self.warn_at(self.here.clone(), message);
    }

    pub(crate) fn warn_at(&mut self, place: Place, message: impl Into<String>) {
        if self.warnings.len() < WARNINGS {
            self.warnings.insert((place, message.into()));
        }
    }

    fn fail(&mut self, place: Place, code: &'static str, message: String, hint: &str, signs: Vec<String>) {
        if self.failures.len() < WARNINGS {
            let certain = !self.in_doubt();
            self.failures.push(Failure { place, code, message, hint: hint.to_owned(), signs, certain });
        }
    }

    /// What makes imports fail.
    pub(crate) fn take_failures(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.failures)
    }

    /// Whether a module was read to its end and has no such name.
    pub(crate) fn lacks(&self, module: &str, name: &str) -> bool {
        let Some(scope) = self.loaded.get(module) else { return false };
        let scope = &self.scopes[*scope];
        let inner = format!("{module}.{name}");
        !scope.open && !scope.names.contains_key(name) && !self.sources.modules.contains(&inner)
    }

    /// The modules of the project that were imported, and whether that is certain.
    pub(crate) fn loaded_modules(&self) -> Vec<(Rc<str>, bool)> {
        self.loaded.keys().map(|module| (module.clone(), !self.doubted.contains(module))).collect()
    }

    /// Whether what is followed may not happen, or may fail without harm.
    fn in_doubt(&self) -> bool {
        self.uncertain > 0 || self.tried > 0
    }

    /// What could not be known, in the order of files and lines.
    pub(crate) fn take_warnings(&mut self) -> Vec<Warning> {
        let warnings = std::mem::take(&mut self.warnings);
        let mut told: Vec<Warning> = warnings
            .into_iter()
            .map(|(place, message)| {
                let file = self.sources.modules.path(&place.module).unwrap_or_default();
                let line = line_at(self.sources.modules.bytes(file), TextSize::new(place.offset));
                Warning { file: file.to_owned(), line, message }
            })
            .collect();
        told.sort();
        told
    }

    pub(crate) fn place(&self, scope: ScopeId, node: &impl Ranged) -> Place {
        Place { module: self.scopes[scope].module.clone(), offset: node.range().start().to_u32() }
    }

    /// Counts a step; false once the budget is used up, which is warned of.
    pub(crate) fn step(&mut self) -> bool {
        self.charge(1)
    }

    /// Counts as many steps as there are things to go through.
    pub(crate) fn charge(&mut self, steps: usize) -> bool {
        let before = self.steps;
        self.steps = self.steps.saturating_add(steps);
        if before < STEPS && self.steps >= STEPS {
            self.warn("the project does too much at import to be followed to the end");
        }
        self.steps < STEPS
    }

    /// Runs `inner` one level deeper, or gives `otherwise` at the bottom.
    fn deeper<T>(&mut self, otherwise: T, inner: impl FnOnce(&mut Self) -> T) -> T {
        if self.depth >= DEPTH {
            self.warn("the project nests calls or imports too deeply to be followed");
            return otherwise;
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn new_scope(&mut self, parent: Option<ScopeId>, module: Rc<str>, owner: Option<Id>) -> ScopeId {
        let names = HashMap::new();
        self.scopes.push(Scope {
            names,
            parent,
            module,
            is_class: false,
            owner,
            globals: Vec::new(),
            open: false,
        });
        self.scopes.len() - 1
    }

    /// A scope with what the names of `scope` stand for now, whatever becomes of them.
    fn as_it_is(&mut self, scope: ScopeId) -> ScopeId {
        let names = self.scopes[scope].names.clone();
        self.charge(names.len() / 8);
        let kept = self.new_scope(Some(scope), self.module_of(scope), None);
        self.scopes[kept].names = names;
        kept
    }

    fn set(&mut self, scope: ScopeId, name: &str, value: Value) {
        let scope = if self.scopes[scope].globals.iter().any(|global| global.as_ref() == name) {
            self.module_scope(scope)
        } else {
            scope
        };
        match self.scopes[scope].names.get_mut(name) {
            Some(old) => *old = value,
            None => {
                self.scopes[scope].names.insert(Rc::from(name), value);
            }
        }
    }

    fn module_scope(&self, mut scope: ScopeId) -> ScopeId {
        while let Some(parent) = self.scopes[scope].parent {
            scope = parent;
        }
        scope
    }

    pub(crate) fn module_of(&self, scope: ScopeId) -> Rc<str> {
        self.scopes[scope].module.clone()
    }

    /// A name as code in `scope` sees it.
    fn lookup(&self, scope: ScopeId, name: &str) -> Value {
        let mut current = Some(scope);
        while let Some(id) = current {
            let at = &self.scopes[id];
            // Methods do not see the names of their class.
            if (id == scope || !at.is_class)
                && let Some(value) = at.names.get(name)
            {
                return value.clone();
            }
            current = at.parent;
        }
        builtins::lookup(name)
    }

    /// All names of a scope with their values, in alphabetical order.
    pub(crate) fn names(&self, scope: ScopeId) -> Vec<(String, Value)> {
        let names = self.scopes[scope].names.iter();
        let mut names: Vec<_> = names.map(|(name, value)| (name.to_string(), value.clone())).collect();
        names.sort_by(|(left, _), (right, _)| left.cmp(right));
        names
    }

    /// A name of that scope alone.
    pub(crate) fn own_name(&self, scope: ScopeId, name: &str) -> Option<&Value> {
        self.scopes[scope].names.get(name)
    }
}

/// Tests are parsed only when something imports them.
fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part.starts_with("test_"))
}
