use super::*;
use crate::id::GenerationId;

on_both!(
    projects_are_their_users,
    an_upload_is_kept_as_it_was,
    contents_are_kept_once_and_dropped_with_their_last_file,
    a_patch_changes_all_of_it_and_the_revision,
    a_patch_that_fails_changes_nothing,
    a_patch_of_nothing_there_is_told,
    racing_patches_each_have_their_revision,
    racing_uploads_and_deletions_keep_contents_in_use,
    five_thousand_files_are_kept,
    what_was_found_is_kept_with_its_revision,
    racing_uploads_keep_within_the_quota,
);

async fn projects_are_their_users(db: &Fixture) {
    let project = db.store.create_project(&user("ana"), "Ångström 🚀").await.unwrap();
    let second = db.store.create_project(&user("ana"), "second").await.unwrap();
    assert_eq!(db.store.project(&project.id).await.unwrap(), Some(project.clone()));
    let found = db.store.projects(&user("ana")).await.unwrap();
    assert!(found.len() == 2 && found.contains(&project) && found.contains(&second));
    assert_eq!(db.store.projects(&user("ben")).await.unwrap(), []);
    assert_eq!(db.count("users").await, 1);
}

async fn an_upload_is_kept_as_it_was(db: &Fixture) {
    let project = db.store.create_project(&user("ana"), "shop").await.unwrap();
    let binary: Vec<u8> = (0..=255).collect();
    let mut content = files(&[("app/main.py", "app = 1"), ("app/__init__.py", ""), ("Z.txt", "é")]);
    content.insert("logo.png".to_owned(), binary.clone());
    let new = NewGeneration {
        project_id: project.id.clone(),
        user_id: user("ana"),
        name: "first".to_owned(),
        entrypoint: None,
        found: None,
        files: content.clone(),
    };
    let first = db.store.create_generation(new).await.unwrap();
    assert_eq!((first.revision, first.file_count, first.total_bytes), (1, 4, 7 + 2 + 256));
    assert_eq!(first.entrypoint, None);
    assert_eq!(db.store.generation(&first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(db.store.contents(&first.id).await.unwrap(), content);
    assert_eq!(db.store.file(&first.id, "logo.png").await.unwrap(), Some(binary));
    for missing in ["nope", "app", "logo.png\0"] {
        assert_eq!(db.store.file(&first.id, missing).await.unwrap(), None, "{missing:?}");
    }
    let entries = db.store.files(&first.id).await.unwrap();
    let paths: Vec<_> = entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["Z.txt", "app/__init__.py", "app/main.py", "logo.png"]);
    assert_eq!(entries[1].sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

    let second = upload(&db.store, &project, &[("main.py", "x")]).await;
    let elsewhere = generation_of(&db.store, "ana").await;
    let ids = |found: Vec<Generation>| found.into_iter().map(|generation| generation.id).collect::<Vec<_>>();
    let of_project = db.store.generations(&user("ana"), Some(&project.id)).await.unwrap();
    assert_eq!(ids(of_project), [second.id.clone(), first.id.clone()]);
    let all = db.store.generations(&user("ana"), None).await.unwrap();
    assert_eq!(ids(all), [elsewhere.id, second.id, first.id]);
    assert_eq!(db.store.generations(&user("ben"), Some(&project.id)).await.unwrap(), []);
}

async fn contents_are_kept_once_and_dropped_with_their_last_file(db: &Fixture) {
    let project = db.store.create_project(&user("ana"), "shop").await.unwrap();
    let first = upload(&db.store, &project, &[("a", "same"), ("b", "same"), ("c", "mine")]).await;
    let second = upload(&db.store, &project, &[("d", "same")]).await;
    assert_eq!(db.count("blobs").await, 2);
    let preview = launch_of(&first);
    db.store.begin_preview(preview.clone(), 1, 4000..=4000, &[]).await.unwrap();
    assert!(!db.store.delete_generation(&first.id).await.unwrap(), "it is being launched");
    assert_eq!(db.count("previews").await, 1);
    assert!(db.store.mark_stopped(&preview.id, "deleted", UnixMillis::now()).await.unwrap());
    assert!(db.store.delete_generation(&first.id).await.unwrap());
    assert_eq!((db.count("blobs").await, db.count("files").await), (1, 1));
    assert_eq!(db.store.preview(&preview.id).await.unwrap(), None);
    assert_eq!(db.store.contents(&second.id).await.unwrap(), files(&[("d", "same")]));
    assert!(db.store.delete_generation(&first.id).await.unwrap(), "it is gone already");
    assert!(db.store.delete_generation(&second.id).await.unwrap());
    assert_eq!(db.count("blobs").await, 0);
}

async fn a_patch_changes_all_of_it_and_the_revision(db: &Fixture) {
    let project = db.store.create_project(&user("ana"), "shop").await.unwrap();
    let old = upload(&db.store, &project, &[("a", "old"), ("b", "gone"), ("c", "stays")]).await;
    let changes = BTreeMap::from([
        ("a".to_owned(), Some(b"newer".to_vec())),
        ("b".to_owned(), None),
        ("n".to_owned(), Some(b"stays".to_vec())),
        ("never/was".to_owned(), None),
    ]);
    let new = db.store.patch_files(&old.id, changes).await.unwrap().unwrap();
    assert_eq!((new.revision, new.file_count, new.total_bytes), (2, 3, 15));
    let expected = files(&[("a", "newer"), ("c", "stays"), ("n", "stays")]);
    assert_eq!(db.store.contents(&old.id).await.unwrap(), expected);
    assert_eq!(db.store.generation(&old.id).await.unwrap(), Some(new));
    assert_eq!(db.count("blobs").await, 2);
}

async fn a_patch_that_fails_changes_nothing(db: &Fixture) {
    let old = generation_of(&db.store, "ana").await;
    // The database itself refuses one path of three, after others were written.
    let guard = if db.sqlite_file().is_some() {
        "CREATE TRIGGER guard BEFORE INSERT ON files WHEN NEW.path = 'refused' BEGIN SELECT RAISE(ABORT, 'no'); END"
    } else {
        "ALTER TABLE files ADD CONSTRAINT guard CHECK (path <> 'refused')"
    };
    sqlx::raw_sql(guard).execute(db.raw()).await.unwrap();
    let changes = BTreeMap::from([
        ("a".to_owned(), Some(b"new".to_vec())),
        ("main.py".to_owned(), None),
        ("refused".to_owned(), Some(b"x".to_vec())),
    ]);
    db.store.patch_files(&old.id, changes).await.unwrap_err();
    assert_eq!(db.store.contents(&old.id).await.unwrap(), files(&[("main.py", "app = 1")]));
    assert_eq!(db.store.generation(&old.id).await.unwrap(), Some(old));
    assert_eq!(db.count("blobs").await, 1);
}

async fn a_patch_of_nothing_there_is_told(db: &Fixture) {
    let id = GenerationId::random().unwrap();
    let changes = BTreeMap::from([("a".to_owned(), Some(b"new".to_vec()))]);
    assert_eq!(db.store.patch_files(&id, changes).await.unwrap(), None);
    assert_eq!(db.count("blobs").await, 0);
    assert!(db.store.files(&id).await.unwrap().is_empty());
}

async fn racing_patches_each_have_their_revision(db: &Fixture) {
    let generation = generation_of(&db.store, "ana").await;
    let patches = (0..10).map(|n: u32| {
        let (store, id) = (db.store.clone(), generation.id.clone());
        let changes = BTreeMap::from([(format!("f{n}"), Some(n.to_string().into_bytes()))]);
        tokio::spawn(async move { store.patch_files(&id, changes).await.unwrap().unwrap().revision })
    });
    let mut revisions = Vec::new();
    for patch in patches.collect::<Vec<_>>() {
        revisions.push(patch.await.unwrap());
    }
    revisions.sort_unstable();
    assert_eq!(revisions, (2..=11).collect::<Vec<i64>>());
    assert_eq!(db.store.generation(&generation.id).await.unwrap().unwrap().file_count, 11);
}

async fn racing_uploads_and_deletions_keep_contents_in_use(db: &Fixture) {
    let project = db.store.create_project(&user("ana"), "shop").await.unwrap();
    let rounds = (0..8).map(|_| {
        let (store, project) = (db.store.clone(), project.clone());
        tokio::spawn(async move {
            for _ in 0..5 {
                let generation = upload(&store, &project, &[("a", "shared"), ("b", "also")]).await;
                assert_eq!(store.contents(&generation.id).await.unwrap().len(), 2);
                store.delete_generation(&generation.id).await.unwrap();
            }
        })
    });
    for round in rounds.collect::<Vec<_>>() {
        round.await.unwrap();
    }
    assert_eq!(db.count("blobs").await, 0);
}

async fn five_thousand_files_are_kept(db: &Fixture) {
    let project = db.store.create_project(&user("ana"), "shop").await.unwrap();
    let content: BTreeMap<_, _> =
        (0..5000).map(|n| (format!("f/{n}"), format!("{n}").into_bytes())).collect();
    let new = NewGeneration {
        project_id: project.id,
        user_id: user("ana"),
        name: "large".to_owned(),
        entrypoint: None,
        found: None,
        files: content.clone(),
    };
    let generation = db.store.create_generation(new).await.unwrap();
    assert_eq!(generation.file_count, 5000);
    assert_eq!(db.store.contents(&generation.id).await.unwrap(), content);
}

async fn what_was_found_is_kept_with_its_revision(db: &Fixture) {
    let generation = generation_of(&db.store, "ana").await;
    assert_eq!(generation.found, None);
    let found = Found { revision: 1, entrypoint: Some("main:app".to_owned()) };
    db.store.keep_found(&generation.id, &found).await.unwrap();
    let nothing = BTreeMap::from([("main.py".to_owned(), None)]);
    let patched = db.store.patch_files(&generation.id, nothing).await.unwrap().unwrap();
    assert_eq!((patched.revision, patched.found), (2, Some(found)));
}

async fn racing_uploads_keep_within_the_quota(db: &Fixture) {
    let quotas = crate::config::Quotas { generations: Some(3), ..Default::default() };
    let store = db.store.clone().with_quotas(quotas);
    let project = store.create_project(&user("ana"), "shop").await.unwrap();
    let uploads: Vec<_> = (0..6)
        .map(|_| {
            let (store, project) = (store.clone(), project.clone());
            let new = NewGeneration {
                project_id: project.id,
                user_id: user("ana"),
                name: "one".to_owned(),
                entrypoint: None,
                found: None,
                files: files(&[("main.py", "x")]),
            };
            tokio::spawn(async move { store.create_generation(new).await })
        })
        .collect();
    let mut refused = 0;
    for upload in uploads {
        if let Err(error) = upload.await.unwrap() {
            assert!(
                matches!(error, KeepError::OverQuota { what: "generations", limit: 3, used: 3 }),
                "{error}"
            );
            refused += 1;
        }
    }
    assert_eq!(refused, 3);
    let usage = store.usage(&user("ana")).await.unwrap();
    assert_eq!((usage.projects, usage.generations, usage.stored_bytes), (1, 3, 3));
    assert_eq!(store.usage(&user("ben")).await.unwrap(), Usage::default());
}
