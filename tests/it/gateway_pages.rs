//! A preview that does not answer: a page for people, JSON for programs.

use reqwest::Method;

use crate::harness::{Answer, Generation, Guest, Preview, Server, asgi, eventually, probe};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn asked_by(accept: &str, preview: &Preview, path: &str) -> Answer {
    let call = preview.call(Method::GET, path).header("accept", accept);
    Answer::of(call.send().await.unwrap()).await
}

/// A page that shows this, and nothing that a page of somebody else could use.
#[track_caller]
fn page(answer: &Answer, status: u16, title: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert!(answer.text().contains(&format!("<h1>{title}</h1>")), "{}", answer.text());
}

#[tokio::test]
async fn while_it_launches_people_get_a_page_that_looks_again() {
    let server = Guest::arrive().await;
    let slow = asgi("import time\nprint('importing', flush=True)\ntime.sleep(600)");
    let app: Generation = server.user().upload(&slow).await;
    let preview = app.launch_unawaited().await;
    app.line("importing").await;
    let waiting = asked_by(BROWSER, &preview, "/").await;
    page(&waiting, 503, "This preview is starting");
    assert!(waiting.text().contains("<meta http-equiv=\"refresh\" content=\"1\">"), "{}", waiting.text());
    assert_eq!(waiting.header("retry-after"), Some("1"));
    let told = asked_by("application/json", &preview, "/").await;
    assert_eq!(told.header("retry-after"), Some("1"));
    assert_eq!(told.error(503, "preview_unavailable")["statusCode"], 503);
    asked_by("*/*", &preview, "/").await.error(503, "preview_unavailable");
    // Who may not look is not told that it launches.
    let call = preview.anonymous(Method::GET, "/").header("accept", BROWSER);
    page(&Answer::of(call.send().await.unwrap()).await, 403, "This preview is not open to you");
    let health = preview.anonymous(Method::GET, "/health").header("accept", BROWSER).send().await.unwrap();
    assert_eq!((health.status().as_u16(), health.text().await.unwrap().as_str()), (503, "unavailable\n"));
    app.stop().await.expect(200);
}

#[tokio::test]
async fn where_it_dies_under_a_request_people_are_told_on_a_page() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    for (accept, route) in [(BROWSER, "/exit"), ("application/json", "/kill")] {
        let preview = app.launch().await;
        let answer = asked_by(accept, &preview, route).await;
        if accept == BROWSER {
            page(&answer, 503, "This preview does not answer");
            assert!(!answer.text().contains("http-equiv=\"refresh\""), "it does not come back by itself");
            assert_eq!(answer.header("retry-after"), None);
        } else {
            assert_eq!(answer.error(503, "preview_unavailable")["statusCode"], 503);
        }
        app.until_status("failed").await;
        // A connection that was kept ends a moment later than the state is told, and may be taken once more until then.
        let refused = async || {
            let refused = preview.call(Method::GET, "/").send().await;
            refused.is_err_and(|e| e.is_connect()).then_some(())
        };
        eventually("that nobody listens there any more", refused).await;
    }
}

#[tokio::test]
async fn while_it_is_reloaded_everybody_gets_the_application() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&asgi("")).await;
    let preview = app.launch().await;
    let slow = asgi("import time\nprint('importing', flush=True)\ntime.sleep(2)");
    let edit = serde_json::json!({ "files": { "app/main.py": slow["app/main.py"] } });
    let path = app.path("/files");
    let editing = app.user.patch(&path, &edit);
    let asking = async {
        app.line("importing").await;
        let page = asked_by(BROWSER, &preview, "/while").await;
        assert_eq!((page.status, page.text().as_str()), (200, "you asked for /while"));
    };
    let (edited, ()) = tokio::join!(editing, asking);
    assert_eq!(edited.expect(200)["reloaded"], true);
}
