//! Nothing grows, whatever is done how often.

use serde_json::json;

use crate::harness::{Server, asgi, descendants, descriptors_but_the_stores, eventually, is_spare};

/// Descriptors that may come once, whatever the rounds: a client's connection, the last of what is made ahead. Fewer than there are
/// rounds.
const ONCE: usize = 16;
const ROUNDS: usize = 20;

/// Waits for the process that the next launch takes.
async fn made_ahead(keeper: i32) {
    let spare = || descendants(keeper).into_iter().any(|(pid, _)| is_spare(pid));
    eventually("what is made ahead", async || spare().then_some(())).await;
}

#[tokio::test]
async fn twenty_rounds_leave_nothing() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("print('hello', flush=True)")).await;
    let round = async || {
        let preview = app.launch().await;
        assert_eq!(preview.get("/x").await.status, 200);
        assert_eq!(app.fetch(&preview, "/y").await["statusCode"], 200);
        let mut stream = app.stream("").await;
        app.stop().await.expect(200);
        stream.rest().await;
        assert_eq!(server.preview_processes(), Vec::<i32>::new());
        assert_eq!(server.ports().held(), Vec::<u16>::new());
        assert_eq!(server.preview_files(), Vec::<std::path::PathBuf>::new());
    };
    // What is opened once and kept is open after these.
    for _ in 0..3 {
        round().await;
    }
    let (serve, keeper) = (server.serve_pid(), server.keeper_pid());
    made_ahead(keeper).await;
    let before = (descriptors_but_the_stores(serve), descriptors_but_the_stores(keeper));
    for _ in 0..ROUNDS {
        round().await;
    }
    // Connections of clients that have gone are closed a moment later.
    let same = async || {
        (descriptors_but_the_stores(serve) <= before.0 + ONCE
            && descriptors_but_the_stores(keeper) <= before.1 + ONCE)
            .then_some(())
    };
    eventually("no descriptor for each round", same).await;
}

#[tokio::test]
async fn failed_launches_leave_no_descriptor() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("raise SystemExit(1)")).await;
    for _ in 0..3 {
        app.try_launch(&json!({})).await.error(500, "launch_failed");
    }
    let (serve, keeper) = (server.serve_pid(), server.keeper_pid());
    made_ahead(keeper).await;
    let before = (descriptors_but_the_stores(serve), descriptors_but_the_stores(keeper));
    for _ in 0..ROUNDS {
        app.try_launch(&json!({})).await.error(500, "launch_failed");
    }
    let same = async || {
        (descriptors_but_the_stores(serve) <= before.0 + ONCE
            && descriptors_but_the_stores(keeper) <= before.1 + ONCE)
            .then_some(())
    };
    eventually("no descriptor for each round", same).await;
    assert_eq!((server.preview_processes(), server.ports().held()), (vec![], vec![]));
}
