//! What the machine has no more of: room, files, descriptors; or that it has put somewhere else. Who asks is told, what runs goes on,
//! and once it is there again everything works, with nothing left of what failed meanwhile.

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};

use crate::harness::{Answer, Disk, Generation, Preview, Server, asgi, descriptors, eventually};

/// One preview that runs, and one that is to be launched.
struct Scene {
    server: Server,
    running: Generation,
    preview: Preview,
    other: Generation,
}

impl Scene {
    async fn on(server: Server) -> Self {
        let user = server.user_of("pro", "ana");
        let running = user.upload(&asgi("")).await;
        let other = user.upload(&asgi("")).await;
        let preview = running.launch().await;
        Self { server, running, preview, other }
    }

    /// A launch is refused, with nothing left of it, and what runs goes on.
    async fn is_refused(&self) -> Value {
        let refused = self.other.try_launch(&json!({})).await;
        let body = told(&refused);
        self.goes_on().await;
        body
    }

    async fn goes_on(&self) {
        assert_eq!(self.preview.get("/x").await.text(), "you asked for /x");
        assert_eq!(self.running.status().await.expect(200)["status"], "running");
    }

    /// Everything is as if nothing had happened.
    async fn works_again(self) {
        self.goes_on().await;
        let launched = async || (self.other.try_launch(&json!({})).await.status == 200).then_some(());
        eventually("a launch that works", launched).await;
        assert_eq!(self.server.ports().held().len(), 2, "none of a launch that was refused");
        self.other.stop().await.expect(200);
        self.running.stop().await.expect(200);
        assert_eq!(self.server.preview_processes(), Vec::<i32>::new());
        assert_eq!(self.server.ports().held(), Vec::<u16>::new());
    }
}

/// Errors say what it is: something of ours, in a sentence for whoever called.
#[track_caller]
fn told(answer: &Answer) -> Value {
    assert!(answer.status >= 500, "{}", answer.text());
    let body = answer.json();
    let code = body["error"].as_str().unwrap();
    // The second where it were packages that it could not look for.
    let reasons = ["host_failure", "dependency_install_failed"];
    let is_host = code == "launch_failed" && reasons.iter().any(|one| body["details"]["reason"] == *one);
    assert!(code == "store_unavailable" || is_host, "{body}");
    answer.error(answer.status, code)
}

async fn on_disk(options: &str) -> Option<(Scene, Disk)> {
    let mut disk = None;
    let server = Server::within(&[], |data_dir| disk = Disk::on(data_dir, options)).await;
    if disk.is_none() {
        eprintln!("skipped: no file system can be mounted here");
    }
    Some((Scene::on(server).await, disk?))
}

#[tokio::test]
async fn room_for_data() {
    let Some((scene, disk)) = on_disk("size=24m").await else { return };
    let ballast = disk.fill();
    let refused = scene.is_refused().await;
    assert_eq!(refused["error"], "store_unavailable", "{refused}");
    let path = format!("/api/projects/{}/generations", scene.other.project);
    let upload = scene.other.user.post(&path, &json!({ "files": { "a": "b".repeat(100_000) } })).await;
    upload.error(503, "store_unavailable");
    std::fs::remove_file(ballast).unwrap();
    scene.works_again().await;
}

#[tokio::test]
async fn files() {
    let Some((scene, disk)) = on_disk("size=24m,nr_inodes=200").await else { return };
    let ballast = disk.fill_with_files();
    scene.is_refused().await;
    std::fs::remove_dir_all(ballast).unwrap();
    scene.works_again().await;
}

