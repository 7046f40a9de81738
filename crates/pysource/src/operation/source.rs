//! Where a parameter comes from, by its name, its type and what is said about it.

use crate::interp::value::{Value, first_part, last_part};
use crate::schema::fields::FieldInfo;
use crate::schema::{ClassKind, Schemas};

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

impl<'a> Schemas<'_, 'a> {
    /// Types that FastAPI fills in itself.
    pub(super) fn is_injected(&self, ty: &Value) -> bool {
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

    pub(super) fn source(&self, info: &FieldInfo, name: &str, ty: &Value, path_names: &[String]) -> Source {
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
}
