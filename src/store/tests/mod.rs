//! Everything here runs against SQLite and against a PostgreSQL that the tests start.

mod fixture;
mod generations;
mod logs;
mod previews;
mod requests;
mod schema;

use std::collections::BTreeMap;

use fixture::Fixture;

use super::{Found, Generation, KeepError, NewGeneration, NewPreview, Project, Store, Usage};
use crate::id::{PreviewId, UserId};
use crate::time::UnixMillis;

/// Makes two tests of each function: one a database.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            use super::Fixture;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(&Fixture::sqlite().await).await; })+
        }
        mod postgres {
            use super::Fixture;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(&Fixture::postgres().await).await; })+
        }
    };
}
use on_both;

fn user(name: &str) -> UserId {
    UserId(name.to_owned())
}

fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    pairs.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

async fn upload(store: &Store, project: &Project, pairs: &[(&str, &str)]) -> Generation {
    let new = NewGeneration {
        project_id: project.id.clone(),
        user_id: project.user_id.clone(),
        name: "shop".to_owned(),
        entrypoint: Some("app.main:app".to_owned()),
        found: None,
        files: files(pairs),
    };
    store.create_generation(new).await.unwrap()
}

async fn generation_of(store: &Store, name: &str) -> Generation {
    let project = store.create_project(&user(name), "shop").await.unwrap();
    upload(store, &project, &[("main.py", "app = 1")]).await
}

fn launch_of(generation: &Generation) -> NewPreview {
    let now = UnixMillis::now();
    NewPreview {
        id: PreviewId::random().unwrap(),
        generation_id: generation.id.clone(),
        project_id: generation.project_id.clone(),
        user_id: generation.user_id.clone(),
        revision: generation.revision,
        created_at: now,
        expires_at: now.plus_seconds(60),
        launch: r#"{"env":{}}"#.to_owned(),
    }
}
