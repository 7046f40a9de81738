//! The log stream: its ids, resuming, the end, and what narrows it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Event, Generation, Guest, Parser, Preview, Server, Stream, User, asgi, probe};

fn ids(events: &[Event]) -> Vec<u64> {
    events.iter().filter(|event| event.is_line()).map(Event::id).collect()
}

/// A preview that has printed lines `line 0` to `line N-1`.
async fn spoken(user: User, lines: usize) -> (Generation, Preview) {
    let app = user.upload(&probe()).await;
    let preview = app.launch().await;
    preview.get(&format!("/print?text=line+{{n}}&times={lines}")).await.expect(200);
    app.line(&format!("line {}", lines - 1)).await;
    (app, preview)
}

#[tokio::test]
async fn events_are_as_the_contract_says() {
    let server = Guest::arrive().await;
    let (app, preview) = spoken(server.user(), 3).await;
    let answer = app.open_stream("", None).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["cache-control"], "no-cache, no-transform");
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let mut stream = Stream::new(answer);
    let events = stream.until_message("line 2").await;
    assert_eq!(ids(&events), (1..=ids(&events).len() as u64).collect::<Vec<_>>());
    for event in &events {
        if event.is_line() {
            let line = event.json();
            assert_eq!(line["id"].as_u64(), Some(event.id()));
            assert!(line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
            assert!(["DEBUG", "INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
            let sources = ["install", "startup", "app", "request", "server"];
            assert!(sources.contains(&line["source"].as_str().unwrap()), "{line}");
            assert!(["stdout", "stderr", "system"].contains(&line["stream"].as_str().unwrap()), "{line}");
            assert!(!event.data.contains('\n'), "one line of data");
        } else {
            assert_eq!((event.kind.as_str(), &event.own_id), ("status", &None), "named events carry no id");
        }
    }
    let said = events.last().unwrap().json();
    let expected = json!({ "message": "line 2", "level": "INFO", "source": "app", "stream": "stdout" });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&said[name], value, "{said}");
    }

    // What comes later comes at once, to everybody, with the same ids.
    let mut other = app.stream("").await;
    let seen_by_other = other.until_message("line 2").await;
    assert_eq!(seen_by_other, events);
    preview.get("/print?text=later").await.expect(200);
    let (one, two) = (stream.until_message("later").await, other.until_message("later").await);
    assert_eq!(one, two);

    app.stop().await.expect(200);
    let (one, two) = (stream.rest().await, other.rest().await);
    assert_eq!(one, two);
    let end = one.last().unwrap();
    assert_eq!((end.kind.as_str(), end.json()), ("end", json!({ "reason": "stopped" })));
}

#[tokio::test]
async fn places_all_over_a_thousand_lines_can_be_resumed_from() {
    let server = Guest::arrive().await;
    let (app, _) = spoken(server.user(), 1000).await;
    app.stop().await.expect(200);
    let kept = app.log().await;
    let (first, newest) = (kept[0]["id"].as_u64().unwrap(), kept.last().unwrap()["id"].as_u64().unwrap());
    assert_eq!(kept.len(), 1000, "as many as are kept after the end");
    // Every single place is a test of the hub itself; here the way through the server is what is tested.
    for place in ((first - 1)..newest).step_by(37).chain([newest - 1]) {
        let mut stream = Stream::new(app.open_stream("", Some(place)).await);
        let events = stream.rest().await;
        assert_eq!(ids(&events), (place + 1..=newest).collect::<Vec<_>>());
        assert_eq!(events.last().unwrap().kind, "end");
    }
    assert_eq!(app.open_stream("", Some(newest)).await.status(), 204, "nothing is to come");
    assert_eq!(app.open_stream(&format!("?lastEventId={newest}"), None).await.status(), 204);
}

