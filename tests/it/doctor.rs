//! What reading finds before a launch is what then fails, and the failure's hint says where it is and what to change.

use serde_json::{Value, json};

use crate::harness::{Guest, REQUIREMENTS, Server, User, fastapi};

/// For engines of all kinds, one environment.
const DATABASES: &str = "fastapi\nuvicorn\nsqlalchemy\naiosqlite\ngreenlet\n";
const SYNC: &str = "from sqlalchemy import create_engine";
const ASYNC: &str = "from sqlalchemy.ext.asyncio import create_async_engine";

fn with(requirements: &str, source: &str) -> Value {
    let mut files = fastapi(source);
    files["requirements.txt"] = requirements.into();
    files
}

/// Launches, and compares the failure's hint with the upload's warnings, which name the same place.
async fn fails(user: User, files: Value, error: (u16, &str), place: &str, change: &str) {
    let app = user.upload(&files).await;
    let generation = app.get("").await.expect(200);
    let warnings: Vec<&str> =
        generation["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let told = |text: &str| text.contains(&format!("{place}: ")) && text.contains(change);
    assert!(warnings.iter().any(|one| told(one)), "not told of {place} at the upload: {warnings:?}");
    let failure = app
        .try_launch(&json!({}))
        .await
        .error(error.0, if error.0 == 504 { error.1 } else { "launch_failed" });
    if error.0 == 500 {
        assert_eq!(failure["details"]["reason"], error.1, "{place}: {failure}");
    }
    let hint = failure["details"]["hint"].as_str().unwrap_or_default();
    assert!(told(hint), "{place}: {failure}");
    let status = app.status().await.expect(200);
    assert_eq!(status["failure"]["hint"], hint, "{status}");
}

#[tokio::test]
async fn imports_that_fail_are_found_before_and_explained_after() {
    let server = Guest::arrive().await;
    let import_failed = (500, "import_failed");
    let mut of_two = fastapi("from app.db import Session");
    of_two["app/db.py"] = "engine = None\n".into();
    let cases = [
        (fastapi("import dotenv"), "app/main.py:5", "Add python-dotenv"),
        (
            fastapi("from fastapi import Form\n\n@app.post('/')\ndef login(name: str = Form()): ..."),
            "app/main.py:5",
            "Add python-multipart",
        ),
        (
            fastapi("from pydantic import BaseModel, EmailStr\n\nclass User(BaseModel):\n    mail: EmailStr"),
            "app/main.py:5",
            "Add email-validator",
        ),
        (fastapi("from app.services.users import find"), "app/main.py:5", "Add what is missing"),
        (of_two, "app/main.py:5", "correct the import"),
        (fastapi("from pydantic import BaseSettings"), "app/main.py:5", "from pydantic_settings"),
        (fastapi("def broken(:\n    pass"), "app/main.py:5", "Correct the syntax"),
        (
            json!({ "app/main.py": "service = 1\n", "requirements.txt": REQUIREMENTS }),
            "app/main.py:1",
            "Bind the FastAPI application",
        ),
    ];
    for (files, place, change) in cases {
        fails(server.user(), files, import_failed, place, change).await;
    }
}

#[tokio::test]
async fn engines_and_requirements_that_do_not_fit_are_explained() {
    let server = Guest::arrive().await;
    let import_failed = (500, "import_failed");
    let cases = [
        (
            with(DATABASES, &format!("{ASYNC}\nengine = create_async_engine('sqlite:///./x.db')")),
            "app/main.py:6",
            "Use sqlite+aiosqlite://",
        ),
        (
            with(
                DATABASES,
                &format!("{SYNC}\nengine = create_engine('sqlite+aiosqlite:///./x.db')\nengine.connect()"),
            ),
            "app/main.py:6",
            "Use create_async_engine",
        ),
        (
            with(DATABASES, &format!("{SYNC}\nengine = create_engine('postgresql://u@host/shop')")),
            "app/main.py:6",
            "Add psycopg2-binary",
        ),
        (
            with(
                "fastapi\nuvicorn\npasslib[bcrypt]\n",
                "from passlib.context import CryptContext\nADMIN = CryptContext(schemes=['bcrypt']).hash('secret')",
            ),
            "requirements.txt:3",
            "Pin bcrypt==4.0.1",
        ),
        (
            with("fastapi\nuvicorn\nmotor==3.3.2\n", "import motor.motor_asyncio"),
            "requirements.txt:3",
            "Pin pymongo<4.9",
        ),
        (
            with("fastapi\nuvicorn\nopenai==1.40.0\n", "import openai\nopenai.OpenAI(api_key='none')"),
            "requirements.txt:3",
            "Pin httpx<0.28",
        ),
        (with("fastapi\nuvicorn\naioredis\n", "import aioredis"), "requirements.txt:3", "Use redis.asyncio"),
    ];
    for (files, place, change) in cases {
        fails(server.user(), files, import_failed, place, change).await;
    }
    let files = with("fastapi\nuvicorn\nsqlite3\n", "import sqlite3");
    let error = (500, "dependency_install_failed");
    fails(server.user(), files, error, "requirements.txt:3", "Remove sqlite3").await;
}

/// It serves, but on a port of its own in its sandbox: nobody ever gets an answer.
#[tokio::test]
async fn a_server_that_is_started_at_import_is_explained() {
    let server = Server::with(&[("LAUNCH_TIMEOUT", "5")]).await;
    let files = fastapi("import uvicorn\nuvicorn.run(app)");
    let place = "app/main.py:6";
    fails(server.user("ana"), files, (504, "launch_timeout"), place, "if __name__ ==").await;
}

/// What is certain to fail next is told with what failed, so that one edit is enough.
#[tokio::test]
async fn several_problems_are_told_at_once() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&fastapi("import dotenv\nimport jose\nimport this_is_not_there")).await;
    let failure = app.try_launch(&json!({})).await.error(500, "launch_failed");
    let hint = failure["details"]["hint"].as_str().unwrap();
    let at = |text: &str| hint.find(text).unwrap_or_else(|| panic!("no {text}: {hint}"));
    assert!(at("app/main.py:5") < at("app/main.py:6") && at("python-dotenv") < at("python-jose"), "{hint}");
    // A reload that fails is explained as a launch is.
    let repaired = json!({ "files": { "app/main.py": fastapi("")["app/main.py"] } });
    app.user.patch(&app.path("/files"), &repaired).await.expect(200);
    app.launch().await;
    let broken = json!({ "files": { "app/main.py": fastapi("\nimport yaml")["app/main.py"] } });
    let patched = app.user.patch(&app.path("/files"), &broken).await.expect(200);
    let hint = patched["details"]["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("app/main.py:6") && hint.contains("pyyaml"), "{patched}");
}
