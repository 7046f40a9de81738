//! Nothing grows, whatever is done how often.

use serde_json::json;

use crate::harness::{Server, asgi, descriptors, eventually};

/// A zygote and the sandbox beside it may be there before or only after, with fewer descriptors than there are rounds.
const MADE_AHEAD: usize = 12;
const ROUNDS: usize = 20;

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
    // What is opened once and kept, such as the store's connections, is open after these.
    for _ in 0..3 {
        round().await;
    }
    let (serve, keeper) = (server.serve_pid(), server.keeper_pid());
    let before = (descriptors(serve), descriptors(keeper));
    for _ in 0..ROUNDS {
        round().await;
    }
    // Connections of clients that have gone are closed a moment later.
    let same = async || {
        (descriptors(serve) <= before.0 && descriptors(keeper) <= before.1 + MADE_AHEAD).then_some(())
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
    let before = (descriptors(serve), descriptors(keeper));
    for _ in 0..ROUNDS {
        app.try_launch(&json!({})).await.error(500, "launch_failed");
    }
    let same = async || {
        (descriptors(serve) <= before.0 && descriptors(keeper) <= before.1 + MADE_AHEAD).then_some(())
    };
    eventually("no descriptor for each round", same).await;
    assert_eq!((server.preview_processes(), server.ports().held()), (vec![], vec![]));
}
