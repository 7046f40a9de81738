use std::os::unix::fs::PermissionsExt as _;

use sqlx::AssertSqlSafe;

use super::*;
use crate::error::{Error, FailureReason};
use crate::id::{GenerationId, ProjectId};
use crate::store::pools::{MIGRATIONS, open_with};
use crate::store::{LogQuery, LogRow, RequestQuery, Status};

on_both!(
    the_indices_refuse_what_they_promise_to,
    the_checks_refuse_what_no_version_writes,
    opening_again_changes_nothing,
    a_newer_schema_is_refused,
    what_older_versions_wrote_is_read,
);

/// What the first version wrote: a generation that failed, and then ran. Moments, sizes and ports are small.
const FIRST: &[&str] = &[
    "UPDATE counters SET value = CASE name WHEN 'generations' THEN 1 ELSE 2 END",
    "INSERT INTO users VALUES ('ana', 1)",
    "INSERT INTO projects VALUES ('proj_1', 'ana', 'shop', 2)",
    "INSERT INTO generations (id, number, project_id, user_id, name, revision, entrypoint, file_count, total_bytes, created_at) \
     VALUES ('gen_1', 1, 'proj_1', 'ana', 'Über', 3, 'app.main:app', 1, 7, 4)",
    "INSERT INTO files VALUES ('gen_1', 'app/main.py', 7, 'digest')",
    "INSERT INTO previews (id, number, generation_id, project_id, user_id, status, port, revision, created_at, started_at, \
     expires_at, stopped_at, stop_reason, failure, health, last_health_check, launch) \
     VALUES ('preview_1', 1, 'gen_1', 'proj_1', 'ana', 'failed', 4000, 2, 5, 6, 7, 8, 'crashed', \
     '{\"reason\":\"exited\",\"message\":\"gone\"}', 'unhealthy', 9, '{}'), \
     ('preview_2', 2, 'gen_1', 'proj_1', 'ana', 'running', 4000, 3, 10, 11, 12, NULL, NULL, \
     NULL, 'healthy', 13, '{\"env\":{\"A\":\"1\"}}')",
];
/// A line of each preview, as it was written before lines had an index, and since.
const LINES: &str = "INSERT INTO logs VALUES ('preview_1', 1, 20, 'ERROR', 'app', 'stderr', 'It Failed', '{\"n\":1}'), \
                     ('preview_2', 7, 21, 'INFO', 'startup', 'stdout', 'It Runs', NULL)";
const INDEXED_LINES: &str = "INSERT INTO log_lines (key, preview, id, at, level, source, stream, message, searched, fields) VALUES \
     (4294967297, 1, 1, 20, 'ERROR', 'app', 'stderr', 'It Failed', 'it failed', '{\"n\":1}'), \
     (8589934599, 2, 7, 21, 'INFO', 'startup', 'stdout', 'It Runs', 'it runs', NULL)";
const FOUND: &str = "UPDATE generations SET found_entrypoint = 'app.main:app', found_revision = 3";
const REQUESTS: &str = "INSERT INTO requests VALUES \
                        ('gen_1', 5, 'preview_1', 2, 22, 'r5', 'api', 'GET', '/x', 200, 1, 2, 3, '{}')";

