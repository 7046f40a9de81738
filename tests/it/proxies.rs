//! previewd behind the proxies whose configurations are in `packaging/`, each with the one that is there.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Generation, Preview, Server, directory, eventually, signal};

const TEMPLATE: &str = "https://{id}.previews.example.com";

/// A proxy in front of a server.
struct Proxy {
    child: Child,
    port: u16,
    directory: PathBuf,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        signal(self.child.id().cast_signed(), Signal::TERM);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "--- the proxy's log\n{}",
                std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
            );
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Proxy {
    /// Runs it with a configuration of `packaging/`, with the port and the files of this test in the place of the real ones.
    async fn start(
        server: &Server,
        file: &str,
        around: impl Fn(&str, u16, &Path) -> String,
        run: &[&str],
    ) -> Self {
        let directory = std::env::temp_dir().join(crate::harness::unique("previewd-proxy"));
        std::fs::create_dir(&directory).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let shipped = std::fs::read_to_string(root.join("packaging").join(file)).unwrap();
        let data = root.join("tests/it/testdata");
        let shipped = shipped
            .replace("127.0.0.1:3000", &server.address().to_string())
            .replace("/etc/ssl/previews.example.com.pem", data.join("localhost.pem").to_str().unwrap())
            .replace("/etc/ssl/previews.example.com.key", data.join("localhost.key.pem").to_str().unwrap());
        std::fs::write(directory.join("configuration"), around(&shipped, port, &directory)).unwrap();
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let mut command = Command::new(run[0]);
        command
            .args(&run[1..])
            .current_dir(&directory)
            .env("HOME", &directory)
            .env("XDG_DATA_HOME", &directory);
        // Where Debian has nginx, and not everybody looks.
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap()));
        command.env("XDG_CONFIG_HOME", &directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut proxy = Self { child: command.spawn().unwrap(), port, directory };
        let answers = async || {
            assert!(proxy.child.try_wait().unwrap().is_none(), "{file}: the proxy ended");
            let answer =
                proxy.curl(&["-o", "/dev/null", "https://previews.example.com/healthz"]).output().unwrap();
            answer.status.success().then_some(())
        };
        eventually("an answer through the proxy", answers).await;
        proxy
    }

    /// curl, which finds every name at the proxy.
    fn curl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("curl");
        command.args(["-sS", "-k", "-m", "60", "--noproxy", "*"]);
        command.args(["--connect-to", &format!("::127.0.0.1:{}", self.port)]).args(arguments);
        command
    }

    async fn said(&self, arguments: &[&str]) -> String {
        let mut command = self.curl(arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let said = self.said(arguments).await;
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said:?}"))
    }
}

/// What a host application needs of a proxy.
async fn serves(proxy: &Proxy, app: &Generation, preview: &Preview) {
    let here = format!("https://previews.example.com{}", app.path(""));
    let bearer = format!("Authorization: Bearer {}", app.user.token);
    let token = format!("X-Preview-Token: {}", preview.token);
    let status = proxy.json(&["-H", &bearer, &format!("{here}/preview/status")]).await;
    assert_eq!((&status["status"], &status["baseUrl"]), (&json!("running"), &json!(preview.base_url)));
    let page = proxy.said(&["-H", "Accept: text/html", "https://previews.example.com/"]).await;
    assert!(page.contains("<html"), "{page}");
    proxy.json(&["https://unknown.previews.example.com/"]).await;

    // The preview at its own name, both ways as it comes.
    let big = proxy.directory.join("big");
    std::fs::write(&big, vec![b'x'; 3_000_000]).unwrap();
    let upload = format!("@{}", big.display());
    let echoed =
        proxy.json(&["-H", &token, "--data-binary", &upload, &format!("{}/echo/up", preview.base_url)]).await;
    assert_eq!(echoed["size"], 3_000_000);
    assert!(echoed["headers"].to_string().contains("[\"x-forwarded-proto\",\"https\"]"), "{echoed}");
    let traded =
        proxy.said(&["-i", &format!("{}/echo/?preview_token={}", preview.base_url, preview.token)]).await;
    assert!(traded.to_ascii_lowercase().contains("; secure"), "{traded}");
    let refused = proxy.json(&[&format!("{}/echo/x", preview.base_url)]).await;
    assert_eq!(refused["error"], "invalid_preview_token");
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    let headers: Vec<&str> = upgrade.iter().flat_map(|header| ["-H", header]).collect();
    let told = format!("{}/told", preview.base_url);
    let opened = proxy
        .said(&[&["-i", "--http1.1", "-m", "1", "-H", &token, &told], headers.as_slice()].concat())
        .await;
    assert!(opened.starts_with("HTTP/1.1 101"), "{opened}");

    // A log that is read while it grows.
    let mut stream = proxy.curl(&["-N", "-H", &bearer, &format!("{here}/preview/logs/stream?tail=1")]);
    let mut stream = stream.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(stream.stdout.take().unwrap()).lines();
    let first =
        tokio::task::spawn_blocking(move || lines.find(|line| line.as_ref().unwrap().starts_with("data: ")));
    let first =
        tokio::time::timeout(Duration::from_secs(30), first).await.expect("a line that is not held back");
    assert!(first.unwrap().is_some(), "a line of the log");
    stream.kill().unwrap();
    stream.wait().unwrap();
}

#[tokio::test]
async fn the_shipped_configurations_of_proxies_work() {
    let server = Server::with(&[("BASE_URL_TEMPLATE", TEMPLATE)]).await;
    let app = server.user("ana").upload(&directory("tests/apps/sockets")).await;
    let preview = app.launch().await;
    let nginx = |shipped: &str, port: u16, directory: &Path| {
        let place = directory.display();
        format!(
            "daemon off; pid {place}/pid; error_log {place}/log; worker_processes 1;\nevents {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f; \
             uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n{} }}\n",
            shipped.replace("listen 443", &format!("listen 127.0.0.1:{port}"))
        )
    };
    let arguments = ["nginx", "-e", "log", "-p", ".", "-c", "configuration"];
    serves(&Proxy::start(&server, "nginx.conf", nginx, &arguments).await, &app, &preview).await;

    let caddy = |shipped: &str, port: u16, _: &Path| {
        format!("{{\n\tadmin off\n\tauto_https disable_redirects\n\thttps_port {port}\n}}\n{shipped}")
    };
    let arguments = ["caddy", "run", "--config", "configuration", "--adapter", "caddyfile"];
    serves(&Proxy::start(&server, "Caddyfile", caddy, &arguments).await, &app, &preview).await;
}
