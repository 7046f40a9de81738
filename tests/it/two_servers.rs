//! Two servers on one PostgreSQL, each with its own keeper, data directory and ports: the same promises, whichever is asked.

use serde_json::{Value, json};

use crate::harness::{Generation, Server, asgi, eventually, postgres_database, testdata};

const SECRET: &str = "a secret that both servers have, and long enough";

async fn pair() -> (Server, Server) {
    let url = tokio::task::spawn_blocking(postgres_database).await.unwrap();
    let settings = [("STORE_URL", url.as_str()), ("JWT_SECRET", SECRET)];
    (Server::with(&settings).await, Server::with(&settings).await)
}

/// The same generation, as asked of another server.
fn through(server: &Server, app: &Generation) -> Generation {
    server.with_token(&app.user.token).generation(&app.project, &app.id)
}

/// How many launches there were, all at once, that did not come too late.
async fn race(launches: Vec<Generation>, refused_with: &str) -> usize {
    let racing =
        launches.into_iter().map(|app| tokio::spawn(async move { app.try_launch(&json!({})).await }));
    let mut begun = 0;
    for launch in racing.collect::<Vec<_>>() {
        let answer = launch.await.unwrap();
        if answer.status == 200 {
            begun += 1;
        } else {
            answer.error(409, refused_with);
        }
    }
    begun
}

#[tokio::test]
async fn racing_launches_are_decided_once() {
    let (one, two) = pair().await;
    let user = one.user_of("pro", "ana");
    let app = user.upload(&asgi("")).await;
    let same = through(&two, &app);
    for round in 0..4 {
        let both = [&app, &same].into_iter().cycle().take(4).cloned().collect();
        assert_eq!(race(both, "preview_already_running").await, 1, "round {round}");
        assert_eq!(one.ports().held().len() + two.ports().held().len(), 1);
        // Whoever holds it, either one ends it.
        let other = if round % 2 == 0 { &app } else { &same };
        other.stop().await.expect(200);
        assert_eq!((one.ports().held(), two.ports().held()), (vec![], vec![]));
    }
    let mut apps = Vec::new();
    for number in 0..6 {
        let app = user.upload(&asgi("")).await;
        apps.push(if number % 2 == 0 { app } else { through(&two, &app) });
    }
    assert_eq!(race(apps.clone(), "preview_limit_reached").await, 3, "one limit for both");
    let listed = through(&two, &apps[0]).user.get("/api/previews").await.expect(200);
    let running =
        listed["previews"].as_array().unwrap().iter().filter(|preview| preview["status"] == "running");
    let addresses: Vec<_> = running.map(|preview| preview["baseUrl"].as_str().unwrap().to_owned()).collect();
    assert_eq!(addresses.len(), 3, "{listed}");
}

#[tokio::test]
async fn either_one_answers_for_the_other() {
    let (one, two) = pair().await;
    let app = one.user("ana").upload(&asgi("print('hello', flush=True)")).await;
    let preview = app.launch().await;
    let same = through(&two, &app);
    let status = same.status().await.expect(200);
    assert_eq!((&status["status"], &status["previewInstanceId"]), (&json!("running"), &json!(preview.id)));
    assert_eq!(same.fetch(&preview, "/x").await["data"], "you asked for /x");
    same.line("hello").await;
    let ticket = same.post("/preview/logs/ticket", &json!({})).await.expect(200)["ticket"].clone();
    let query = format!("?ticket={}", ticket.as_str().unwrap());
    let mut stream = same.stream("").await;
    stream.until_message("hello").await;
    assert_eq!(same.open_stream(&query, None).await.status(), 200);
    let files = json!({ "files": { "app/main.py": asgi("print('new', flush=True)")["app/main.py"] } });
    let patched = same.user.patch(&same.path("/files"), &files).await.expect(200);
    assert_eq!(patched["reloaded"], true, "{patched}");
    stream.until_message("new").await;
    same.try_launch(&json!({})).await.error(409, "preview_already_running");
    same.user.get(&same.path("/preview/logs?limit=x")).await.error(400, "invalid_request");
    two.user("bo").generation(&app.project, &app.id).status().await.error(403, "forbidden");

    // A server that is started again takes over its own and leaves the other's alone.
    two.kill_serve();
    two.serve_again().await;
    assert_eq!(same.status().await.expect(200)["previewInstanceId"], preview.id);
    assert_eq!(preview.get("/x").await.text(), "you asked for /x");

    // One that is away takes its previews out of reach, and nothing else.
    one.kill_serve();
    same.status().await.error(503, "preview_unavailable");
    same.try_launch(&json!({})).await.error(503, "preview_unavailable");
    same.user.get("/api/projects").await.expect(200);
    one.serve_again().await;
    let back = async || (same.status().await.status == 200).then_some(());
    eventually("the server that holds it", back).await;
    same.stop().await.expect(200);
    assert_eq!(one.preview_processes(), Vec::<i32>::new());
    let log = same.log().await;
    assert_eq!(log, app.log().await, "once it is over, both know its log");
    let last = log.last().map_or(Value::Null, |line| line["message"].clone());
    assert_eq!(last, "Stopped");
    same.launch().await;
    assert_eq!(app.status().await.expect(200)["status"], "running");
}

#[tokio::test]
async fn where_they_have_a_certificate_they_speak_tls_to_each_other() {
    let url = tokio::task::spawn_blocking(postgres_database).await.unwrap();
    let (certificate, key) = (testdata("localhost.pem"), testdata("localhost.key.pem"));
    let shared = [("STORE_URL", url.as_str()), ("JWT_SECRET", SECRET)];
    let secure = [("TLS_CERTIFICATE", certificate.as_str()), ("TLS_KEY", key.as_str())];
    let at = |address: &'static str| [&shared[..], &secure[..], &[("LISTEN", address)]].concat();
    let one = Server::with(&at("127.0.0.1:0")).await;
    let two = Server::with(&at("127.0.0.2:0")).await;
    let app = one.user("ana").upload(&asgi("print('hello', flush=True)")).await;
    let preview = app.launch().await;
    let same = through(&two, &app);
    assert_eq!(same.status().await.expect(200)["previewInstanceId"], preview.id);
    assert_eq!(same.fetch(&preview, "/x").await["data"], "you asked for /x");
    same.stream("").await.until_message("hello").await;

    // Nothing of it is said in the clear, nor to who has another one.
    let plain = Server::with(&shared).await;
    through(&plain, &app).status().await.error(503, "preview_unavailable");
    assert!(plain.log().contains("it has a certificate, and this server has none"), "{}", plain.log());
    same.stop().await.expect(200);
    assert_eq!(one.preview_processes(), Vec::<i32>::new());
}
