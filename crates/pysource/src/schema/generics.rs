//! Generic classes: what their type variables stand for, and how they are called then.

use std::rc::Rc;

use super::{Env, Schemas};
use crate::interp::value::{Id, Value, last_part};

/// Type variables of a class and its ancestors with what they stand for.
type Variables = Vec<(Rc<str>, Value)>;

impl<'a> Schemas<'_, 'a> {
    /// What a type variable of the surroundings stands for.
    pub(super) fn substituted(&self, arg: &Value, env: &Env) -> Value {
        let Value::Call(id) = arg else { return arg.clone() };
        let call = &self.interp.heap.calls[*id];
        let name = call.args.first().and_then(Value::as_str).unwrap_or_default();
        if last_part(&call.callee) != "TypeVar" {
            return arg.clone();
        }
        env.variables
            .iter()
            .find(|(own, _)| own.as_ref() == name)
            .map_or_else(|| arg.clone(), |(_, v)| v.clone())
    }

    /// What the type variables of a class, and those of its generic ancestors, stand for.
    pub(super) fn variables(&mut self, class: Id, args: &[Value]) -> Variables {
        let mut known: Variables = self.parameters(class).into_iter().zip(args.iter().cloned()).collect();
        let mut at = 0;
        let line = self.interp.lineage(class);
        while at < line.len() {
            for base in self.interp.heap.classes[line[at]].bases.clone() {
                let Value::Generic(id) = base else { continue };
                let generic = self.interp.heap.generics[id].clone();
                let Value::Class(ancestor) = generic.base else { continue };
                let env = Env { scope: 0, variables: Rc::new(known.clone()) };
                let given: Vec<Value> = generic.args.iter().map(|arg| self.substituted(arg, &env)).collect();
                for pair in self.parameters(ancestor).into_iter().zip(given) {
                    if !known.iter().any(|(name, _)| *name == pair.0) {
                        known.push(pair);
                    }
                }
            }
            at += 1;
        }
        known
    }

    /// Names of the type variables that a class is generic in.
    fn parameters(&self, class: Id) -> Vec<Rc<str>> {
        let definition = &self.interp.heap.classes[class];
        if let Some(parameters) = &definition.def.type_params {
            return parameters.iter().map(|one| Rc::from(one.name().as_str())).collect();
        }
        let mut names = Vec::new();
        for base in &definition.bases {
            let Value::Generic(id) = base else { continue };
            for arg in &self.interp.heap.generics[*id].args {
                let Value::Call(call) = arg else { continue };
                let call = &self.interp.heap.calls[*call];
                let name = call.args.first().and_then(Value::as_str).unwrap_or_default();
                if last_part(&call.callee) == "TypeVar"
                    && !names.iter().any(|known: &Rc<str>| known.as_ref() == name)
                {
                    names.push(Rc::from(name));
                }
            }
        }
        names
    }

    /// A type as pydantic writes it in the names of generic models.
    pub(super) fn type_name(&self, ty: &Value) -> String {
        match ty {
            Value::Class(id) => self.interp.heap.classes[*id].name.to_string(),
            Value::External(name) => last_part(name).to_owned(),
            Value::None => "NoneType".to_owned(),
            Value::Generic(id) => {
                let generic = &self.interp.heap.generics[*id];
                let args: Vec<String> = generic.args.iter().take(8).map(|arg| self.type_name(arg)).collect();
                format!("{}[{}]", self.type_name(&generic.base), args.join(", "))
            }
            Value::Call(id) => {
                let call = &self.interp.heap.calls[*id];
                call.args.first().and_then(Value::as_str).unwrap_or("Any").to_owned()
            }
            _ => "Any".to_owned(),
        }
    }
}
