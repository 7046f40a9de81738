//! How pydantic 1 writes what pydantic 2 writes in another way.

use serde_json::Value as Json;

use super::{Schema, Schemas, known, schema_of, typed, typed_with};
use crate::interp::value::{Call, Value, last_part};

/// The schema of a type by its name, where the two differ.
pub(super) fn scalar(name: &str) -> Option<Schema> {
    Some(match last_part(name) {
        "bytes" | "StrictBytes" | "UploadFile" => typed_with("string", "format", "binary"),
        "Decimal" => typed("number"),
        "timedelta" => typed_with("number", "format", "time-delta"),
        "dict" | "Dict" | "Mapping" | "MutableMapping" | "defaultdict" | "OrderedDict" | "DefaultDict" => {
            typed("object")
        }
        _ => return None,
    })
}

/// What is written of a value that a library's type makes.
pub(super) fn written(made: &Call) -> Option<Json> {
    match (last_part(&made.callee), made.args.first()) {
        ("timedelta", None) => known::seconds(made).map(|seconds| Json::from(seconds as f64)),
        ("Decimal", Some(Value::Int(number))) => Some(Json::from(*number)),
        ("Decimal", Some(Value::Str(text))) => text.parse::<f64>().ok().map(Json::from),
        _ => known::written(made),
    }
}

/// A reference stands alone: what else is said of a field goes around it.
pub(super) fn around_reference(mut schema: Schema) -> Schema {
    if schema.len() == 1 {
        return schema;
    }
    if let Some(reference) = schema.remove("$ref") {
        schema.insert("allOf".to_owned(), Json::Array(vec![schema_of("$ref", reference).into()]));
    }
    schema
}

impl Schemas<'_, '_> {
    pub(super) fn is_v1(&self) -> bool {
        self.interp.versions.pydantic_v1
    }

    /// Whether a field of that type need not be given, even where nothing says what it is then.
    pub(super) fn is_optional_in_v1(&self, ty: &Value) -> bool {
        let may_be_none =
            || self.union_args(ty).is_some_and(|args| self.union_members(&args).contains(&Value::None));
        self.is_v1() && (may_be_none() || matches!(ty, Value::External(name) if last_part(name) == "Any"))
    }
}
