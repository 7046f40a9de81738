use super::*;
use crate::id::GenerationId;
use crate::store::{RequestQuery, RequestRow};

on_both!(the_last_requests_of_a_generation_are_kept, of_a_deleted_generation_nothing_is_kept,);

fn request(number: i64) -> (RequestRow, String) {
    let row = RequestRow {
        id: 0,
        preview_id: PreviewId::parse("preview_1").unwrap(),
        revision: 1,
        at: UnixMillis(number),
        request_id: format!("r{number}"),
        via: "api".to_owned(),
        method: if number % 2 == 0 { "GET" } else { "POST" }.to_owned(),
        target: format!("/Über/{number}?a=1"),
        status: (number != 3).then_some(200 + number),
        duration_micros: number,
        request_bytes: 0,
        response_bytes: 7,
    };
    (row, format!("{{\"n\":{number}}}"))
}

async fn ids(db: &Fixture, id: &GenerationId, query: RequestQuery) -> Vec<i64> {
    let limit = if query.limit == 0 { 1000 } else { query.limit };
    let query = RequestQuery { limit, ..query };
    db.store.requests(id, &query).await.unwrap().into_iter().map(|row| row.id).collect()
}

async fn the_last_requests_of_a_generation_are_kept(db: &Fixture) {
    let id = generation_of(&db.store, "ana").await.id;
    let other = generation_of(&db.store, "ana").await.id;
    let all: Vec<_> = (1..=120).map(request).collect();
    db.store.save_requests(&id, &all[..60], 100).await.unwrap();
    db.store.save_requests(&id, &all[60..], 100).await.unwrap();
    db.store.save_requests(&other, &all[..1], 100).await.unwrap();
    let kept = ids(db, &id, RequestQuery::default()).await;
    assert_eq!((kept.len(), kept[0], kept[99]), (100, 120, 21));
    let (row, detail) = db.store.request(&id, 77).await.unwrap().unwrap();
    assert_eq!((row, detail.as_str()), (RequestRow { id: 77, ..request(77).0 }, "{\"n\":77}"));
    assert_eq!(db.store.request(&id, 20).await.unwrap(), None);
    assert_eq!(db.store.request(&other, 77).await.unwrap(), None);

    let text = |text: &str| Some(text.to_owned());
    let query = RequestQuery { before_id: Some(100), limit: 2, ..RequestQuery::default() };
    assert_eq!(ids(db, &id, query).await, [99, 98]);
    let query = RequestQuery { q: text("über/11"), method: text("get"), ..RequestQuery::default() };
    assert_eq!(ids(db, &id, query).await, [118, 116, 114, 112, 110]);
    let query = RequestQuery { status: Some(3), q: text("R11"), ..RequestQuery::default() };
    assert_eq!(ids(db, &id, query.clone()).await.len(), 10);
    assert_eq!(ids(db, &id, RequestQuery { status: Some(320), ..query }).await, [0_i64; 0]);
}

async fn of_a_deleted_generation_nothing_is_kept(db: &Fixture) {
    let id = generation_of(&db.store, "ana").await.id;
    db.store.save_requests(&id, &[request(1)], 10).await.unwrap();
    assert!(db.store.delete_generation(&id).await.unwrap());
    assert_eq!(db.count("requests").await, 0);
    db.store.save_requests(&id, &[request(1)], 10).await.unwrap_err();
}
