//! Calls of the API, in its own words.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use super::shared::Shared;
use super::{Answer, Stream};

/// Somebody with a token.
#[derive(Clone, Debug)]
pub struct User {
    shared: Arc<Shared>,
    pub token: String,
}

/// An uploaded generation.
#[derive(Clone, Debug)]
pub struct Generation {
    pub user: User,
    pub project: String,
    pub id: String,
}

/// A preview that was launched.
#[derive(Clone, Debug)]
pub struct Preview {
    shared: Arc<Shared>,
    pub id: String,
    pub base_url: String,
    pub token: String,
    /// The answer to the launch.
    pub body: Value,
}

impl User {
    pub fn new(shared: Arc<Shared>, token: &str) -> Self {
        Self { shared, token: token.to_owned() }
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.shared.client
    }

    /// A call to be added to.
    pub fn call(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.shared.address());
        self.shared.client.request(method, url).bearer_auth(&self.token)
    }

    pub async fn send(&self, call: reqwest::RequestBuilder) -> Answer {
        let answer = Answer::of(call.send().await.expect("an answer")).await;
        if let Ok(body) = serde_json::from_slice::<Value>(&answer.bytes) {
            let named = [&body["previewInstanceId"], &body["details"]["previewInstanceId"]];
            named.into_iter().filter_map(Value::as_str).for_each(|id| self.shared.saw(id));
        }
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.call(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.call(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.call(Method::POST, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.call(Method::PATCH, path).json(body)).await
    }

    /// A body of any type.
    pub async fn post_bytes(&self, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.send(self.call(Method::POST, path).header("content-type", kind).body(body)).await
    }

    /// A new project's id.
    pub async fn project(&self) -> String {
        let body = self.post("/api/projects", &json!({ "name": "a project" })).await.expect(201);
        body["projectId"].as_str().unwrap().to_owned()
    }

    /// Uploads files into a project of their own.
    pub async fn upload(&self, files: &Value) -> Generation {
        self.upload_as(&json!({ "files": files })).await
    }

    /// Uploads with everything that an upload may say.
    pub async fn upload_as(&self, body: &Value) -> Generation {
        let project = self.project().await;
        let made = self.post(&format!("/api/projects/{project}/generations"), body).await.expect(201);
        self.generation(&project, made["generationId"].as_str().unwrap())
    }

    /// A generation that is known by its ids.
    pub fn generation(&self, project: &str, id: &str) -> Generation {
        self.shared.generations.lock().unwrap().push((id.to_owned(), self.token.clone()));
        Generation { user: self.clone(), project: project.to_owned(), id: id.to_owned() }
    }
}

impl Generation {
    /// A path below the generation's own.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/generations/{}{rest}", self.id)
    }

    pub async fn get(&self, rest: &str) -> Answer {
        self.user.get(&self.path(rest)).await
    }

    pub async fn post(&self, rest: &str, body: &Value) -> Answer {
        self.user.post(&self.path(rest), body).await
    }

    /// Launches it, whatever comes of it.
    pub async fn try_launch(&self, body: &Value) -> Answer {
        self.post("/preview/launch", body).await
    }

    /// Launches it and waits until it serves.
    pub async fn launch(&self) -> Preview {
        self.launch_with(&json!({})).await
    }

    pub async fn launch_with(&self, body: &Value) -> Preview {
        let body = self.try_launch(body).await.expect(200);
        assert_eq!(body["status"], "launched", "{body}");
        self.preview(body)
    }

    /// Begins a launch and does not wait for it.
    pub async fn launch_unawaited(&self) -> Preview {
        let body = self.post("/preview/launch?wait=false", &json!({})).await.expect(202);
        assert_eq!(body["status"], "launching", "{body}");
        self.preview(body)
    }

    fn preview(&self, body: Value) -> Preview {
        let text =
            |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned();
        let (id, base_url, token) = (text("previewInstanceId"), text("baseUrl"), text("previewToken"));
        Preview { shared: Arc::clone(&self.user.shared), id, base_url, token, body }
    }

    pub async fn stop(&self) -> Answer {
        self.user.delete(&self.path("/preview")).await
    }

    pub async fn status(&self) -> Answer {
        self.get("/preview/status").await
    }

    /// Waits until the status is this one.
    pub async fn until_status(&self, status: &str) -> Value {
        let look = async || {
            let answer = self.status().await;
            let body = answer.json();
            let word = if answer.status == 404 { "gone" } else { body["status"].as_str().unwrap() };
            (word == status).then_some(body)
        };
        super::eventually(&format!("status {status}"), look).await
    }

    /// A request through the API, with the preview's token.
    pub async fn request(&self, preview: &Preview, body: &Value) -> Answer {
        let path = self.path("/preview/request");
        let call = self.user.call(Method::POST, &path).header("x-preview-token", &preview.token);
        self.user.send(call.json(body)).await
    }

    /// What the preview says to a GET, through the API.
    pub async fn fetch(&self, preview: &Preview, path: &str) -> Value {
        self.request(preview, &json!({ "method": "GET", "path": path })).await.expect(200)
    }

    /// An open log stream.
    pub async fn stream(&self, query: &str) -> Stream {
        Stream::new(self.open_stream(query, None).await)
    }

    /// The answer to the opening of a log stream, with `Last-Event-ID` if there is one.
    pub async fn open_stream(&self, query: &str, last_id: Option<u64>) -> reqwest::Response {
        let mut call = self.user.call(Method::GET, &self.path(&format!("/preview/logs/stream{query}")));
        if let Some(id) = last_id {
            call = call.header("last-event-id", id.to_string());
        }
        call.send().await.expect("an answer")
    }

    /// All lines that the log has.
    pub async fn log(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        let mut after = 0;
        loop {
            let page = self.get(&format!("/preview/logs?afterId={after}&limit=1000")).await.expect(200);
            lines.extend(page["logs"].as_array().unwrap().iter().cloned());
            match page["nextAfterId"].as_u64() {
                Some(next) => after = next,
                None => return lines,
            }
        }
    }

    /// Waits for a line with this message and gives it.
    pub async fn line(&self, message: &str) -> Value {
        let look = async || self.log().await.into_iter().find(|line| line["message"] == message);
        super::eventually(&format!("the line {message:?}"), look).await
    }

    /// Waits for a line whose message has this in it and gives it.
    pub async fn line_with(&self, part: &str) -> Value {
        let has = |line: &Value| line["message"].as_str().is_some_and(|message| message.contains(part));
        let look = async || self.log().await.into_iter().find(has);
        super::eventually(&format!("a line with {part:?}"), look).await
    }
}

impl Preview {
    /// A call of the preview's own address, with its token.
    pub fn call(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.anonymous(method, path).header("x-preview-token", &self.token)
    }

    /// The same without a token.
    pub fn anonymous(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.shared.client.request(method, format!("{}{path}", self.base_url))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.call(Method::GET, path).send().await.expect("an answer")).await
    }

    /// Its port of the pool.
    pub fn port(&self) -> u16 {
        self.base_url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap()
    }
}
