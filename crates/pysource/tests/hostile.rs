//! Files that are made to hurt those who read them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use pysource::{Analysis, Entrypoint, Files, endpoints, find_entrypoint, uses_async_engine};

const APP: &str = "from fastapi import FastAPI, APIRouter, Depends\napp = FastAPI()\n";

/// Reads a project of which each file is text; fails if that takes unreasonably long even without optimisation.
fn read(files: &[(&str, String)]) -> Analysis {
    let files: Files =
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let start = Instant::now();
    let entry = find_entrypoint(&files).unwrap_or(Entrypoint {
        module: "main".to_owned(),
        attribute: "app".to_owned(),
        factory: false,
    });
    let _ = uses_async_engine(&files);
    let analysis = endpoints(&files, &entry);
    assert!(analysis.warnings.iter().all(|one| !one.message.contains("defect")), "{:?}", analysis.warnings);
    assert!(start.elapsed() < Duration::from_secs(60), "took {:?}", start.elapsed());
    analysis
}

fn main_file(body: &str) -> Analysis {
    read(&[("main.py", format!("{APP}{body}"))])
}

#[test]
fn nesting_is_refused() {
    for text in
        ["(".repeat(10_000), "[".repeat(10_000), format!("x = {}1{}", "(".repeat(10_000), ")".repeat(10_000))]
    {
        let analysis = main_file(&text);
        assert!(analysis.warnings.iter().any(|one| one.file == "main.py"), "{:?}", analysis.warnings);
        let analysis = main_file(&text.repeat(3));
        let told = analysis.warnings.iter().any(|one| one.message.contains("nests too deeply"));
        assert!(told, "{:?}", analysis.warnings);
    }
    let blocks: String = (0..5_000).map(|depth| format!("{}if x:\n", " ".repeat(depth % 90))).collect();
    main_file(&blocks);
}

#[test]
fn large_files_are_refused() {
    let analysis = main_file(&"x = 1\n".repeat(2_000_000));
    assert!(analysis.warnings[0].message.contains("1 MiB"));
}

#[test]
fn cycles_end() {
    main_file("import main\nfrom main import *\nfrom main import app as a\n");
    let files = [
        ("main.py", format!("{APP}import a\n")),
        ("a.py", "import b\nfrom b import x\nx = 1\n".to_owned()),
        ("b.py", "import a\nfrom a import x\n".to_owned()),
    ];
    read(&files);
    main_file("r = APIRouter()\nr.include_router(r)\napp.include_router(r)\napp.mount('/x', app)\n");
    main_file(
        "def f():\n    return f()\nf()\nclass A(A): pass\nclass B:\n    def __init__(self): B()\nB()\n",
    );
    main_file(
        "def d(x=Depends(lambda: 1), y=None): ...\nd.__defaults__ = 1\n@app.get('/', dependencies=[Depends(d)])\ndef g(a=Depends(d)): ...\n",
    );
    let model = "from pydantic import BaseModel\nclass M(BaseModel):\n    m: 'M'\n    l: list['M']\n@app.post('/')\ndef f(m: M) -> M: ...\n";
    assert_eq!(main_file(model).endpoints.len(), 1);
}

#[test]
fn what_multiplies_is_bounded() {
    let doubling: String = (0..60).map(|i| format!("r{} = APIRouter()\nr{}.include_router(r{i}, prefix='/a')\nr{}.include_router(r{i}, prefix='/b')\n", i + 1, i + 1, i + 1)).collect();
    main_file(&format!("r0 = APIRouter()\n{doubling}app.include_router(r60)\n"));
    main_file(&format!("x = [1]\ns = 'a'\n{}", "x = x + x\ns = s + s\n".repeat(100)));
    let types: String = (0..60).map(|i| format!("T{} = tuple[T{i}, T{i}]\n", i + 1)).collect();
    main_file(&format!("T0 = int\n{types}@app.get('/')\ndef f(x: T60) -> T60: ...\n"));
    let lists: String = (0..60).map(|i| format!("l{} = [l{i}, l{i}]\n", i + 1)).collect();
    main_file(&format!("l0 = [1]\n{lists}@app.get('/')\ndef f(x: list = l60): ...\n"));
    main_file("while True:\n    pass\n");
    main_file(
        "for a in range(2000):\n  for b in range(2000):\n    for c in range(2000):\n      x = [y for y in range(2000)]\n",
    );
    main_file(
        "x = []\nfor i in range(2000):\n    x = [x]\nfor i in range(2000):\n    x.append(x)\n@app.get('/')\ndef f(q: list = x): ...\n",
    );
    let wide: String = (0..20_000).map(|i| format!("'k{i}': {i}, ")).collect();
    main_file(&format!("d = {{{wide}}}\nfor i in range(2000):\n  for j in range(2000):\n    d['k1']\n"));
}

#[test]
fn long_chains_are_followed_or_told() {
    let mut files: Vec<(String, String)> = vec![("main.py".to_owned(), format!("{APP}import m0\n"))];
    files.extend((0..3_000).map(|i| (format!("m{i}.py"), format!("import m{}\n", i + 1))));
    let files: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let analysis = read(&files);
    assert!(analysis.warnings.iter().any(|warning| warning.message.contains("too deeply")));
}

#[test]
fn many_routes_are_cut() {
    let analysis =
        main_file("for a in range(1000):\n  for b in range(100):\n    app.get(f'/{a}/{b}')(print)\n");
    assert!(!analysis.warnings.is_empty());
}

fn soup() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "app",
        "router",
        " = ",
        "FastAPI(",
        "APIRouter(",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        "\n",
        "\n    ",
        "def f(",
        "class C(",
        "@app.get(",
        "'/x'",
        "'{",
        "}'",
        "if ",
        "else",
        "for x in ",
        "import ",
        "from ",
        "main",
        ".",
        ",",
        "*",
        "**",
        "f'{",
        "lambda ",
        "return ",
        "Depends(",
        "int",
        "None",
        "|",
        "=",
        "x",
        "1",
        " ",
        "include_router(",
        "prefix",
        "while ",
        "try:",
        "except:",
        "raise",
        "del ",
        "global ",
        "yield ",
        "async ",
        "await ",
        "match x:",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn never_panics(body in soup(), other in soup()) {
        read(&[("main.py", format!("{APP}{body}\n")), ("x.py", other)]);
    }

    #[test]
    fn never_panics_on_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let files = Files::from([("main.py".to_owned(), bytes)]);
        let entry = Entrypoint { module: "main".to_owned(), attribute: "app".to_owned(), factory: false };
        let analysis = endpoints(&files, &entry);
        prop_assert!(analysis.warnings.iter().all(|one| !one.message.contains("defect")));
    }
}
