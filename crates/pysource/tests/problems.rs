//! What the reading of a project finds before it is launched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
mod common;

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
    let model = "from pydantic import BaseModel, EmailStr\nclass A(BaseModel):\n    a: EmailStr\n";
    assert_eq!(of(model, &["fastapi"]), [("missing_requirement", 3, true)]);
    let form = "from fastapi import Form, UploadFile\n@app.post('/')\ndef f(a: UploadFile, b=Form()): ...\n";
    assert_eq!(of(form, &["fastapi"]).len(), 2);
    assert_eq!(of(form, &["fastapi[standard]"]), []);
    // What is imported and not used needs nothing, unless its module does.
    assert_eq!(of("from fastapi import Form\nfrom pydantic import EmailStr\n", &["fastapi"]), []);
    assert_eq!(of("from fastapi.testclient import TestClient\n", &["fastapi"]).len(), 1);
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

/// What may not happen, or is caught, is told and is not what the launch fails for.
#[test]
fn doubt_is_not_fatal() {
    let fatal = |files: &[(&str, &str)]| found(files, &["fastapi"]).iter().filter(|one| one.fatal).count();
    let broken = ("extra.py", "import jose\nfrom main import nothing\n");
    assert_eq!(fatal(&[("main.py", &format!("{APP}import extra\n")), broken]), 2);
    let caught = format!("{APP}try:\n    import extra\nexcept ImportError:\n    extra = None\n");
    assert_eq!(fatal(&[("main.py", &caught), broken]), 0);
    let perhaps = format!("import os\n{APP}if os.environ.get('X') == app:\n    import extra\n");
    assert_eq!(fatal(&[("main.py", &perhaps), broken]), 0);
    let engine = "from sqlalchemy import create_engine as create_engine\nURL = 'postgresql://u@h/d'\n";
    let late = format!("{engine}def connect():\n    return create_engine(URL)\n");
    assert_eq!(of(&late, &["fastapi", "sqlalchemy"]), [("missing_driver", 6, false)]);
    let twice = format!("{engine}if app:\n    URL = 'sqlite:///x'\ne = create_engine(URL)\n");
    assert_eq!(of(&twice, &["fastapi", "sqlalchemy"]), []);
}

/// Every project of these tests can be imported.
#[test]
fn what_can_be_imported_has_no_fatal_problem() {
    let text = std::fs::read_to_string(common::directory().join("truth/requirements.txt")).unwrap();
    let known: Vec<String> = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    for project in common::projects() {
        let own =
            project.files.get("requirements.txt").map(|text| String::from_utf8_lossy(text).into_owned());
        let own = own.map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        let all = problems(&project.files, &project.entrypoint, own.as_ref().unwrap_or(&known));
        let fatal: Vec<_> = all.iter().filter(|one| one.fatal).collect();
        assert!(fatal.is_empty(), "{}: {fatal:?}", project.name);
    }
    let sample = common::projects().pop().unwrap();
    let requirements = String::from_utf8_lossy(&sample.files["requirements.txt"]).into_owned();
    let requirements: Vec<String> = requirements.lines().map(str::to_owned).collect();
    assert_eq!(problems(&sample.files, &sample.entrypoint, &requirements), []);
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
    assert_eq!(of("", &["fastapi", "motor==3.3.2"]), [("incompatible_pins", 1, false)]);
    assert_eq!(of("", &["fastapi", "motor==3.3.2", "pymongo<4.9"]), []);
    assert_eq!(of("", &["fastapi", "motor>=3.3"]), []);
    assert_eq!(of("", &["fastapi", "openai~=1.40", "httpx>=0.27"]), [("incompatible_pins", 1, false)]);
    let older = ("requirements.txt", "fastapi==0.95.2\n");
    let main =
        ("main.py", "from fastapi import FastAPI\nfrom pydantic import BaseSettings\napp = FastAPI()\n");
    assert_eq!(found(&[main, older], &["fastapi==0.95.2"]), [], "its FastAPI holds pydantic back");
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
