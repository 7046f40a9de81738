//! What a function takes, its dependencies' included: parameters by place, bodies, credentials.

use std::rc::Rc;

use super::signature::Argument;
use super::source::Source;
use crate::interp::value::{Id, Place, Route, Value, last_part};
use crate::schema::fields::{FieldInfo, Start, is_marker};
use crate::schema::{Env, Schemas};

/// How deep dependencies may depend on one another.
const DEPTH: usize = 30;
/// How many dependencies one operation may have.
const DEPENDENCIES: usize = 500;

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
}
