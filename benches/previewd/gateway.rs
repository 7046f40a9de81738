//! The way through a preview's own address, in turns with nginx in front of the same socket and with the socket itself.

use std::path::PathBuf;

use crate::Outcome;
use crate::load::{Ask, Round, Way, round};
use crate::measure::Table;
use crate::nginx::Nginx;
use crate::server::{Preview, Server};

const CONNECTIONS: [usize; 3] = [1, 32, 256];
/// Of each way. They are short, so that the ways of one follow each other closely, and odd in number.
const ROUNDS: usize = 15;
/// Of so many requests a round is long, and fewer tell as much.
const LONG: usize = 10_000;
/// Rounds of so many requests.
const LONG_ROUNDS: usize = 9;
const LARGE: usize = 1_000_000;

/// Small answers, large answers, large requests.
const ASKS: [Ask; 3] = [
    SMALL,
    Ask { name: "1 MB down", path: "/large", sent: 0, answered: LARGE, requests: 96, each: 1 },
    Ask { name: "1 MB up", path: "/up", sent: LARGE, answered: 7, requests: 96, each: 1 },
];
const SMALL: Ask = Ask {
    name: "small JSON",
    path: "/small",
    sent: 0,
    answered: SMALL_ANSWER.len(),
    requests: 2048,
    // The first ones, which all begin at once, are less than one in a hundred.
    each: 110,
};
/// The same from rest: two in a row, the first ones all at once.
const FROM_REST: Ask = Ask { name: "small JSON, twice each", requests: 512, each: 2, ..SMALL };
/// The same with `PREVIEW_CPU_AWAKE=off`.
const HALTING: Ask = Ask { name: "small JSON, processors that halt", ..SMALL };
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

/// The ways of one round: through previewd, through nginx, and over the socket itself.
type Turns = [Round; 3];

/// The middle of what all rounds say. Each compares what was measured right after each other: the machine's own speed changes.
fn middle(rounds: &[Turns], of: impl Fn(&Turns) -> f64) -> f64 {
    let mut all: Vec<_> = rounds.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Latency that is added, and requests a second; at last what they are where processors halt between two steps of a request.
pub async fn measure(server: &Server, table: &mut Table) -> Outcome<()> {
    beside_nginx(server, table, compare_all).await?;
    let halting = Server::start(3, &[("CPU_AWAKE", "off")]).await?;
    let compared = async |ways: &[Way; 3], table: &mut Table| compare(ways, HALTING, 1, table).await;
    beside_nginx(&halting, table, compared).await?;
    halting.end().await
}

/// Launches the application, and compares the ways to it.
async fn beside_nginx(
    server: &Server,
    table: &mut Table,
    compare: impl AsyncFnOnce(&[Way; 3], &mut Table) -> Outcome<()>,
) -> Outcome<()> {
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
    let compared = compare(&ways, table).await;
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
    compare(ways, FROM_REST, CONNECTIONS[2], table).await
}

async fn compare(ways: &[Way; 3], ask: Ask, connections: usize, table: &mut Table) -> Outcome<()> {
    let count = if ask.of_each(connections) * connections > LONG { LONG_ROUNDS } else { ROUNDS };
    let mut rounds: Vec<Turns> = Vec::with_capacity(count);
    for number in 0..count {
        rounds.push(turns(ways, ask, connections, number).await?);
    }
    let what = format!("{}, {connections} at once", ask.name);
    for (name, share) in [("median", 0.5), ("99 of 100", 0.99)] {
        let added = |way: usize| {
            middle(&rounds, |turns| turns[way].took.quantile(share) - turns[2].took.quantile(share))
        };
        table.no_more(&format!("{what}, added, {name}: ms"), added(0), added(1));
    }
    let rate = |way: usize| middle(&rounds, |turns| turns[way].per_second);
    let ratio = middle(&rounds, |turns| turns[0].per_second / turns[1].per_second);
    table.kept_up(&format!("{what}: requests/s"), rate(0), rate(1), ratio, 1.0);
    // With so many uploads at once nginx may answer 502. The lines above are of the requests that were answered.
    let failed = |way: usize| rounds.iter().map(|turns| turns[way].failed).sum::<usize>();
    if failed(0) + failed(1) > 0 {
        table.failed(&format!("{what}: requests that failed"), failed(0), failed(1));
    }
    Ok(())
}

/// Each way once. Whoever is first in a round has it no better than the others.
async fn turns(ways: &[Way; 3], ask: Ask, connections: usize, number: usize) -> Outcome<Turns> {
    let mut turns: [Option<Round>; 3] = Default::default();
    for turn in 0..ways.len() {
        let way = (number + turn) % ways.len();
        turns[way] = Some(round(&ways[way], ask, connections).await?);
    }
    let [Some(ours), Some(nginx), Some(direct)] = turns else { return Err("a way has no round".into()) };
    Ok([ours, nginx, direct])
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
