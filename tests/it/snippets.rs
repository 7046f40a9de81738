//! The documents' commands and snippets, run from top to bottom of each page against a real server.
//!
//! A block that cannot be run says why in a comment before it: `<!-- not run: … -->`. One that is a part of a file says
//! which: `<!-- part of: … -->`. What a reader has, but the page need not show, is in `<!-- first: … -->`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{BINARY, Server, User, directory, packages};

/// What pages use that `docs/api.md` shows how to get.
const SAMPLE: &str = r#"
url=http://localhost:3000
token=$(previewd token --user ana)
api() { curl -sS --fail-with-body -H "Authorization: Bearer $token" "$@"; }
sample() {
  project=$(api --json '{"name": "shop"}' $url/api/projects | jq -r .projectId)
  generation=$(tar -cz -C examples/bookshop . | api -H 'Content-Type: application/gzip' --data-binary @- \
    $url/api/projects/$project/generations | jq -r .generationId)
  here=$url/api/generations/$generation
  api -X POST $here/preview/launch > preview.json
  address=$(jq -r .baseUrl preview.json)
  preview_token=$(jq -r .previewToken preview.json)
}
"#;

/// A fenced block of a page.
#[derive(Debug)]
struct Block {
    language: String,
    text: String,
    /// The line of its fence.
    line: usize,
    /// The comment before it, as `not run` and its reason.
    remark: Option<(String, String)>,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `README.md` and all pages of `docs/`.
fn pages() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(repository().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    pages.sort();
    pages.insert(0, repository().join("README.md"));
    pages
}

fn blocks(page: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(page).unwrap();
    let (mut blocks, mut remark, mut open): (Vec<Block>, _, Option<Block>) = (Vec::new(), None, None);
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text.extend([line, "\n"]),
            (None, Some(language)) => {
                let (language, line, remark) = (language.to_owned(), number + 1, remark.take());
                open = Some(Block { language, text: String::new(), line, remark });
            }
            (None, None) => match line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
                Some(comment) => {
                    remark = comment.split_once(": ").map(|(word, rest)| (word.to_owned(), rest.to_owned()));
                }
                None if !line.is_empty() => remark = None,
                None => {}
            },
        }
    }
    assert!(open.is_none(), "{}: a block that does not end", page.display());
    blocks
}

/// What is to be run of a page, as one script. What is not run has a reason, and what is a part of a file is one.
fn script(page: &Path) -> String {
    let name = page.strip_prefix(repository()).unwrap().display();
    let mut script = String::new();
    for block in blocks(page) {
        let at = format!("{name}:{}", block.line);
        match block.remark.as_ref().map(|(word, rest)| (word.as_str(), rest.as_str())) {
            Some(("not run", reason)) => {
                assert!(reason.len() > 10, "{at}: say why it is not run");
                continue;
            }
            Some(("part of", file)) => {
                let whole = std::fs::read_to_string(repository().join(file)).unwrap_or_default();
                let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(flat(&whole).contains(&flat(&block.text)), "{at}: it is no part of {file}");
                continue;
            }
            Some(("first", command)) => script += &format!("{command}\n"),
            _ => {}
        }
        script += &format!("echo '--- {at}'\n");
        match block.language.as_str() {
            "sh" => script += &block.text,
            "python" => script += &format!("python3 - \"$@\" <<'SNIPPET'\n{}SNIPPET\n", block.text),
            "json" => drop(serde_json::from_str::<serde_json::Value>(&block.text).expect(&at)),
            other => panic!(
                "{at}: a block of `{other}` can be no command, is part of no file, and does not say why"
            ),
        }
    }
    script
}

/// Commands are in fenced blocks, where this test finds them.
fn no_command_hides(page: &Path) {
    const COMMANDS: [&str; 9] =
        ["previewd", "make", "curl", "api", "cargo", "npm", "docker", "systemctl", "sudo"];
    for line in std::fs::read_to_string(page).unwrap().lines() {
        let first = line.strip_prefix("    ").and_then(|code| code.split(' ').next());
        let hidden = first.is_some_and(|word| COMMANDS.contains(&word));
        assert!(!hidden || line.starts_with("     "), "{}: in no fenced block: {line}", page.display());
    }
}

