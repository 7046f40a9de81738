use super::*;
use crate::error::{Error, FailureReason, LaunchFailure};
use crate::store::{BeginError, Health, Preview, Status};

on_both!(
    a_preview_lives_and_is_told_as_it_was_written,
    a_failed_preview_keeps_why,
    the_last_word_is_not_taken_back,
    ports_are_the_lowest_free_ones,
    of_racing_launches_of_one_generation_one_begins,
    racing_launches_never_pass_the_limit,
    racing_users_have_ports_of_their_own,
    a_launch_of_nothing_there_is_an_error,
    servers_that_share_a_store_have_previews_of_their_own,
);

async fn begin(db: &Fixture, generation: &Generation, limit: u32) -> Preview {
    let new = launch_of(generation);
    db.store.begin_preview(new.clone(), limit, 4000..=4099, &[]).await.unwrap();
    db.store.preview(&new.id).await.unwrap().unwrap()
}

fn failure() -> LaunchFailure {
    LaunchFailure {
        reason: FailureReason::Exited,
        message: "It exited.".to_owned(),
        exit_code: Some(3),
        signal: None,
        log_tail: vec!["last \"words\"\0".to_owned()],
        hint: None,
    }
}

async fn a_preview_lives_and_is_told_as_it_was_written(db: &Fixture) {
    let generation = generation_of(&db.store, "ana").await;
    let new = launch_of(&generation);
    let port = db.store.begin_preview(new.clone(), 1, 4000..=4001, &[]).await.unwrap();
    let preview = db.store.preview(&new.id).await.unwrap().unwrap();
    assert_eq!(
        (preview.status, preview.port, preview.health),
        (Status::Launching, Some(port), Health::Unknown)
    );
    assert_eq!((preview.started_at, preview.stopped_at, &preview.failure), (None, None, &None));
    assert_eq!((preview.expires_at, preview.launch.as_str()), (new.expires_at, r#"{"env":{}}"#));

    let at = |n: i64| UnixMillis(1_700_000_000_000 + n);
    assert!(db.store.mark_running(&new.id, at(1), Health::Unhealthy, 1).await.unwrap());
    assert!(db.store.set_health(&new.id, Health::Healthy, at(2)).await.unwrap());
    assert!(db.store.set_serving(&new.id, 7, 3).await.unwrap());
    assert!(db.store.set_port(&new.id, 4001).await.unwrap());
    let running = db.store.preview(&new.id).await.unwrap().unwrap();
    assert_eq!((running.status, running.health, running.revision), (Status::Running, Health::Healthy, 7));
    assert_eq!(
        (running.started_at, running.last_health_check, running.port),
        (Some(at(1)), Some(at(2)), Some(4001))
    );
    assert_eq!(db.store.active_previews().await.unwrap(), [running]);

    assert!(db.store.mark_stopped(&new.id, "idle", at(3)).await.unwrap());
    let stopped = db.store.latest_preview(&generation.id).await.unwrap().unwrap();
    assert_eq!((stopped.status, stopped.stopped_at), (Status::Stopped, Some(at(3))));
    assert_eq!((stopped.stop_reason.as_deref(), stopped.launch.as_str()), (Some("idle"), "{}"));
    assert_eq!(db.store.active_previews().await.unwrap(), []);
    let second = begin(db, &generation, 1).await;
    assert_eq!(db.store.latest_preview(&generation.id).await.unwrap().unwrap().id, second.id);
    let ids: Vec<_> = db.store.previews_of(&user("ana")).await.unwrap().into_iter().map(|p| p.id).collect();
    assert_eq!(ids, [second.id, new.id]);
    assert_eq!(db.store.previews_of(&user("ben")).await.unwrap(), []);
}

async fn a_failed_preview_keeps_why(db: &Fixture) {
    let generation = generation_of(&db.store, "ana").await;
    let first = begin(db, &generation, 1).await;
    assert!(db.store.mark_failed(&first.id, &failure(), UnixMillis(5)).await.unwrap());
    let failed = db.store.preview(&first.id).await.unwrap().unwrap();
    assert_eq!(
        (failed.status, failed.failure, failed.stopped_at),
        (Status::Failed, Some(failure()), Some(UnixMillis(5)))
    );
    assert_eq!(failed.stop_reason.as_deref(), Some("launch_failed"));

    let second = begin(db, &generation, 1).await;
    db.store.mark_running(&second.id, UnixMillis(6), Health::Unknown, 1).await.unwrap();
    assert!(db.store.mark_failed(&second.id, &failure(), UnixMillis(7)).await.unwrap());
    let crashed = db.store.preview(&second.id).await.unwrap().unwrap();
    assert_eq!((crashed.stop_reason.as_deref(), crashed.launch.as_str()), (Some("crashed"), "{}"));
    assert!(db.store.mark_stopped(&second.id, "stopped", UnixMillis(8)).await.unwrap());
    let cleared = db.store.preview(&second.id).await.unwrap().unwrap();
    assert_eq!((cleared.status, cleared.failure), (Status::Stopped, Some(failure())));
}

async fn the_last_word_is_not_taken_back(db: &Fixture) {
    let preview = begin(db, &generation_of(&db.store, "ana").await, 1).await;
    let at = UnixMillis(1);
    assert!(!db.store.set_health(&preview.id, Health::Healthy, at).await.unwrap());
    assert!(db.store.mark_stopped(&preview.id, "stopped", at).await.unwrap());
    assert!(!db.store.mark_stopped(&preview.id, "expired", at).await.unwrap());
    assert!(!db.store.mark_running(&preview.id, at, Health::Healthy, 1).await.unwrap());
    assert!(!db.store.mark_failed(&preview.id, &failure(), at).await.unwrap());
    assert!(!db.store.set_port(&preview.id, 4005).await.unwrap());
    assert!(!db.store.set_serving(&preview.id, 9, 2).await.unwrap());
    let stopped = db.store.preview(&preview.id).await.unwrap().unwrap();
    assert_eq!(stopped.stop_reason.as_deref(), Some("stopped"));
}

async fn ports_are_the_lowest_free_ones(db: &Fixture) {
    let mut previews = Vec::new();
    for expected in [4001, 4003, 4004] {
        let new = launch_of(&generation_of(&db.store, "ana").await);
        let port = db.store.begin_preview(new.clone(), 9, 4000..=4004, &[4000, 4002]).await.unwrap();
        assert_eq!(port, expected);
        previews.push(new.id);
    }
    let last = launch_of(&generation_of(&db.store, "ana").await);
    let full = db.store.begin_preview(last.clone(), 9, 4000..=4004, &[4000, 4002]).await;
    assert!(matches!(full, Err(BeginError::PortsExhausted)));
    db.store.mark_failed(&previews[1], &failure(), UnixMillis(1)).await.unwrap();
    assert_eq!(db.store.begin_preview(last, 9, 4000..=4004, &[4000, 4002]).await.unwrap(), 4003);
    db.store.set_port(&previews[0], 4004).await.unwrap_err();
}

async fn of_racing_launches_of_one_generation_one_begins(db: &Fixture) {
    let generation = generation_of(&db.store, "ana").await;
    let results = race(db, vec![launch_of(&generation); 20], 20).await;
    let won: Vec<_> = results.iter().filter(|(_, result)| result.is_ok()).collect();
    assert_eq!(won.len(), 1);
    for (id, result) in &results {
        match result {
            Ok(port) => assert_eq!(*port, 4000),
            Err(BeginError::AlreadyRunning(running)) => assert!(*running == won[0].0 && running != id),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(db.store.active_previews().await.unwrap().len(), 1);
}

async fn racing_launches_never_pass_the_limit(db: &Fixture) {
    let mut launches = Vec::new();
    for _ in 0..20 {
        launches.push(launch_of(&generation_of(&db.store, "ana").await));
    }
    let results = race(db, launches, 3).await;
    assert_eq!(results.iter().filter(|(_, result)| result.is_ok()).count(), 3);
    let at_limit = |(_, result): &&(PreviewId, Result<u16, BeginError>)| {
        matches!(result, Err(BeginError::LimitReached { limit: 3, active: 3 }))
    };
    assert_eq!(results.iter().filter(at_limit).count(), 17);
    assert_eq!(db.store.active_previews().await.unwrap().len(), 3);
}

async fn racing_users_have_ports_of_their_own(db: &Fixture) {
    let mut launches = Vec::new();
    for n in 0..20 {
        launches.push(launch_of(&generation_of(&db.store, &format!("user {n}")).await));
    }
    let mut ports: Vec<_> =
        race(db, launches, 1).await.into_iter().map(|(_, result)| result.unwrap()).collect();
    ports.sort_unstable();
    assert_eq!(ports, (4000..4020).collect::<Vec<_>>());
}

/// All at once, each under an id of its own.
async fn race(
    db: &Fixture,
    launches: Vec<NewPreview>,
    limit: u32,
) -> Vec<(PreviewId, Result<u16, BeginError>)> {
    let start = std::sync::Arc::new(tokio::sync::Barrier::new(launches.len()));
    let tasks = launches.into_iter().map(|mut new| {
        let (store, start) = (db.store.clone(), start.clone());
        new.id = PreviewId::random().unwrap();
        tokio::spawn(async move {
            start.wait().await;
            (new.id.clone(), store.begin_preview(new, limit, 4000..=4099, &[]).await)
        })
    });
    let mut results = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        results.push(task.await.unwrap());
    }
    results
}

async fn a_launch_of_nothing_there_is_an_error(db: &Fixture) {
    let generation = generation_of(&db.store, "ana").await;
    db.store.delete_generation(&generation.id).await.unwrap();
    let result = db.store.begin_preview(launch_of(&generation), 1, 4000..=4000, &[]).await;
    assert!(matches!(result, Err(BeginError::GenerationGone)), "{result:?}");
}

async fn servers_that_share_a_store_have_previews_of_their_own(db: &Fixture) {
    let (generation, other) = (generation_of(&db.store, "ana").await, generation_of(&db.store, "ana").await);
    let before = begin(db, &generation, 2).await;
    let one = db.store.clone().of_server("one", "1.1.1.1:1").await.unwrap();
    let two = db.store.clone().of_server("two", "2.2.2.2:2").await.unwrap();
    assert_eq!(
        one.active_previews().await.unwrap(),
        std::slice::from_ref(&before),
        "what was nobody's is the first one's"
    );
    assert_eq!(two.active_previews().await.unwrap(), []);
    let again = two.begin_preview(launch_of(&generation), 2, 4000..=4099, &[]).await;
    assert!(matches!(again, Err(BeginError::AlreadyRunning(id)) if id == before.id));
    let new = launch_of(&other);
    let port = two.begin_preview(new.clone(), 2, 4000..=4099, &[]).await.unwrap();
    assert_eq!(Some(port), before.port, "each has ports of its own");
    let third = generation_of(&db.store, "ana").await;
    let full = one.begin_preview(launch_of(&third), 2, 4000..=4099, &[]).await;
    assert!(
        matches!(full, Err(BeginError::LimitReached { limit: 2, active: 2 })),
        "one limit for all: {full:?}"
    );

    assert_eq!(two.held_elsewhere(&generation.id).await.unwrap().as_deref(), Some("1.1.1.1:1"));
    assert_eq!(one.held_elsewhere(&generation.id).await.unwrap(), None);
    assert_eq!(two.expire_forgotten(before.expires_at).await.unwrap(), 0);
    assert_eq!(two.expire_forgotten(UnixMillis(before.expires_at.0 + 1)).await.unwrap(), 1);
    let gone = db.store.preview(&before.id).await.unwrap().unwrap();
    assert_eq!((gone.status, gone.stop_reason.as_deref()), (Status::Stopped, Some("expired")));
    assert_eq!(two.active_previews().await.unwrap().len(), 1, "its own it leaves alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_ended_preview_was_launched_with_is_nowhere_in_the_files() {
    let db = Fixture::sqlite().await;
    let secret = "of the launch alone";
    let in_files = || {
        let file = db.sqlite_file().unwrap().display().to_string();
        let bytes = [file.clone(), file + "-wal"].map(|file| std::fs::read(file).unwrap()).concat();
        memchr::memmem::find(&bytes, secret.as_bytes()).is_some()
    };
    // Within a page, and in pages of its own.
    for times in [1, 1000] {
        let generation = generation_of(&db.store, "ana").await;
        let new = NewPreview { launch: secret.repeat(times), ..launch_of(&generation) };
        db.store.begin_preview(new.clone(), 9, 4000..=4009, &[]).await.unwrap();
        assert!(db.store.empty_write_ahead_file().await.unwrap() && in_files());
        assert!(db.store.mark_stopped(&new.id, "user", UnixMillis(1)).await.unwrap());
        let mut reading = db.store.readers.begin().await.unwrap();
        sqlx::query("SELECT * FROM counters").fetch_all(&mut *reading).await.unwrap();
        db.store.create_project(&user("ben"), "shop").await.unwrap();
        assert!(!db.store.empty_write_ahead_file().await.unwrap(), "somebody reads");
        reading.rollback().await.unwrap();
        assert!(db.store.empty_write_ahead_file().await.unwrap());
        assert!(!in_files(), "{times}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_in_postgres_is_waited_for_so_long_and_no_longer() {
    let db = Fixture::postgres().await;
    let timeout = sqlx::query_scalar::<_, String>("SHOW lock_timeout").fetch_one(db.raw());
    assert_eq!(timeout.await.unwrap(), "30s");
    let impatient = Store::open(&format!("{}&options[lock_timeout]=50ms", db.url)).await.unwrap();
    let new = launch_of(&generation_of(&db.store, "ana").await);
    let begin = async |store: &Store| store.begin_preview(new.clone(), 9, 4000..=4009, &[]).await;

    let mut lock = db.raw().begin().await.unwrap();
    let statement = "LOCK TABLE previews IN ACCESS EXCLUSIVE MODE";
    sqlx::query(statement).execute(&mut *lock).await.unwrap();
    let BeginError::Store(refused) = begin(&impatient).await.unwrap_err() else { panic!("another error") };
    for error in [refused, impatient.preview(&new.id).await.unwrap_err()] {
        assert!(matches!(Error::from(error), Error::StoreUnavailable(_)));
    }
    lock.rollback().await.unwrap();
    assert_eq!(begin(&impatient).await.unwrap(), 4000);
}
