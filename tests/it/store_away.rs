//! The store is locked, slow, or gone, and comes back. What runs goes on meanwhile, and nothing is lost or left.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::faults::Part;
use crate::harness::{
    Server, asgi, command_line, descendants, eventually, output_of, postgres_database, signal,
};
use crate::log_history::Lock;

/// A connection to PostgreSQL that holds what every launch and every status needs.
struct TableLock(Child);

impl TableLock {
    fn of(url: &str) -> Self {
        let mut command = Command::new("psql");
        command.args(["-XqAt", url]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("psql, which comes with PostgreSQL");
        let statements = "BEGIN; LOCK TABLE previews IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n";
        child.stdin.as_mut().unwrap().write_all(statements.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Self(child)
    }

    /// How many connections wait for it.
    fn waiting(url: &str) -> usize {
        let statement = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'previews'::regclass";
        let count = output_of(Command::new("psql").args(["-XqAt", "-c", statement, url]));
        count.trim().parse().unwrap()
    }

    fn release(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// A PostgreSQL that can be taken away.
struct Postgres {
    directory: PathBuf,
    first: i32,
}

impl Postgres {
    fn of(url: &str) -> Self {
        let directory = PathBuf::from(url.rsplit_once("host=").unwrap().1);
        let first = std::fs::read_to_string(directory.join("data/postmaster.pid")).unwrap();
        Self { directory, first: first.lines().next().unwrap().parse().unwrap() }
    }

    fn all(&self, what: Signal) {
        for (pid, _) in descendants(self.first) {
            signal(pid, what);
        }
        signal(self.first, what);
    }

    fn socket(&self) -> PathBuf {
        self.directory.join(".s.PGSQL.5432")
    }

    fn aside(&self) -> PathBuf {
        self.directory.join("aside")
    }

    /// Ends its connections and takes no others.
    fn goes(&self) {
        std::fs::rename(self.socket(), self.aside()).unwrap();
        signal(self.first, Signal::STOP);
        let serves = |pid: i32| command_line(pid).contains("previewd postgres [local]");
        descendants(self.first)
            .iter()
            .filter(|(pid, _)| serves(*pid))
            .for_each(|(pid, _)| signal(*pid, Signal::TERM));
    }

    fn comes_back(&self) {
        signal(self.first, Signal::CONT);
        std::fs::rename(self.aside(), self.socket()).unwrap();
    }
}

#[tokio::test]
async fn postgres_is_slow_then_gone_then_back() {
    let url = tokio::task::spawn_blocking(postgres_database).await.unwrap();
    let postgres = Postgres::of(&url);
    let server = Server::with(&[("STORE_URL", &url)]).await;
    let user = server.user_of("pro", "ana");
    let (app, other) = (user.upload(&asgi("")).await, user.upload(&asgi("")).await);
    let preview = app.launch().await;

    postgres.all(Signal::STOP);
    let waiting = tokio::spawn({
        let other = other.clone();
        async move { other.try_launch(&json!({})).await }
    });
    assert_eq!(preview.get("/x").await.text(), "you asked for /x", "what runs does not wait for it");
    assert!(!waiting.is_finished());
    postgres.all(Signal::CONT);
    waiting.await.unwrap().expect(200);
    other.stop().await.expect(200);

    postgres.goes();
    let away = async || (other.try_launch(&json!({})).await.status == 503).then_some(());
    eventually("the end of all connections", away).await;
    other.try_launch(&json!({})).await.error(503, "store_unavailable");
    app.status().await.error(503, "store_unavailable");
    assert_eq!(user.get("/readyz").await.status, 503);
    assert_eq!(preview.get("/x").await.text(), "you asked for /x");
    // An end that cannot be recorded now.
    Part::Preview.pids(&server).into_iter().for_each(|pid| signal(pid, Signal::KILL));
    let over = async || server.preview_processes().is_empty().then_some(());
    eventually("the end of a preview", over).await;
    postgres.comes_back();
    let failed = app.until_status("failed").await;
    assert_eq!(failed["failure"]["signal"], "SIGKILL", "{failed}");
    for app in [&app, &other] {
        app.launch().await;
    }
    assert_eq!(server.ports().held().len(), 2);
}

#[tokio::test]
async fn what_postgres_has_locked_is_waited_for() {
    let url = tokio::task::spawn_blocking(postgres_database).await.unwrap();
    let server = Server::with(&[("STORE_URL", &url)]).await;
    let user = server.user_of("pro", "ana");
    let (app, other) = (user.upload(&asgi("")).await, user.upload(&asgi("")).await);
    let preview = app.launch().await;

    let lock = TableLock::of(&url);
    let launching = tokio::spawn({
        let other = other.clone();
        async move { other.try_launch(&json!({})).await }
    });
    let asking = tokio::spawn({
        let other = other.clone();
        async move { other.status().await }
    });
    let waiting = async || (TableLock::waiting(&url) >= 2).then_some(());
    eventually("both wait for the lock", waiting).await;
    assert_eq!(preview.get("/x").await.text(), "you asked for /x", "what runs does not wait for it");
    user.get("/api/projects").await.expect(200);
    assert_eq!(user.get("/readyz").await.status, 200);
    assert!(!launching.is_finished() && !asking.is_finished());
    lock.release();
    launching.await.unwrap().expect(200);
    let status = asking.await.unwrap();
    assert!(status.status == 200 || status.status == 404, "{}", status.text());
    other.stop().await.expect(200);
}

#[tokio::test]
async fn a_launch_waits_for_a_store_that_is_locked() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    let lock = Lock::of(Path::new(&server.data_dir().join("previewd.db")));
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { app.try_launch(&json!({})).await }
    });
    // Reading goes on.
    app.status().await.error(404, "no_active_preview");
    app.user.get("/api/projects").await.expect(200);
    assert!(!waiting.is_finished());
    lock.release();
    waiting.await.unwrap().expect(200);
}

#[tokio::test]
async fn who_would_wait_too_long_for_a_locked_store_is_told() {
    let server = Server::start().await;
    let apps = [server.user("ana").upload(&asgi("")).await, server.user("bo").upload(&asgi("")).await];
    let lock = Lock::of(&server.data_dir().join("previewd.db"));
    let mut launching = tokio::task::JoinSet::new();
    for app in apps {
        launching.spawn(async move { (app.try_launch(&json!({})).await, app) });
    }
    // One waits for the lock, the other for the connection that writes, which has less time.
    let (refused, again) = launching.join_next().await.unwrap().unwrap();
    refused.error(503, "store_unavailable");
    assert_eq!(launching.len(), 1);
    lock.release();
    launching.join_next().await.unwrap().unwrap().0.expect(200);
    again.launch().await;
}

#[tokio::test]
async fn a_file_that_was_removed_takes_nothing_until_it_is_back() {
    let server = Server::start().await;
    let user = server.user_of("pro", "ana");
    let (app, other) = (user.upload(&asgi("")).await, user.upload(&asgi("")).await);
    let preview = app.launch().await;
    let file = server.data_dir().join("previewd.db");
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).unwrap();
    other.try_launch(&json!({})).await.error(503, "store_unavailable");
    let project = format!("/api/projects/{}/generations", app.project);
    user.post(&project, &json!({ "files": { "a": "b" } })).await.error(503, "store_unavailable");
    assert_eq!(user.get("/readyz").await.json()["store"], "unavailable");
    assert_eq!(preview.get("/x").await.text(), "you asked for /x");
    assert!(server.log().contains("removed or replaced: put it back, or see"), "{}", server.log());
    assert!(!file.exists(), "nothing is begun anew where it was");
    // An end that cannot be recorded now.
    Part::Preview.pids(&server).into_iter().for_each(|pid| signal(pid, Signal::KILL));
    let over = async || server.preview_processes().is_empty().then_some(());
    eventually("the end of a preview", over).await;
    std::fs::rename(&aside, &file).unwrap();
    app.until_status("failed").await;
    for app in [&app, &other] {
        app.launch().await;
    }
    assert_eq!(server.ports().held().len(), 2);
}