#[tokio::test]
async fn a_directory_to_write_to() {
    let Some((scene, disk)) = on_disk("size=24m").await else { return };
    let Scene { server, running, .. } = scene;
    running.stop().await.expect(200);
    assert!(server.terminate_serve().success());
    let over = async || server.keeper().is_none().then_some(());
    eventually("the end of a keeper with nothing to keep", over).await;
    disk.set_read_only(true);
    let output = server.command(&["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("the data directory"), "{said}");
    disk.set_read_only(false);
    server.serve_again().await;
    running.launch().await;
}

#[tokio::test]
async fn a_directory_to_write_to_while_it_serves() {
    let Some((scene, disk)) = on_disk("size=24m").await else { return };
    let cover = disk.cover();
    scene.is_refused().await;
    let ready = async || scene.other.user.get("/readyz").await;
    let failing = async || (ready().await.json()["checks"]["dataDirectory"] != "ok").then_some(());
    eventually("a server that says so", failing).await;
    drop(cover);
    let good = async || (ready().await.status == 200).then_some(());
    eventually("a server that is ready", good).await;
    scene.works_again().await;
}

#[tokio::test]
async fn a_directory_where_it_was() {
    let scene = Scene::on(Server::start().await).await;
    let data_dir = scene.server.data_dir();
    let elsewhere = data_dir.with_file_name("elsewhere");
    std::fs::rename(&data_dir, &elsewhere).unwrap();
    told(&scene.other.try_launch(&json!({})).await);
    scene.preview.get("/x").await.error(503, "preview_unavailable");
    assert!(!data_dir.exists(), "nothing is begun anew where it was");
    std::fs::rename(&elsewhere, &data_dir).unwrap();
    scene.works_again().await;
}

/// As many descriptors as a process has now, and so many more; or as many as there were at first. It may have ended since.
pub fn limit_descriptors(pid: i32, more: Option<u64>) {
    let limit = getrlimit(Resource::Nofile);
    let now = descriptors(pid) as u64;
    let current = more.map_or(limit.current, |more| Some(now + more));
    let limited = prlimit(Pid::from_raw(pid), Resource::Nofile, Rlimit { current, maximum: limit.maximum });
    assert!(limited.is_ok() || limited == Err(Errno::SRCH), "{limited:?}");
}

/// Launches while a process may open just so many more descriptors, one number after the other.
async fn with_few_descriptors(scene: Scene, pid: i32, numbers: &[u64]) {
    for more in numbers.iter().copied() {
        limit_descriptors(pid, Some(more));
        let answer = scene.other.try_launch(&json!({})).await;
        if answer.status == 200 {
            scene.other.stop().await.expect(200);
        } else {
            told(&answer);
        }
        limit_descriptors(pid, None);
        scene.goes_on().await;
    }
    scene.works_again().await;
}

#[tokio::test]
async fn descriptors_of_the_server() {
    let scene = Scene::on(Server::start().await).await;
    // The client's connections are there already; a launch takes its own.
    scene.goes_on().await;
    let serve = scene.server.serve_pid();
    with_few_descriptors(scene, serve, &[0, 1, 2, 4]).await;
}

#[tokio::test]
async fn descriptors_for_what_is_to_be_deleted() {
    let scene = Scene::on(Server::start().await).await;
    scene.other.try_launch(&json!({ "database": "keep" })).await.expect(200);
    scene.other.stop().await.expect(200);
    let serve = Pid::from_raw(scene.server.serve_pid());
    let limit = getrlimit(Resource::Nofile);
    let path = scene.other.path("");
    prlimit(serve, Resource::Nofile, Rlimit { current: Some(0), maximum: limit.maximum }).unwrap();
    scene.other.user.delete(&path).await.error(503, "store_unavailable");
    prlimit(serve, Resource::Nofile, limit).unwrap();
    scene.other.user.get(&path).await.expect(200);
    assert_eq!(scene.other.user.delete(&path).await.status, 204);
    scene.goes_on().await;
}

#[tokio::test]
async fn descriptors_of_the_keeper() {
    let scene = Scene::on(Server::start().await).await;
    let keeper = scene.server.keeper_pid();
    with_few_descriptors(scene, keeper, &[0, 1, 2, 4, 8, 12]).await;
}
