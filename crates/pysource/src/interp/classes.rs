//! Classes of the project and their instances.

use std::rc::Rc;

use ruff_python_ast::{Expr, StmtClassDef};

use super::Interp;
use super::value::{Class, Id, Keywords, ScopeId, Value, last_part};

/// How far the bases of a class are followed.
const ANCESTORS: usize = 64;

/// How many fields one class may have.
const FIELDS: usize = 1_000;

/// A field of a model: its name, its annotation and, if it has one, its default.
#[derive(Clone)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    pub(crate) annotation: &'a Expr,
    pub(crate) default: Option<Value>,
    /// Where its annotation is to be read.
    pub(crate) scope: ScopeId,
}

impl<'a> Interp<'a> {
    pub(super) fn define_class(&mut self, def: &'a StmtClassDef, scope: ScopeId) {
        let (bases, keywords) = def
            .arguments
            .as_deref()
            .and_then(|arguments| self.arguments(arguments, scope))
            .unwrap_or_default();
        let decorators: Vec<Value> =
            def.decorator_list.iter().map(|decorator| self.eval(&decorator.expression, scope)).collect();
        let module = self.module_of(scope);
        let inner = self.new_scope(Some(scope), module.clone(), None);
        self.scopes[inner].is_class = true;
        let name: Rc<str> = Rc::from(def.name.as_str());
        let id = self.heap.class(Class {
            def,
            name,
            module,
            scope: inner,
            bases,
            keywords,
            decorators: decorators.clone(),
        });
        self.scopes[inner].owner = Some(id);
        for parameter in def.type_params.iter().flat_map(|parameters| parameters.iter()) {
            let name = parameter.name().as_str();
            let variable = self.heap.call("typing.TypeVar", vec![Value::str(name)], Keywords::new());
            self.set(inner, name, variable);
        }
        self.deeper((), |this| {
            this.block(&def.body, inner);
        });
        if self.is_enum(id) {
            self.make_members(id);
        }
        let mut value = Value::Class(id);
        for (node, decorator) in def.decorator_list.iter().zip(&decorators).rev() {
            let place = self.place(scope, node);
            let before = std::mem::replace(&mut self.here, place);
            value = self.decorate(decorator, value);
            self.here = before;
        }
        self.set(scope, &def.name, value);
    }

    /// The class and its ancestors of the project, nearest first.
    pub(crate) fn lineage(&self, class: Id) -> Vec<Id> {
        let mut line = vec![class];
        let mut next = 0;
        while next < line.len() && line.len() < ANCESTORS {
            for base in &self.heap.classes[line[next]].bases {
                if let Some(Value::Class(id)) = self.origin(base)
                    && !line.contains(&id)
                {
                    line.push(id);
                }
            }
            next += 1;
        }
        line
    }

    /// What a base class is without its type arguments.
    pub(crate) fn origin(&self, base: &Value) -> Option<Value> {
        match base {
            Value::Generic(id) => Some(self.heap.generics[*id].base.clone()),
            other => Some(other.clone()),
        }
    }