#[tokio::test]
async fn a_file_that_was_deleted_is_saved_from_the_server_that_has_it_open() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    let preview = app.launch().await;
    let file = server.data_dir().join("previewd.db");
    std::fs::remove_file(&file).unwrap();
    app.user.post("/api/projects", &json!({ "name": "shop" })).await.error(503, "store_unavailable");
    // As docs/troubleshooting.md says.
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.serve_pid())).unwrap();
    let deleted = |path: &PathBuf| {
        std::fs::read_link(path).is_ok_and(|to| to.to_string_lossy().ends_with("previewd.db (deleted)"))
    };
    let held = open.map(|entry| entry.unwrap().path()).find(deleted).expect("it is still open");
    let (saved, beside) = (file.with_extension("saved"), file.with_extension("saved-wal"));
    std::fs::copy(held, &saved).unwrap();
    std::fs::copy(file.with_extension("db-wal"), &beside).unwrap();
    assert!(server.terminate_serve().success());
    let _it_may_have_gone = std::fs::remove_file(file.with_extension("db-shm"));
    std::fs::rename(saved, &file).unwrap();
    std::fs::rename(beside, file.with_extension("db-wal")).unwrap();
    server.serve_again().await;
    assert_eq!(app.status().await.expect(200)["status"], "running");
    assert_eq!(preview.get("/x").await.text(), "you asked for /x");
    app.stop().await.expect(200);
    app.launch().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_at_the_start_and_left_as_it_is() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    let preview = app.launch().await;
    assert!(server.terminate_serve().success());
    let file = server.data_dir().join("previewd.db");
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).unwrap();
    std::fs::write(&file, "no database at all").unwrap();
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate"], &["doctor"]] {
        let output = server.command(command).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!output.status.success(), "{command:?}: {said}");
        assert!(said.contains("no database of SQLite: put yours back"), "{command:?}: {said}");
        assert!(command == ["doctor"] || said.contains(file.to_str().unwrap()), "{command:?}: {said}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "no database at all");
    std::fs::rename(&aside, &file).unwrap();
    server.serve_again().await;
    assert_eq!(app.status().await.expect(200)["status"], "running");
    assert_eq!(preview.get("/x").await.text(), "you asked for /x", "what ran has gone on");
}

