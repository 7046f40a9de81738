//! What a function takes, its dependencies' included: parameters by place, bodies, credentials.

use std::rc::Rc;

use ruff_python_ast::{Expr, ParameterWithDefault};

use crate::interp::value::{Function, Id, Place, Route, Value, first_part, last_part};
use crate::schema::fields::{FieldInfo, Start, is_marker};
use crate::schema::{ClassKind, Env, Mode, Schemas};

/// How deep dependencies may depend on one another.
const DEPTH: usize = 30;
/// How many dependencies one operation may have.
const DEPENDENCIES: usize = 500;

/// Where a parameter comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Path,
    Query,
    Header,
    Cookie,
    Body,
    Form,
    File,
}

/// A parameter of the operation.
#[derive(Clone, Debug)]
pub(super) struct Param {
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) ty: Value,
    pub(super) env: Env,
    pub(super) info: FieldInfo,
}

/// All that one operation takes.
#[derive(Default)]
pub(super) struct Dependant {
    pub(super) params: Vec<Param>,
    /// Security schemes (calls or instances) with the scopes that are asked for.
    pub(super) security: Vec<(Value, Vec<String>)>,
    seen: Vec<(Value, Vec<String>)>,
    place: Place,
}

/// A parameter of a signature.
pub(super) struct Argument<'a> {
    pub(super) name: Rc<str>,
    annotation: Option<&'a Expr>,
    /// For types that no annotation gives.
    ty: Option<Value>,
    default: Option<Value>,
    scope: usize,
}