#[tokio::test]
async fn a_reader_resumes_while_the_preview_runs() {
    let server = Guest::arrive().await;
    let (app, preview) = spoken(server.user(), 20).await;
    let newest = ids(&app.stream("").await.until_message("line 19").await).pop().unwrap();
    let mut stream = Stream::new(app.open_stream("", Some(newest)).await);
    preview.get("/print?text=new").await.expect(200);
    let events = stream.until_message("new").await;
    assert_eq!(ids(&events)[0], newest + 1, "neither loss nor repeat");
    // The header beats the query; an id of another preview means from the start.
    let mut stream = Stream::new(app.open_stream("?lastEventId=1", Some(newest)).await);
    assert_eq!(ids(&stream.until_message("new").await)[0], newest + 1);
    let mut stream = Stream::new(app.open_stream("", Some(newest + 1000)).await);
    assert_eq!(ids(&stream.until_message("new").await)[0], 1);
    let mut stream = app.stream(&format!("?lastEventId={}", newest - 5)).await;
    assert_eq!(ids(&stream.until_message("new").await)[0], newest - 4);
}

#[tokio::test]
async fn lines_that_were_dropped_are_told() {
    let server = Server::with(&[("MAX_LOG_LINES", "50")]).await;
    let (app, _) = spoken(server.user("ana"), 300).await;
    assert!(app.log().await.len() >= 50, "a running one keeps at least these");
    app.stop().await.expect(200);
    let kept = app.log().await;
    assert_eq!(kept.len(), 50);
    let first = kept[0]["id"].as_u64().unwrap();
    let events = Stream::new(app.open_stream("", Some(10)).await).rest().await;
    assert_eq!((events[0].kind.as_str(), &events[0].own_id), ("gap", &None));
    assert_eq!(events[0].json(), json!({ "from": 11, "to": first - 1 }));
    assert_eq!(ids(&events), (first..first + 50).collect::<Vec<_>>());
    // Whoever asks for nothing in particular gets what is kept, and has missed nothing.
    let events = app.stream("").await.rest().await;
    assert_eq!(ids(&events).len(), 50);
    assert!(events.iter().all(|event| event.kind != "gap" || event.json()["from"] == 1), "{events:?}");
}

#[tokio::test]
async fn level_source_and_tail_narrow_it() {
    let server = Guest::arrive().await;
    let (app, preview) = spoken(server.user(), 30).await;
    for level in ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] {
        preview.get(&format!("/log?level={level}&text=a+{level}")).await.expect(200);
    }
    app.line("a CRITICAL").await;
    app.stop().await.expect(200);
    let all = async |query: &str| {
        let mut stream = app.stream(query).await;
        let events = stream.rest().await;
        assert_eq!(events.last().unwrap().kind, "end");
        events.iter().filter(|event| event.is_line()).map(Event::json).collect::<Vec<Value>>()
    };
    let errors = all("?level=ERROR").await;
    assert!(errors.iter().any(|line| line["message"].as_str().unwrap().contains("a ERROR")), "{errors:?}");
    assert!(errors.iter().all(|line| line["level"] == "ERROR"), "{errors:?}");
    let warnings = all("?level=warn").await;
    assert!(
        warnings.len() > errors.len()
            && warnings.iter().all(|l| l["level"] == "WARN" || l["level"] == "ERROR")
    );
    let requests = all("?source=request").await;
    assert!(requests.len() >= 6 && requests.iter().all(|line| line["source"] == "request"), "{requests:?}");
    let printed = all("?source=app&tail=3&level=INFO").await;
    assert_eq!(printed.len(), 3);
    assert_eq!(all("?tail=0").await.len(), 0);
    for (query, field) in [
        ("level=loud", "level"),
        ("source=x", "source"),
        ("tail=-1", "tail"),
        ("lastEventId=x", "lastEventId"),
    ] {
        let answer = app.get(&format!("/preview/logs/stream?{query}")).await.error(400, "invalid_request");
        assert_eq!(answer["details"]["field"], field);
    }
    let call = app.user.call(Method::GET, &app.path("/preview/logs/stream")).header("last-event-id", "x");
    app.user.send(call).await.error(400, "invalid_request");
}