/// Writes a preview past the store, so that nothing but the database can refuse it.
async fn insert(
    db: &Fixture,
    of: &Generation,
    number: i64,
    status: &str,
    port: &str,
) -> Result<(), sqlx::Error> {
    let statement = format!(
        "INSERT INTO previews (id, number, generation_id, project_id, user_id, status, port, revision, \
         created_at, expires_at, health, launch) \
         VALUES ('preview_{number}', {number}, $1, $2, $3, '{status}', {port}, 1, 0, 0, 'unknown', '')"
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(of.id.as_str())
        .bind(of.project_id.as_str())
        .bind(of.user_id.0.clone())
        .execute(db.raw())
        .await
        .map(|_| ())
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

async fn the_indices_refuse_what_they_promise_to(db: &Fixture) {
    let (a, b) = (generation_of(&db.store, "ana").await, generation_of(&db.store, "ben").await);
    insert(db, &a, 1, "launching", "4000").await.unwrap();
    for status in ["launching", "running"] {
        let error = insert(db, &a, 2, status, "4001").await.unwrap_err();
        assert!(is_unique_violation(&error), "a second active preview of a generation: {error}");
        let error = insert(db, &b, 2, status, "4000").await.unwrap_err();
        assert!(is_unique_violation(&error), "a port twice: {error}");
    }
    // What has ended holds neither the generation nor the port.
    insert(db, &a, 2, "stopped", "4000").await.unwrap();
    insert(db, &a, 3, "failed", "4000").await.unwrap();
    insert(db, &b, 4, "running", "4001").await.unwrap();
    let revive = "UPDATE previews SET status = 'running' WHERE id = 'preview_3'";
    assert!(is_unique_violation(&sqlx::query(revive).execute(db.raw()).await.unwrap_err()));
}

async fn the_checks_refuse_what_no_version_writes(db: &Fixture) {
    let generation = generation_of(&db.store, "ana").await;
    insert(db, &generation, 1, "paused", "4000").await.unwrap_err();
    insert(db, &generation, 1, "running", "0").await.unwrap_err();
    insert(db, &generation, 1, "running", "65536").await.unwrap_err();
    for statement in [
        "DELETE FROM blobs",
        "INSERT INTO log_lines (key, preview, id, at, level, source, stream, message, searched) \
         VALUES (1, 999, 1, 0, 'INFO', '', '', '', '')",
        "INSERT INTO files (generation_id, path, size, sha256) VALUES ('x', 'a', 0, 'none')",
        "DELETE FROM projects",
    ] {
        sqlx::query(statement).execute(db.raw()).await.unwrap_err();
    }
}

async fn opening_again_changes_nothing(db: &Fixture) {
    let generation = generation_of(&db.store, "ana").await;
    let again = Store::open(&db.url).await.unwrap();
    again.ping().await.unwrap();
    assert_eq!(again.schema_version().await.unwrap(), MIGRATIONS.len() as i64);
    assert_eq!(again.generation(&generation.id).await.unwrap(), Some(generation));
}

async fn a_newer_schema_is_refused(db: &Fixture) {
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 999, description, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1";
    sqlx::query(newer).execute(db.raw()).await.unwrap();
    let error = Store::open(&db.url).await.unwrap_err();
    assert!(error.to_string().contains("schema"), "{error}");
}

/// A store as the version with this newest migration left it.
async fn write_as_of(version: usize, url: &str) {
    let store = open_with(url, &MIGRATIONS[..version]).await.unwrap();
    let content = "INSERT INTO blobs VALUES ('digest', $1)";
    sqlx::query(content).bind(b"app = 1".as_slice()).execute(&store.writers).await.unwrap();
    let mut statements = FIRST.to_vec();
    statements.push(if version < 3 { LINES } else { INDEXED_LINES });
    statements.extend((version >= 4).then_some(FOUND));
    statements.extend((version >= 5).then_some(REQUESTS));
    for statement in statements {
        sqlx::query(statement).execute(&store.writers).await.unwrap();
    }
    store.writers.close().await;
    store.readers.close().await;
}

async fn what_older_versions_wrote_is_read(db: &Fixture) {
    for version in 1..MIGRATIONS.len() {
        let url = db.empty().await;
        write_as_of(version, &url).await;
        let store = Store::open(&url).await.unwrap();
        assert_eq!(store.schema_version().await.unwrap(), MIGRATIONS.len() as i64, "from {version}");
        let generation = uploads_are_read(&store, version).await;
        logs_are_read(&store, version).await;
        previews_are_read(store, &generation).await;
    }
}

async fn uploads_are_read(store: &Store, version: usize) -> Generation {
    let projects = store.projects(&user("ana")).await.unwrap();
    assert_eq!(projects.iter().map(|project| project.id.as_str()).collect::<Vec<_>>(), ["proj_1"]);
    let id = GenerationId::parse("gen_1").unwrap();
    let generation = store.generation(&id).await.unwrap().unwrap();
    let entrypoint = Some("app.main:app".to_owned());
    let found = (version >= 4).then(|| Found { revision: 3, entrypoint: entrypoint.clone() });
    let expected = Generation {
        id: id.clone(),
        project_id: ProjectId::parse("proj_1").unwrap(),
        user_id: user("ana"),
        name: "Über".to_owned(),
        revision: 3,
        entrypoint,
        found,
        file_count: 1,
        total_bytes: 7,
        created_at: UnixMillis(4),
    };
    assert_eq!(generation, expected, "from {version}");
    assert_eq!(store.contents(&id).await.unwrap(), files(&[("app/main.py", "app = 1")]));
    let query = RequestQuery { limit: 9, ..RequestQuery::default() };
    let requests = store.requests(&id, &query).await.unwrap();
    let targets: Vec<_> = requests.iter().map(|row| (row.id, row.target.as_str())).collect();
    assert_eq!(targets, if version >= 5 { vec![(5, "/x")] } else { vec![] }, "from {version}");
    generation
}

async fn logs_are_read(store: &Store, version: usize) {
    for (id, line, fields, word) in [
        ("preview_1", (1, "It Failed"), Some(r#"{"n":1}"#), "fail"),
        ("preview_2", (7, "It Runs"), None, "run"),
    ] {
        let id = PreviewId::parse(id).unwrap();
        let query = LogQuery { limit: 9, q: Some(word.to_owned()), ..LogQuery::default() };
        let found = store.logs(&id, &query).await.unwrap();
        let told: Vec<_> = found.iter().map(|row| (row.id, row.message.as_str())).collect();
        assert_eq!(told, [line], "from {version}");
        assert_eq!(found[0].fields.as_deref(), fields);
        let more = [LogRow { id: line.0 + 1, ..found[0].clone() }];
        assert!(store.append_logs(&id, &more, 9).await.unwrap());
        assert_eq!(store.logs(&id, &query).await.unwrap().len(), 2, "from {version}");
    }
}

/// What ended is told, what runs is this server's, and the next launch follows.
async fn previews_are_read(store: Store, generation: &Generation) {
    let store = store.of_server("one", "http://one").await.unwrap();
    let failed = store.preview(&PreviewId::parse("preview_1").unwrap()).await.unwrap().unwrap();
    assert_eq!((failed.status, failed.stopped_at), (Status::Failed, Some(UnixMillis(8))));
    assert_eq!(failed.failure.unwrap().reason, FailureReason::Exited);
    let active = store.active_previews().await.unwrap();
    let running = store.latest_preview(&generation.id).await.unwrap().unwrap();
    assert_eq!(active, std::slice::from_ref(&running));
    assert_eq!((running.port, running.slot, running.asleep), (Some(4000), None, false));
    assert_eq!(running.launch, r#"{"env":{"A":"1"}}"#);
    let new = launch_of(generation);
    store.begin_preview(new.clone(), 9, 4000..=4009, &[]).await.unwrap_err();
    assert!(store.mark_stopped(&running.id, "user", UnixMillis(30)).await.unwrap());
    assert_eq!(store.begin_preview(new.clone(), 9, 4000..=4009, &[]).await.unwrap(), 4000);
    assert_eq!(store.latest_preview(&generation.id).await.unwrap().unwrap().id, new.id);
    assert!(store.mark_stopped(&new.id, "user", UnixMillis(31)).await.unwrap());
    assert!(store.delete_generation(&generation.id).await.unwrap());
}

async fn open_at_once(url: String) {
    let open = |url: String| tokio::spawn(async move { Store::open(&url).await.map(|_| ()) });
    let opened: Vec<_> = (0..8).map(|_| open(url.clone())).collect();
    for store in opened {
        store.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn first_starts_at_once_agree_in_postgres() {
    open_at_once(super::fixture::new_database().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn first_starts_at_once_agree_in_sqlite() {
    let directory =
        std::env::temp_dir().join(format!("previewd-first-{}", crate::id::random_hex::<8>().unwrap()));
    open_at_once(format!("sqlite://{}/previewd.db", directory.display())).await;
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_the_owners_alone_and_write_ahead() {
    let db = Fixture::sqlite().await;
    let file = db.sqlite_file().unwrap();
    generation_of(&db.store, "ana").await;
    for suffix in ["", "-wal", "-shm"] {
        let mode = std::fs::metadata(format!("{}{suffix}", file.display())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
    for pool in [&db.store.readers, &db.store.writers] {
        let pragma = |name| sqlx::query_scalar::<_, i64>(name).fetch_one(pool);
        assert_eq!(pragma("PRAGMA synchronous").await.unwrap(), 1);
        assert_eq!(pragma("PRAGMA foreign_keys").await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_database_is_told_and_left_as_it_is() {
    let db = Fixture::sqlite().await;
    let file = db.sqlite_file().unwrap().with_file_name("other.db");
    let url = format!("sqlite://{}", file.display());
    let damaged = [b"SQLite format 3\0".as_slice(), &[b'x'; 4096]].concat();
    for (bytes, told) in
        [(b"x".as_slice(), "no database"), (&[b'x'; 4096], "no database"), (&damaged, "damaged")]
    {
        std::fs::write(&file, bytes).unwrap();
        for error in [Store::open(&url).await.unwrap_err(), Store::reach(&url).await.unwrap_err()] {
            assert!(error.whole().contains(told), "{}", error.whole());
        }
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
    }
    std::fs::write(&file, "").unwrap();
    Store::open(&url).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_any_more_takes_nothing() {
    let db = Fixture::sqlite().await;
    let file = db.sqlite_file().unwrap();
    let aside = file.with_file_name("aside.db");
    std::fs::rename(&file, &aside).unwrap();
    for replaced in [false, true] {
        if replaced {
            std::fs::copy(&aside, &file).unwrap();
        }
        let error = db.store.ping().await.unwrap_err();
        assert!(error.whole().contains("removed or replaced"), "{}", error.whole());
        let KeepError::Store(error) = db.store.create_project(&user("ana"), "shop").await.unwrap_err() else {
            panic!("another error");
        };
        assert!(matches!(Error::from(error), Error::StoreUnavailable(_)));
    }
    std::fs::rename(&aside, &file).unwrap();
    db.store.create_project(&user("ana"), "shop").await.unwrap();
    db.store.ping().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_without_its_password() {
    let postgres = super::fixture::new_database().await.replace("previewd@", "me:hunter2@");
    for url in [&postgres, "postgres://me:hunter2@127.0.0.1:1/x", "sqlite:///proc/nowhere/previewd.db"] {
        let error = Store::open(url).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
