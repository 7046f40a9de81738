//! Requirements from a `pyproject.toml`: `[project]`, or Poetry's table.

use toml::{Table, Value};

use super::requirements::{Requirements, RequirementsError, refused, refused_in};

/// How errors call the file.
const FILE: &str = "pyproject.toml";

impl Requirements {
    /// Reads `[project] dependencies`, or else `[tool.poetry.dependencies]`; `None` where neither is there.
    ///
    /// # Errors
    /// For what is no TOML, and for entries that [`Requirements::from_requirements_txt`] would refuse.
    pub fn from_pyproject(content: &[u8]) -> Result<Option<Self>, RequirementsError> {
        let table = std::str::from_utf8(content).ok().and_then(|text| text.parse::<Table>().ok());
        let Some(table) = table else {
            return Err(refused(FILE, "is not valid TOML", "Correct it, or add a requirements.txt."));
        };
        if let Some(project) = table.get("project").and_then(Value::as_table)
            && (project.contains_key("dependencies") || project.contains_key("dynamic"))
        {
            return of_project(project);
        }
        let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
        poetry
            .and_then(|poetry| poetry.get("dependencies"))
            .and_then(Value::as_table)
            .map(of_poetry)
            .transpose()
    }
}

fn of_project(project: &Table) -> Result<Option<Requirements>, RequirementsError> {
    if let Some(list) = project.get("dependencies") {
        let list: Option<Vec<&str>> =
            list.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
        let list = list.ok_or_else(|| {
            refused(FILE, "has dependencies that are no list of strings", "Write them as a list of strings.")
        })?;
        return Requirements::from_list(list, FILE, "dependencies").map(Some);
    }
    let dynamic = project.get("dynamic").and_then(Value::as_array);
    if dynamic.is_some_and(|list| list.iter().any(|one| one.as_str() == Some("dependencies"))) {
        let hint = "List them in pyproject.toml, or add a requirements.txt.";
        return Err(refused(FILE, "leaves its dependencies to a build, which is not run", hint));
    }
    Ok(None)
}

fn of_poetry(dependencies: &Table) -> Result<Requirements, RequirementsError> {
    let mut list = Vec::new();
    for ((name, value), number) in dependencies.iter().zip(1..) {
        if name == "python" || value.get("optional").and_then(Value::as_bool) == Some(true) {
            continue;
        }
        list.push(poetry_entry(name, value).ok_or_else(|| {
            let part = format!(", Poetry dependency {number},");
            let hint = "Give it a version, or add a requirements.txt.";
            refused_in(FILE, &part, "is of a kind that is not taken", hint)
        })?);
    }
    Requirements::from_list(list.iter().map(String::as_str), FILE, "Poetry dependencies")
}

/// `name = "^1.2"` or `name = {version = "^1.2", extras = […]}` as a requirement.
fn poetry_entry(name: &str, value: &Value) -> Option<String> {
    let Some(table) = value.as_table() else {
        return Some(format!("{name}{}", poetry_version(value.as_str()?)?));
    };
    if table.keys().any(|key| !["version", "extras", "optional"].contains(&key.as_str())) {
        return None;
    }
    let extras: Vec<&str> = match table.get("extras") {
        Some(extras) => extras.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?,
        None => Vec::new(),
    };
    let version = table.get("version").map_or(Some("*"), Value::as_str)?;
    Some(format!("{name}[{}]{}", extras.join(","), poetry_version(version)?))
}

/// Poetry's constraint as Python's packages write it.
fn poetry_version(constraint: &str) -> Option<String> {
    let parts = constraint.split(',').map(|part| poetry_part(part.trim()));
    Some(
        parts
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(","),
    )
}

fn poetry_part(part: &str) -> Option<String> {
    if part == "*" {
        return Some(String::new());
    }
    if let Some(version) = part.strip_prefix('^') {
        let numbers = numbers(version)?;
        let first = numbers.iter().position(|&number| number > 0).unwrap_or(numbers.len() - 1);
        return Some(format!(">={version},<{}", after(&numbers[..=first])?));
    }
    if let Some(version) = part.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        let numbers = numbers(version)?;
        return Some(format!(">={version},<{}", after(&numbers[..numbers.len().min(2)])?));
    }
    Some(if part.starts_with(|c: char| c.is_ascii_digit()) { format!("=={part}") } else { part.to_owned() })
}

fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|number| number.parse().ok()).collect()
}

/// The first version that none of these numbers starts.
fn after(numbers: &[u32]) -> Option<String> {
    let (last, rest) = numbers.split_last()?;
    let next = last.checked_add(1)?;
    Some(rest.iter().chain([&next]).map(ToString::to_string).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        Requirements::from_pyproject(text.as_bytes()).unwrap().unwrap().to_lines()
    }

    #[test]
    fn a_projects_dependencies_are_read() {
        assert_eq!(
            lines("[project]\nname='x'\ndependencies=['SQLAlchemy>=2','fastapi']"),
            ["fastapi", "sqlalchemy>=2"]
        );
    }

    #[test]
    fn poetrys_constraints_are_translated() {
        let text = "[tool.poetry.dependencies]\npython='^3.11'\na='^1.2.3'\nb='^0.2.3'\nc='~1.2'\nd='*'\ne='1.4'\n\
                    f={version='^2',extras=['x','y']}\ng={version='1', optional=true}\nh='>=1,<2'\ni='~=1.2'\nj='^0.0.3'";
        assert_eq!(
            lines(text),
            [
                "a>=1.2.3,<2",
                "b>=0.2.3,<0.3",
                "c>=1.2,<1.3",
                "d",
                "e==1.4",
                "f[x,y]>=2,<3",
                "h>=1,<2",
                "i~=1.2",
                "j>=0.0.3,<0.0.4",
            ]
        );
    }

    #[test]
    fn what_declares_none_is_none() {
        for text in
            ["", "[project]\nname='x'", "[tool.ruff]\nline-length=1", "[project]\ndynamic=['version']"]
        {
            assert_eq!(Requirements::from_pyproject(text.as_bytes()), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_reaches_the_host_is_refused_here_too() {
        for text in [
            "[project]\ndependencies=['secret @ file:///etc']",
            "[project]\ndependencies=['-r /secret']",
            "[project]\ndependencies={secret='1'}",
            "[project]\ndependencies=[1]",
            "[project]\ndynamic=['dependencies']",
            "[tool.poetry.dependencies]\nsecret={path='../x'}",
            "[tool.poetry.dependencies]\nsecret={git='https://x'}",
            "[tool.poetry.dependencies]\nsecret='^x'",
            "[tool.poetry.dependencies]\nsecret=5",
            "secret",
        ] {
            let error = Requirements::from_pyproject(text.as_bytes()).unwrap_err();
            assert!(
                error.message.starts_with("pyproject.toml") && !error.message.contains("secret"),
                "{error}"
            );
        }
    }
}