    /// The names of the library classes that a class descends from.
    pub(crate) fn external_bases(&self, class: Id) -> Vec<Rc<str>> {
        let mut names = Vec::new();
        for ancestor in self.lineage(class) {
            for base in &self.heap.classes[ancestor].bases {
                if let Some(Value::External(name)) = self.origin(base) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// Whether a class descends from a library class of one of these names.
    pub(crate) fn descends(&self, class: Id, names: &[&str]) -> bool {
        self.external_bases(class).iter().any(|base| names.contains(&last_part(base)))
    }

    pub(crate) fn is_enum(&self, class: Id) -> bool {
        self.descends(class, &["Enum", "StrEnum", "IntEnum", "Flag", "IntFlag"])
    }

    /// An attribute of the class or of what it descends from.
    pub(crate) fn class_attribute(&self, class: Id, name: &str) -> Option<Value> {
        let line = self.lineage(class);
        line.into_iter().find_map(|id| self.own_name(self.heap.classes[id].scope, name).cloned())
    }

    fn make_members(&mut self, class: Id) {
        let definition = self.heap.classes[class].clone();
        let lower = self.descends(class, &["StrEnum"]);
        let mut count = 0;
        for statement in &definition.def.body {
            let (name, value) = match statement {
                ruff_python_ast::Stmt::Assign(assign) => match assign.targets.first() {
                    Some(Expr::Name(name)) => (name.id.as_str(), &assign.value),
                    _ => continue,
                },
                ruff_python_ast::Stmt::AnnAssign(assign) => match (assign.target.as_ref(), &assign.value) {
                    (Expr::Name(name), Some(value)) => (name.id.as_str(), value),
                    _ => continue,
                },
                _ => continue,
            };
            if name.starts_with('_') {
                continue;
            }
            count += 1;
            let mut value = self.eval(value, definition.scope);
            if let Value::Call(call) = &value
                && last_part(&self.heap.calls[*call].callee) == "auto"
            {
                value = if lower { Value::str(name.to_lowercase()) } else { Value::Int(count) };
            }
            let member = self.heap.instance(class);
            self.heap.instances[member].attributes =
                vec![(Rc::from("name"), Value::str(name)), (Rc::from("value"), value)];
            self.set(definition.scope, name, Value::Instance(member));
        }
    }

    /// Members of an enumeration in the order of their definition.
    pub(crate) fn enum_members(&self, class: Id) -> Option<Vec<Value>> {
        if !self.is_enum(class) {
            return None;
        }
        let scope = self.heap.classes[class].scope;
        let mut members: Vec<&Value> = self.scopes[scope]
            .names
            .values()
            .filter(|value| matches!(value, Value::Instance(id) if self.heap.instances[*id].class == class))
            .collect();
        members.sort_by_key(|value| if let Value::Instance(id) = value { *id } else { 0 });
        Some(members.into_iter().cloned().collect())
    }

    /// The value of an enumeration's member.
    pub(crate) fn enum_value(&self, value: &Value) -> Option<Value> {
        let Value::Instance(id) = value else { return None };
        let instance = &self.heap.instances[*id];
        self.is_enum(instance.class).then(|| super::value::keyword(&instance.attributes, "value").cloned())?
    }

    /// `str(member)`: only of string enumerations is it the value.
    pub(super) fn enum_text(&self, value: &Value) -> Option<Rc<str>> {
        let Value::Instance(id) = value else { return None };
        if !self.descends(self.heap.instances[*id].class, &["StrEnum"]) {
            return None;
        }
        self.enum_value(value)?.as_str().map(Rc::from)
    }

    /// A member of a string enumeration is its value wherever a string is wanted.
    pub(crate) fn plain(&self, value: &Value) -> Value {
        if let Value::Instance(id) = value
            && self.descends(self.heap.instances[*id].class, &["str", "StrEnum", "int", "IntEnum"])
            && let Some(inner) = self.enum_value(value)
        {
            return inner;
        }
        value.clone()
    }

    pub(super) fn instantiate(&mut self, class: Id, args: Vec<Value>, keywords: Keywords) -> Value {
        if self.is_enum(class) {
            let wanted = args.first().cloned().unwrap_or(Value::Unknown);
            let members = self.enum_members(class).unwrap_or_default();
            return members
                .into_iter()
                .find(|member| self.enum_value(member).as_ref() == Some(&wanted))
                .unwrap_or(Value::Unknown);
        }
        if self.external_bases(class).iter().any(|base| self.is_router_class(base)) {
            return self.instantiate_router(class, args, keywords);
        }
        let id = self.heap.instance(class);
        let instance = Value::Instance(id);
        match self.class_attribute(class, "__init__") {
            Some(init) => {
                let bound = self.bind(&init, &instance);
                self.call(&bound, args, keywords);
            }
            None => {
                let names: Vec<&str> = self.fields(class).iter().map(|field| field.name).collect();
                let positional = names.into_iter().map(Rc::from).zip(args);
                self.heap.instances[id].attributes = positional.chain(keywords).collect();
            }
        }
        self.made_view(class, &instance);
        instance
    }

    /// Annotated fields of a class and its ancestors, base first; one that is declared again keeps its place.
    pub(crate) fn fields(&self, class: Id) -> Vec<Field<'a>> {
        let mut fields: Vec<Field<'a>> = Vec::new();
        for ancestor in self.lineage(class).into_iter().rev() {
            let definition = &self.heap.classes[ancestor];
            for statement in &definition.def.body {
                let ruff_python_ast::Stmt::AnnAssign(assign) = statement else { continue };
                let Expr::Name(target) = assign.target.as_ref() else { continue };
                let name = target.id.as_str();
                let default = assign
                    .value
                    .is_some()
                    .then(|| self.own_name(definition.scope, name).cloned().unwrap_or(Value::Unknown));
                let field = Field { name, annotation: &assign.annotation, default, scope: definition.scope };
                match fields.iter().position(|known| known.name == name) {
                    Some(index) => fields[index] = field,
                    None if fields.len() < FIELDS => fields.push(field),
                    None => return fields,
                }
            }
        }
        fields
    }
}
