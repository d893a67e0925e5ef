use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use claviger_jose::base64url;
use claviger_testkit::{TestIssuer, TestKey};
use claviger_verifier::Verifier;
use http::{HeaderValue, Request, header, request::Parts};
use http_body_util::Empty;
use serde_json::json;

/// The service that the tokens are for.
pub(crate) const AUDIENCE: &str = "https://orders.fleet.test";
/// Enough for no cache or predictor to learn one by heart.
const TOKENS: usize = 32;

/// An issuer on loopback, whose keys and tokens are the same for all.
pub(crate) struct Stage {
    pub(crate) issuer: TestIssuer,
    /// The key set as text, for those who can be given one.
    pub(crate) jwks: String,
    pub(crate) verifier: Verifier,
}

impl Stage {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let issuer = TestIssuer::start().await;
        let jwks = json!({ "keys": [TestKey::rs256().jwk(), TestKey::es256().jwk()] }).to_string();
        let verifier = Verifier::builder(issuer.url(), AUDIENCE).build()?;
        ensure!(verifier.ready_within(Duration::from_secs(10)).await, "the key set was not fetched");
        Ok(Self { issuer, jwks, verifier })
    }

    /// Good tokens, alike and each with a `jti` of its own.
    pub(crate) fn tokens(&self, key: &TestKey) -> anyhow::Result<Vec<Presented>> {
        let sign = |_| self.issuer.token(AUDIENCE).scope("orders:read orders:write").sign_with(key);
        (0..TOKENS).map(sign).map(Presented::new).collect()
    }
}

/// A token in every form in which a contestant takes it, so that none pays for making its own.
pub(crate) struct Presented {
    pub(crate) token: String,
    pub(crate) signing_input: String,
    pub(crate) signature: Vec<u8>,
    /// The head of a request with the token as its bearer.
    pub(crate) parts: Parts,
}

impl Presented {
    pub(crate) fn new(token: String) -> anyhow::Result<Self> {
        let (signing_input, signature) = token.rsplit_once('.').context("a token has dots")?;
        let (signing_input, signature) = (signing_input.to_owned(), base64url::decode(signature)?);
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.headers.insert(header::AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}"))?);
        Ok(Self { token, signing_input, signature, parts })
    }

    pub(crate) fn request(&self) -> Request<Empty<Bytes>> {
        Request::from_parts(self.parts.clone(), Empty::new())
    }
}

/// The result of a future that waits for nothing: no runtime's cost is measured with it.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Ok(done),
        Poll::Pending => bail!("it waits for something"),
    }
}
