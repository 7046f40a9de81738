//! The API's description as a page for people: plain HTML, no scripts, nothing from elsewhere.

use std::fmt::Write;

use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::{OpenApi, RefOr};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
    color-scheme:light dark}code{font:14px ui-monospace,monospace}summary{cursor:pointer;padding:.3rem 0}\
    b{display:inline-block;min-width:4.5rem}li{margin:.2rem 0}h2{margin-top:2rem;text-transform:capitalize}";

/// The page.
pub(super) fn page(document: &OpenApi) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>previewd API</title><style>{STYLE}</style></head><body><main>\
         <h1>previewd API</h1><p>All calls below <code>/api</code> take <code>Authorization: Bearer</code> with a \
         token. The same as <a href=\"/openapi.json\">OpenAPI 3.1</a>.</p>"
    );
    let mut tag = "";
    let mut operations: Vec<_> =
        document.paths.paths.iter().flat_map(|(path, item)| of(path, item)).collect();
    // Stable: within a tag in the order of the document.
    operations.sort_by_key(|(_, _, operation)| first_tag(operation));
    for (method, path, operation) in &operations {
        if first_tag(operation) != tag {
            tag = first_tag(operation);
            // Writing into a string cannot fail; the same below.
            let _infallible = write!(out, "<h2>{}</h2>", escape(tag));
        }
        describe(&mut out, method, path, operation);
    }
    out.push_str("</main></body></html>");
    out
}

fn of<'a>(path: &'a str, item: &'a PathItem) -> Vec<(&'static str, &'a str, &'a Operation)> {
    let methods = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PATCH", &item.patch),
        ("PUT", &item.put),
        ("DELETE", &item.delete),
    ];
    methods.into_iter().filter_map(|(method, operation)| Some((method, path, operation.as_ref()?))).collect()
}

fn first_tag(operation: &Operation) -> &str {
    operation.tags.as_ref().and_then(|tags| tags.first()).map_or("", String::as_str)
}

fn describe(out: &mut String, method: &str, path: &str, operation: &Operation) {
    let summary = operation.summary.as_deref().unwrap_or_default();
    let _infallible = write!(
        out,
        "<details><summary><b>{method}</b> <code>{}</code> — {}</summary><p>{}</p><ul>",
        escape(path),
        escape(summary),
        escape(operation.description.as_deref().unwrap_or_default()),
    );
    for parameter in operation.parameters.iter().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let place = match parameter.parameter_in {
            ParameterIn::Query | ParameterIn::QueryString => "query",
            ParameterIn::Path => "path",
            ParameterIn::Header => "header",
            ParameterIn::Cookie => "cookie",
        };
        let _infallible = write!(out, "<li>{place} <code>{}</code></li>", escape(&parameter.name));
    }
    let answers: Vec<_> = operation.responses.responses.keys().map(String::as_str).collect();
    let _infallible = write!(out, "</ul><p>Answers: {}</p></details>", escape(&answers.join(", ")));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
