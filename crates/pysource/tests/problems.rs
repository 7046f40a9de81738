//! What the reading of a project finds before it is launched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pysource::{Entrypoint, Files, Problem, problems};

const APP: &str = "from fastapi import FastAPI\napp = FastAPI()\n";

fn found(files: &[(&str, &str)], requirements: &[&str]) -> Vec<Problem> {
    let files: Files =
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let entry = Entrypoint { module: "main".to_owned(), attribute: "app".to_owned(), factory: false };
    let requirements: Vec<String> = requirements.iter().map(|one| (*one).to_owned()).collect();
    problems(&files, &entry, &requirements)
}

/// Code, line and whether the launch fails, for one file after an application that has none.
fn of(text: &str, requirements: &[&str]) -> Vec<(&'static str, usize, bool)> {
    let text = format!("{APP}{text}");
    found(&[("main.py", &text)], requirements)
        .into_iter()
        .map(|one| (one.code, one.line, one.fatal))
        .collect()
}

#[test]
fn a_sound_project_has_none() {
    let text = "import os, asyncio, tomllib\nfrom starlette.requests import Request\nimport pydantic_core, click, typing_extensions\n\
                try:\n    import orjson\nexcept ImportError:\n    orjson = None\n\
                def late():\n    import pandas\nif __name__ == '__main__':\n    import uvicorn\n    uvicorn.run(app)\n";
    assert_eq!(of(text, &["fastapi", "uvicorn"]), []);
}

#[test]
fn imports_that_no_requirement_provides() {
    assert_eq!(of("import jose\n", &["fastapi"]), [("missing_requirement", 3, true)]);
    let hint = &found(&[("main.py", "import yaml\napp = yaml.load('x')\n")], &["fastapi"])[0].hint;
    assert!(hint.contains("pyyaml"), "{hint}");
    assert_eq!(of("import jose\n", &["fastapi", "something-unknown"]), [("missing_requirement", 3, false)]);
    assert_eq!(of("from pydantic import EmailStr\n", &["fastapi"]), [("missing_requirement", 3, true)]);
    assert_eq!(of("from fastapi import Form, UploadFile\n", &["fastapi"]).len(), 2);
    assert_eq!(of("from fastapi import Form\n", &["fastapi[standard]"]), []);
}

#[test]
fn only_what_is_imported_counts() {
    let files =
        [("main.py", APP), ("scripts/seed.py", "import pandas\n"), ("tests/test_x.py", "import pytest\n")];
    assert_eq!(found(&files, &["fastapi"]), []);
}

#[test]
fn modules_and_names_that_do_not_exist() {
    assert_eq!(of("import main.nothing\n", &["fastapi"]), [("missing_module", 3, true)]);
    let files =
        [("main.py", "from app.db import Session, engine\napp = engine\n"), ("app/db.py", "engine = 1\n")];
    let all = found(&files, &["fastapi"]);
    assert_eq!((all[0].code, all[0].line), ("missing_module", 1));
    assert!(all[0].message.contains("app.db.Session"), "{}", all[0].message);
}

#[test]
fn names_that_may_be_there_are_no_problem() {
    for text in ["from sqlalchemy import *\n", "globals().update(Session=1)\n", "exec('Session = 1')\n"] {
        let files = [("main.py", "from app.db import Session\napp = Session()\n"), ("app/db.py", text)];
        assert_eq!(found(&files, &["sqlalchemy"]), [], "{text}");
    }
}

#[test]
fn syntax_errors_are_placed() {
    assert_eq!(of("def f(:\n    pass\n", &["fastapi"]), [("syntax_error", 3, true)]);
}

#[test]
fn engines_and_urls_disagree() {
    let make = |call: &str| {
        format!(
            "from sqlalchemy import create_engine\nfrom sqlalchemy.ext.asyncio import create_async_engine\nURL = 'sqlite:///./x.db'\n{call}\n"
        )
    };
    let needed = ["fastapi", "sqlalchemy"];
    assert_eq!(of(&make("e = create_async_engine(URL)"), &needed), [("async_engine_sync_url", 6, true)]);
    assert_eq!(
        of(&make("e = create_engine('sqlite+aiosqlite:///x')"), &needed),
        [("sync_engine_async_url", 6, false)]
    );
    assert_eq!(of(&make("e = create_engine('postgresql://u@h/d')"), &needed), [("missing_driver", 6, true)]);
    assert_eq!(
        of(&make("import os\ne = create_async_engine(os.getenv('DATABASE_URL', 'sqlite:///x'))"), &needed),
        []
    );
    assert_eq!(of(&make("e = create_engine(URL)"), &needed), []);
}

#[test]
fn pins_and_names_of_requirements() {
    assert_eq!(of("", &["fastapi", "sqlite3"]), [("standard_library_requirement", 1, true)]);
    assert_eq!(of("", &["fastapi", "passlib[bcrypt]==1.7.4"]), [("incompatible_pins", 1, false)]);
    assert_eq!(of("", &["fastapi", "passlib[bcrypt]==1.7.4", "bcrypt==4.0.1"]), []);
    assert_eq!(of("", &["fastapi", "passlib==1.7.4", "bcrypt>=4"]), [("incompatible_pins", 1, false)]);
    assert_eq!(
        of("from pydantic import BaseSettings\n", &["fastapi", "pydantic>=2"]),
        [("moved_import", 3, true)]
    );
    assert_eq!(of("from pydantic import BaseSettings\n", &["fastapi==0.95", "pydantic<2"]), []);
}

#[test]
fn an_entry_point_that_is_not_there() {
    let all = found(&[("main.py", "x = 1\n")], &[]);
    assert_eq!((all[0].code, all[0].file.as_str(), all[0].fatal), ("missing_entrypoint", "main.py", true));
    assert_eq!(found(&[("main.py", "from starlette import *\n")], &["starlette"]), []);
}

#[test]
fn servers_started_at_import() {
    let text = "import uvicorn\nuvicorn.run(app)\n";
    assert_eq!(of(text, &["fastapi", "uvicorn"]), [("server_started_at_import", 4, true)]);
}
