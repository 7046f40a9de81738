//! Every call that the API describes of itself, by those who may not make it. A new route is in here by being described.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Generation, Server, User, asgi};

/// The calls that need no token.
const OPEN: [&str; 3] = ["/healthz", "/metrics", "/readyz"];

/// A call of the document.
struct Call {
    method: Method,
    path: String,
    operation: Value,
}

/// Whose things a call names.
struct Names<'a> {
    project: &'a str,
    generation: &'a str,
    request: &'a str,
}

impl Call {
    /// The path with somebody's things in it. A parameter that is not known here is to be thought about.
    fn path(&self, names: &Names) -> String {
        let parts = self.path.split('/').map(|part| match part {
            "{projectId}" => names.project,
            "{id}" => names.generation,
            "{requestId}" => names.request,
            "{path}" => "app/main.py",
            plain if !plain.contains('{') => plain,
            other => panic!("what is another's {other} in {}?", self.path),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    fn names_something(&self) -> bool {
        self.path.contains('{')
    }

    /// The properties of the body that name things by their ids.
    fn ids_in_body(&self, document: &Value) -> Vec<String> {
        let mut schema = &self.operation["requestBody"]["content"]["application/json"]["schema"];
        if let Some(any) = schema["oneOf"].as_array() {
            schema = any.iter().find(|one| one["$ref"].is_string()).unwrap_or(schema);
        }
        if let Some(place) = schema["$ref"].as_str() {
            schema = document.pointer(place.trim_start_matches('#')).unwrap();
        }
        let properties = schema["properties"].as_object().into_iter().flatten();
        properties.map(|(name, _)| name.clone()).filter(|name| name.ends_with("Id")).collect()
    }

    /// Parameters of the query that name things by their ids.
    fn ids_in_query(&self) -> Vec<&str> {
        let all = self.operation["parameters"].as_array().into_iter().flatten();
        let named = all.filter(|one| one["in"] == "query").filter_map(|one| one["name"].as_str());
        named.filter(|name| ["projectId", "generationId"].contains(name)).collect()
    }

    /// A body that would do, where the call takes one.
    fn body(&self) -> Option<Value> {
        self.operation["requestBody"].is_object().then(|| {
            json!({ "name": "x", "files": { "a": "" }, "method": "GET", "path": "/", "headers": { "x-preview-token": "t" } })
        })
    }

    async fn by(&self, user: &User, path: &str, body: Option<Value>) -> Answer {
        let call = user.call(self.method.clone(), path);
        user.send(match body {
            Some(body) => call.json(&body),
            None => call,
        })
        .await
    }
}

async fn document(server: &Server) -> (Value, Vec<Call>) {
    let document = server.with_token("none").get("/openapi.json").await.expect(200);
    let mut calls = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            calls.push(Call { method, path: path.clone(), operation: operation.clone() });
        }
    }
    assert!(calls.len() > 25, "{}", calls.len());
    (document, calls)
}

#[tokio::test]
async fn as_no_one() {
    let server = Server::start().await;
    let (_, calls) = document(&server).await;
    let app = server.user("ana").upload(&asgi("")).await;
    let names = Names { project: &app.project, generation: &app.id, request: "1" };
    let mut open = Vec::new();
    for call in &calls {
        let path = call.path(&names);
        let bare =
            app.user.client().request(call.method.clone(), format!("http://{}{path}", server.address()));
        let answer = app.user.send(bare).await;
        if call.operation["security"] == json!([]) {
            assert_eq!(answer.status, 200, "{path}");
            open.push(call.path.as_str());
            continue;
        }
        answer.error(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{path}");
        for token in ["nobody", "", "e30.e30.e30"] {
            call.by(&server.with_token(token), &path, call.body()).await.error(401, "unauthorized");
        }
        if call.operation["parameters"].to_string().contains("\"ticket\"") {
            call.by(&server.with_token("nobody"), &format!("{path}?ticket=x"), None)
                .await
                .error(401, "unauthorized");
        }
    }
    assert_eq!(open, OPEN);
}

/// What may not change by anything that another does.
async fn belongings(app: &Generation) -> (Value, Value, Value) {
    let files = app.get("/files").await.expect(200);
    let preview = app.status().await.expect(200)["previewInstanceId"].clone();
    (files, preview, app.user.get("/api/generations").await.expect(200))
}

#[tokio::test]
async fn as_another_and_with_anothers_ids() {
    let server = Server::start().await;
    let (document, calls) = document(&server).await;
    let app = server.user("ana").upload(&asgi("")).await;
    let preview = app.launch().await;
    app.fetch(&preview, "/x").await;
    let asked = app.get("/preview/requests").await.expect(200)["requests"][0]["id"].to_string();
    let before = belongings(&app).await;
    let bo = server.user("bo");
    let own = bo.upload(&asgi("")).await;
    let anas = Names { project: &app.project, generation: &app.id, request: &asked };
    let missing = Names { project: "proj_none", generation: "gen_none", request: "1" };
    for call in calls.iter().filter(|call| call.operation["security"] != json!([])) {
        let told = format!("{} {}", call.method, call.path);
        if call.names_something() {
            call.by(&bo, &call.path(&anas), call.body()).await.error(403, "forbidden");
            let answer = call.by(&bo, &call.path(&missing), call.body()).await;
            assert!(
                answer.status == 404 && answer.json()["error"].as_str().unwrap().ends_with("_not_found"),
                "{told}"
            );
        } else {
            let answer = call.by(&bo, &call.path(&anas), call.body()).await;
            assert!(
                answer.status < 300
                    && ![&app.project, &app.id, &preview.id].iter().any(|id| answer.text().contains(*id)),
                "{told}: {}",
                answer.text()
            );
        }
        for name in call.ids_in_query() {
            let id = if name == "projectId" { &app.project } else { &app.id };
            let path = format!("{}?{name}={id}", call.path(&anas));
            call.by(&bo, &path, call.body()).await.error(403, "forbidden");
        }
        // A place of one's own, and another's in the body or behind it. Whatever would take away the place comes last.
        let mine = Names { project: &own.project, generation: &own.id, request: &asked };
        if call.path.contains("{requestId}") {
            call.by(&bo, &call.path(&mine), call.body()).await.error(404, "not_found");
        }
        for name in call.ids_in_body(&document) {
            let mut body = json!({});
            body[&name] = if name == "projectId" { json!(app.project) } else { json!(app.id) };
            let refusal = call.by(&bo, &call.path(&mine), Some(body)).await;
            assert_eq!(refusal.error(400, "invalid_request")["details"]["field"], name.as_str(), "{told}");
        }
    }
    assert_eq!(belongings(&app).await, before);
    // A preview's token opens the preview, not the API, and nobody else's; a ticket one log, once.
    let (token, body) = (server.with_token(&preview.token), json!({ "method": "GET", "path": "/" }));
    token.get("/api/projects").await.error(401, "unauthorized");
    own.launch().await;
    own.request(&preview, &body).await.error(403, "invalid_preview_token");
    let ticket =
        app.post("/preview/logs/ticket", &json!({})).await.expect(200)["ticket"].as_str().unwrap().to_owned();
    let opened = async |generation: &Generation, ticket: &str| {
        let url =
            format!("http://{}{}?ticket={ticket}", server.address(), generation.path("/preview/logs/stream"));
        bo.client().get(url).send().await.unwrap().status().as_u16()
    };
    assert_eq!(opened(&app, &ticket).await, 200);
    assert_eq!(opened(&app, &ticket).await, 401, "used up");
    let other =
        app.post("/preview/logs/ticket", &json!({})).await.expect(200)["ticket"].as_str().unwrap().to_owned();
    assert_eq!(opened(&own, &other).await, 401, "for another log");
    assert_eq!(server.with_token(&other).get("/api/projects").await.status, 401);
}
