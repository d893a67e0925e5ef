use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use tokio::{
    net::TcpListener,
    sync::{
        Notify,
        mpsc::{self, UnboundedReceiver, UnboundedSender},
    },
};

/// What the next requests are answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// A server of one key set that says what a test wants it to, and shows what it was asked.
pub(crate) struct Publisher {
    pub(crate) url: String,
    reply: Arc<Mutex<Reply>>,
    requests: UnboundedReceiver<HeaderMap>,
    gate: Arc<Notify>,
}

struct Served {
    reply: Arc<Mutex<Reply>>,
    requests: UnboundedSender<HeaderMap>,
}

impl Publisher {
    pub(crate) async fn start(body: String, headers: &[(&'static str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let reply = Arc::new(Mutex::new(Reply { status: 200, headers, body }));
        let (sender, requests) = mpsc::unbounded_channel();
        let served = Arc::new(Served { reply: Arc::clone(&reply), requests: sender });
        let gate = Arc::new(Notify::new());
        let stop = Arc::clone(&gate);
        let routes = Router::new().fallback(answer).with_state(served);
        tokio::spawn(async move {
            axum::serve(listener, routes).with_graceful_shutdown(async move { stop.notified().await }).await
        });
        Self { url, reply, requests, gate }
    }

    /// Answers this from now on.
    pub(crate) fn reply(&self, change: impl FnOnce(&mut Reply)) {
        change(&mut self.reply.lock().unwrap());
    }

    /// The headers of the next request that was not looked at yet.
    pub(crate) async fn request(&mut self) -> HeaderMap {
        self.requests.recv().await.unwrap()
    }

    /// How many requests were not looked at yet.
    pub(crate) fn pending(&self) -> usize {
        self.requests.len()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.gate.notify_one();
    }
}

async fn answer(State(served): State<Arc<Served>>, request: HeaderMap) -> Response {
    let Reply { status, headers, body } = served.reply.lock().unwrap().clone();
    let _ = served.requests.send(request);
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