#[tokio::test]
async fn pages_are_the_same_log() {
    let server = Guest::arrive().await;
    let (app, _) = spoken(server.user(), 500).await;
    let everything = app.log().await;
    let page = app.get("/preview/logs").await.expect(200);
    assert_eq!(page["logs"].as_array().unwrap().len(), 200);
    assert_eq!(page["nextAfterId"], 200);
    assert_eq!(page["logs"], json!(everything[..200]));
    let page = app.get("/preview/logs?afterId=100&limit=7").await.expect(200);
    assert_eq!(page, json!({ "logs": everything[100..107], "nextAfterId": 107 }));
    let found = app.get("/preview/logs?q=LINE%2049&source=app").await.expect(200);
    assert_eq!(
        (found["logs"].as_array().unwrap().len(), &found["nextAfterId"]),
        (11, &Value::Null),
        "49, 490 to 499"
    );
    assert_eq!(
        app.get("/preview/logs?afterId=100000").await.expect(200),
        json!({ "logs": [], "nextAfterId": null })
    );
    for query in ["limit=0", "limit=1001", "limit=x", "afterId=-1", "afterId=x", "level=x", "source=x"] {
        let error = app.get(&format!("/preview/logs?{query}")).await.error(400, "invalid_request");
        assert_eq!(error["details"]["field"], query.split('=').next().unwrap());
    }
    app.stop().await.expect(200);
    let after = app.get("/preview/logs?q=line%20499").await.expect(200);
    assert_eq!(after["logs"][0]["message"], "line 499", "also after it ended: {after}");
    let text = app.get("/preview/logs/download").await;
    assert!(text.header("content-type").unwrap().starts_with("text/plain"));
    assert!(text.text().lines().any(|line| line.ends_with("line 499")), "{}", text.text());
    assert_eq!(app.stream("").await.rest().await.last().unwrap().kind, "end");
}

#[tokio::test]
async fn there_is_no_log_without_a_launch_and_one_for_a_failed_launch() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("print('so far', flush=True)\nraise SystemExit(2)")).await;
    for rest in ["", "/stream", "/download"] {
        app.get(&format!("/preview/logs{rest}")).await.error(404, "no_active_preview");
    }
    app.try_launch(&json!({})).await.error(500, "launch_failed");
    app.line("so far").await;
    let events = app.stream("").await.rest().await;
    assert_eq!(events.last().unwrap().json(), json!({ "reason": "launch_failed" }));
    // After a restart the store tells the same.
    let before = app.log().await;
    server.kill_serve();
    server.serve_again().await;
    assert_eq!(app.log().await, before);
    let events = app.stream("").await.rest().await;
    assert_eq!(events.last().unwrap().json(), json!({ "reason": "launch_failed" }));
}

