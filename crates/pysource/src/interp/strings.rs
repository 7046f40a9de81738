//! Methods and formatting of strings.

use super::Interp;
use super::value::{Keywords, Value, keyword};

/// Longer results are not built.
const LENGTH: usize = 10_000;

impl<'a> Interp<'a> {
    pub(super) fn text_method(
        &mut self,
        text: &str,
        name: &str,
        args: &[Value],
        keywords: &Keywords,
    ) -> Value {
        let first = args.first().and_then(Value::as_str);
        let made = match (name, first) {
            ("lower", _) => text.to_lowercase(),
            ("upper", _) => text.to_uppercase(),
            ("title", _) => title(text),
            ("capitalize", _) => capitalised(text),
            ("strip", None) => text.trim().to_owned(),
            ("strip", Some(set)) => text.trim_matches(|c| set.contains(c)).to_owned(),
            ("rstrip", Some(set)) => text.trim_end_matches(|c| set.contains(c)).to_owned(),
            ("lstrip", Some(set)) => text.trim_start_matches(|c| set.contains(c)).to_owned(),
            ("rstrip", None) => text.trim_end().to_owned(),
            ("lstrip", None) => text.trim_start().to_owned(),
            ("removeprefix", Some(prefix)) => text.strip_prefix(prefix).unwrap_or(text).to_owned(),
            ("removesuffix", Some(suffix)) => text.strip_suffix(suffix).unwrap_or(text).to_owned(),
            ("replace", Some(from)) if !from.is_empty() => match args.get(1).and_then(Value::as_str) {
                Some(to) => text.replace(from, to),
                None => return Value::Unknown,
            },
            ("startswith", Some(prefix)) => return Value::Bool(text.starts_with(prefix)),
            ("endswith", Some(suffix)) => return Value::Bool(text.ends_with(suffix)),
            ("split" | "rsplit", separator) => {
                let parts = match (separator, args.get(1).or_else(|| keyword(keywords, "maxsplit"))) {
                    (Some(separator), most) if !separator.is_empty() => split(text, name, separator, most),
                    (None, None) if args.is_empty() => {
                        Some(text.split_whitespace().map(Value::str).collect())
                    }
                    _ => None,
                };
                return parts.map_or(Value::Unknown, |parts| self.list_of(parts));
            }
            ("join", _) => match args.first().and_then(|items| self.iterate(&items.clone())) {
                Some(items) => match items.iter().map(Value::as_str).collect::<Option<Vec<_>>>() {
                    Some(parts) => parts.join(text),
                    None => return Value::Unknown,
                },
                None => return Value::Unknown,
            },
            ("format", _) => return self.format(text, args, keywords),
            _ => return Value::Unknown,
        };
        if made.len() > LENGTH { Value::Unknown } else { Value::str(made) }
    }

    fn format(&self, template: &str, args: &[Value], keywords: &Keywords) -> Value {
        let mut result = String::new();
        let mut rest = template;
        let mut next = 0;
        while let Some(open) = rest.find(['{', '}']) {
            result.push_str(&rest[..open]);
            let doubled = rest[open..].starts_with("{{") || rest[open..].starts_with("}}");
            if doubled {
                result.push_str(&rest[open..=open]);
                rest = &rest[open + 2..];
                continue;
            }
            let Some(close) = rest[open..].find('}').map(|end| open + end) else { return Value::Unknown };
            let name = rest.get(open + 1..close).unwrap_or_default();
            let value = match (name, name.parse::<usize>()) {
                ("", _) => {
                    next += 1;
                    args.get(next - 1)
                }
                (_, Ok(index)) => args.get(index),
                (name, _) => keyword(keywords, name),
            };
            let Some(shown) = value.and_then(|value| self.text_of(&self.plain(value))) else {
                return Value::Unknown;
            };
            result.push_str(&shown);
            rest = &rest[close + 1..];
        }
        result.push_str(rest);
        Value::str(result)
    }

    /// `template % value`, with `%s` and `%d` alone.
    pub(super) fn percent(&self, template: &str, value: &Value) -> Value {
        let values = self.heap.items(value).map_or_else(|| vec![value.clone()], <[Value]>::to_vec);
        let mut values = values.iter();
        let mut result = String::new();
        let mut parts = template.split('%');
        result.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let Some(tail) = part.strip_prefix('s').or_else(|| part.strip_prefix('d')) else {
                return Value::Unknown;
            };
            let Some(shown) = values.next().and_then(|value| self.text_of(&self.plain(value))) else {
                return Value::Unknown;
            };
            result.push_str(&shown);
            result.push_str(tail);
        }
        Value::str(result)
    }
}

/// The parts of a text, at most `most` of them split off from the side that `method` begins at.
fn split(text: &str, method: &str, separator: &str, most: Option<&Value>) -> Option<Vec<Value>> {
    let most = match most {
        None | Some(Value::Int(-1)) => return Some(text.split(separator).map(Value::str).collect()),
        Some(Value::Int(most)) => usize::try_from(*most).ok()?.saturating_add(1),
        Some(_) => return None,
    };
    if method == "split" {
        return Some(text.splitn(most, separator).map(Value::str).collect());
    }
    let mut parts: Vec<Value> = text.rsplitn(most, separator).map(Value::str).collect();
    parts.reverse();
    Some(parts)
}

/// Python's `str.title`: each run of letters begins with a capital.
pub(crate) fn title(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            result.extend(c.to_lowercase());
        } else {
            result.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    result
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters.flat_map(char::to_lowercase)).collect()
    })
}
