//! What is backed up is there again after a restore.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::{BINARY, Server, asgi, output_of};

/// Counts its launches in its own database.
const COUNTING: &str = "import sqlite3\nwith sqlite3.connect('preview.db') as c:\n    \
    c.execute('create table if not exists t (x)')\n    c.execute('insert into t values (1)')\n    \
    print('launches', c.execute('select count(*) from t').fetchone()[0], flush=True)\nc.close()\n";

#[tokio::test]
async fn what_was_backed_up_while_it_runs_is_there_after_a_restore() {
    let server = Server::start().await;
    let ana = server.user("ana");
    let app = ana.upload(&asgi(COUNTING)).await;
    let keep = json!({ "database": "keep" });
    app.launch_with(&keep).await;
    app.stop().await.expect(200);
    app.launch_with(&keep).await;
    app.line("launches 2").await;
    let kept = server.data_dir().join("previews").join(&app.id);
    std::os::unix::fs::symlink("/etc/passwd", kept.join("link")).unwrap();

    let writer = ana.clone();
    let writing = tokio::spawn(async move {
        loop {
            writer.upload(&asgi("")).await;
        }
    });
    let file = server.data_dir().join("../backup.tar.gz");
    let path = file.to_str().unwrap();
    output_of(&mut server.command(&["backup", path]));
    writing.abort();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let restore = |data_dir: &Path| {
        let mut command = Command::new(BINARY);
        command.args(["restore", path, "--data-dir"]).arg(data_dir).env_clear();
        command
    };
    let restored = Server::within(&[], |data_dir| drop(output_of(&mut restore(data_dir)))).await;
    let again = restored.with_token(&ana.token).generation(&app.project, &app.id);
    assert_eq!(again.get("/files").await.json(), app.get("/files").await.json());
    // What ran there does not run here.
    assert_eq!(again.status().await.json()["status"], "failed");
    again.launch_with(&keep).await;
    again.line("launches 3").await;
    let there = output_of(&mut restored.command(&["audit"]));
    assert!(there.contains("preview.launch") && there.contains(&app.id), "{there}");
    assert!(!restored.data_dir().join("previews").join(&app.id).join("link").exists());

    let served = restore(&restored.data_dir()).output().unwrap();
    assert_eq!(served.status.code(), Some(1));
    assert!(restored.terminate_serve().success());
    let occupied = restore(&restored.data_dir()).output().unwrap();
    let said = String::from_utf8(occupied.stderr).unwrap();
    assert!(occupied.status.code() == Some(1) && said.contains("nothing was"), "{said}");
    restored.serve_again().await;
    again.status().await.expect(200);
}
