use std::{error::Error, fmt, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request, Response, StatusCode},
};
use claviger_jose::Algorithm;
use hyper::body::Body as HttpBody;
use tower::{Service, ServiceExt};

use self::answer::Answer;
use crate::{Tamper, TestToken};

mod answer;
mod over_http;

/// How long a service may take to hold its keys, and for each answer.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Asserts that a service accepts this token and rejects every forgery of it in the same way.
///
/// A rejection is 401 with `WWW-Authenticate: Bearer error="invalid_token"` (RFC 6750 section 3) and one body for
/// all: what was wrong is for the log. The good token is tried before and after, under each algorithm of the issuer,
/// so neither a service that refuses everything nor one that breaks on the way passes.
///
/// `app` is an axum router or any other tower service; `path` is that of a guarded route, and the token has what
/// the route asks for. What differs on purpose is told to a [`RejectionCheck`].
///
/// ```
/// # use axum::{Router, routing::get};
/// # use claviger_testkit::{TestIssuer, assert_rejects_all};
/// # use claviger_verifier::{Principal, Verifier};
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let issuer = TestIssuer::start().await;
/// let verifier = Verifier::builder(issuer.url(), "https://orders.fleet.test").build()?;
/// let app = Router::new().route("/orders", get(async |caller: Principal| caller.sub().to_owned())).with_state(verifier);
///
/// assert_rejects_all(app, &issuer.token("https://orders.fleet.test").scope("orders:read"), "/orders").await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// If anything is not as it should be; the message lists all of it by name.
pub async fn assert_rejects_all<S, B>(app: S, token: &TestToken, path: &str)
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: fmt::Display,
    B: HttpBody,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    RejectionCheck::of(token).run(app, path).await.unwrap_or_else(|failed| panic!("{failed}"));
}

/// The same for a service that runs elsewhere: `url` is that of a guarded route, over plain http.
///
/// # Panics
/// If anything is not as it should be, or the URL is none of plain http.
pub async fn assert_rejects_all_at(url: &str, token: &TestToken) {
    RejectionCheck::of(token).run_at(url).await.unwrap_or_else(|failed| panic!("{failed}"));
}

/// [`assert_rejects_all`] for a service that differs on purpose.
#[derive(Debug, Clone)]
#[must_use = "run it"]
pub struct RejectionCheck {
    token: TestToken,
    method: Method,
    excepted: Vec<String>,
}

/// What a service did not reject as it should have.
#[derive(Debug, Clone)]
pub struct RejectionFailures {
    tried: usize,
    failures: Vec<(&'static str, String)>,
}

impl RejectionCheck {
    /// A check with a token that the service accepts.
    pub fn of(token: &TestToken) -> Self {
        Self { token: token.clone(), method: Method::GET, excepted: Vec::new() }
    }

    /// Another method than GET. The body is empty, so the good token may well be answered with 400, 415 or 422.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Leaves out rows by name, as `typ-jwt` for a service that takes tokens of an issuer that writes that.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn except<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        for name in names {
            assert!(Tamper::named(name).is_some(), "no forgery has the name {name:?}");
            self.excepted.push(name.to_owned());
        }
        self
    }

    /// Runs it on a service in this process.
    ///
    /// # Errors
    /// [`RejectionFailures`] names every row that was not rejected as it should have been.
    pub async fn run<S, B>(self, app: S, path: &str) -> Result<(), RejectionFailures>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone,
        S::Error: fmt::Display,
        B: HttpBody,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let ask = async |request: Request<Body>| {
            let response = app.clone().oneshot(request).await.map_err(|error| error.to_string())?;
            Answer::read(response).await
        };
        self.check(path, ask).await
    }

    /// Runs it on a service that runs elsewhere.
    ///
    /// # Errors
    /// [`RejectionFailures`] names every row that was not rejected as it should have been.
    ///
    /// # Panics
    /// If the URL is none of plain http.
    pub async fn run_at(self, url: &str) -> Result<(), RejectionFailures> {
        let place = over_http::Place::parse(url).unwrap_or_else(|reason| panic!("{url}: {reason}"));
        let ask = async |request: Request<Body>| Answer::read(place.send(request).await?).await;
        self.check(place.path(), ask).await
    }

    async fn check(
        self,
        path: &str,
        ask: impl AsyncFn(Request<Body>) -> Result<Answer, String>,
    ) -> Result<(), RejectionFailures> {
        let ask = async |token: &str| {
            let request = Request::builder().method(&self.method).uri(path);
            let request = request.header("authorization", format!("Bearer {token}")).body(Body::empty());
            let request = request.map_err(|error| error.to_string())?;
            let in_time = tokio::time::timeout(PATIENCE, ask(request)).await;
            in_time.unwrap_or_else(|_| Err(format!("no answer in {PATIENCE:?}")))
        };
        let mut found = RejectionFailures { tried: 0, failures: Vec::new() };
        self.accepts("the good token", &mut found, &ask).await;
        if !found.failures.is_empty() {
            // Every forgery would be rejected, and that would show nothing.
            return Err(found);
        }
        let mut first: Option<(&'static str, Answer)> = None;
        for tamper in Tamper::all() {
            if self.excepted.iter().any(|name| name == tamper.name()) {
                continue;
            }
            for (alg, forged) in tamper.apply_each(&self.token) {
                found.tried += 1;
                match ask(&forged).await {
                    Err(reason) => found.fail(tamper.name(), alg, &reason),
                    Ok(answer) => match answer.why_no_rejection(first.as_ref()) {
                        Some(reason) => found.fail(tamper.name(), alg, &reason),
                        None => first = first.or(Some((tamper.name(), answer))),
                    },
                }
            }
        }
        self.accepts("the good token, afterwards", &mut found, &ask).await;
        if found.failures.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Waits for a service that does not hold its keys yet, which it says with 503.
    async fn accepts(
        &self,
        name: &'static str,
        found: &mut RejectionFailures,
        ask: &impl AsyncFn(&str) -> Result<Answer, String>,
    ) {
        for key in self.token.keys() {
            let good = async || ask(&self.token.renewed().sign_with(key)).await;
            let start = tokio::time::Instant::now();
            let mut answer = good().await;
            while matches!(&answer, Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE)
                && start.elapsed() < PATIENCE
            {
                tokio::time::sleep(PAUSE).await;
                answer = good().await;
            }
            match answer.map(|answer| answer.why_no_acceptance()) {
                Ok(None) => {}
                Ok(Some(reason)) | Err(reason) => found.fail(name, key.alg(), &reason),
            }
        }
    }
}

impl RejectionFailures {
    /// The names of the rows, each once.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.failures.iter().map(|(name, _)| *name).collect();
        names.dedup();
        names
    }

    fn fail(&mut self, name: &'static str, alg: Algorithm, reason: &str) {
        self.failures.push((name, format!("{name} ({alg}): {reason}")));
    }
}

impl fmt::Display for RejectionFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tried, failures } = self;
        if *tried == 0 {
            f.write_str("the good token is not accepted, so nothing can be shown:")?;
        } else {
            write!(f, "{} of {tried} forged tokens are not rejected as they should be:", failures.len())?;
        }
        failures.iter().try_for_each(|(_, failure)| write!(f, "\n  {failure}"))
    }
}

impl Error for RejectionFailures {}
