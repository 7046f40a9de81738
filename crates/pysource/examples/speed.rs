//! Reads a made-up project of 300 modules again and again, and prints how long that takes:
//! `cargo run --release -p pysource --example speed`.

use std::time::{Duration, Instant};

use pysource::{Files, endpoints, find_entrypoint};

const MODULES: usize = 100;
const ROUNDS: usize = 20;

fn main() {
    let files = project();
    let bytes: usize = files.values().map(Vec::len).sum();
    let Some(entry) = find_entrypoint(&files) else { return };
    let mut times: Vec<Duration> = Vec::new();
    let mut found = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        found = endpoints(&files, &entry).endpoints.len();
        times.push(start.elapsed());
    }
    times.sort();
    let (median, limit) = (times[ROUNDS / 2], Duration::from_millis(50));
    println!("{} files, {} KiB, {found} endpoints", files.len(), bytes / 1024);
    println!("median {median:?}, slowest {:?}", times[ROUNDS - 1]);
    println!("of the 50 ms that it may take: {:.2}", median.as_secs_f64() / limit.as_secs_f64());
}

/// A router, its models and its service for each of the modules, and an application with them all.
fn project() -> Files {
    let mut files = Files::new();
    let mut main = String::from("from fastapi import FastAPI\napp = FastAPI()\n");
    for index in 0..MODULES {
        main.push_str(&format!(
            "from app.routers import r{index}\napp.include_router(r{index}.router, prefix='/api')\n"
        ));
        files.insert(format!("app/routers/r{index}.py"), router(index).into_bytes());
        files.insert(format!("app/models/m{index}.py"), model(index).into_bytes());
        files.insert(format!("app/services/s{index}.py"), service(index).into_bytes());
    }
    files.insert("app/main.py".to_owned(), main.into_bytes());
    files
}

fn router(index: usize) -> String {
    let mut text = format!(
        "from fastapi import APIRouter, Depends, HTTPException, Query\nfrom app.models.m{index} import Item, ItemIn\n\
         from app.services.s{index} import Service, get_service\n\nrouter = APIRouter(prefix='/r{index}', tags=['r{index}'])\n\n"
    );
    for operation in 0..5 {
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
