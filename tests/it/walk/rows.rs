//! What the store says: it agrees with what runs, and nothing in it or beside it belongs to what is gone.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

/// What is there without what it belongs to.
const ORPHANS: [(&str, &str); 4] = [
    ("rows that name others", "SELECT \"table\" || ' ' || rowid FROM pragma_foreign_key_check"),
    ("contents of no file", "SELECT sha256 FROM blobs WHERE sha256 NOT IN (SELECT sha256 FROM files)"),
    (
        "words of no line",
        "SELECT CAST(id AS TEXT) FROM log_index_docsize WHERE id NOT IN (SELECT key FROM log_lines)",
    ),
    (
        "requests of no preview",
        "SELECT preview_id FROM requests WHERE preview_id NOT IN (SELECT id FROM previews)",
    ),
];

/// Whether these run and no others, and nothing is left of what was deleted.
pub async fn agree(data_dir: &Path, running: &BTreeSet<String>) -> Result<(), String> {
    let options = SqliteConnectOptions::new().filename(data_dir.join("previewd.db")).read_only(true);
    let mut store = SqliteConnection::connect_with(&options).await.unwrap();
    let active = texts(&mut store, "SELECT id FROM previews WHERE status IN ('launching', 'running')").await;
    if active != *running {
        return Err(format!("active in the store: {active:?} instead of {running:?}"));
    }
    for (what, statement) in ORPHANS {
        let found = texts(&mut store, statement).await;
        assert!(found.is_empty(), "{what}: {found:?}");
    }
    let generations = texts(&mut store, "SELECT id FROM generations").await;
    let kept = kept_databases(data_dir);
    assert!(kept.is_subset(&generations), "databases of {kept:?}, and there are {generations:?}");
    store.close().await.unwrap();
    Ok(())
}

async fn texts(store: &mut SqliteConnection, statement: &'static str) -> BTreeSet<String> {
    sqlx::query_scalar(statement).fetch_all(store).await.unwrap().into_iter().collect()
}

/// The generations that have one.
fn kept_databases(data_dir: &Path) -> BTreeSet<String> {
    let kept = std::fs::read_dir(data_dir.join("previews")).into_iter().flatten().flatten();
    kept.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
