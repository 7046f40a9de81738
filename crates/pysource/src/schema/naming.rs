//! Names of the named schemas: short where no two are alike, `-Input` and `-Output` where the two differ.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::Value as Json;

use super::{Definition, Mode, Schema, Schemas};
use crate::json::{field, member};

const PREFIX: &str = "#/components/schemas/";
/// Stands before a definition's number until all are known.
const MARK: char = '\u{1}';

/// A reference to a definition that has no name yet.
pub(super) fn placeholder(index: usize) -> String {
    format!("{MARK}{index}")
}

/// The definition that a schema refers to while it has no name yet.
pub(super) fn target(schema: &Schema) -> Option<usize> {
    member(schema, "$ref")?.as_str()?.strip_prefix(MARK)?.parse().ok()
}

impl Schemas<'_, '_> {
    /// The named schemas, and what puts names into all that refers to them.
    pub(crate) fn finish(self) -> (BTreeMap<String, Json>, Names) {
        let split = self.split_keys();
        let names = self.names(&split);
        let choices = self.definitions.iter().map(|one| choices(&one.schema)).collect();
        let names = Names { names, choices };
        let mut components = BTreeMap::new();
        for (definition, name) in self.definitions.into_iter().zip(&names.names) {
            let mut schema = Json::Object(definition.schema);
            names.fill(&mut schema);
            components.entry(name.clone()).or_insert(schema);
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
        each_object(&mut schema, &mut |object| {
            let Some(index) = target(object).filter(|index| *index < self.definitions.len()) else { return };
            let key = &self.definitions[index].key;
            targets.push(key.clone());
            object.insert("$ref".to_owned(), key.to_string().into());
        });
        (schema, targets)
    }

    fn names(&self, split: &BTreeSet<Rc<str>>) -> Vec<String> {
        let mut owners: HashMap<&str, BTreeSet<&Rc<str>>> = HashMap::new();
        for definition in &self.definitions {
            owners.entry(&definition.short).or_default().insert(&definition.key);
        }
        let name = |definition: &Definition| {
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

/// The texts that properties may be, where those are all that they may be.
type Choices = Vec<(String, Vec<String>)>;

/// The name and the choices of each definition by its number.
pub(crate) struct Names {
    names: Vec<String>,
    choices: Vec<Choices>,
}

impl Names {
    /// Replaces the numbers in references by names, and says which value chooses which alternative.
    pub(crate) fn fill(&self, value: &mut Json) {
        each_object(value, &mut |object| {
            self.map_choices(object);
            if let Some(reference) = self.reference(object) {
                object["$ref"] = reference.into();
            }
        });
    }

    /// The same for the values of an object.
    pub(crate) fn fill_object(&self, object: &mut Schema) {
        for value in object.values_mut() {
            self.fill(value);
        }
    }

    fn reference(&self, schema: &Schema) -> Option<String> {
        // Not with `format!`, which grows what it makes: here that can be memory that another thread has to lock.
        Some([PREFIX, self.names.get(target(schema)?)?].concat())
    }

    /// The `mapping` of a discriminator, from what its property may be in each alternative.
    fn map_choices(&self, object: &mut Schema) {
        let Some(property) = member(object, "discriminator").and_then(|one| one["propertyName"].as_str())
        else {
            return;
        };
        let Some(Json::Array(alternatives)) = object.get("oneOf") else { return };
        let mut mapping = Schema::new();
        for alternative in alternatives.iter().filter_map(Json::as_object) {
            let Some(reference) = self.reference(alternative) else { continue };
            let choices = target(alternative).and_then(|index| self.choices.get(index)).into_iter().flatten();
            let values = choices.filter(|(name, _)| name == property).flat_map(|(_, values)| values);
            mapping.extend(values.map(|value| (value.clone(), reference.clone().into())));
        }
        if !mapping.is_empty() {
            object["discriminator"]["mapping"] = Json::Object(mapping);
        }
    }
}

/// What the properties of a schema may be, of those that are one of several texts.
fn choices(schema: &Schema) -> Choices {
    let properties = member(schema, "properties").and_then(Json::as_object).into_iter().flatten();
    let texts = |property: &Json| -> Vec<String> {
        let values = match field(property, "enum") {
            Some(Json::Array(values)) => values.as_slice(),
            _ => field(property, "const").map(std::slice::from_ref).unwrap_or_default(),
        };
        values.iter().filter_map(Json::as_str).map(str::to_owned).collect()
    };
    let properties = properties.map(|(name, property)| (name.clone(), texts(property)));
    properties.filter(|(_, texts)| !texts.is_empty()).collect()
}

/// Visits every object, the outer ones first.
fn each_object(value: &mut Json, visit: &mut dyn FnMut(&mut Schema)) {
    match value {
        Json::Object(object) => {
            visit(object);
            object.values_mut().for_each(|inner| each_object(inner, visit));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| each_object(item, visit)),
        _ => {}
    }
}
