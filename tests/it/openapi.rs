//! The description of the API is kept in the repository, so that a change of it is seen.

use std::path::Path;

use serde_json::Value;

use crate::harness::Guest;

/// `PREVIEW_BLESS=1 cargo test` writes it anew.
#[tokio::test]
async fn the_description_is_the_one_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let server = Guest::arrive().await;
    let answer = server.with_token("none").get("/openapi.json").await;
    let served = format!("{}\n", answer.text().trim_end());
    if std::env::var_os("PREVIEW_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &served).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == served,
        "docs/openapi.json is another: look at the change, then run with PREVIEW_BLESS=1"
    );
    let document: Value = serde_json::from_str(&served).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut wordless = Vec::new();
    each_call_is_explained(&document, &mut wordless);
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        explained(schema, name, &mut wordless);
        fields_are_explained(schema, name, &mut wordless);
    }
    assert!(wordless.is_empty(), "without a description: {wordless:#?}");
}

/// Adds what has no sentence of its own.
fn explained(thing: &Value, place: &str, wordless: &mut Vec<String>) {
    if thing["description"].as_str().unwrap_or_default().is_empty() {
        wordless.push(place.to_owned());
    }
}

fn each_call_is_explained(document: &Value, wordless: &mut Vec<String>) {
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            if call["summary"].as_str().unwrap_or_default().is_empty() {
                wordless.push(place.clone());
            }
            for (status, response) in call["responses"].as_object().unwrap() {
                explained(response, &format!("{place}: {status}"), wordless);
            }
            for parameter in call["parameters"].as_array().into_iter().flatten() {
                explained(parameter, &format!("{place}: {}", parameter["name"]), wordless);
            }
        }
    }
}

/// A field that may be null has its sentence beside what it is otherwise.
fn fields_are_explained(schema: &Value, place: &str, wordless: &mut Vec<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        let inner = field["oneOf"].as_array().and_then(|any| any.iter().find(|one| one["$ref"].is_string()));
        explained(inner.unwrap_or(field), &place, wordless);
        fields_are_explained(field, &place, wordless);
    }
    for one in ["oneOf", "anyOf", "allOf"].iter().filter_map(|any| schema[any].as_array()).flatten() {
        fields_are_explained(one, place, wordless);
    }
}

#[tokio::test]
async fn every_call_of_the_contract_is_described() {
    let server = Guest::arrive().await;
    let document = server.with_token("none").get("/openapi.json").await.expect(200);
    let calls = [
        ("post", "/api/projects"),
        ("get", "/api/projects"),
        ("post", "/api/projects/{projectId}/generations"),
        ("get", "/api/generations"),
        ("get", "/api/generations/{id}"),
        ("delete", "/api/generations/{id}"),
        ("get", "/api/generations/{id}/files"),
        ("patch", "/api/generations/{id}/files"),
        ("get", "/api/generations/{id}/endpoints"),
        ("get", "/api/generations/{id}/openapi.json"),
        ("post", "/api/generations/{id}/preview/launch"),
        ("get", "/api/generations/{id}/preview/status"),
        ("delete", "/api/generations/{id}/preview"),
        ("post", "/api/generations/{id}/preview/request"),
        ("get", "/api/generations/{id}/preview/requests"),
        ("get", "/api/generations/{id}/preview/requests/{requestId}"),
        ("post", "/api/generations/{id}/preview/requests/{requestId}/replay"),
        ("get", "/api/generations/{id}/preview/requests.har"),
        ("get", "/api/generations/{id}/preview/config"),
        ("get", "/api/generations/{id}/preview/logs/stream"),
        ("post", "/api/generations/{id}/preview/logs/ticket"),
        ("get", "/api/generations/{id}/preview/logs"),
        ("get", "/api/generations/{id}/preview/logs/download"),
        ("get", "/api/previews"),
        ("get", "/healthz"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    ];
    for (method, path) in calls {
        let call = &document["paths"][path][method];
        assert!(call["summary"].is_string() && call["responses"].is_object(), "{method} {path}: {call}");
    }
    let page = server.with_token("none").get("/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("/preview/launch"));
}

/// Generated clients name their calls after these.
#[test]
fn every_call_has_a_name_of_its_own() {
    let document = serde_json::to_value(previewd::http::document()).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let ids: Vec<&str> = paths
        .flat_map(|item| item.as_object().unwrap().values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let different: std::collections::HashSet<_> = ids.iter().collect();
    assert!(ids.len() > 20 && different.len() == ids.len(), "{ids:?}");
}
