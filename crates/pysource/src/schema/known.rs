//! Types of Python and of well-known libraries by name.

use serde_json::Value as Json;

use super::{Mode, Schema, schema_of, typed, typed_with};
use crate::interp::value::{Call, Value, last_part};

/// The schema of a type that has no arguments; None for one that is not known.
pub(super) fn scalar(name: &str, mode: Mode) -> Option<Schema> {
    let last = last_part(name);
    let schema = match last {
        "str" | "StrictStr" | "AnyStr" | "LiteralString" | "ImportString" | "IPvAnyInterface" => {
            typed("string")
        }
        "int" | "StrictInt" => typed("integer"),
        "float" | "StrictFloat" | "FiniteFloat" => typed("number"),
        "bool" | "StrictBool" => typed("boolean"),
        "None" | "NoneType" => typed("null"),
        "bytes" | "StrictBytes" | "UploadFile" => {
            typed_with("string", "contentMediaType", "application/octet-stream")
        }
        "Any" | "object" | "Json" | "JsonValue" | "Hashable" | "TypeVar" => Schema::new(),
        "dict" | "Dict" | "Mapping" | "MutableMapping" | "defaultdict" | "OrderedDict" | "DefaultDict" => {
            typed_with("object", "additionalProperties", true)
        }
        "list" | "List" | "Sequence" | "Iterable" | "tuple" | "Tuple" | "deque" | "Deque" | "Collection"
        | "MutableSequence" => typed_with("array", "items", Schema::new()),
        "set" | "Set" | "frozenset" | "FrozenSet" => {
            let mut schema = typed_with("array", "items", Schema::new());
            schema.insert("uniqueItems".to_owned(), true.into());
            schema
        }
        "Decimal" if mode == Mode::Input => schema_of("anyOf", vec![typed("number"), typed("string")]),
        "Decimal" => typed("string"),
        "SecretStr" | "SecretBytes" => {
            let mut schema = typed_with("string", "format", "password");
            schema.insert("writeOnly".to_owned(), true.into());
            schema
        }
        "PositiveInt" => typed_with("integer", "exclusiveMinimum", 0),
        "NegativeInt" => typed_with("integer", "exclusiveMaximum", 0),
        "NonNegativeInt" => typed_with("integer", "minimum", 0),
        "NonPositiveInt" => typed_with("integer", "maximum", 0),
        "PositiveFloat" => typed_with("number", "exclusiveMinimum", 0),
        "NegativeFloat" => typed_with("number", "exclusiveMaximum", 0),
        "NonNegativeFloat" => typed_with("number", "minimum", 0),
        "NonPositiveFloat" => typed_with("number", "maximum", 0),
        "HttpUrl" | "AnyHttpUrl" | "AnyUrl" | "WebsocketUrl" | "FileUrl" | "PostgresDsn" | "RedisDsn"
        | "MongoDsn" => {
            let mut schema = typed_with("string", "format", "uri");
            schema.insert("minLength".to_owned(), 1.into());
            if matches!(last, "HttpUrl" | "WebsocketUrl") {
                let longest = if last == "HttpUrl" { 2083 } else { 65536 };
                schema.insert("maxLength".to_owned(), longest.into());
            }
            schema
        }
        _ => typed_with("string", "format", string_format(last)?),
    };
    Some(schema)
}

/// The format of types that are written as text.
fn string_format(last: &str) -> Option<&'static str> {
    Some(match last {
        "datetime" | "AwareDatetime" | "NaiveDatetime" | "PastDatetime" | "FutureDatetime" => "date-time",
        "date" | "PastDate" | "FutureDate" => "date",
        "time" => "time",
        "timedelta" => "duration",
        "UUID" => "uuid",
        "UUID1" => "uuid1",
        "UUID3" => "uuid3",
        "UUID4" => "uuid4",
        "UUID5" => "uuid5",
        "EmailStr" => "email",
        "NameEmail" => "name-email",
        "Path" => "path",
        "FilePath" => "file-path",
        "DirectoryPath" => "directory-path",
        "IPv4Address" => "ipv4",
        "IPv6Address" => "ipv6",
        "IPvAnyAddress" => "ipvanyaddress",
        "Pattern" => "regex",
        _ => return None,
    })
}

/// What pydantic writes of a value that a library's type makes, where that is known.
pub(super) fn written(made: &Call) -> Option<Json> {
    match (last_part(&made.callee), made.args.first()) {
        ("Decimal", Some(Value::Int(number))) => Some(Json::from(number.to_string())),
        ("Decimal" | "UUID" | "Path" | "PurePath", Some(Value::Str(text))) => Some(Json::from(text.as_ref())),
        ("timedelta", None) => seconds(made).and_then(duration),
        _ => None,
    }
}

/// The seconds of a `timedelta` of whole numbers.
pub(super) fn seconds(made: &Call) -> Option<i64> {
    const UNITS: [(&str, i64); 5] =
        [("weeks", 604_800), ("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)];
    let mut seconds: i64 = 0;
    for (name, value) in &made.keywords {
        let (_, unit) = UNITS.iter().find(|(own, _)| *own == name.as_ref())?;
        let Value::Int(count) = value else { return None };
        seconds = seconds.checked_add(count.checked_mul(*unit)?)?;
    }
    Some(seconds)
}

/// A duration as in ISO 8601.
fn duration(seconds: i64) -> Option<Json> {
    let days = seconds / 86_400;
    let part = |count: i64, unit: char| if count > 0 { format!("{count}{unit}") } else { String::new() };
    let date = part(days / 365, 'Y') + &part(days % 365, 'D');
    let time = part(seconds / 3_600 % 24, 'H') + &part(seconds / 60 % 60, 'M') + &part(seconds % 60, 'S');
    match (seconds, time.is_empty()) {
        (0, _) => Some(Json::from("PT0S")),
        (1.., true) => Some(Json::from(format!("P{date}"))),
        (1.., false) => Some(Json::from(format!("P{date}T{time}"))),
        _ => None,
    }
}
