//! One request to the issuer's token endpoint, found by its metadata.

use std::{
    error::Error,
    fmt,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use claviger_oauth::{
    Audience, AuthenticationMethod, ClientId, ErrorBody, Issuer, PresentedToken, ScopeSet, ServerMetadata,
    TokenResponse, oauth_discovery_url, oidc_discovery_url,
};
use reqwest::{RequestBuilder, Response, StatusCode, header, redirect};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};
use tracing::warn;
use url::{Host, Url, form_urlencoded};

use crate::{
    AccessToken, BuildError,
    policy::Policy,
    slot::{Fault, Grant},
};

const CONNECT: Duration = Duration::from_secs(1);
/// For discovery and the request together.
const TOTAL: Duration = Duration::from_secs(5);
const MAX_BODY: usize = 64 * 1024;

const UNREACHABLE: Fault = Fault::unavailable("the issuer cannot be reached");
const TIMED_OUT: Fault = Fault::unavailable("the issuer did not answer in time");
const MALFORMED: Fault = Fault::unavailable("the issuer's answer is not that of the standard");
const TOO_LARGE: Fault = Fault::unavailable("the issuer's answer is too large");
const OTHER_ISSUER: Fault = Fault::unavailable("the metadata at the issuer's URL is of another issuer");
const PLAIN_HTTP: Fault = Fault::unavailable("the issuer's token endpoint is no https URL");

/// Who asks, and whom.
pub(crate) struct TokenEndpoint {
    issuer: Issuer,
    client_id: ClientId,
    secret: SecretString,
    method: AuthenticationMethod,
    http: reqwest::Client,
    /// Where the issuer's metadata says that the endpoint is; forgotten when that fails.
    url: RwLock<Option<Url>>,
}

impl TokenEndpoint {
    pub(crate) fn new(
        issuer: Issuer,
        client_id: ClientId,
        secret: SecretString,
        method: AuthenticationMethod,
    ) -> Result<Self, BuildError> {
        let http = guarded_client(&issuer).map_err(BuildError::HttpClient)?;
        Ok(Self { issuer, client_id, secret, method, http, url: RwLock::new(None) })
    }

    /// Asks for one token, once.
    pub(crate) async fn fetch(&self, audience: &Audience, scope: &ScopeSet) -> Result<Grant, Fault> {
        let since = Instant::now();
        let answer = timeout(TOTAL, self.request(audience, scope)).await;
        let outcome = answer.unwrap_or(Err(TIMED_OUT)).and_then(|response| grant(response, scope, since));
        if let Err(fault) = &outcome {
            warn!(issuer = %self.issuer, client_id = %self.client_id, %audience, %scope, %fault, "no access token");
            if matches!(fault, Fault::Unavailable { .. }) {
                *self.url.write().unwrap_or_else(PoisonError::into_inner) = None;
            }
        }
        outcome
    }

    async fn request(&self, audience: &Audience, scope: &ScopeSet) -> Result<TokenResponse, Fault> {
        let known = self.url.read().unwrap_or_else(PoisonError::into_inner).clone();
        let url = match known {
            Some(url) => url,
            None => self.discover().await?,
        };
        let mut form = vec![("grant_type", "client_credentials"), ("resource", audience.as_str())];
        if !scope.is_empty() {
            form.push(("scope", scope.as_str()));
        }
        let response = send(self.authenticated(url, form)).await?;
        match response.status() {
            StatusCode::OK => parse(&body(response).await?),
            status if status.is_client_error() => Err(refusal(response).await),
            _ => Err(unexpected(&response)),
        }
    }

