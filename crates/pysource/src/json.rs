//! Looking things up in JSON.

use serde_json::{Map, Value};

/// The keys of an object of up to so many are compared sooner than one is hashed.
pub(crate) const FEW: usize = 16;

/// An object of these, which are not copied.
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    let mut object = Map::with_capacity(N);
    object.extend(members.map(|(name, value)| (name.to_owned(), value)));
    object
}

/// What an object says of `name`; nothing of what is no object.
pub(crate) fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    member(value.as_object()?, name)
}

/// The value of that name: the objects of a document are small.
pub(crate) fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    if object.len() > FEW {
        return object.get(name);
    }
    object.iter().find(|(own, _)| own.as_str() == name).map(|(_, value)| value)
}

/// Whether an object has that name.
pub(crate) fn has(object: &Map<String, Value>, name: &str) -> bool {
    member(object, name).is_some()
}
