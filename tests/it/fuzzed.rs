//! The API against its own description, by schemathesis with all of its checks: no 5xx of ours, and nothing that is
//! answered or refused otherwise than the description says.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::{Generation, Server, asgi};

const TOOL: &str = "schemathesis==4.32.5";
/// Cases of each call and kind; `make nightly` sets another number.
const CASES: &str = "5";
const NIGHTLY: &str = "PREVIEW_TEST_CASES";
/// Makes them the same as the last time.
const SEED: &str = "PREVIEW_TEST_SEED";

/// The tool in an environment of its own, made by the uv of a server's and kept for the next run.
fn tool(server: &Server) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(TOOL.replace("==", "-"));
    if !place.exists() {
        let aside = Path::new(env!("CARGO_TARGET_TMPDIR")).join(crate::harness::unique("schemathesis"));
        let own = server.data_dir().join("tools/uv/bin/uv");
        let uv = if own.exists() { own } else { PathBuf::from("uv") };
        let run = |arguments: &[&str]| {
            let output = Command::new(&uv).args(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let environment = aside.to_str().unwrap();
        run(&["venv", "--quiet", "--relocatable", environment]);
        run(&["pip", "install", "--quiet", "--python", environment, TOOL]);
        // Whoever was first counts.
        let _made_meanwhile = std::fs::rename(&aside, &place);
    }
    place.join("bin/schemathesis")
}

/// Which things the calls name, so that what is made up of them reaches further than to a 404.
struct Things<'a> {
    /// Runs.
    running: &'a Generation,
    /// Has run, so that its log has an end.
    over: &'a Generation,
    /// To be changed.
    changed: &'a Generation,
    /// To be launched and stopped.
    launched: &'a Generation,
    /// To be deleted.
    deleted: &'a Generation,
    request: i64,
    token: &'a str,
}

/// Refused by rules that a schema cannot say: paths of files, names of variables, what a body is encoded as.
const BEYOND_SCHEMAS: &str = r#"checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "503", "504"]"#;
/// Answered for the preview, which may have ended or be one that cannot be started.
const FOR_THE_PREVIEW: &str =
    r#"checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "500", "503", "504"]"#;

fn configuration(things: &Things) -> String {
    let call = |method: &str, rest: &str, lines: &str| {
        format!(
            "[[operations]]\ninclude-method = \"{method}\"\ninclude-path = \"/api/generations/{{id}}{rest}\"\n{lines}\n"
        )
    };
    let of = |generation: &Generation| format!("parameters = {{ \"path.id\" = \"{}\" }}", generation.id);
    let project = &things.running.project;
    [
        format!(
            "[parameters]\n\"path.id\" = \"{}\"\n\"path.projectId\" = \"{project}\"\n\"query.projectId\" = \"{project}\"\n\
             \"path.path\" = \"app/main.py\"\n\"path.requestId\" = {}\n\"header.X-Preview-Token\" = \"{}\"\n",
            things.running.id, things.request, things.token
        ),
        call("GET", "/preview/logs/stream", &of(things.over)),
        call("PATCH", "/files", &format!("{}\n{BEYOND_SCHEMAS}", of(things.changed))),
        call("POST", "/preview/launch", &format!("{}\n{BEYOND_SCHEMAS}\n{FOR_THE_PREVIEW}", of(things.launched))),
        call("DELETE", "/preview", &of(things.launched)),
        call("DELETE", "", &of(things.deleted)),
        call("POST", "/preview/request", &format!("{BEYOND_SCHEMAS}\n{FOR_THE_PREVIEW}")),
        call("POST", "/preview/requests/{requestId}/replay", &format!("{BEYOND_SCHEMAS}\n{FOR_THE_PREVIEW}")),
        format!(
            "[[operations]]\ninclude-method = \"POST\"\ninclude-path = \"/api/projects/{{projectId}}/generations\"\n{BEYOND_SCHEMAS}\n"
        ),
    ]
    .join("\n")
}

#[tokio::test]
async fn what_is_answered_is_what_is_described() {
    let server = Server::with(&[("MAX_INSTANCES_PER_USER", "10")]).await;
    let user = server.user("ana");
    let running = user.upload(&asgi("")).await;
    let preview = running.launch().await;
    running.fetch(&preview, "/x").await;
    let request = running.get("/preview/requests").await.expect(200)["requests"][0]["id"].as_i64().unwrap();
    let over = user.upload(&asgi("")).await;
    over.launch().await;
    over.stop().await.expect(200);
    let (changed, deleted) = (user.upload(&json!({ "a": "" })).await, user.upload(&json!({ "a": "" })).await);
    let launched = user.upload(&asgi("")).await;
    let things = Things {
        running: &running,
        over: &over,
        changed: &changed,
        launched: &launched,
        deleted: &deleted,
        request,
        token: &preview.token,
    };
    let directory = server.data_dir().join("schemathesis");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("schemathesis.toml"), configuration(&things)).unwrap();
    let cases = std::env::var(NIGHTLY);
    let mut command = Command::new(tool(&server));
    command.current_dir(&directory).args(["run", &format!("http://{}/openapi.json", server.address())]);
    command.args(["--checks", "all", "--continue-on-failure", "--suppress-health-check", "all"]);
    command.args(["--request-timeout", "30", "--max-examples", cases.as_deref().unwrap_or(CASES)]);
    command.args(["--phases", if cases.is_ok() { "examples,coverage,fuzzing,stateful" } else { "fuzzing" }]);
    command.args(["--warnings", "off", "--generation-database", "none"]);
    if let Ok(seed) = std::env::var(SEED) {
        command.args(["--seed", &seed]);
    }
    command.args(["--header", &format!("Authorization: Bearer {}", user.token)]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", said.lines().filter(|line| line.contains("generated")).collect::<String>());
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}
