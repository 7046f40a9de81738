//! What previews were asked: kept without secrets, found again, sent again.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Generation, Guest, Server, probe};

async fn requests(app: &Generation, query: &str) -> Vec<Value> {
    let page = app.get(&format!("/preview/requests{query}")).await.expect(200);
    page["requests"].as_array().unwrap().clone()
}

#[tokio::test]
async fn requests_are_kept_without_their_secrets_and_sent_again() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    let login = preview.call(Method::POST, "/echo/login?next=/&api_key=hidden-1");
    let login = login.header("cookie", "sid=hidden-2").header("authorization", "Bearer hidden-3");
    let login = login.json(&json!({ "user": "ana", "password": "hidden-4", "note": "Straße" }));
    assert_eq!(Answer::of(login.send().await.unwrap()).await.status, 200);
    app.fetch(&preview, "/status/404").await;
    let binary = preview.get("/binary").await;
    assert_eq!(binary.status, 200);
    let body = "x".repeat(100_000);
    let long = preview.call(Method::POST, "/digest").body(body).send().await.unwrap();
    assert_eq!(Answer::of(long).await.expect(200)["size"], 100_000);

    let all = requests(&app, "").await;
    let told: Vec<_> =
        all.iter().map(|r| (r["method"].as_str().unwrap(), r["via"].as_str().unwrap())).collect();
    assert_eq!(told, [("POST", "address"), ("GET", "address"), ("GET", "api"), ("POST", "address")]);
    assert_eq!((&all[0]["requestBytes"], &all[1]["responseBytes"]), (&json!(100_000), &json!(256)));
    assert_eq!((&all[3]["statusCode"], &all[3]["revision"]), (&json!(200), &json!(1)));
    assert_eq!(requests(&app, "?status=4xx").await.len(), 1);
    assert_eq!(requests(&app, "?q=LOGIN").await.len(), 1);
    assert_eq!(requests(&app, "?method=post").await.len(), 2);
    let page = app.get("/preview/requests?limit=3").await.expect(200);
    let rest = requests(&app, &format!("?beforeId={}", page["nextBeforeId"])).await;
    assert_eq!((rest.len(), &rest[0]["id"]), (1, &all[3]["id"]));

    let login = app.get(&format!("/preview/requests/{}", all[3]["id"])).await.expect(200);
    let long = app.get(&format!("/preview/requests/{}", all[0]["id"])).await.expect(200);
    assert_eq!(
        (&long["requestBody"]["truncated"], long["requestBody"]["data"].as_str().unwrap().len()),
        (&json!(true), 65_536)
    );
    let har = app.get("/preview/requests.har").await;
    for text in [login.to_string(), har.text()] {
        assert!(!text.contains("hidden-") && text.contains("Straße"), "{text}");
        assert!(!text.contains(&preview.token), "{text}");
    }
    let har = har.expect(200);
    assert_eq!((&har["log"]["version"], har["log"]["entries"].as_array().unwrap().len()), (&json!("1.2"), 4));

    // Kept across a launch and a restart, and sent again to what runs now.
    app.stop().await.expect(200);
    server.kill_serve();
    server.serve_again().await;
    app.launch().await;
    let replay = |id: &Value| app.path(&format!("/preview/requests/{id}/replay"));
    let answer = app
        .user
        .post(&replay(&all[3]["id"]), &json!({ "headers": { "cookie": "sid=new" } }))
        .await
        .expect(200);
    let seen = &answer["data"];
    assert_eq!((&seen["method"], &seen["path"]), (&json!("POST"), &json!("/echo/login")), "{answer}");
    let headers = seen["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["cookie", "sid=new"])), "{seen}");
    assert!(!headers.iter().any(|pair| pair[0] == "authorization"), "{seen}");
    assert!(answer["redacted"].as_array().unwrap().contains(&json!("authorization")), "{answer}");
    let refused = app.user.post(&replay(&all[0]["id"]), &json!({})).await.error(400, "invalid_request");
    assert_eq!(refused["details"]["field"], "body");
    app.get("/preview/requests/999").await.error(404, "not_found");
    assert_eq!(requests(&app, "?limit=1").await[0]["via"], "replay");
    server.user("ben").get(&app.path("/preview/requests")).await.error(403, "forbidden");
}

#[tokio::test]
async fn sessions_forms_and_limits_of_requests_in_an_envelope() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&probe()).await;
    let preview = app.launch().await;
    let send = async |body: Value| app.request(&preview, &body).await.expect(200);
    let first = send(json!({ "method": "GET", "path": "/cookies", "session": "s" })).await;
    assert_eq!(first["cookies"], json!({ "one": "1", "two": "2" }));
    let timing = &first["timing"];
    assert!(timing["totalMs"].as_f64().unwrap() >= timing["firstByteMs"].as_f64().unwrap(), "{first}");
    let cookie = |answer: &Value| {
        let headers = answer["data"]["headers"].as_array().unwrap().iter();
        headers.filter(|pair| pair[0] == "cookie").map(|pair| pair[1].clone()).next()
    };
    let own =
        json!({ "method": "GET", "path": "/echo", "session": "s", "headers": { "cookie": "two=mine" } });
    assert_eq!(cookie(&send(own).await), Some(json!("two=mine; one=1")));
    let other = json!({ "method": "GET", "path": "/echo", "session": "t" });
    assert_eq!(cookie(&send(other).await), None);

    let file = json!({ "filename": "a.txt", "contentType": "text/plain", "text": "content" });
    let form = json!({ "method": "POST", "path": "/echo", "bodyEncoding": "multipart", "body": { "a": ["1", "2"], "f": file } });
    let sent = send(form).await;
    let kind =
        sent["data"]["headers"].as_array().unwrap().iter().find(|pair| pair[0] == "content-type").unwrap();
    let boundary = kind[1].as_str().unwrap().strip_prefix("multipart/form-data; boundary=").unwrap();
    let body = BASE64_STANDARD.decode(sent["data"]["body"].as_str().unwrap()).unwrap();
    let parts = String::from_utf8(body).unwrap();
    assert_eq!(parts.matches(&format!("--{boundary}\r\n")).count(), 3, "{parts}");
    assert!(parts.contains("filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\ncontent\r\n"), "{parts}");

    // A stream without an end is cut, and what came is told.
    let endless = json!({ "method": "GET", "path": "/ticks", "timeoutMs": 700 });
    let cut = send(endless).await;
    assert_eq!((&cut["truncated"], &cut["statusCode"]), (&json!(true), &json!(200)), "{cut}");
    assert!(cut["data"].as_str().unwrap().starts_with("tick 0\n"), "{cut}");
    let never = json!({ "method": "GET", "path": "/slow", "query": { "seconds": 20 }, "timeoutMs": 200 });
    app.request(&preview, &never).await.error(504, "request_timeout");
}
