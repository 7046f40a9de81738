//! Projects, generations and their files, as JSON and as archives.

use std::io::{Cursor, Write};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

use crate::harness::{Answer, Guest, Server, User, asgi};

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Names are written as they are, whatever they are.
fn tar(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_old();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn upload(user: &User, project: &str, kind: &str, body: Vec<u8>) -> Answer {
    user.post_bytes(&format!("/api/projects/{project}/generations"), kind, body).await
}

#[tokio::test]
async fn projects_and_generations_are_kept_and_listed() {
    let server = Server::start().await;
    let user = server.user("ana");
    let made = user.post("/api/projects", &json!({ "name": "Bücher" })).await.expect(201);
    assert!(made["projectId"].as_str().unwrap().starts_with("proj_") && made["createdAt"].is_string());
    assert_eq!(user.get("/api/projects").await.expect(200)["projects"], json!([made]));
    let project = made["projectId"].as_str().unwrap();
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        let body = json!({ "name": name, "files": asgi("") });
        let path = format!("/api/projects/{project}/generations");
        let generation = user.post(&path, &body).await.expect(201);
        let id = generation["generationId"].as_str().unwrap().to_owned();
        assert!(id.starts_with("gen_"));
        assert_eq!(
            (&generation["name"], &generation["revision"], &generation["fileCount"]),
            (&json!(name), &json!(1), &json!(2))
        );
        assert_eq!(
            (&generation["projectId"], &generation["entrypoint"]),
            (&json!(project), &json!("app.main:app"))
        );
        let again = user.get(&format!("/api/generations/{id}")).await.expect(200);
        assert_eq!(again, generation);
        let list = user.get(&format!("/api/generations?projectId={project}")).await.expect(200);
        assert_eq!(list["generations"][0], generation);
        ids.insert(0, id);
    }
    let listed = async |query: &str| {
        let body = user.get(&format!("/api/generations{query}")).await.expect(200);
        let ids = body["generations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|g| g["generationId"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, ids, "newest first");
    let other = user.project().await;
    assert_eq!(listed(&format!("?projectId={project}")).await, ids);
    assert_eq!(listed(&format!("?projectId={other}")).await, Vec::<String>::new());
    assert_eq!(user.delete(&format!("/api/generations/{}", ids[0])).await.status, 204);
    assert_eq!(listed("").await, ids[1..]);
    user.delete(&format!("/api/generations/{}", ids[0])).await.error(404, "generation_not_found");
}

#[tokio::test]
async fn files_are_kept_byte_for_byte() {
    let server = Guest::arrive().await;
    let user = server.user();
    let all: Vec<u8> = (0..=255).collect();
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &all);
    let files = json!({ "a/b c/ü.txt": "grüß\r\n", "all.bin": { "base64": base64 }, "empty": "", "./dotted.txt": "x", "page.html": "<script>" });
    let app = user.upload(&files).await;
    let listed = app.get("/files").await.expect(200);
    let find = |path: &str| {
        let mut files = listed["files"].as_array().unwrap().iter();
        files.find(|file| file["path"] == path).unwrap_or_else(|| panic!("{path} in {listed}")).clone()
    };
    for (path, url, content) in [
        ("a/b c/ü.txt", "a/b%20c/%C3%BC.txt", "grüß\r\n".as_bytes()),
        ("all.bin", "all.bin", &all),
        ("empty", "empty", b""),
        ("dotted.txt", "dotted.txt", b"x"),
    ] {
        let expected =
            json!({ "path": path, "size": content.len(), "sha256": hex::encode(Sha256::digest(content)) });
        assert_eq!(find(path), expected);
        let answer = app.get(&format!("/files/{url}")).await;
        assert_eq!((answer.status, answer.bytes.as_ref()), (200, content));
    }
    let page = app.get("/files/page.html").await;
    assert_eq!(
        page.header("content-type"),
        Some("application/octet-stream"),
        "nothing that a browser would run"
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    for missing in ["nothing", "a", "a/b%20c", "..%2f..%2fetc%2fpasswd", "%00"] {
        app.get(&format!("/files/{missing}")).await.error(404, "not_found");
    }
}

#[tokio::test]
async fn archives_are_unpacked() {
    let server = Guest::arrive().await;
    let user = server.user();
    let source = asgi("")["app/main.py"].as_str().unwrap().to_owned();
    let entries = [
        ("shop/app/main.py", source.as_bytes()),
        ("shop/requirements.txt", b"fastapi\nuvicorn\nwebsockets\n"),
    ];
    let regular = entries.map(|(name, content)| (name, tar::EntryType::Regular, content));
    let bodies = [
        ("application/zip", zip(&entries)),
        ("application/gzip", gzip(&tar(&regular))),
        ("application/x-tar", tar(&regular)),
    ];
    let project = user.project().await;
    for (kind, body) in bodies {
        let path =
            format!("/api/projects/{project}/generations?name=from+an+archive&entrypoint=app.main%3Aapp");
        let made = user.post_bytes(&path, kind, body).await.expect(201);
        assert_eq!((&made["name"], &made["entrypoint"]), (&json!("from an archive"), &json!("app.main:app")));
        let app = user.generation(&project, made["generationId"].as_str().unwrap());
        let files = app.get("/files").await.expect(200);
        let paths: Vec<_> =
            files["files"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect();
        assert_eq!(paths, ["app/main.py", "requirements.txt"], "{kind}: the top folder is stripped");
        let preview = app.launch().await;
        assert_eq!(preview.get("/x").await.text(), "you asked for /x");
        app.stop().await.expect(200);
    }
}

#[tokio::test]
async fn hostile_archives_are_refused_by_name() {
    use tar::EntryType::{Block, Char, Fifo, Link, Regular, Symlink};
    let server = Server::start().await;
    let user = server.user("ana");
    let project = user.project().await;
    let names = ["../x", "a/../../x", "/etc/x", "a\\..\\x", "C:\\x"];
    for name in names {
        for (kind, body) in [
            ("application/zip", zip(&[("ok", b"1"), (name, b"2")])),
            ("application/x-tar", tar(&[("ok", Regular, b"1"), (name, Regular, b"2")])),
            ("application/json", json!({ "files": { "ok": "1", name: "2" } }).to_string().into_bytes()),
        ] {
            let error = upload(&user, &project, kind, body).await.error(400, "invalid_request");
            let told = format!("{}{}", error["message"], error["details"]["field"]);
            assert!(
                told.contains(name.trim_start_matches(['/', '.', '\\']))
                    || told.contains(&name.escape_debug().to_string()),
                "{kind} {name}: {error}"
            );
        }
    }
    for kind in [Symlink, Link, Char, Block, Fifo] {
        let body = tar(&[("ok", Regular, b"1"), ("odd", kind, b"")]);
        let error = upload(&user, &project, "application/x-tar", body).await.error(400, "invalid_request");
        assert!(error.to_string().contains("odd"), "{error}");
    }
    let twice = tar(&[("same", Regular, b"1"), ("./same", Regular, b"2")]);
    upload(&user, &project, "application/x-tar", twice).await.error(400, "invalid_request");
    let below = zip(&[("a", b"1"), ("a/b", b"2")]);
    upload(&user, &project, "application/zip", below).await.error(400, "invalid_request");
    let twice = br#"{"files": {"a": "1", "a": "2"}}"#.to_vec();
    upload(&user, &project, "application/json", twice).await.error(400, "invalid_request");
    let mut cut = zip(&[("a", b"content"), ("b", b"content")]);
    cut.truncate(cut.len() - 30);
    upload(&user, &project, "application/zip", cut).await.error(400, "invalid_request");
    for kind in ["application/zip", "application/gzip", "application/x-tar"] {
        upload(&user, &project, kind, b"no archive at all, but long enough to be looked at".repeat(20))
            .await
            .error(400, "invalid_request");
    }
    assert_eq!(
        user.get("/api/generations").await.expect(200)["generations"],
        json!([]),
        "nothing of it was kept"
    );
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_its_limit() {
    const MIB: usize = 1024 * 1024;
    let many: Vec<_> = (0..5001).map(|number| format!("f{number}")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let large = vec![b'x'; 10 * MIB + 1];
    let mebibytes = vec![0; 9 * MIB];
    let six: Vec<_> = (0..6).map(|number| format!("m{number}")).collect();
    let six: Vec<(&str, &[u8])> = six.iter().map(|name| (name.as_str(), mebibytes.as_slice())).collect();
    let cases = [
        ("application/zip", zip(&many), 5000),
        ("application/zip", zip(&[("large", &large)]), 10 * MIB),
        // A bomb: 54 MiB of zeros in 50 KiB.
        ("application/zip", zip(&six), 50 * MIB),
        ("application/gzip", gzip(&tar(&[("large", tar::EntryType::Regular, &large)])), 10 * MIB),
        (
            "application/json",
            json!({ "files": { "large": "x".repeat(10 * MIB + 1) } }).to_string().into_bytes(),
            10 * MIB,
        ),
    ];
    let allowed = [zip(&many[..5000]), zip(&[("as large as may be", &large[1..])])];
    // All of this takes a while to make.
    let server = Guest::arrive().await;
    let user = server.user();
    let project = user.project().await;
    for (kind, body, limit) in cases {
        let error = upload(&user, &project, kind, body).await.error(413, "too_large");
        assert_eq!(error["details"]["limit"], limit, "{error}");
    }
    for body in allowed {
        upload(&user, &project, "application/zip", body).await.expect(201);
    }
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/x-7z-compressed"] {
        upload(&user, &project, kind, b"{}".to_vec()).await.error(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn an_upload_that_cannot_be_meant_is_refused() {
    let server = Guest::arrive().await;
    let user = server.user();
    let project = user.project().await;
    let path = format!("/api/projects/{project}/generations");
    let wrong: [(Value, &str); 8] = [
        (json!({}), "files"),
        (json!({ "files": [] }), "files"),
        (json!({ "files": { "a": 1 } }), "a"),
        (json!({ "files": { "a": { "base64": "?" } } }), "a"),
        (json!({ "files": { "": "x" } }), ""),
        (json!({ "files": { "a": "" }, "name": "" }), "name"),
        (json!({ "files": { "a": "" }, "name": 7 }), "name"),
        (json!({ "files": { "a": "" }, "entrypoint": "not an entry point" }), "entrypoint"),
    ];
    for (body, field) in wrong {
        let error = user.post(&path, &body).await.error(400, "invalid_request");
        assert!(error.to_string().contains(field), "{body}: {error}");
    }
    for name in ["", "   ", &"x".repeat(201), "a\nb"] {
        let error = user.post("/api/projects", &json!({ "name": name })).await.error(400, "invalid_request");
        assert_eq!(error["details"]["field"], "name");
    }
    // Unknown fields are ignored.
    user.post(&path, &json!({ "files": { "a": "" }, "color": "red" })).await.expect(201);
    user.post("/api/projects", &json!({ "name": "x", "color": "red" })).await.expect(201);
}
