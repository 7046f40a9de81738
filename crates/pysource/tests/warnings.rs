//! What the source does not settle: never a guess, always a warning with file and line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pysource::{Entrypoint, Files, endpoints};

const HEAD: &str = "import os, sys, random\nfrom fastapi import FastAPI, APIRouter, Depends\nimport thirdparty\n\
                    app = FastAPI()\nrouter = APIRouter()\n@router.get('/r')\ndef r(): ...\n";
/// Lines of `HEAD`.
const LINES: usize = 7;

/// The paths that are listed, and lines and messages of the warnings, lines counted from after `HEAD`.
fn read(body: &str) -> (Vec<String>, Vec<(usize, String)>) {
    let files = Files::from([("main.py".to_owned(), format!("{HEAD}{body}").into_bytes())]);
    let entry = Entrypoint { module: "main".to_owned(), attribute: "app".to_owned(), factory: false };
    let analysis = endpoints(&files, &entry);
    assert!(analysis.warnings.iter().all(|one| one.file == "main.py"));
    let warnings =
        analysis.warnings.into_iter().map(|one| (one.line.saturating_sub(LINES), one.message)).collect();
    (analysis.endpoints.into_iter().map(|one| one.path).collect(), warnings)
}

/// A body whose routes cannot be known, and the line that says so.
fn unknown(body: &str, line: usize) {
    let (paths, warnings) = read(body);
    assert!(paths.is_empty(), "{body}\nlists {paths:?}");
    assert!(warnings.iter().any(|(at, _)| *at == line), "{body}\nwarns {warnings:?}");
}

#[test]
fn what_cannot_be_known_is_told() {
    unknown("app.include_router(thirdparty.make_router())\n", 1);
    unknown("@app.get(thirdparty.PATH)\ndef x(): ...\n", 1);
    unknown("for name in thirdparty.names():\n    app.include_router(router, prefix=name)\n", 2);
    unknown("if thirdparty.flag:\n    app.include_router(router)\n", 2);
    unknown("if thirdparty.flag:\n    @app.get('/x')\n    def x(): ...\n", 2);
    unknown("app.mount(thirdparty.PATH, FastAPI())\n", 1);
    unknown("app.add_api_route('/x', r, methods=thirdparty.METHODS)\n", 1);
    unknown("thirdparty.register_routes(app)\n", 1);
    unknown("thirdparty.Plugin().install(app)\n", 1);
    unknown("app.include_router(**thirdparty.options)\n", 1);
    unknown("app.router.routes = thirdparty.routes\n", 1);
    unknown(
        "routers = []\nif thirdparty.flag:\n    routers.append(router)\nfor one in routers:\n    app.include_router(one)\n",
        5,
    );
    unknown(
        "try:\n    raise ValueError\nexcept ValueError:\n    if thirdparty.x:\n        app.include_router(router)\n",
        5,
    );
    unknown("app.include_router(router, prefix=thirdparty.PREFIX)\n", 1);
    unknown(
        "b = APIRouter(prefix=thirdparty.PREFIX)\n@b.get('/x')\ndef x(): ...\napp.include_router(b)\n",
        1,
    );
    unknown("b = APIRouter(**thirdparty.options)\n@b.get('/x')\ndef x(): ...\napp.include_router(b)\n", 1);
    unknown("while thirdparty.more():\n    app.include_router(router)\n", 2);
    unknown("chosen = router if thirdparty.x else None\napp.include_router(chosen)\n", 2);
}

#[test]
fn an_unknown_type_or_dependency_is_told() {
    let (paths, warnings) = read("@app.get('/x')\ndef x(q: thirdparty.Type): ...\n");
    assert_eq!(paths, ["/x"]);
    assert!(warnings.iter().any(|(line, _)| *line == 1), "{warnings:?}");
    let (_, warnings) = read("@app.get('/x')\ndef x(q = Depends(thirdparty.current_user())): ...\n");
    assert!(
        warnings.iter().any(|(line, message)| *line == 1 && message.contains("dependency")),
        "{warnings:?}"
    );
}

#[test]
fn what_is_known_is_not_warned_of() {
    let (paths, warnings) = read(
        "app.include_router(router, prefix=os.getenv('P', '/p'))\nthirdparty.setup(x=1)\nfor i in (1, 2):\n    pass\n\
         if thirdparty.debug:\n    print('x')\nif __name__ == '__main__':\n    thirdparty.run(app)\n",
    );
    assert_eq!(paths, ["/p/r"]);
    assert!(warnings.is_empty(), "{warnings:?}");
}
