use std::os::unix::fs::PermissionsExt as _;

use sqlx::AssertSqlSafe;

use super::*;

on_both!(
    the_indices_refuse_what_they_promise_to,
    the_checks_refuse_what_no_version_writes,
    opening_again_changes_nothing,
    a_newer_schema_is_refused,
);

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
    assert_eq!(again.schema_version().await.unwrap(), 6);
    assert_eq!(again.generation(&generation.id).await.unwrap(), Some(generation));
}

async fn a_newer_schema_is_refused(db: &Fixture) {
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 999, description, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1";
    sqlx::query(newer).execute(db.raw()).await.unwrap();
    let error = Store::open(&db.url).await.unwrap_err();
    assert!(error.to_string().contains("schema"), "{error}");
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

#[tokio::test]
async fn what_cannot_be_opened_is_told_without_its_password() {
    let postgres = super::fixture::new_database().await.replace("previewd@", "me:hunter2@");
    for url in [&postgres, "postgres://me:hunter2@127.0.0.1:1/x", "sqlite:///proc/nowhere/previewd.db"] {
        let error = Store::open(url).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
