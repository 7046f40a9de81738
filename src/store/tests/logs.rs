use super::*;
use crate::config::LogLevel;
use crate::store::{LogQuery, LogRow};

on_both!(
    lines_come_back_as_they_were_saved_and_are_replaced,
    pages_and_filters_narrow,
    a_preview_that_is_not_there_keeps_nothing,
);

fn line(id: i64, level: LogLevel, source: &str, message: &str) -> LogRow {
    LogRow {
        id,
        at: UnixMillis(1000 + id),
        level,
        source: source.to_owned(),
        stream: "stdout".to_owned(),
        message: message.to_owned(),
        fields: (id % 2 == 0).then(|| format!(r#"{{"n":{id}}}"#)),
    }
}

async fn preview(db: &Fixture) -> PreviewId {
    let new = launch_of(&generation_of(&db.store, "ana").await);
    db.store.begin_preview(new.clone(), 9, 4000..=4009, &[]).await.unwrap();
    new.id
}

async fn ids(db: &Fixture, id: &PreviewId, query: LogQuery) -> Vec<i64> {
    db.store.logs(id, &query).await.unwrap().into_iter().map(|row| row.id).collect()
}

async fn lines_come_back_as_they_were_saved_and_are_replaced(db: &Fixture) {
    let (id, other) = (preview(db).await, preview(db).await);
    assert_eq!(db.store.last_log_id(&id).await.unwrap(), 0);
    let lines: Vec<_> = (1..=250).map(|n| line(n, LogLevel::Info, "app", &format!("zeile {n} ✓"))).collect();
    db.store.save_logs(&id, &lines).await.unwrap();
    let all = LogQuery { limit: 1000, ..LogQuery::default() };
    assert_eq!(db.store.logs(&id, &all).await.unwrap(), lines);
    assert_eq!(db.store.last_log_id(&id).await.unwrap(), 250);
    assert_eq!(db.store.logs(&other, &all).await.unwrap(), []);

    db.store.save_logs(&id, &[line(300, LogLevel::Warn, "app", "a\0b")]).await.unwrap();
    let kept = db.store.logs(&id, &all).await.unwrap();
    assert_eq!(kept, [line(300, LogLevel::Warn, "app", "a\u{FFFD}b")]);
}

async fn pages_and_filters_narrow(db: &Fixture) {
    let id = preview(db).await;
    let lines = [
        line(1, LogLevel::Debug, "install", "Resolving"),
        line(2, LogLevel::Info, "startup", "STRASSE Über 100%"),
        line(3, LogLevel::Warn, "app", "über_all"),
        line(4, LogLevel::Error, "app", "Boom"),
        line(5, LogLevel::Info, "app", "fine"),
    ];
    db.store.save_logs(&id, &lines).await.unwrap();
    let all = LogQuery { limit: 1000, ..LogQuery::default() };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(ids(db, &id, LogQuery { limit: 2, ..all.clone() }).await, [1, 2]);
    assert_eq!(ids(db, &id, LogQuery { after_id: 2, limit: 2, ..all.clone() }).await, [3, 4]);
    assert_eq!(ids(db, &id, LogQuery { after_id: 5, ..all.clone() }).await, [0_i64; 0]);
    assert_eq!(ids(db, &id, LogQuery { level: Some(LogLevel::Warn), ..all.clone() }).await, [3, 4]);
    assert_eq!(ids(db, &id, LogQuery { source: text("app"), limit: 2, ..all.clone() }).await, [3, 4]);
    assert_eq!(ids(db, &id, LogQuery { source: text("app\0"), ..all.clone() }).await, [0_i64; 0]);
    assert_eq!(ids(db, &id, LogQuery { q: text("ÜBER"), ..all.clone() }).await, [2, 3]);
    assert_eq!(ids(db, &id, LogQuery { q: text("0%"), ..all.clone() }).await, [2]);
    assert_eq!(ids(db, &id, LogQuery { q: text("r_a"), ..all.clone() }).await, [3]);
    let narrow = LogQuery { level: Some(LogLevel::Info), source: text("app"), q: text("B"), ..all };
    assert_eq!(ids(db, &id, narrow).await, [3, 4]);
}

async fn a_preview_that_is_not_there_keeps_nothing(db: &Fixture) {
    let id = PreviewId::random().unwrap();
    db.store.save_logs(&id, &[line(1, LogLevel::Info, "app", "x")]).await.unwrap_err();
    assert_eq!(db.count("logs").await, 0);
}
