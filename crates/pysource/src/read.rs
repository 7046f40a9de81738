//! Reads a project from its entry point on.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use serde_json::{Map, Value as Json, json};

use crate::document;
use crate::endpoint::{Analysis, Endpoint, Entrypoint, Warning};
use crate::entrypoint;
use crate::flatten::{self, DocumentError};
use crate::interp::value::{Id, RouteKind, Value};
use crate::interp::{Interp, Sources};
use crate::modules::{Files, Modules};
use crate::operation::{Operation, without_converters};
use crate::parse::Parsed;
use crate::pins::Versions;
use crate::schema::{Names, Schemas};

/// Enough for the deepest nesting that the reader follows; pages of it that are not used cost nothing.
const STACK: usize = 256 * 1024 * 1024;
/// Operations; fewer take less time than a thread's start.
const WORTH_A_THREAD: usize = 50;

/// What the application at `entrypoint` offers, as far as its source settles it. Executes nothing.
#[must_use]
pub fn endpoints(files: &Files, entrypoint: &Entrypoint) -> Analysis {
    let work = |sources: &Sources<'_>| read(&mut Interp::new(sources, Versions::of(files)), entrypoint);
    with_sources(files, work).unwrap_or_else(failed)
}

/// What is served, as [`find_entrypoint`](crate::find_entrypoint) finds it, and what it offers: the same as
/// [`endpoints`] of that, with each file read once. None where nothing is found to serve.
///
/// It shares the files, since what was read is freed while the caller goes on.
#[must_use]
pub fn analysis(files: Arc<Files>) -> Option<Analysis> {
    let (tell, told) = mpsc::sync_channel(1);
    let work = move || {
        let sources = Sources::new(Modules::new(&files));
        parsed_ahead(&sources, || {
            let mut found = entrypoint::find(&files, &sources);
            let analysis = found.as_mut().map(|(interp, entrypoint)| {
                if entrypoint.factory {
                    // It has been called, and what it did is to be seen once.
                    *interp = Interp::new(&sources, Versions::of(&files));
                }
                read(interp, entrypoint)
            });
            // Before all of that is freed, which takes a tenth of the time.
            let _ = tell.send(analysis);
        });
    };
    let _ = std::thread::Builder::new().stack_size(STACK).spawn(work);
    told.recv().unwrap_or_else(|_| Some(failed()))
}

fn failed() -> Analysis {
    let message = "reading the source failed: a defect of previewd's, or no memory for it".to_owned();
    Analysis { warnings: vec![Warning { file: String::new(), line: 1, message }], ..Analysis::default() }
}

/// Runs `work` where deep recursion is safe; None where no thread can be had, or it failed.
pub(crate) fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok()?;
        thread.join().ok()
    })
}

/// Reads a project while another thread parses ahead. None where that failed.
pub(crate) fn with_sources<T: Send>(files: &Files, work: impl FnOnce(&Sources<'_>) -> T + Send) -> Option<T> {
    with_deep_stack(|| {
        let sources = Sources::new(Modules::new(files));
        let result = parsed_ahead(&sources, || work(&sources));
        drop_aside(sources.into_parsed());
        result
    })
}

/// Runs `work`, which reads these, while another thread parses ahead.
fn parsed_ahead<T>(sources: &Sources<'_>, work: impl FnOnce() -> T) -> T {
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Without that thread each file is parsed when it is imported.
        let ahead = std::thread::Builder::new().stack_size(STACK);
        let _ = ahead.spawn_scoped(scope, || sources.parse_ahead(&finished));
        let _done = Done(&finished);
        work()
    })
}

/// Frees what has been read while its reader goes on.
fn drop_aside(parsed: Vec<Parsed>) {
    // Where no thread can be had it is freed here, by the closure's end.
    let _ = std::thread::Builder::new().stack_size(STACK).spawn(move || drop(parsed));
}

/// Says so however the reading ends.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn read(interp: &mut Interp<'_>, entrypoint: &Entrypoint) -> Analysis {
    let served = Some(entrypoint.clone());
    let Some(app) = application(interp, entrypoint) else {
        let warnings = interp.take_warnings();
        return Analysis { warnings, served, ..Analysis::default() };
    };
    let listed = listed(interp, app);
    let (visible, hidden): (Vec<&Listed>, Vec<&Listed>) = listed.iter().partition(|one| one.visible);
    let mut found = Found::with_capacity(listed.len());
    let openapi = describe(interp, app, &visible, &mut found);
    describe(interp, app, &hidden, &mut found);
    let endpoints = listed.iter().filter_map(|one| found.remove(&one.key())).collect();
    Analysis { endpoints, warnings: interp.take_warnings(), openapi, served }
}

