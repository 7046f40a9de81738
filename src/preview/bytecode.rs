//! Bytecode of projects' own modules, made while nobody waits: what starts afterwards imports them without compiling them.
//!
//! It is kept for one generation and given to no other, since what compiles strangers' source might be made to write
//! anything. Python compares it with its source when it imports it.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Previews;
use super::owner::Owner;
use crate::environment::{Environment, cached};
use crate::generation::Files;
use crate::id::GenerationId;

/// Bytes of all that is kept; what was used least recently goes first.
const MAX_BYTES: usize = 32 << 20;
/// Bytes of a project's source. A larger one is compiled when it is imported.
const MAX_SOURCE: usize = 2 << 20;
/// After code has started: it has better use for the processors, and the next edit may be on its way.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes that a file's name may have.
const MAX_NAME: usize = 255;

/// What has been compiled.
#[derive(Debug, Default)]
pub(super) struct Bytecode(Mutex<VecDeque<(GenerationId, Modules)>>);

/// By path.
type Modules = BTreeMap<String, Module>;

#[derive(Debug)]
struct Module {
    source: Vec<u8>,
    /// `None`: it cannot be compiled, or has something to say to that.
    bytecode: Option<Vec<u8>>,
}

impl Bytecode {
    /// What there is for these files, under the paths where Python looks for it. What was uploaded there stays.
    pub(super) fn beside(&self, generation: &GenerationId, files: &Files, tag: &str) -> Files {
        let mut all = self.all();
        let Some(at) = all.iter().position(|(of, _)| of == generation) else { return Files::new() };
        let used = all.remove(at);
        let fits = |(path, module): (&String, &Module)| {
            let bytecode = module.bytecode.as_ref().filter(|_| files.get(path) == Some(&module.source))?;
            Some((place(path, tag, files)?, bytecode.clone()))
        };
        let found = used.iter().flat_map(|(_, modules)| modules).filter_map(fits).collect();
        all.extend(used);
        found
    }

    /// Those of a generation's modules that have not been compiled as they are. None if there is too much of them.
    fn missing(&self, generation: &GenerationId, modules: &Files) -> Files {
        if modules.values().map(Vec::len).sum::<usize>() > MAX_SOURCE {
            return Files::new();
        }
        let all = self.all();
        let known = all.iter().find(|(of, _)| of == generation).map(|(_, modules)| modules);
        let is_known = |path: &str, source: &[u8]| {
            known.and_then(|modules| modules.get(path)).is_some_and(|module| module.source == source)
        };
        let missing = modules.iter().filter(|(path, source)| !is_known(path, source));
        missing.map(|(path, source)| (path.clone(), source.clone())).collect()
    }

    fn keep(&self, generation: &GenerationId, sources: Files, mut made: Files) {
        let mut all = self.all();
        let known = all.iter().position(|(of, _)| of == generation).and_then(|at| all.remove(at));
        let mut modules = known.map(|(_, modules)| modules).unwrap_or_default();
        for (path, source) in sources {
            let bytecode = made.remove(&path);
            modules.insert(path, Module { source, bytecode });
        }
        all.push_back((generation.clone(), modules));
        while all.iter().map(|(_, modules)| bytes(modules)).sum::<usize>() > MAX_BYTES {
            all.pop_front();
        }
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<(GenerationId, Modules)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(modules: &Modules) -> usize {
    let of = |module: &Module| module.source.len() + module.bytecode.as_ref().map_or(0, Vec::len);
    modules.values().map(of).sum()
}

/// Where Python looks for a module's bytecode, if a file can be there.
fn place(path: &str, tag: &str, files: &Files) -> Option<String> {
    let place = cached(Path::new(path), tag)?;
    let (cache, name) = (place.parent()?.to_str()?, place.file_name()?);
    (name.len() <= MAX_NAME && !files.contains_key(cache)).then(|| place.to_str().map(str::to_owned))?
}

impl Previews {
    /// Compiles a generation's modules, as far as they have not been.
    pub async fn compile(&self, generation: &GenerationId, modules: &Files, environment: &Environment) {
        let sources = self.bytecode.missing(generation, modules);
        if sources.is_empty() {
            return;
        }
        match self.host.runtime.compile(environment, &sources).await {
            Ok(made) => self.bytecode.keep(generation, sources, made),
            // Then it is compiled whenever it is imported.
            Err(error) => tracing::debug!(%generation, %error, "modules could not be compiled ahead"),
        }
    }
}

impl Owner {
    /// Compiles what has just been started for the next time, unless it is edited again first.
    pub(super) fn compile_later(&self, modules: Files, environment: Environment) {
        let (previews, active) = (self.previews.clone(), self.active.clone());
        let revision = active.revision();
        tokio::spawn(async move {
            tokio::time::sleep(PAUSE).await;
            if active.revision() == revision && !active.state().is_over() {
                previews.compile(&active.generation_id, &modules, &environment).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[(&str, &str)]) -> Files {
        all.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn id(number: u8) -> GenerationId {
        GenerationId::parse(&format!("gen_{number:024x}")).unwrap()
    }

    #[test]
    fn what_fits_the_source_of_the_same_generation_is_given() {
        let kept = Bytecode::default();
        let project = files(&[("app/main.py", "1"), ("app/bad.py", "(")]);
        assert_eq!(kept.missing(&id(1), &project).len(), 2);
        kept.keep(&id(1), kept.missing(&id(1), &project), files(&[("app/main.py", "code")]));
        assert_eq!(
            kept.missing(&id(1), &project),
            Files::new(),
            "what cannot be compiled is not tried again"
        );
        let there = files(&[("app/__pycache__/main.cpython-311.pyc", "code")]);
        assert_eq!(kept.beside(&id(1), &project, "cpython-311"), there);
        assert_eq!(kept.beside(&id(2), &project, "cpython-311"), Files::new(), "another generation");
        let edited = files(&[("app/main.py", "2"), ("app/bad.py", "(")]);
        assert_eq!(kept.beside(&id(1), &edited, "cpython-311"), Files::new());
        assert_eq!(kept.missing(&id(1), &edited), files(&[("app/main.py", "2")]));
        let odd = files(&[("app/main.py", "1"), ("app/__pycache__", "a file")]);
        assert_eq!(kept.beside(&id(1), &odd, "cpython-311"), Files::new(), "there can be no directory");
    }

    #[test]
    fn what_was_used_least_recently_goes_first() {
        let kept = Bytecode::default();
        let large = files(&[("main.py", &"x".repeat(MAX_SOURCE))]);
        for number in 0..16 {
            kept.keep(&id(number), large.clone(), files(&[("main.py", "")]));
            assert_eq!(kept.beside(&id(0), &large, "t").len(), 1, "it is in use");
        }
        kept.keep(&id(16), large.clone(), Files::new());
        assert_eq!(kept.missing(&id(1), &large).len(), 1);
        assert_eq!(kept.missing(&id(0), &large), Files::new());
        let larger = files(&[("main.py", &"x".repeat(MAX_SOURCE + 1))]);
        assert_eq!(kept.missing(&id(20), &larger), Files::new());
    }
}
