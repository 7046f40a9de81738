//! Settings, environment variables and paths of the project. The environment of a preview has none of the
//! project's variables, so defaults hold, and `.env` where the project loads it.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::Interp;
use super::value::{Id, Keywords, ListKind, Value, keyword, last_part};

/// Stands for the project's directory in `__file__`.
pub(super) const ROOT: &str = "/project";

/// `__path__` of a package.
pub(super) fn package_path(module: &str) -> String {
    format!("{ROOT}/{}", module.replace('.', "/"))
}

impl<'a> Interp<'a> {
    /// Calls that read the environment, the project's directory or its packages; None for any other.
    pub(super) fn call_environment(
        &mut self,
        name: &str,
        args: &[Value],
        keywords: &Keywords,
    ) -> Option<Value> {
        let first = args.first().cloned().unwrap_or(Value::Unknown);
        match name {
            "os.getenv" | "os.environ.get" => {
                let default =
                    args.get(1).or_else(|| keyword(keywords, "default")).cloned().unwrap_or(Value::None);
                Some(self.environment_value(&first).unwrap_or(default))
            }
            "dotenv.load_dotenv" => {
                self.load_dotenv();
                Some(Value::Bool(true))
            }
            "os.path.dirname" => {
                let path = first.as_str()?;
                Some(Value::str(path.rsplit_once('/').map_or("", |(parent, _)| parent)))
            }
            "os.path.abspath" | "os.path.realpath" => first.as_str().map(Value::str),
            "os.path.basename" => {
                first.as_str().map(|path| Value::str(path.rsplit('/').next().unwrap_or(path)))
            }
            "os.path.join" => {
                let parts: Option<Vec<&str>> = args.iter().map(Value::as_str).collect();
                Some(parts.map_or(Value::Unknown, |parts| Value::str(parts.join("/"))))
            }
            "os.path.splitext" => {
                let path = first.as_str()?;
                let (stem, extension) =
                    path.rsplit_once('.').map_or((path, String::new()), |(s, e)| (s, format!(".{e}")));
                let parts = vec![Value::str(stem), Value::str(extension)];
                Some(self.tuple(parts))
            }
            "os.listdir" => {
                let files = self.directory(first.as_str()?)?;
                Some(self.list_of(files.iter().map(Value::str).collect()))
            }
            "pkgutil.iter_modules" | "pkgutil.walk_packages" => self.iter_modules(name, args, keywords),
            _ => None,
        }
    }

    /// A variable of `.env`, if the project loads that file; None where the environment does not have it.
    pub(super) fn environment_value(&mut self, name: &Value) -> Option<Value> {
        self.environment.get(name.as_str()?).map(Value::str)
    }

    fn load_dotenv(&mut self) {
        let text = String::from_utf8_lossy(self.sources.modules.bytes(".env")).into_owned();
        self.environment.extend(dotenv(&text));
    }