/// Runs a page; says what went wrong.
async fn run(server: &Server, page: &Path, script: &str) -> Option<String> {
    let directory = server.data_dir().join(page.file_stem().unwrap());
    std::fs::create_dir(&directory).unwrap();
    std::os::unix::fs::symlink(repository().join("examples"), directory.join("examples")).unwrap();
    let address = server.address().to_string();
    let script =
        format!("{SAMPLE}{script}").replace("localhost:3000", &address).replace("127.0.0.1:3000", &address);
    let path =
        format!("{}:{}", Path::new(BINARY).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["-euc", &script]).current_dir(&directory).env_clear();
    for (name, value) in server.command(&[]).get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env("PATH", path).env("NO_PROXY", "*");
    command.env("PYTHONPATH", packages(&server.data_dir(), &["httpx"])).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let last = said.rfind("--- ").map_or(&*said, |from| &said[from..]).chars().take(3000).collect::<String>();
    (!output.status.success()).then(|| format!("{}: {}\n{last}\n{wrong}", page.display(), output.status))
}

/// Not every page ends what it begins.
async fn stop_all(user: &User) {
    let running = user.get("/api/previews").await.expect(200);
    for preview in running["previews"].as_array().unwrap() {
        let generation = preview["generationId"].as_str().unwrap();
        let answer = user.delete(&format!("/api/generations/{generation}/preview")).await;
        assert!(answer.status == 200 || answer.status == 404, "{}", answer.text());
    }
}

/// Runs what all pages say.
pub async fn run_all() {
    let server = Server::start().await;
    let user = server.user("ana");
    // An environment with what a snippet imports.
    user.upload(&directory("tests/apps/sockets")).await.launch().await;
    let mut failed = Vec::new();
    for page in pages() {
        no_command_hides(&page);
        let script = script(&page);
        stop_all(&user).await;
        if !script.is_empty() {
            failed.extend(run(&server, &page, &script).await);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    stop_all(&user).await;
}

/// Every code that `src/answer.rs` and `src/error.rs` give out.
#[test]
fn every_error_has_its_line_in_troubleshooting() {
    let read = |name: &str| std::fs::read_to_string(repository().join(name)).unwrap();
    let page = read("docs/troubleshooting.md");
    let mut found = 0;
    for (file, function) in [("src/answer.rs", "fn code("), ("src/error.rs", "fn as_str(")] {
        let source = read(file);
        let body = source.split_once(function).unwrap().1.split_once("\n    }\n").unwrap().0;
        for code in body.split('"').skip(1).step_by(2) {
            assert!(page.contains(&format!("`{code}`")), "{code} of {file}");
            found += 1;
        }
    }
    assert!(found > 25, "{found}");
}

/// Lines of the log that the page explains are lines of the source.
#[test]
fn every_line_of_the_log_in_troubleshooting_is_one_that_is_written() {
    let page = std::fs::read_to_string(repository().join("docs/troubleshooting.md")).unwrap();
    let table = page.split_once("## What the server's log says").unwrap().1;
    let source = all_of(&repository().join("src")) + &all_of(&repository().join("crates/sandbox/src"));
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let lines: Vec<_> = rows
        .flat_map(|row| row.trim_end_matches('`').split("`, `"))
        .filter(|line| !line.is_empty())
        .collect();
    assert!(lines.len() > 40, "{lines:?}");
    for line in lines {
        assert!(source.contains(&format!("\"{line}\"")), "nothing says: {line}");
    }
}

/// Each call of the description has its line in the page about the API.
#[test]
fn every_call_is_in_the_page_of_the_api() {
    let read = |name: &str| std::fs::read_to_string(repository().join(name)).unwrap();
    let (page, document) = (read("docs/api.md"), read("docs/openapi.json"));
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let lines: Vec<_> = page.lines().collect();
    let mut calls = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        // The page names parts of a path as it likes, and leaves out what all calls of a section begin with.
        let below = path.strip_prefix("/api/generations/{").and_then(|path| Some(path.split_once('}')?.1));
        let last = below.unwrap_or(path).split('{').next().unwrap();
        for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let is_named = |lines: &[&str]| {
                let text = lines.concat();
                let how = match &*method {
                    "GET" => true,
                    "POST" => ["POST", "--json", "--data"].iter().any(|sign| text.contains(sign)),
                    other => text.contains(other),
                };
                how && text.contains(last)
            };
            assert!(lines.windows(2).any(is_named), "{method} {path}");
            calls += 1;
        }
    }
    assert!(calls > 20, "{calls}");
}

/// The text of all files below a directory.
fn all_of(directory: &Path) -> String {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { all_of(&path) } else { std::fs::read_to_string(path).unwrap() })
        .collect()
}