    /// RFC 6749 section 2.3.1: in a header, id and secret are form-encoded before Basic joins them
    /// with a colon; in a body, the form encodes them.
    fn authenticated<'f>(&'f self, url: Url, mut form: Vec<(&'f str, &'f str)>) -> RequestBuilder {
        let request = self.http.post(url).header(header::ACCEPT, "application/json");
        let (id, secret) = (self.client_id.as_str(), self.secret.expose_secret());
        if self.method == AuthenticationMethod::ClientSecretBasic {
            let secret = Zeroizing::new(form_encoded(secret));
            request.basic_auth(form_encoded(id), Some(secret.as_str())).form(&form)
        } else {
            form.extend([("client_id", id), ("client_secret", secret)]);
            request.form(&form)
        }
    }

    /// Reads the issuer's metadata: RFC 8414, and where there is none, OpenID Connect Discovery.
    async fn discover(&self) -> Result<Url, Fault> {
        let mut response = send(self.http.get(oauth_discovery_url(&self.issuer))).await?;
        if response.status() == StatusCode::NOT_FOUND {
            response = send(self.http.get(oidc_discovery_url(&self.issuer))).await?;
        }
        if response.status() != StatusCode::OK {
            return Err(unexpected(&response));
        }
        let metadata: ServerMetadata = parse(&body(response).await?)?;
        // RFC 8414 section 3.3: else whoever answers here could have the secret sent elsewhere.
        if metadata.issuer != self.issuer {
            return Err(OTHER_ISSUER);
        }
        let url = Url::parse(&metadata.token_endpoint).map_err(|_| MALFORMED)?;
        let in_plain_text = url.scheme() != "https";
        if in_plain_text && !(self.issuer.is_loopback() && is_plain_loopback(&url)) {
            return Err(PLAIN_HTTP);
        }
        *self.url.write().unwrap_or_else(PoisonError::into_inner) = Some(url.clone());
        Ok(url)
    }
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code } => f.write_str(code),
            Self::Unavailable { reason, .. } => f.write_str(reason),
        }
    }
}

/// A client that goes where it was sent, not where an answer or the environment points: a
/// redirect or a proxy would get the secret.
fn guarded_client(issuer: &Issuer) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
    if issuer.as_str().starts_with("http:") {
        // No TLS is spoken: a system without certificate authorities is no reason to fail.
        builder.tls_certs_only([]).build()
    } else {
        builder.https_only(true).build()
    }
}

async fn send(request: RequestBuilder) -> Result<Response, Fault> {
    request.send().await.map_err(|error| {
        warn!(error = &error as &dyn Error, "the issuer does not answer");
        if error.is_timeout() { TIMED_OUT } else { UNREACHABLE }
    })
}

async fn body(mut response: Response) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|_| UNREACHABLE)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(TOO_LARGE);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|_| MALFORMED)
}

/// What an error status means: a refusal, if it says so in the words of the standard.
async fn refusal(response: Response) -> Fault {
    let unexpected = unexpected(&response);
    let says = body(response).await.and_then(|body| parse::<ErrorBody>(&body));
    match says.map(|body| body.error) {
        Ok(code) if is_refusal(&code) => Fault::Refused { code: code.into() },
        _ => unexpected,
    }
}

/// The characters that RFC 6749 section 5.2 allows, and few enough of them for a log.
fn is_refusal(code: &str) -> bool {
    let of_the_standard = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    (1..=64).contains(&code.len())
        && code.bytes().all(of_the_standard)
        && !matches!(code, "temporarily_unavailable" | "server_error" | "slow_down")
}

/// A status that is neither a token nor a refusal. Only the seconds form of `Retry-After` is read.
fn unexpected(response: &Response) -> Fault {
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let seconds = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Fault::Unavailable {
        reason: "the issuer answers with an error",
        retry_after: seconds.map(Duration::from_secs),
    }
}

/// Accepts an answer: a token that can be sent, and that allows what was asked for.
fn grant(response: TokenResponse, scope: &ScopeSet, since: Instant) -> Result<Grant, Fault> {
    let header = Zeroizing::new(format!("Bearer {}", response.access_token));
    PresentedToken::parse([header.as_bytes()]).map_err(|_| MALFORMED)?;
    // RFC 6749 section 5.1: absent means "as asked for".
    if response.scope.is_some_and(|granted| !scope.is_subset(&granted)) {
        return Err(Fault::Refused { code: "invalid_scope".into() });
    }
    let lifetime = Policy::lifetime(response.expires_in);
    let token = AccessToken::new(response.access_token, since + lifetime);
    Ok(Grant { token, lifetime, since })
}

fn form_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn is_plain_loopback(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && is_loopback
}
