//! What a running application says of itself, wherever it publishes it and whatever is wrong with it.

use serde_json::{Value, json};

use crate::harness::{Guest, fastapi};

const ROUTE: &str = "@app.get('/kept')\ndef kept(q: int = 1):\n    'From the source.'\n    return {}\n";

/// The listing while it runs.
async fn listing(server: &Guest, more: &str) -> Value {
    let app = server.user().upload(&fastapi(&format!("{ROUTE}\n{more}"))).await;
    app.launch().await;
    let listing = app.get("/endpoints").await.expect(200);
    app.stop().await.expect(200);
    let all = listing["endpoints"].as_array().unwrap();
    let kept = all.iter().find(|one| one["path"] == "/kept").unwrap_or_else(|| panic!("{more}: {listing}"));
    assert_eq!(kept["requestSchema"]["query"]["q"], "integer", "{more}");
    listing
}

#[tokio::test]
async fn it_is_found_wherever_it_is_published() {
    let server = Guest::arrive().await;
    for more in [
        "app.openapi_url = '/elsewhere/spec.json'",
        "app.openapi_url = None",
        // Models that hold one another.
        "from typing import List, Optional\nfrom pydantic import BaseModel\n\n\nclass Node(BaseModel):\n    \
         parent: Optional['Node'] = None\n    below: List['Node'] = []\n\n\n@app.post('/nodes')\ndef add(node: Node) -> Node:\n    return node\n",
    ] {
        let listing = listing(&server, more).await;
        assert_eq!((&listing["source"], &listing["warnings"]), (&json!("openapi"), &json!([])), "{more}");
        let nodes = listing["endpoints"].as_array().unwrap().iter().find(|one| one["path"] == "/nodes");
        if let Some(nodes) = nodes {
            assert_eq!(nodes["requestBody"], json!({ "parent": "object", "below": "array" }), "{nodes}");
        }
    }
}

#[tokio::test]
async fn one_that_cannot_be_used_gives_way_to_the_source() {
    let server = Guest::arrive().await;
    for (document, told) in [
        ("1 / 0", "ZeroDivisionError"),
        ("['no', 'document']", "cannot be used"),
        ("{'paths': 'none'}", "cannot be used"),
        ("{'paths': {}, 'x': 'y' * (9 << 20)}", "did not say"),
        ("{'paths': {}, 'x': float('nan')}", "did not say"),
        // As deep as its own encoder goes.
        ("__import__('functools').reduce(lambda inner, _: {'x': inner}, range(300), {})", "did not say"),
    ] {
        let listing = listing(&server, &format!("app.openapi = lambda: {document}")).await;
        let warning = listing["warnings"][0]["message"].as_str().unwrap_or_default();
        assert_eq!(listing["source"], "static", "{document}: {listing}");
        assert!(warning.contains(told) && warning.contains("source"), "{document}: {warning}");
    }
}

#[tokio::test]
async fn references_in_circles_and_to_nowhere_end() {
    let server = Guest::arrive().await;
    let circle = "A = {'$ref': '#/components/schemas/B'}\nB = {'allOf': [{'$ref': '#/components/schemas/A'}, {'$ref': '#/nowhere'}]}\n\
        plain = app.openapi\n\n\ndef circular():\n    document = plain()\n    \
        document['components'] = {'schemas': {'A': A, 'B': B}}\n    \
        body = {'content': {'application/json': {'schema': A}}}\n    \
        document['paths']['/circle'] = {'post': {'requestBody': body, 'responses': {}}}\n    \
        return document\n\n\napp.openapi = circular\n";
    let listing = listing(&server, circle).await;
    assert_eq!(listing["source"], "openapi", "{listing}");
    assert!(listing["endpoints"].as_array().unwrap().iter().any(|one| one["path"] == "/circle"), "{listing}");
}
