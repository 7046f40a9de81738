//! Names of the named schemas: short where no two are alike, `-Input` and `-Output` where the two differ.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::Value as Json;

use super::{Mode, Schema, Schemas};

const PREFIX: &str = "#/components/schemas/";
/// Stands before a definition's number until all are known.
const MARK: char = '\u{1}';

/// A reference to a definition that has no name yet.
pub(super) fn placeholder(index: usize) -> String {
    format!("{MARK}{index}")
}

impl Schemas<'_, '_> {
    /// The named schemas, and a function's worth of names to put into what refers to them.
    pub(crate) fn finish(self) -> (BTreeMap<String, Json>, Names) {
        let split = self.split_keys();
        let names = Names(self.names(&split));
        let mut components = BTreeMap::new();
        for (index, definition) in self.definitions.iter().enumerate() {
            let mut schema = Json::Object(definition.schema.clone());
            names.fill(&mut schema);
            components.entry(names.0[index].clone()).or_insert(schema);
        }
        (components, names)
    }

    /// The types whose two modes differ, themselves or through what they refer to.
    fn split_keys(&self) -> BTreeSet<Rc<str>> {
        let mut both: BTreeMap<&Rc<str>, Vec<usize>> = BTreeMap::new();
        for (index, definition) in self.definitions.iter().enumerate() {
            both.entry(&definition.key).or_default().push(index);
        }
        let mut split: BTreeSet<Rc<str>> = BTreeSet::new();
        let mut referring: BTreeMap<Rc<str>, Vec<&Rc<str>>> = BTreeMap::new();
        for (key, modes) in both {
            let [one, two] = modes[..] else { continue };
            let (one, targets) = self.without_modes(one);
            if one != self.without_modes(two).0 {
                split.insert(key.clone());
            }
            for target in targets {
                referring.entry(target).or_default().push(key);
            }
        }
        let mut open: Vec<Rc<str>> = split.iter().cloned().collect();
        while let Some(key) = open.pop() {
            for from in referring.get(&key).into_iter().flatten() {
                if split.insert((*from).clone()) {
                    open.push((*from).clone());
                }
            }
        }
        split
    }

    /// A definition with its references by type alone, and those types.
    fn without_modes(&self, index: usize) -> (Json, Vec<Rc<str>>) {
        let mut schema = Json::Object(self.definitions[index].schema.clone());
        let mut targets = Vec::new();
        references(&mut schema, &mut |index| {
            let key = &self.definitions[index].key;
            targets.push(key.clone());
            key.to_string()
        });
        (schema, targets)
    }

    fn names(&self, split: &BTreeSet<Rc<str>>) -> Vec<String> {
        let mut owners: HashMap<&str, BTreeSet<&Rc<str>>> = HashMap::new();
        for definition in &self.definitions {
            owners.entry(&definition.short).or_default().insert(&definition.key);
        }
        let name = |definition: &super::Definition| {
            let alone = owners.get(definition.short.as_str()).is_none_or(|keys| keys.len() == 1);
            let base = if alone { &definition.short } else { &definition.long };
            match (split.contains(&definition.key), definition.mode) {
                (false, _) => base.clone(),
                (true, Mode::Input) => format!("{base}-Input"),
                (true, Mode::Output) => format!("{base}-Output"),
            }
        };
        self.definitions.iter().map(name).collect()
    }
}

/// The name of each definition by its number.
pub(crate) struct Names(Vec<String>);

impl Names {
    /// Replaces the numbers in references by names.
    pub(crate) fn fill(&self, value: &mut Json) {
        references(value, &mut |index| format!("{PREFIX}{}", self.0[index]));
    }

    /// The same for the values of an object.
    pub(crate) fn fill_object(&self, object: &mut Schema) {
        for value in object.values_mut() {
            self.fill(value);
        }
    }
}

/// Visits every placeholder.
fn references(value: &mut Json, name: &mut dyn FnMut(usize) -> String) {
    match value {
        Json::Object(object) => {
            for (key, inner) in object.iter_mut() {
                let index =
                    inner.as_str().and_then(|text| text.strip_prefix(MARK)).and_then(|i| i.parse().ok());
                match index {
                    Some(index) if key == "$ref" => *inner = Json::String(name(index)),
                    _ => references(inner, name),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| references(item, name)),
        _ => {}
    }
}
