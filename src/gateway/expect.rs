//! `Expect: 100-continue`: a client that waits with its body is told to go on when the application asks for it, and not
//! when the application refuses the request by its headers.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use hyper::body::Body as _;
use tokio::sync::watch;

use super::watched::{Polled, Watch, watched};

/// For an application to ask or to answer. Some never ask and read all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether the client waits with the body.
pub fn is_expected(headers: &HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Keeps the body back until the application asks for it. What asks the client for it is that it is read.
pub fn keep_back(mut request: Request<Body>) -> Request<Body> {
    if !is_expected(request.headers()) || request.body().is_end_stream() {
        return request;
    }
    let (ask, asked) = watch::channel(false);
    hyper::ext::on_informational(&mut request, move |response| {
        if response.status() == StatusCode::CONTINUE {
            ask.send_replace(true);
        }
    });
    request.map(|body| watched(body, KeptBack(Some(Box::pin(wait(asked))))))
}

async fn wait(mut asked: watch::Receiver<bool>) {
    let answered = async { asked.wait_for(|asked| *asked).await.is_err() };
    if tokio::time::timeout(PATIENCE, answered).await == Ok(true) {
        // Who read now would have the client asked before it is told the answer.
        tokio::time::sleep(PATIENCE).await;
    }
}

/// Keeps a body from being read until then.
struct KeptBack<F>(Option<Pin<Box<F>>>);

impl<F: Future<Output = ()> + Send + 'static> Watch for KeptBack<F> {
    fn poll(&mut self, body: &mut Body, cx: &mut Context<'_>) -> Polled {
        if let Some(wait) = &mut self.0 {
            std::task::ready!(wait.as_mut().poll(cx));
            self.0 = None;
        }
        Pin::new(body).poll_frame(cx)
    }
}