/// The application that is served, followed from its module; a factory is called.
pub(crate) fn application(interp: &mut Interp<'_>, entrypoint: &Entrypoint) -> Option<Id> {
    let place = crate::interp::value::Place { module: entrypoint.module.as_str().into(), offset: 0 };
    if interp.load(&entrypoint.module).is_none() {
        interp.warn_at(place, format!("there is no module {}", entrypoint.module));
        return None;
    }
    let mut value = Value::Module(entrypoint.module.as_str().into());
    for name in entrypoint.attribute.split('.') {
        value = interp.attribute(&value, name);
    }
    if entrypoint.factory {
        value = interp.call(&value, Vec::new(), Vec::new());
    }
    match value {
        Value::Router(id) => Some(id),
        _ => {
            let name = &entrypoint.attribute;
            interp.warn_at(place, format!("what {name} is cannot be known: none of its routes are listed"));
            None
        }
    }
}

/// One method of a route.
struct Listed {
    route: Id,
    method: String,
    path: String,
    visible: bool,
}

impl Listed {
    fn key(&self) -> (&str, &str) {
        (&self.method, &self.path)
    }
}

/// Entries by method and path.
type Found<'l> = HashMap<(&'l str, &'l str), Endpoint>;

fn listed(interp: &mut Interp<'_>, app: Id) -> Vec<Listed> {
    let mut listed = Vec::new();
    for value in interp.routes_of(app) {
        let Value::Route(id) = value else { continue };
        let route = &interp.heap.routes[id];
        let methods: Vec<String> = match route.kind {
            RouteKind::WebSocket => vec!["WEBSOCKET".to_owned()],
            RouteKind::Mount => vec!["MOUNT".to_owned()],
            _ => route.methods.iter().map(|method| method.to_string()).collect(),
        };
        let visible = route.kind == RouteKind::Http && route.context.include_in_schema;
        let path = without_converters(&route.context.prefix);
        let path = if path.is_empty() && route.kind == RouteKind::Mount { "/".to_owned() } else { path };
        listed.extend(methods.into_iter().map(|method| Listed {
            route: id,
            method,
            path: path.clone(),
            visible,
        }));
    }
    listed
}

/// Makes the document of these operations, and adds an entry for each that has none yet.
fn describe<'l>(interp: &mut Interp<'_>, app: Id, operations: &[&'l Listed], found: &mut Found<'l>) -> Json {
    let mut schemas = Schemas::new(interp);
    let mut made: Vec<(&'l Listed, Operation)> = Vec::with_capacity(operations.len());
    for one in operations {
        let operation = schemas.operation(one.route, &one.method);
        made.push((one, operation));
    }
    let (components, names) = schemas.finish();
    let mut document = document::new(interp, app, components, made.iter().map(|(_, operation)| operation));
    let entries = flattened(&document, &names, &mut made);
    let mut paths: Map<String, Json> = Map::new();
    for ((one, operation), entry) in made.into_iter().zip(entries) {
        let Ok(mut endpoint) = entry else { continue };
        let item = paths.entry(one.path.clone()).or_insert_with(|| json!({}));
        item[one.method.to_lowercase()] = Json::Object(operation.object);
        if !one.visible {
            endpoint.in_schema = Some(false);
            hide_details(interp, one, &mut endpoint);
            found.entry(one.key()).or_insert(endpoint);
        } else {
            // As in FastAPI's documents, the last of two that are alike counts.
            found.insert(one.key(), endpoint);
        }
    }
    document["paths"] = Json::Object(paths);
    document
}

/// Puts names into the operations, and makes the entry of each, on all processors.
fn flattened(
    document: &Json,
    names: &Names,
    made: &mut [(&Listed, Operation)],
) -> Vec<Result<Endpoint, DocumentError>> {
    let each = |(one, operation): &mut (&Listed, Operation)| {
        names.fill_object(&mut operation.object);
        flatten::entry(document, &one.method, &one.path, &operation.object)
    };
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = made.len().div_ceil(processors).max(WORTH_A_THREAD);
    let mut entries = Vec::with_capacity(made.len());
    std::thread::scope(|scope| {
        let mut parts = made.chunks_mut(share);
        let own = parts.next().unwrap_or_default();
        let others: Vec<_> =
            parts.map(|part| scope.spawn(|| part.iter_mut().map(each).collect::<Vec<_>>())).collect();
        entries.extend(own.iter_mut().map(each));
        for other in others {
            match other.join() {
                Ok(more) => entries.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    entries
}

/// What is not FastAPI's has no body or answer that its source would tell.
fn hide_details(interp: &Interp<'_>, one: &Listed, endpoint: &mut Endpoint) {
    match interp.heap.routes[one.route].kind {
        RouteKind::Http => {}
        RouteKind::WebSocket => {
            endpoint.request_body = None;
            endpoint.response_schema = None;
        }
        RouteKind::Plain | RouteKind::Mount => {
            endpoint.request_body = None;
            endpoint.response_schema = None;
            endpoint.request_schema = None;
        }
    }
}
