//! Projects to preview, as the `files` of an upload.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// The same for most of them, so that one environment serves all.
pub const REQUIREMENTS: &str = "fastapi\nuvicorn\nwebsockets\n";

/// The sample that comes with previewd.
pub fn example() -> Value {
    directory("examples/bookshop")
}

/// The project with a route for everything that the tests want to know.
pub fn probe() -> Value {
    directory("tests/apps/probe")
}

/// The same with its WebSocket, at `/ws`: what that takes is imported before everything else.
pub fn probe_with_websockets() -> Value {
    let mut files = probe();
    files["requirements.txt"] = WITH_WEBSOCKETS.into();
    files
}

/// All files of a directory of the repository.
pub fn directory(path: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let mut files = Map::new();
    collect(&root, &root, &mut files);
    assert!(!files.is_empty(), "no project in {path}");
    Value::Object(files)
}

fn collect(root: &Path, directory: &Path, files: &mut Map<String, Value>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "__pycache__" {
            collect(root, &path, files);
        } else if path.is_file() {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read_to_string(path).unwrap().into());
        }
    }
}

/// A FastAPI project of one file, whose object is `app` unless `source` makes another.
pub fn fastapi(source: &str) -> Value {
    let source = format!("from fastapi import FastAPI\n\napp = FastAPI()\n\n{source}\n");
    json!({ "app/main.py": source, "requirements.txt": REQUIREMENTS })
}

/// For projects that import nothing: what is started ahead for them has less to import, too.
pub const NO_MORE_THAN_A_SERVER: &str = "uvicorn\n";
/// For those of them that speak WebSockets.
pub const WITH_WEBSOCKETS: &str = "uvicorn\nwebsockets\n";

/// A project that imports nothing and starts in no time, for tests of what is around it. `before` is run at import.
pub fn asgi(before: &str) -> Value {
    let source = format!(
        r#"{before}

async def app(scope, receive, send):
    assert scope["type"] == "http"
    path = scope["path"].encode()
    await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}})
    await send({{"type": "http.response.body", "body": b"you asked for " + path}})
"#
    );
    json!({ "app/main.py": source, "requirements.txt": NO_MORE_THAN_A_SERVER })
}

/// The packages of an environment of this data directory that has these, for clients in Python.
pub fn packages(data_dir: &Path, names: &[&str]) -> PathBuf {
    let ready = std::fs::read_dir(data_dir.join("environments/ready")).unwrap();
    let packages = ready.map(|environment| environment.unwrap().path().join("site-packages"));
    let has = |packages: &PathBuf| names.iter().all(|name| packages.join(name).is_dir());
    packages.into_iter().find(has).expect("an environment with these packages")
}