/// Refuses what the store is told of previews' ends, as where there is no room for it.
async fn refuse_ends(server: &Server, refuse: bool) {
    let database = format!("sqlite://{}", server.data_dir().join("previewd.db").display());
    let mut store = SqliteConnection::connect(&database).await.unwrap();
    for change in ["DELETE", "UPDATE"] {
        let statement = if refuse {
            format!(
                "CREATE TRIGGER no_{change} BEFORE {change} ON previews BEGIN SELECT RAISE(ABORT, 'no room'); END"
            )
        } else {
            format!("DROP TRIGGER no_{change}")
        };
        sqlx::query(AssertSqlSafe(statement)).execute(&mut store).await.unwrap();
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_place_that_could_not_be_given_back_is_given_back_later() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    let taken = std::net::TcpListener::bind(("127.0.0.1", server.ports().min)).unwrap();
    refuse_ends(&server, true).await;
    app.try_launch(&json!({})).await.error(503, "store_unavailable");
    refuse_ends(&server, false).await;
    drop(taken);
    let launched = async || (app.try_launch(&json!({})).await.status == 200).then_some(());
    eventually("a launch", launched).await;
    app.stop().await.expect(200);
}

#[tokio::test]
async fn an_end_that_a_start_finds_is_recorded_once_the_store_takes_it() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    let preview = app.launch().await;
    server.preview_processes();
    server.kill_serve();
    signal(server.keeper_pid(), Signal::KILL);
    // With its log there would be more to do, and somebody who does it.
    std::fs::remove_dir_all(server.data_dir().join("run").join(&preview.id)).unwrap();
    refuse_ends(&server, true).await;
    server.serve_again().await;
    app.user.get("/readyz").await.expect(200);
    refuse_ends(&server, false).await;
    app.until_status("failed").await;
    assert_eq!(app.launch().await.get("/x").await.status, 200);
    app.stop().await.expect(200);
}