    /// A field of a settings class that `.env` gives.
    pub(super) fn setting(&mut self, class: Id, name: &str) -> Option<Value> {
        if !self.descends(class, &["BaseSettings"]) {
            return None;
        }
        let config = self.settings_config(class);
        let text = |key: &str| keyword(&config, key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let wanted = format!("{}{name}", text("env_prefix")).to_lowercase();
        let file = text("env_file");
        let written = if file.is_empty() {
            self.environment
                .iter()
                .find(|(key, _)| key.to_lowercase() == wanted)
                .map(|(_, value)| value.clone())
        } else {
            let bytes = self.sources.modules.bytes(file.trim_start_matches("./"));
            dotenv(&String::from_utf8_lossy(bytes))
                .into_iter()
                .find(|(key, _)| key.to_lowercase() == wanted)
                .map(|(_, value)| value)
        }?;
        let field = self.fields(class).into_iter().find(|field| field.name == name)?;
        let annotation = self.eval(field.annotation, field.scope);
        Some(match &annotation {
            Value::External(kind) if kind.as_ref() == "builtins.bool" => Value::Bool(matches!(
                written.to_lowercase().as_str(),
                "1" | "true" | "yes" | "on" | "t" | "y"
            )),
            Value::External(kind) if kind.as_ref() == "builtins.int" => {
                written.parse().map_or(Value::Unknown, Value::Int)
            }
            Value::External(kind) if kind.as_ref() == "builtins.str" => Value::str(written),
            Value::Generic(_) => match written.parse::<i64>() {
                Ok(_) => Value::Unknown,
                Err(_) => Value::str(written),
            },
            _ => Value::Unknown,
        })
    }

    /// `model_config` or the inner class `Config`, as keywords.
    pub(crate) fn settings_config(&self, class: Id) -> Keywords {
        match self.class_attribute(class, "model_config") {
            Some(Value::Call(id)) => return self.heap.calls[id].keywords.clone(),
            Some(Value::Dict(id)) => {
                let items = self.heap.dicts[id].iter();
                return items
                    .filter_map(|(key, value)| Some((Rc::from(key.as_str()?), value.clone())))
                    .collect();
            }
            _ => {}
        }
        match self.class_attribute(class, "Config") {
            Some(Value::Class(id)) => {
                let names = &self.scopes[self.heap.classes[id].scope].names;
                names.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
            }
            _ => Keywords::new(),
        }
    }

    /// Names directly in a directory of the project.
    fn directory(&self, path: &str) -> Option<BTreeSet<String>> {
        let inner = path.strip_prefix(ROOT)?.trim_matches('/');
        let prefix = if inner.is_empty() { String::new() } else { format!("{inner}/") };
        let files = self.sources.modules.file_names();
        Some(
            files
                .filter_map(|file| file.strip_prefix(prefix.as_str()))
                .map(|rest| rest.split('/').next().unwrap_or(rest).to_owned())
                .collect(),
        )
    }

    /// Modules directly in the directories given, as `pkgutil` lists them.
    fn iter_modules(&mut self, name: &str, args: &[Value], keywords: &Keywords) -> Option<Value> {
        let paths = args.first().or_else(|| keyword(keywords, "path"))?.clone();
        let prefix = args
            .get(1)
            .or_else(|| keyword(keywords, "prefix"))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let paths = self.iterate(&paths)?;
        let mut found = Vec::new();
        for path in &paths {
            self.modules_in(path.as_str()?, &prefix, last_part(name) == "walk_packages", 0, &mut found)?;
        }
        Some(self.list_of(found))
    }

    fn modules_in(
        &mut self,
        path: &str,
        prefix: &str,
        deep: bool,
        depth: usize,
        found: &mut Vec<Value>,
    ) -> Option<()> {
        let names = self.directory(path)?;
        let inner = path.strip_prefix(ROOT)?.trim_matches('/').replace('/', ".");
        let mut modules = BTreeSet::new();
        for name in names {
            let stem = name.strip_suffix(".py").unwrap_or(&name).to_owned();
            let dotted = if inner.is_empty() { stem.clone() } else { format!("{inner}.{stem}") };
            if stem != "__init__" && self.sources.modules.path(&dotted).is_some() {
                modules.insert((stem, self.sources.modules.is_package(&dotted)));
            }
        }
        for (stem, package) in modules {
            let row = vec![Value::Unknown, Value::str(format!("{prefix}{stem}")), Value::Bool(package)];
            found.push(self.heap.list(ListKind::Tuple, row));
            if deep && package && depth < 8 {
                self.modules_in(
                    &format!("{path}/{stem}"),
                    &format!("{prefix}{stem}."),
                    deep,
                    depth + 1,
                    found,
                )?;
            }
        }
        Some(())
    }

    /// The text of a `pathlib.Path`, which is kept as a call.
    fn path_text(&self, value: &Value) -> Option<String> {
        let Value::Call(id) = value else { return None };
        let call = &self.heap.calls[*id];
        matches!(call.callee.as_ref(), "pathlib.Path" | "pathlib.PurePath")
            .then(|| call.args.first().and_then(Value::as_str).map(str::to_owned))?
    }

    fn path_value(&mut self, text: &str) -> Value {
        self.heap.call("pathlib.Path", vec![Value::str(text)], Vec::new())
    }

    /// `path / "name"`.
    pub(super) fn path_joined(&mut self, path: &Value, name: &Value) -> Option<Value> {
        let text = format!("{}/{}", self.path_text(path)?, name.as_str()?);
        Some(self.path_value(&text))
    }

    pub(super) fn path_attribute(&mut self, value: &Value, name: &str) -> Option<Value> {
        let text = self.path_text(value)?;
        let last = text.rsplit('/').next().unwrap_or(&text).to_owned();
        match name {
            "parent" => {
                let parent = text.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
                Some(self.path_value(&parent))
            }
            "name" => Some(Value::str(last)),
            "stem" => Some(Value::str(last.rsplit_once('.').map_or(last.as_str(), |(stem, _)| stem))),
            _ => None,
        }
    }

    pub(super) fn path_method(&mut self, receiver: &Value, name: &str, args: &[Value]) -> Option<Value> {
        let text = self.path_text(receiver)?;
        match name {
            "resolve" | "absolute" => Some(receiver.clone()),
            "glob" | "iterdir" => {
                let ending =
                    args.first().and_then(Value::as_str).unwrap_or("*").strip_prefix('*')?.to_owned();
                let names = self.directory(&text)?;
                let wanted: Vec<String> = names.into_iter().filter(|name| name.ends_with(&ending)).collect();
                let paths: Vec<Value> =
                    wanted.iter().map(|name| self.path_value(&format!("{text}/{name}"))).collect();
                Some(self.list_of(paths))
            }
            _ => None,
        }
    }
}

/// Names and values of a `.env` file.
fn dotenv(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line);
            let (name, value) = line.split_once('=')?;
            let name = name.trim();
            let value = value.trim();
            let quoted =
                ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.split(*quote).next());
            let value = quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or(value).trim());
            (!name.is_empty() && !name.starts_with('#')).then(|| (name.to_owned(), value.to_owned()))
        })
        .collect()
}
