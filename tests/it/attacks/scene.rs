//! An attacker's preview, and a bystander's.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Generation, NO_MORE_THAN_A_SERVER, Preview, Server, User, asgi, descendants, eventually, is_spare,
};

/// An application that runs whatever Python it is sent, and answers with `result` or the error's name.
const SHELL: &str = r#"
import asyncio, ctypes, errno, json, os, signal, socket, subprocess, sys, threading, time

print("listening for orders", flush=True)

def tried(what):
    try:
        return ["WORKED", repr(what())]
    except OSError as error:
        return [errno.errorcode.get(error.errno, str(error))]
    except BaseException as error:
        return [type(error).__name__]

def run(code):
    names = dict(globals())
    exec(code, names)
    return names["result"]

async def app(scope, receive, send):
    body, more = b"", scope["type"] == "http"
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    result = await asyncio.to_thread(run, body.decode()) if body else "alive"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(result).encode()})
"#;

/// A server with a preview under an attacker's command and a bystander's beside it.
pub struct Scene {
    pub server: Server,
    pub user: User,
    pub attacker: Generation,
    pub attack: Preview,
    pub bystander: Preview,
}

pub fn shell() -> Value {
    json!({ "app/main.py": SHELL, "requirements.txt": NO_MORE_THAN_A_SERVER })
}

pub async fn launched(user: &User, files: &Value) -> (Generation, Preview) {
    let generation = user.upload(files).await;
    let preview = generation.launch().await;
    (generation, preview)
}

impl Scene {
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let server = Server::with(settings).await;
        // Of one user, whose previews have most in common.
        let user = server.user_of("pro", "eve");
        let (_, bystander) = launched(&user, &asgi("")).await;
        let attacker = user.upload(&shell()).await;
        if !settings.contains(&("ISOLATION", "off")) {
            // As most previews are, once what is made ahead is there.
            let spare = || descendants(server.keeper_pid()).iter().any(|(pid, _)| is_spare(*pid));
            eventually("what is made ahead", async || spare().then_some(())).await;
        }
        let attack = attacker.launch().await;
        Self { server, user, attacker, attack, bystander }
    }

    /// Launches the attacker's preview anew, whatever has become of it.
    pub async fn attack_again(&mut self) {
        let _may_be_over = self.attacker.stop().await;
        self.attack = self.attacker.launch().await;
    }

    /// Lets the attacker's preview run Python, and gives its `result`.
    pub async fn run(&self, code: &str) -> Value {
        run(&self.attack, code).await
    }

    /// Each attempt that worked, of expressions tried in the attacker's preview.
    pub async fn worked(&self, attempts: &[String]) -> Vec<String> {
        let list = attempts.iter().map(|attempt| format!("tried(lambda: {attempt}),")).collect::<String>();
        let result = self.run(&format!("result = [{list}]")).await;
        let outcomes = result.as_array().unwrap().iter().zip(attempts);
        outcomes
            .filter(|(outcome, _)| outcome[0] == "WORKED")
            .map(|(outcome, attempt)| format!("{attempt}: {outcome}"))
            .collect()
    }

    /// Whether this host bounds the memory of a whole sandbox, as it does for root.
    pub fn counts_memory(&self) -> bool {
        self.has("cgroup_memory")
    }

    pub fn has(&self, layer: &str) -> bool {
        let doctor = self.server.command(&["doctor", "--json"]).output().unwrap();
        let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
        found["isolation"][layer]["available"] == true
    }

    /// The others go on.
    pub async fn nobody_else_is_hurt(&self) {
        assert_eq!(self.bystander.get("/x").await.text(), "you asked for /x");
        self.user.get("/api/projects").await.expect(200);
    }
}

pub async fn run(preview: &Preview, code: &str) -> Value {
    let answer = preview.call(Method::POST, "/").body(code.to_owned()).send().await.expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "after {code}: {text}");
    serde_json::from_str(&text).unwrap()
}
