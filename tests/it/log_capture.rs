//! What programs log through the libraries that they really use, and which request it was said in.

use serde_json::{Value, json};

use crate::harness::{Generation, Guest, NO_MORE_THAN_A_SERVER, Preview, Stream, directory, eventually};

async fn started(server: &Guest) -> (Generation, Preview) {
    let app = server.user().upload(&directory("tests/apps/loggers")).await;
    let preview = app.launch().await;
    (app, preview)
}

fn about<'a>(log: &'a [Value], text: &str) -> Vec<&'a Value> {
    log.iter().filter(|line| line["message"].as_str().unwrap().contains(text)).collect()
}

/// Those whose first line says it; a traceback may show the line of the program that says it.
fn headed<'a>(log: &'a [Value], text: &str) -> Vec<&'a Value> {
    let head =
        |line: &Value| line["message"].as_str().unwrap().lines().next().unwrap_or_default().contains(text);
    log.iter().filter(|line| head(line)).collect()
}

/// Waits until the request has been reported, which happens after everything that it said itself.
async fn said_by(app: &Generation, preview: &Preview, path: &str, id: &str) -> Vec<Value> {
    let call = preview.call(reqwest::Method::GET, path).header("x-request-id", id);
    assert_eq!(call.send().await.unwrap().status(), 200);
    let look = async || {
        let page = app.get(&format!("/preview/logs?requestId={id}&limit=1000")).await.expect(200);
        let logs = page["logs"].as_array().unwrap().clone();
        logs.iter().any(|line| line["source"] == "request").then_some(logs)
    };
    eventually("the request's own line", look).await
}

#[tokio::test]
async fn each_library_is_recognised_and_heard_once() {
    let server = Guest::arrive().await;
    let (app, preview) = started(&server).await;
    for library in ["dictconfig", "loguru", "structlog", "structlog-plain", "structlog-json", "rich"] {
        let log = said_by(&app, &preview, &format!("/{library}"), &format!("req-{library}")).await;
        let speaks = headed(&log, &format!("{library} speaks"));
        assert_eq!(speaks.len(), 1, "{library}: once in {log:#?}");
        assert_eq!(speaks[0]["level"], "WARN", "{library}: {}", speaks[0]);
        let fails = headed(&log, &format!("{library} fails"));
        assert_eq!(fails.len(), 1, "{library}: {log:#?}");
        assert_eq!(fails[0]["level"], "ERROR", "{}", fails[0]);
        let causes = about(&log, "ValueError: the effect");
        assert_eq!(causes.len(), 1, "{library}: one entry, causes and all: {log:#?}");
        let cause = causes[0]["message"].as_str().unwrap();
        assert!(cause.contains("KeyError: 'cause'") && cause.contains("in fail"), "{library}: {cause}");
        assert_eq!(causes[0]["level"], "ERROR", "{library}");
    }
    // The program's own format is kept, and with it come the level and the logger.
    let log = app.log().await;
    let own = about(&log, "<shop> dictconfig speaks");
    assert_eq!(own[0]["logger"], "shop", "{log:#?}");
}

#[tokio::test]
async fn everything_that_a_request_says_names_it() {
    let server = Guest::arrive().await;
    let (app, preview) = started(&server).await;
    let cases: [(&str, &[&str]); 3] = [
        ("/sync", &["in sync"]),
        ("/async", &["in async", "in background", "in to_thread", "in executor"]),
        ("/threads", &["in thread", "in pool"]),
    ];
    for (number, (path, places)) in cases.into_iter().enumerate() {
        let id = format!("req-{number}");
        let log = said_by(&app, &preview, path, &id).await;
        for place in places {
            for text in
                [format!("printed {place}"), format!("no line end {place}"), format!("logged {place}")]
            {
                assert_eq!(about(&log, &text).len(), 1, "{text} of {id} in {log:#?}");
            }
        }
        assert!(log.iter().all(|line| line["requestId"] == *id), "{log:#?}");
        assert_eq!(log.len(), places.len() * 3 + 1, "nothing of others: {log:#?}");
        // The stream and the file narrow in the same way.
        let newest = log.last().unwrap()["id"].as_u64().unwrap();
        let mut stream = app.stream(&format!("?requestId={id}")).await;
        let streamed = stream.until(|event| event.is_line() && event.id() == newest).await;
        let streamed: Vec<_> =
            streamed.iter().filter(|event| event.is_line()).map(|event| event.json()).collect();
        assert_eq!(streamed, log);
        let file = app.get(&format!("/preview/logs/download?format=ndjson&requestId={id}")).await;
        let lines: Vec<Value> = file.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, log);
    }
    // A long line and a child's output have no request, and are there all the same.
    let log = said_by(&app, &preview, "/long", "req-long").await;
    assert_eq!(about(&log, "after the long line").len(), 1);
    let long = async || about(&app.log().await, "line cut at 64 KiB").first().map(|line| (*line).clone());
    let long = eventually("the long line", long).await;
    assert!(long["message"].as_str().unwrap().starts_with("xxx"));
    said_by(&app, &preview, "/raw", "req-raw").await;
    app.line("by a child").await;
    app.stop().await.expect(200);
    let kept = app.get("/preview/logs?requestId=req-1&limit=1000").await.expect(200);
    assert_eq!(kept["logs"].as_array().unwrap().len(), 13, "also when it is over: {kept}");
    let none = app.get("/preview/logs?requestId=REQ-1").await.expect(200);
    assert_eq!(none, json!({ "logs": [], "nextAfterId": null }));
    let rest = Stream::new(app.open_stream("?requestId=req-1", None).await).rest().await;
    assert_eq!(rest.iter().filter(|event| event.is_line()).count(), 13);
}

/// Says several lines at once while another thread takes the interpreter for longer than a traceback's next line is waited for,
/// whenever it can have it.
const INTERRUPTED: &str = r#"
import sys, threading

SAID = 'Traceback (most recent call last):\n  File "shop.py", line 1, in sell\nValueError: sold out'

async def app(scope, receive, send):
    assert scope["type"] == "http"
    over = threading.Event()

    def compute():
        while not over.is_set():
            pass

    sys.setswitchinterval(1.5)
    threading.Thread(target=compute).start()
    sys.stdout.write(SAID + "\n")
    over.set()
    sys.setswitchinterval(0.005)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})
"#;

#[tokio::test]
async fn what_is_said_at_once_is_one_entry_however_busy_the_machine_is() {
    let server = Guest::arrive().await;
    let files = json!({ "app/main.py": INTERRUPTED, "requirements.txt": NO_MORE_THAN_A_SERVER });
    let app = server.user().upload(&files).await;
    let preview = app.launch().await;
    let log = said_by(&app, &preview, "/", "req-interrupted").await;
    let said = about(&log, "ValueError: sold out");
    assert!(said[0]["message"].as_str().unwrap().starts_with("Traceback"), "{log:#?}");
}
