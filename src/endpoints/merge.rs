//! One list from the application's own document and its source.

use std::collections::HashSet;

use pysource::Endpoint;

/// The document's operations, and of the source's those that such documents leave out: routes hidden from the
/// schema, mounted applications and WebSockets. Those are marked with `inSchema: false`.
///
/// The document decides about everything else: what only the source would list is not added.
#[must_use]
pub fn merge(document: Vec<Endpoint>, source: Vec<Endpoint>) -> Vec<Endpoint> {
    let listed: HashSet<(String, String)> = document.iter().map(key).collect();
    let hidden = source.into_iter().filter(|one| one.in_schema == Some(false) && !listed.contains(&key(one)));
    let hidden: Vec<Endpoint> = hidden.collect();
    document.into_iter().chain(hidden).collect()
}

fn key(endpoint: &Endpoint) -> (String, String) {
    (endpoint.method.clone(), endpoint.path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(method: &str, path: &str, in_schema: Option<bool>) -> Endpoint {
        Endpoint { method: method.to_owned(), path: path.to_owned(), in_schema, ..Endpoint::default() }
    }

    #[test]
    fn adds_only_what_documents_leave_out() {
        let document = vec![endpoint("GET", "/a", None), endpoint("GET", "/hidden", None)];
        let source = vec![
            endpoint("GET", "/a", None),
            endpoint("GET", "/only-in-source", None),
            endpoint("GET", "/hidden", Some(false)),
            endpoint("POST", "/hidden", Some(false)),
            endpoint("WEBSOCKET", "/ws", Some(false)),
        ];
        let merged = merge(document, source);
        let listed: Vec<_> =
            merged.iter().map(|one| (one.method.as_str(), one.path.as_str(), one.in_schema)).collect();
        assert_eq!(
            listed,
            [
                ("GET", "/a", None),
                ("GET", "/hidden", None),
                ("POST", "/hidden", Some(false)),
                ("WEBSOCKET", "/ws", Some(false))
            ]
        );
    }
}
