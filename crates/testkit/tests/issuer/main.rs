//! What an issuer for tests does, seen from outside.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use reqwest::{Client, Response, header};

mod faults;
mod feed;
mod rotation;
mod serving;
mod token_endpoint;

fn client() -> Client {
    let builder = Client::builder().tls_certs_only([]).no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.build().unwrap()
}

async fn fetch(url: &str) -> reqwest::Result<Response> {
    client().get(url).send().await
}

async fn fetch_holding(url: &str, etag: &str) -> reqwest::Result<Response> {
    client().get(url).header(header::IF_NONE_MATCH, etag).send().await
}
