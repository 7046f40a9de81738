//! What a function, a class or an object takes when it is called.

use std::rc::Rc;

use ruff_python_ast::{Expr, ParameterWithDefault};

use crate::interp::value::{Function, Id, Value, last_part};
use crate::schema::fields::Start;
use crate::schema::{ClassKind, Mode, Schemas};

/// A parameter of a signature.
pub(super) struct Argument<'a> {
    pub(super) name: Rc<str>,
    pub(super) annotation: Option<&'a Expr>,
    /// For types that no annotation gives.
    pub(super) ty: Option<Value>,
    pub(super) default: Option<Value>,
    pub(super) scope: usize,
}

impl<'a> Schemas<'_, 'a> {
    /// `functools.partial` of something.
    pub(super) fn partial(&self, target: &Value) -> Option<Id> {
        let Value::Call(id) = target else { return None };
        let call = &self.interp.heap.calls[*id];
        (last_part(&call.callee) == "partial").then_some(*id)
    }

    /// The parameters of what is called, without those that are bound.
    pub(super) fn signature(&mut self, target: &Value) -> Vec<Argument<'a>> {
        match target {
            Value::Function(id) => {
                let bound = self.interp.heap.functions[*id].receiver.is_some();
                let function = self.interp.shown(*id);
                let skip = usize::from(bound || function.receiver.is_some());
                self.arguments_of(&function, skip)
            }
            Value::Class(id) => self.constructor(*id),
            Value::Instance(id) => {
                let class = self.interp.heap.instances[*id].class;
                match self.interp.class_attribute(class, "__call__") {
                    Some(Value::Function(function)) => {
                        let function = self.interp.shown(function);
                        self.arguments_of(&function, 1)
                    }
                    _ => Vec::new(),
                }
            }
            Value::Call(_) => {
                let Some(id) = self.partial(target) else { return Vec::new() };
                let call = self.interp.heap.calls[id].clone();
                let inner = call.args.first().cloned().unwrap_or(Value::Unknown);
                let given = call.args.len().saturating_sub(1);
                let arguments = self.signature(&inner).into_iter().skip(given);
                arguments.filter(|one| !call.keywords.iter().any(|(name, _)| *name == one.name)).collect()
            }
            Value::External(name) if last_part(name).starts_with("OAuth2PasswordRequestForm") => {
                self.login_form()
            }
            _ => Vec::new(),
        }
    }

    fn arguments_of(&mut self, function: &Function<'a>, skip: usize) -> Vec<Argument<'a>> {
        let parameters = &function.def.parameters;
        let positional: Vec<&'a ParameterWithDefault> =
            parameters.posonlyargs.iter().chain(&parameters.args).collect();
        let named = positional.into_iter().skip(skip).chain(&parameters.kwonlyargs);
        let mut arguments: Vec<Argument<'a>> = Vec::new();
        for parameter in named {
            let default =
                parameter.default.as_deref().map(|default| self.interp.eval(default, function.signature));
            arguments.push(Argument {
                name: Rc::from(parameter.parameter.name.as_str()),
                annotation: parameter.parameter.annotation.as_deref(),
                ty: None,
                default,
                scope: function.signature,
            });
        }
        for rest in [&parameters.vararg, &parameters.kwarg].into_iter().flatten() {
            arguments.push(Argument {
                name: Rc::from(rest.name.as_str()),
                annotation: rest.annotation.as_deref(),
                ty: None,
                default: None,
                scope: function.signature,
            });
        }
        arguments
    }

    /// A class as a dependency: its constructor, or the fields of a model.
    fn constructor(&mut self, class: Id) -> Vec<Argument<'a>> {
        if let Some(Value::Function(init)) = self.interp.class_attribute(class, "__init__") {
            let function = self.interp.shown(init);
            return self.arguments_of(&function, 1);
        }
        if self
            .interp
            .external_bases(class)
            .iter()
            .any(|base| last_part(base).starts_with("OAuth2PasswordRequestForm"))
        {
            return self.login_form();
        }
        let kind = self.class_kind(class);
        if !matches!(kind, ClassKind::Model | ClassKind::Dataclass | ClassKind::NamedTuple) {
            return Vec::new();
        }
        let fields = self.model_fields(class, kind);
        fields
            .into_iter()
            .map(|field| Argument {
                name: Rc::from(field.shown(Mode::Input)),
                annotation: None,
                default: match &field.info.start {
                    Start::Required => None,
                    Start::Default(value) => Some(value.clone()),
                    Start::Made => Some(Value::None),
                },
                scope: field.scope,
                ty: Some(field.ty),
            })
            .collect()
    }

    /// The form of `OAuth2PasswordRequestForm`.
    fn login_form(&mut self) -> Vec<Argument<'a>> {
        let text = Value::external("builtins.str");
        let optional = self.interp.heap.generic(Value::external("typing.Optional"), vec![text.clone()]);
        let none = Some(("default", Value::None));
        let password = self.heap_dict("format", "password");
        let secret = Some(("json_schema_extra", password));
        let fields = [
            ("grant_type", &optional, [none.clone(), Some(("pattern", Value::str("^password$")))]),
            ("username", &text, [None, None]),
            ("password", &text, [None, secret.clone()]),
            ("scope", &text, [Some(("default", Value::str(""))), None]),
            ("client_id", &optional, [none.clone(), None]),
            ("client_secret", &optional, [none, secret]),
        ];
        fields
            .into_iter()
            .map(|(name, ty, keywords)| {
                let keywords =
                    keywords.into_iter().flatten().map(|(key, value)| (Rc::from(key), value)).collect();
                let marker = self.interp.heap.call("fastapi.Form", Vec::new(), keywords);
                Argument {
                    name: Rc::from(name),
                    annotation: None,
                    ty: Some(ty.clone()),
                    default: Some(marker),
                    scope: 0,
                }
            })
            .collect()
    }

    fn heap_dict(&mut self, key: &str, value: &str) -> Value {
        self.interp.heap.dict(vec![(Value::str(key), Value::str(value))])
    }
}
