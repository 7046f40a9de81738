//! Reading the endpoints of a large project from its source, beside Python parsing the same files.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use previewd::environment::Interpreter;
use pysource::Files;
use reqwest::Method;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::Outcome;
use crate::measure::{Samples, Table};
use crate::server::Server;

/// Each a router, its models and its service: three hundred files, and a module that joins them.
const MODULES: usize = 100;
/// Operations of each router.
const OPERATIONS: usize = 5;
const ROUNDS: usize = 20;
/// Uploads whose endpoints are asked for.
const ASKED: usize = 5;
/// What it may take.
const REACH_MS: f64 = 50.0;
/// Reads the files from its first line, then answers each line with the milliseconds that parsing all of them took.
const REFERENCE: &str = "\
import ast, json, sys, time
files = json.loads(sys.stdin.readline())
for _ in sys.stdin:
    began = time.perf_counter()
    for text in files:
        ast.parse(text)
    print((time.perf_counter() - began) * 1000, flush=True)
";

/// In turns with the reference; then as callers ask, each time for a project that nobody has read.
pub async fn measure(server: &Server, table: &mut Table) -> Outcome<()> {
    let project = project();
    let mut reference = Reference::start(&project).await?;
    let (mut ours, mut parsed) = (Samples::default(), Samples::default());
    reference.parse().await?;
    for _ in 0..ROUNDS {
        parsed.add(reference.parse().await?);
        ours.add(read(&project)?);
    }
    let what = format!("endpoints of a project of {} files, from source", project.len());
    table.bounded(&format!("{what}: ms"), ours.median(), REACH_MS);
    table.compared(&format!("{what}, beside ast.parse of them: ms"), ours.median(), parsed.median(), None);
    let mut asked = Samples::default();
    for round in 0..ASKED {
        asked.add(ask(server, &project, round).await?);
    }
    table.told("the same, GET /endpoints right after the upload: ms", asked.median());
    Ok(())
}

fn read(project: &[(String, String)]) -> Outcome<Duration> {
    let files: Files = project.iter().map(|(path, text)| (path.clone(), text.as_bytes().to_vec())).collect();
    let files = Arc::new(files);
    let began = Instant::now();
    let found = pysource::analysis(files).ok_or("no entry point")?;
    let took = began.elapsed();
    complete(found.endpoints.len())?;
    Ok(took)
}

async fn ask(server: &Server, project: &[(String, String)], round: usize) -> Outcome<Duration> {
    let own = [("app/round.py".to_owned(), format!("ROUND = {round}\n"))];
    let requirements = [("requirements.txt".to_owned(), "fastapi\nuvicorn\n".to_owned())];
    let files: Vec<_> = project.iter().cloned().chain(own).chain(requirements).collect();
    let generation = server.upload(&files).await?;
    let began = Instant::now();
    let request = server.request(Method::GET, &format!("/api/generations/{generation}/endpoints"));
    let answer: serde_json::Value = request.send().await?.error_for_status()?.json().await?;
    let took = began.elapsed();
    complete(answer["endpoints"].as_array().map_or(0, Vec::len))?;
    Ok(took)
}

fn complete(found: usize) -> Outcome<()> {
    if found == MODULES * OPERATIONS { Ok(()) } else { Err(format!("{found} endpoints").into()) }
}

/// A Python that parses the files when it is told to.
struct Reference {
    _child: Child,
    stdin: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Reference {
    async fn start(project: &[(String, String)]) -> Outcome<Self> {
        let python = Interpreter::find(None).await.map_err(|error| error.to_string())?.executable;
        let mut child = Command::new(python)
            .args(["-I", "-S", "-c", REFERENCE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().ok_or("no stdin")?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let texts: Vec<&str> = project.iter().map(|(_, text)| text.as_str()).collect();
        stdin.write_all(format!("{}\n", serde_json::to_string(&texts)?).as_bytes()).await?;
        Ok(Self { _child: child, stdin, answers: BufReader::new(stdout).lines() })
    }

    async fn parse(&mut self) -> Outcome<Duration> {
        self.stdin.write_all(b"\n").await?;
        let answer = self.answers.next_line().await?.ok_or("Python has ended")?;
        Ok(Duration::from_secs_f64(answer.trim().parse::<f64>()? / 1000.0))
    }
}

fn project() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut main = String::from("from fastapi import FastAPI\napp = FastAPI()\n");
    for index in 0..MODULES {
        main.push_str(&format!(
            "from app.routers import r{index}\napp.include_router(r{index}.router, prefix='/api')\n"
        ));
        files.push((format!("app/routers/r{index}.py"), router(index)));
        files.push((format!("app/models/m{index}.py"), model(index)));
        files.push((format!("app/services/s{index}.py"), service(index)));
    }
    files.push(("app/main.py".to_owned(), main));
    files
}

fn router(index: usize) -> String {
    let mut text = format!(
        "from fastapi import APIRouter, Depends, HTTPException, Query\nfrom app.models.m{index} import Item, ItemIn\n\
         from app.services.s{index} import Service, get_service\n\nrouter = APIRouter(prefix='/r{index}', tags=['r{index}'])\n\n"
    );
    for operation in 0..OPERATIONS {
        text.push_str(&format!(
            "@router.post('/x{operation}/{{item_id}}', response_model=Item, status_code=201)\n\
             async def operation_{operation}(item_id: int, item: ItemIn, q: str | None = Query(None, max_length=50), \
             service: Service = Depends(get_service)):\n    \"\"\"Does the thing number {operation}.\"\"\"\n    \
             found = await service.find(item_id)\n    if found is None:\n        \
             raise HTTPException(status_code=404, detail='not found')\n    return found\n\n"
        ));
    }
    text
}

fn model(index: usize) -> String {
    format!(
        "from datetime import datetime\nfrom pydantic import BaseModel, Field\n\nclass ItemIn(BaseModel):\n    \
         name: str = Field(min_length=1, max_length=100)\n    price: float = Field(gt=0)\n    tags: list[str] = []\n    \
         note: str | None = None\n\nclass Item(ItemIn):\n    id: int\n    made_at: datetime\n    parent: 'Item | None' = None\n    \
         number: int = {index}\n"
    )
}

fn service(index: usize) -> String {
    let mut text = String::from(
        "class Service:\n    def __init__(self, region):\n        self.region = region\n        self.rows = {}\n",
    );
    for method in 0..20 {
        text.push_str(&format!(
            "\n    async def method_{method}(self, value, *, limit=10):\n        rows = [row for row in self.rows.values() \
             if row['kind'] == {index}]\n        return sorted(rows, key=lambda row: row['id'])[:limit]\n"
        ));
    }
    text.push_str("\n    async def find(self, item_id):\n        return self.rows.get(item_id)\n");
    text.push_str("\ndef get_service(region: str = 'eu') -> Service:\n    return Service(region)\n");
    text
}
