use super::*;
use crate::config::LogLevel;
use crate::store::{LogQuery, LogRow};

on_both!(
    lines_come_back_as_they_were_saved_and_the_last_are_kept,
    pages_and_filters_narrow,
    searches_find_what_stands_there_and_nothing_of_others,
    the_index_forgets_what_is_gone,
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
        searched: message.to_lowercase(),
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

async fn lines_come_back_as_they_were_saved_and_the_last_are_kept(db: &Fixture) {
    let (id, other) = (preview(db).await, preview(db).await);
    assert_eq!(db.store.last_log_id(&id).await.unwrap(), 0);
    let lines: Vec<_> = (1..=250).map(|n| line(n, LogLevel::Info, "app", &format!("zeile {n} ✓"))).collect();
    assert!(db.store.append_logs(&id, &lines, 300).await.unwrap());
    let all = LogQuery { limit: 1000, ..LogQuery::default() };
    assert_eq!(db.store.logs(&id, &all).await.unwrap(), lines);
    assert_eq!(db.store.last_log_id(&id).await.unwrap(), 250);
    assert_eq!(db.store.logs(&other, &all).await.unwrap(), []);

    // Lines that are there are not written twice, and of all the last are kept.
    let more: Vec<_> = (201..=320).map(|n| line(n, LogLevel::Warn, "app", "later")).collect();
    assert!(db.store.append_logs(&id, &more, 300).await.unwrap());
    let expected: Vec<_> = lines[20..].iter().chain(&more[50..]).cloned().collect();
    assert_eq!(db.store.logs(&id, &all).await.unwrap(), expected);
    assert!(db.store.append_logs(&id, &[line(400, LogLevel::Warn, "app", "a\0b")], 1).await.unwrap());
    let kept = db.store.logs(&id, &all).await.unwrap();
    assert_eq!(kept, [line(400, LogLevel::Warn, "app", "a\u{FFFD}b")]);
}

async fn searches_find_what_stands_there_and_nothing_of_others(db: &Fixture) {
    let (id, other) = (preview(db).await, preview(db).await);
    let texts = [
        "say \"hi\" AND go",
        "100% of it",
        "100 percent",
        "a_b",
        "axb",
        "c:\\temp",
        "日本語のログ",
        "ŠKODA",
        "x' OR 1=1 --",
        "ab",
    ];
    let numbered = || (1..).zip(texts);
    let lines: Vec<_> = numbered().map(|(n, text)| line(n, LogLevel::Info, "app", text)).collect();
    for preview in [&id, &other] {
        db.store.append_logs(preview, &lines, 100).await.unwrap();
    }
    let all = LogQuery { limit: 1000, ..LogQuery::default() };
    for (number, text) in numbered() {
        let q = Some(text.to_lowercase());
        assert_eq!(ids(db, &id, LogQuery { q, ..all.clone() }).await, [number], "{text}");
    }
    let cases: [(&str, &[i64]); 8] = [
        ("100%", &[2]),
        ("100", &[2, 3]),
        ("_", &[4]),
        ("本語の", &[7]),
        ("ško", &[8]),
        ("\"", &[1]),
        ("nowhere to be found", &[]),
        ("say \"hi\" and go home", &[]),
    ];
    for (q, found) in cases {
        assert_eq!(ids(db, &id, LogQuery { q: Some(q.to_owned()), ..all.clone() }).await, found, "{q}");
    }
}

async fn the_index_forgets_what_is_gone(db: &Fixture) {
    let generation = generation_of(&db.store, "ana").await;
    let new = launch_of(&generation);
    db.store.begin_preview(new.clone(), 9, 4000..=4009, &[]).await.unwrap();
    let lines: Vec<_> = (1..=20).map(|n| line(n, LogLevel::Info, "app", "needle in a stack")).collect();
    db.store.append_logs(&new.id, &lines, 5).await.unwrap();
    let query = LogQuery { limit: 100, q: Some("needle".to_owned()), ..LogQuery::default() };
    assert_eq!(ids(db, &new.id, query.clone()).await, [16, 17, 18, 19, 20]);
    db.store.mark_stopped(&new.id, "stopped", UnixMillis::now()).await.unwrap();
    assert!(db.store.delete_generation(&generation.id).await.unwrap());
    assert_eq!(db.count("log_lines").await, 0);
    assert_eq!(ids(db, &new.id, query.clone()).await, [0_i64; 0]);
    // The next one has a number of its own, and finds nothing of the last.
    let next = preview(db).await;
    db.store.append_logs(&next, &[line(1, LogLevel::Info, "app", "nothing")], 5).await.unwrap();
    assert_eq!(ids(db, &next, query).await, [0_i64; 0]);
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
    db.store.append_logs(&id, &lines, 100).await.unwrap();
    let all = LogQuery { limit: 1000, ..LogQuery::default() };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(ids(db, &id, LogQuery { limit: 2, ..all.clone() }).await, [1, 2]);
    assert_eq!(ids(db, &id, LogQuery { after_id: 2, limit: 2, ..all.clone() }).await, [3, 4]);
    assert_eq!(ids(db, &id, LogQuery { after_id: 5, ..all.clone() }).await, [0_i64; 0]);
    assert_eq!(ids(db, &id, LogQuery { level: Some(LogLevel::Warn), ..all.clone() }).await, [3, 4]);
    assert_eq!(ids(db, &id, LogQuery { source: text("app"), limit: 2, ..all.clone() }).await, [3, 4]);
    assert_eq!(ids(db, &id, LogQuery { source: text("app\0"), ..all.clone() }).await, [0_i64; 0]);
    assert_eq!(ids(db, &id, LogQuery { q: text("über"), ..all.clone() }).await, [2, 3]);
    assert_eq!(ids(db, &id, LogQuery { q: text("0%"), ..all.clone() }).await, [2]);
    assert_eq!(ids(db, &id, LogQuery { q: text("r_a"), ..all.clone() }).await, [3]);
    let of = |request: &str| LogQuery {
        request_id: text(request),
        ..LogQuery { limit: 9, ..LogQuery::default() }
    };
    let mut asked = line(6, LogLevel::Info, "request", "GET /");
    asked.fields = Some(r#"{"method":"GET","requestId":"Req-1"}"#.to_owned());
    db.store.append_logs(&id, &[asked], 100).await.unwrap();
    assert_eq!((ids(db, &id, of("Req-1")).await, ids(db, &id, of("req-1")).await), (vec![6], vec![]));
    let narrow = LogQuery { level: Some(LogLevel::Info), source: text("app"), q: text("b"), ..all };
    assert_eq!(ids(db, &id, narrow).await, [3, 4]);
}

async fn a_preview_that_is_not_there_keeps_nothing(db: &Fixture) {
    let id = PreviewId::random().unwrap();
    let lines = [line(1, LogLevel::Info, "app", "x")];
    assert!(!db.store.append_logs(&id, &lines, 9).await.unwrap());
    assert_eq!(db.count("log_lines").await, 0);
}
