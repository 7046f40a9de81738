//! The way through a preview's own address, in turns with nginx in front of the same socket and with the socket itself.

use std::path::PathBuf;

use crate::Outcome;
use crate::load::{Ask, Round, Way, round};
use crate::measure::{Samples, Table};
use crate::nginx::Nginx;
use crate::server::{Preview, Server};

const CONNECTIONS: [usize; 3] = [1, 32, 256];
const ROUNDS: usize = 5;
const LARGE: usize = 1_000_000;

/// Small answers, large answers, large requests.
const ASKS: [Ask; 3] = [
    Ask { name: "small JSON", path: "/small", sent: 0, answered: SMALL_ANSWER.len(), requests: 1024 },
    Ask { name: "1 MB down", path: "/large", sent: 0, answered: LARGE, requests: 256 },
    Ask { name: "1 MB up", path: "/up", sent: LARGE, answered: 7, requests: 256 },
];
const SMALL_ANSWER: &str = r#"{"status":"ok","items":[1,2,3]}"#;

/// It answers as fast as Python can, so that what is in front of it shows.
const APP: &str = r#"
START = {"type": "http.response.start", "status": 200}
TYPES = {True: [(b"content-type", b"application/json")], False: [(b"content-type", b"application/octet-stream")]}
LARGE = b"x" * 1_000_000


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    assert scope["type"] == "http"
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = b'{"status":"ok","items":[1,2,3]}'
    if scope["path"] == "/large":
        body = LARGE
    elif scope["path"] == "/up":
        body = str(size).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({**START, "headers": [*TYPES[len(body) < 100], length]})
    await send({"type": "http.response.body", "body": body})
"#;

/// The files of an application that does next to nothing itself.
pub fn app() -> Vec<(String, String)> {
    let files = [("app/main.py", APP), ("requirements.txt", "fastapi\nuvicorn\nwebsockets\n")];
    files.map(|(path, content)| (path.to_owned(), content.to_owned())).to_vec()
}

/// What one way took, in all rounds.
#[derive(Default)]
struct Taken {
    samples: Samples,
    rates: Vec<f64>,
    failed: usize,
}

impl Taken {
    fn add(&mut self, round: Round) {
        self.samples.extend(round.took);
        self.rates.push(round.per_second);
        self.failed += round.failed;
    }

    fn rate(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    }
}

/// Latency that is added, and requests a second.
pub async fn measure(server: &Server, table: &mut Table) -> Outcome<()> {
    let generation = server.upload(&app()).await?;
    let preview = server.launch(&generation).await?;
    let socket = socket_of(server, &preview)?;
    let Some(nginx) = Nginx::start(&socket).await? else {
        println!(
            "| the gateway beside nginx: not measured, `apt-get install nginx-light` gives it | - | - | - | - |"
        );
        return server.stop(&generation).await;
    };
    let port = preview.base_url.rsplit_once(':').ok_or("no port")?.1.parse()?;
    let ours = Way::Through(([127, 0, 0, 1], port).into(), preview.token.clone());
    let ways = [ours, Way::Through(nginx.address, preview.token.clone()), Way::Direct(socket)];
    let compared = compare_all(&ways, table).await;
    nginx.stop().await?;
    compared?;
    server.stop(&generation).await
}

async fn compare_all(ways: &[Way; 3], table: &mut Table) -> Outcome<()> {
    for ask in ASKS {
        for connections in CONNECTIONS {
            compare(ways, ask, connections, table).await?;
        }
    }
    Ok(())
}

async fn compare(ways: &[Way; 3], ask: Ask, connections: usize, table: &mut Table) -> Outcome<()> {
    let mut taken: [Taken; 3] = Default::default();
    for number in 0..ROUNDS {
        // Whoever is first in a round has it no better than the others.
        for turn in 0..ways.len() {
            let way = (number + turn) % ways.len();
            taken[way].add(round(&ways[way], ask, connections).await?);
        }
    }
    let [ours, nginx, direct] = &taken;
    let what = format!("{}, {connections} at once", ask.name);
    for (name, share) in [("median", 0.5), ("99 of 100", 0.99)] {
        let added = |way: &Taken| way.samples.quantile(share) - direct.samples.quantile(share);
        table.no_more(&format!("{what}, added, {name}: ms"), added(ours), added(nginx));
    }
    table.kept_up(&format!("{what}: requests/s"), ours.rate(), nginx.rate(), 1.0);
    // With so many uploads at once nginx may answer 502. The lines above are of the requests that were answered.
    if ours.failed + nginx.failed > 0 {
        table.failed(&format!("{what}: requests that failed"), ours.failed, nginx.failed);
    }
    Ok(())
}

/// Where the code of a preview listens.
fn socket_of(server: &Server, preview: &Preview) -> Outcome<PathBuf> {
    use std::os::unix::fs::FileTypeExt as _;
    let mut open = vec![server.data_dir.join("run").join(&preview.id)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path)?.flatten().map(|entry| entry.path()));
        } else if std::fs::metadata(&path)?.file_type().is_socket() {
            return Ok(path);
        }
    }
    Err("the preview has no socket".into())
}
