//! The reference of the gateway: Debian's nginx in front of the same socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::Outcome;

const PLACES: [&str; 3] = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];
const PATIENCE: Duration = Duration::from_secs(10);

/// One that serves.
pub struct Nginx {
    child: Child,
    pub address: SocketAddr,
    directory: PathBuf,
}

impl Nginx {
    /// Starts it in front of a socket; `None` if there is none on this machine.
    pub async fn start(socket: &Path) -> Outcome<Option<Self>> {
        let Some(program) = PLACES.iter().find(|place| Path::new(place).exists()) else { return Ok(None) };
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let directory = std::env::temp_dir().join(format!("previewd-bench-nginx-{}", address.port()));
        std::fs::create_dir_all(&directory)?;
        // The path of a socket has a limit of about a hundred bytes.
        std::os::unix::fs::symlink(socket, directory.join("socket"))?;
        std::fs::write(directory.join("nginx.conf"), configuration(&directory, address))?;
        let child = Command::new(program)
            .arg("-c")
            .arg(directory.join("nginx.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let nginx = Self { child, address, directory };
        let accepted = async {
            while TcpStream::connect(nginx.address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, accepted).await?;
        Ok(Some(nginx))
    }

    /// Asks it to end and removes what it wrote.
    pub async fn stop(mut self) -> Outcome<()> {
        let pid = i32::try_from(self.child.id().ok_or("nginx has ended")?)?;
        if let Some(pid) = rustix::process::Pid::from_raw(pid) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        self.child.wait().await?;
        Ok(std::fs::remove_dir_all(&self.directory)?)
    }
}

/// At its best: it keeps connections to the application, writes no log and no file, and has no limit in the way.
fn configuration(directory: &Path, address: SocketAddr) -> String {
    let directory = directory.display();
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path {directory}/{name};\n"))
        .concat();
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "daemon off;\n{user}\nworker_processes auto;\npid {directory}/pid;\nerror_log {directory}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n{paths}\
         access_log off;\n client_max_body_size 0;\n keepalive_requests 100000000;\n\
         proxy_request_buffering off;\n proxy_max_temp_file_size 0;\n\
         upstream code {{ server unix:{directory}/socket; keepalive 256; keepalive_requests 100000000; }}\n\
         server {{ listen {address}; location / {{\n\
           proxy_pass http://code;\n proxy_http_version 1.1;\n proxy_set_header Connection \"\";\n\
           proxy_set_header Host $http_host;\n proxy_set_header X-Forwarded-For $remote_addr;\n\
           proxy_set_header X-Forwarded-Proto $scheme;\n\
         }} }}\n}}\n"
    )
}
