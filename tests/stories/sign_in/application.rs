use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use anyhow::Context;
use axum::{
    Router,
    extract::{RawQuery, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use reqwest::Url;

/// An application with a page of its own: what is sent to its callback is kept, and the person goes on to its home, which
/// is on another host, as it is with many.
#[derive(Debug, Clone)]
pub(super) struct Application {
    /// Where answers are sent.
    pub(super) callback: String,
    /// Where people are in the end.
    pub(super) home: String,
    answers: Arc<Mutex<Vec<String>>>,
}

impl Application {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let own = Self {
            callback: format!("http://127.0.0.1:{port}/callback"),
            home: format!("http://localhost:{port}/home"),
            answers: Arc::default(),
        };
        let router = Router::new()
            .route("/callback", get(query).post(form))
            .route("/home", get(async || Html("<title>Shop</title><p>You are home.</p>")))
            .with_state(own.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(own)
    }

    /// The parameters of the last answer; those that came before are forgotten.
    pub(super) fn answer(&self) -> anyhow::Result<HashMap<String, String>> {
        let mut answers = self.answers.lock().expect("nobody panics with it");
        let last = answers.pop().context("the application has had an answer")?;
        answers.clear();
        let url = Url::parse(&format!("{}?{last}", self.callback))?;
        Ok(url.query_pairs().into_owned().collect())
    }

    /// Whether anything has been sent to it since it was last asked.
    pub(super) fn has_answer(&self) -> bool {
        !self.answers.lock().expect("nobody panics with it").is_empty()
    }

    fn take(&self, answer: String) -> Response {
        self.answers.lock().expect("nobody panics with it").push(answer);
        (StatusCode::SEE_OTHER, [("location", self.home.clone())]).into_response()
    }
}

async fn query(State(own): State<Application>, RawQuery(query): RawQuery) -> Response {
    own.take(query.unwrap_or_default())
}

async fn form(State(own): State<Application>, body: String) -> Response {
    own.take(body)
}