impl<'a> Schemas<'_, 'a> {
    pub(super) fn dependant(&mut self, route: &Route, path_names: &[String]) -> Dependant {
        let mut dependant = Dependant { place: route.place.clone(), ..Dependant::default() };
        let skip_self = route.view.is_some();
        let mut arguments = self.signature(&route.endpoint);
        if skip_self && !arguments.is_empty() {
            arguments.remove(0);
        }
        let inner = self.own_parameters(arguments, path_names, &mut dependant);
        for dependency in &route.context.dependencies {
            self.depend_on_marker(dependency, None, &[], path_names, &mut dependant, 0);
        }
        if let Some(view) = route.view {
            self.depend_on_view(view, path_names, &mut dependant);
        }
        self.depend_on_all(inner, &[], path_names, &mut dependant, 0);
        dependant
    }

    /// Sorts the parameters of one function; gives back its dependencies with their types.
    fn own_parameters(
        &mut self,
        arguments: Vec<Argument<'a>>,
        path_names: &[String],
        dependant: &mut Dependant,
    ) -> Vec<(Value, Value)> {
        let mut dependencies = Vec::new();
        for argument in arguments {
            let env = Env::of(argument.scope);
            let full = match (argument.ty, argument.annotation) {
                (Some(ty), _) => ty,
                (None, Some(annotation)) => self.annotation(annotation, argument.scope),
                (None, None) => Value::external("typing.Any"),
            };
            let (ty, metadata) = self.unwrapped(&full);
            let marker =
                metadata.iter().rev().chain(&argument.default).find(|value| self.is_dependency(value));
            if let Some(marker) = marker {
                dependencies.push((marker.clone(), ty));
                continue;
            }
            if self.is_injected(&ty) {
                continue;
            }
            let mut info = FieldInfo::from_metadata(self.interp, &metadata);
            self.add_default(&mut info, argument.default.as_ref());
            let name = argument.name.to_string();
            let source = self.source(&info, &name, &ty, path_names);
            if source == Source::Path {
                info.start = Start::Required;
            }
            dependant.params.push(Param { name, source, ty, env, info });
        }
        dependencies
    }

    fn add_default(&mut self, info: &mut FieldInfo, default: Option<&Value>) {
        match default {
            Some(Value::Call(id)) if is_marker(&self.interp.heap.calls[*id].callee) => {
                let call = self.interp.heap.calls[*id].clone();
                let more = FieldInfo::from_call(self.interp, &call);
                info.extend(more);
            }
            Some(Value::Ellipsis) | None => {}
            Some(value) => info.start = Start::Default(value.clone()),
        }
    }

    fn is_dependency(&self, value: &Value) -> bool {
        let name = match value {
            Value::Call(id) => self.interp.heap.calls[*id].callee.clone(),
            _ => return false,
        };
        matches!(last_part(&name), "Depends" | "Security") && is_marker(&name)
    }

    /// Types that FastAPI fills in itself.
    fn is_injected(&self, ty: &Value) -> bool {
        let is_one = |name: &str| {
            let last = last_part(name);
            matches!(first_part(name), "fastapi" | "starlette")
                && (matches!(
                    last,
                    "Request" | "WebSocket" | "HTTPConnection" | "BackgroundTasks" | "SecurityScopes"
                ) || last.ends_with("Response"))
        };
        match ty {
            Value::External(name) => is_one(name),
            Value::Class(id) => self.interp.external_bases(*id).iter().any(|base| is_one(base)),
            _ => false,
        }
    }

    fn source(&self, info: &FieldInfo, name: &str, ty: &Value, path_names: &[String]) -> Source {
        if path_names.iter().any(|own| own == name || info.text("alias") == Some(own)) {
            return Source::Path;
        }
        match info.marker.as_ref() {
            "Path" => Source::Path,
            "Query" | "Param" => Source::Query,
            "Header" => Source::Header,
            "Cookie" => Source::Cookie,
            "Body" => Source::Body,
            "Form" => Source::Form,
            "File" => Source::File,
            _ if self.is_upload(ty) => Source::File,
            _ if self.is_complex(ty) => Source::Body,
            _ => Source::Query,
        }
    }

    fn is_upload(&self, ty: &Value) -> bool {
        match ty {
            Value::External(name) => last_part(name) == "UploadFile",
            Value::Class(id) => self.interp.descends(*id, &["UploadFile"]),
            Value::Generic(id) => {
                let generic = &self.interp.heap.generics[*id];
                let name = if let Value::External(name) = &generic.base { last_part(name) } else { "" };
                matches!(name, "Union" | "Optional" | "list" | "List" | "Sequence" | "tuple" | "set")
                    && generic.args.iter().any(|arg| self.is_upload(arg))
            }
            _ => false,
        }
    }

    /// Whether a value of that type cannot be in a query.
    pub(super) fn is_complex(&self, ty: &Value) -> bool {
        let (ty, _) = self.unwrapped(ty);
        if let Some(args) = self.union_args(&ty) {
            return args.iter().any(|arg| self.is_complex(arg));
        }
        const COMPLEX: [&str; 21] = [
            "dict",
            "Dict",
            "Mapping",
            "MutableMapping",
            "list",
            "List",
            "Sequence",
            "tuple",
            "Tuple",
            "set",
            "Set",
            "frozenset",
            "FrozenSet",
            "deque",
            "Deque",
            "defaultdict",
            "OrderedDict",
            "UploadFile",
            "Counter",
            "BaseModel",
            "AbstractSet",
        ];
        match &ty {
            Value::External(name) => COMPLEX.contains(&last_part(name)),
            Value::Class(id) => {
                !matches!(self.class_kind(*id), ClassKind::Enum | ClassKind::Other | ClassKind::Derived)
            }
            Value::Generic(id) => {
                let base = self.interp.heap.generics[*id].base.clone();
                self.is_complex(&base)
            }
            Value::Call(id) => {
                let call = &self.interp.heap.calls[*id];
                match last_part(&call.callee) {
                    "create_model" | "conlist" | "conset" => true,
                    "NewType" => call.args.get(1).is_some_and(|inner| self.is_complex(inner)),
                    _ => false,
                }
            }
            _ => false,
        }
    }

    fn depend_on_all(
        &mut self,
        dependencies: Vec<(Value, Value)>,
        scopes: &[String],
        path_names: &[String],
        dependant: &mut Dependant,
        depth: usize,
    ) {
        for (marker, ty) in dependencies {
            self.depend_on_marker(&marker, Some(ty), scopes, path_names, dependant, depth);
        }
    }

    /// `Depends(x)` or, where it names nothing, the type of the parameter.
    fn depend_on_marker(
        &mut self,
        marker: &Value,
        ty: Option<Value>,
        scopes: &[String],
        path_names: &[String],
        dependant: &mut Dependant,
        depth: usize,
    ) {
        let Value::Call(id) = marker else {
            let place = dependant.place.clone();
            return self
                .interp
                .warn_at(place, "one of the dependencies cannot be known: its parameters are not listed");
        };
        let call = self.interp.heap.calls[*id].clone();
        let target = call.argument(0, "dependency").filter(|value| **value != Value::None).cloned().or(ty);
        let mut scopes = scopes.to_vec();
        if let Some(items) = call.argument(1, "scopes").and_then(|value| self.interp.heap.items(value)) {
            let more: Vec<String> = items.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            scopes.extend(more.into_iter().filter(|scope| !scopes.contains(scope)).collect::<Vec<_>>());
        }
        self.depend_on(&target.unwrap_or(Value::Unknown), &scopes, path_names, dependant, depth + 1);
    }

    fn depend_on(
        &mut self,
        target: &Value,
        scopes: &[String],
        path_names: &[String],
        dependant: &mut Dependant,
        depth: usize,
    ) {
        let key = (target.clone(), scopes.to_vec());
        if !self.interp.charge(dependant.seen.len() / 8 + 1)
            || depth > DEPTH
            || dependant.seen.len() > DEPENDENCIES
            || dependant.seen.contains(&key)
        {
            return;
        }
        dependant.seen.push(key);
        if self.is_security(target) {
            dependant.security.push((target.clone(), scopes.to_vec()));
        }
        if self.is_opaque(target) {
            let place = dependant.place.clone();
            let message = "a dependency of this route cannot be followed: its parameters are not listed";
            return self.interp.warn_at(place, message);
        }
        let arguments = self.signature(target);
        let inner = self.own_parameters(arguments, path_names, dependant);
        self.depend_on_all(inner, scopes, path_names, dependant, depth);
    }

    /// Whether nothing is known of what a dependency takes.
    fn is_opaque(&self, target: &Value) -> bool {
        match target {
            Value::Unknown => true,
            Value::Call(_) => !self.is_security(target) && self.partial(target).is_none(),
            Value::External(name) => !matches!(
                last_part(name),
                "OAuth2PasswordRequestForm"
                    | "OAuth2PasswordRequestFormStrict"
                    | "HTTPBearer"
                    | "Request"
                    | "Response"
            ),
            _ => false,
        }
    }

    /// `cbv`: the class's annotated attributes and its constructor are dependencies of each route.
    fn depend_on_view(&mut self, class: Id, path_names: &[String], dependant: &mut Dependant) {
        let arguments = self.signature(&Value::Class(class));
        let fields = self.interp.fields(class);
        let attributes = fields.iter().map(|field| Argument {
            name: Rc::from(field.name),
            annotation: Some(field.annotation),
            ty: None,
            default: field.default.clone(),
            scope: field.scope,
        });
        let all: Vec<Argument<'a>> = attributes.chain(arguments).collect();
        let inner = self.own_parameters(all, path_names, dependant);
        self.depend_on_all(inner, &[], path_names, dependant, 0);
    }

    /// `functools.partial` of something.
    fn partial(&self, target: &Value) -> Option<Id> {
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