#[tokio::test]
async fn a_ticket_opens_one_stream_of_one_preview() {
    let server = Guest::arrive().await;
    let user = server.user();
    let (app, other) = (user.upload(&asgi("")).await, user.upload(&asgi("")).await);
    app.launch().await;
    other.launch().await;
    let nobody = Generation { user: server.with_token("nobody"), ..app.clone() };
    let ticket = async || {
        let body = app.post("/preview/logs/ticket", &json!({})).await.expect(200);
        let until: jiff::Timestamp = body["expiresAt"].as_str().unwrap().parse().unwrap();
        let seconds = until.as_second() - jiff::Timestamp::now().as_second();
        assert!((50..=60).contains(&seconds), "{seconds}");
        body["ticket"].as_str().unwrap().to_owned()
    };
    let one = ticket().await;
    let url = |generation: &Generation, ticket: &str| {
        format!("http://{}{}?ticket={ticket}", server.address(), generation.path("/preview/logs/stream"))
    };
    let client = app.user.client();
    let answer = client.get(url(&app, &one)).send().await.unwrap();
    let mut stream = Stream::new(answer);
    stream.until(Event::is_line).await;
    let again = client.get(url(&app, &one)).send().await.unwrap();
    crate::harness::Answer::of(again).await.error(401, "unauthorized");
    let answer = client.get(url(&other, &ticket().await)).send().await.unwrap();
    crate::harness::Answer::of(answer).await.error(401, "unauthorized");
    let answer = client.get(url(&app, "guess")).send().await.unwrap();
    crate::harness::Answer::of(answer).await.error(401, "unauthorized");
    // Good for the stream alone.
    let unused = ticket().await;
    nobody.get(&format!("/preview/logs?ticket={unused}")).await.error(401, "unauthorized");
    nobody.get(&format!("/preview/status?ticket={unused}")).await.error(401, "unauthorized");
    app.stop().await.expect(200);
    assert_eq!(stream.rest().await.last().unwrap().kind, "end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_of_what_is_printed_at_full_speed() {
    const LINES: usize = 20_000;
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move {
                let mut stream = app.stream("").await;
                // Each line is read below, and for that once.
                let last = format!("line {}\"", LINES - 1);
                stream.until(|event| event.data.contains(&last)).await
            })
        })
        .collect();
    // One that never reads keeps nobody from anything.
    let asleep = app.open_stream("", None).await;
    preview.get(&format!("/print?text=line+{{n}}&times={LINES}")).await.expect(200);
    for reader in readers {
        let events = reader.await.unwrap();
        assert!(events.iter().all(|event| event.kind != "gap"));
        let ids = ids(&events);
        assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "contiguous");
        let lines: Vec<_> = events.iter().map(Event::message).filter(|m| m.starts_with("line ")).collect();
        assert_eq!(lines.len(), LINES);
        assert!(lines.iter().enumerate().all(|(number, line)| *line == format!("line {number}")), "in order");
    }
    drop(asleep);
}

#[tokio::test]
async fn it_is_the_same_over_http_2() {
    use http_body_util::BodyExt as _;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let server = Guest::arrive().await;
    let (app, preview) = spoken(server.user(), 3).await;
    let connection = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let shake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(connection));
    let (mut sender, connection) = shake.await.unwrap();
    tokio::spawn(connection);
    let mut open = async || {
        let url = format!("http://{}{}", server.address(), app.path("/preview/logs/stream"));
        let call = hyper::Request::get(url).header("authorization", format!("Bearer {}", app.user.token));
        let call = call.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        let answer = sender.send_request(call).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, hyper::Version::HTTP_2));
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        answer.into_body()
    };
    // Two streams on one connection, and what is printed later reaches both.
    let (mut one, mut two) = (open().await, open().await);
    preview.get("/print?text=later").await.expect(200);
    let mut seen = Vec::new();
    for body in [&mut one, &mut two] {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        let later = |event: &Event| event.message() == "later";
        while !events.iter().any(later) {
            let frame = tokio::time::timeout(crate::harness::PATIENCE, body.frame()).await.unwrap();
            let data = frame.unwrap().unwrap().into_data().unwrap();
            events.extend(data.iter().filter_map(|byte| parser.push(*byte)));
        }
        // A frame may hold the next one as well.
        events.truncate(events.iter().position(later).unwrap() + 1);
        seen.push(ids(&events));
    }
    assert_eq!(seen[0], (1..=seen[0].len() as u64).collect::<Vec<_>>());
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn the_stream_is_kept_open_by_comments() {
    let server = Guest::arrive().await;
    let (app, _) = spoken(server.user(), 1).await;
    let mut answer = app.open_stream("?tail=0", None).await;
    let mut parser = Parser::default();
    let silence = async {
        while parser.comments == 0 {
            let chunk = answer.chunk().await.unwrap().expect("an open stream");
            chunk.iter().for_each(|byte| drop(parser.push(*byte)));
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(25), silence).await.expect("a comment after 15 s");
}
