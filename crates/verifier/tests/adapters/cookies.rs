use std::time::Duration;

use axum::{Router, body::Body, routing::any};
use claviger_testkit::TestKey;
use claviger_verifier::{CookieError, Cookies, Principal, Verifier};
use http::{HeaderValue, Request};

use crate::{Answer, Bench};

const CSRF: &str = "0123456789abcdef";

/// A service that browsers call.
struct Service {
    _bench: Bench,
    app: Router,
    token: String,
}

impl Service {
    async fn new() -> Self {
        let bench = Bench::with(|builder| builder.cookies(Cookies::default())).await;
        let app = app(&bench.verifier);
        let token = bench.token().sign_with(TestKey::es256());
        Self { _bench: bench, app, token }
    }

    async fn ask(&self, method: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, value.replace("{token}", &self.token));
        }
        crate::ask(&self.app, request.body(Body::empty()).unwrap()).await
    }

    async fn check(&self, method: &str, headers: &[(&str, &str)], expected: (u16, &str)) {
        let answer = self.ask(method, headers).await;
        assert_eq!((answer.status, answer.body.as_str()), expected, "{method} {headers:?}");
    }
}

fn app(verifier: &Verifier) -> Router {
    Router::new().route("/", any(async |_: Principal| "in")).with_state(verifier.clone())
}

const TOKEN: (&str, &str) = ("cookie", "__Host-access_token={token}");
const BOTH: (&str, &str) = ("cookie", "a=b; __Host-access_token={token}; __Host-csrf_token=0123456789abcdef");
const IN: (u16, &str) = (200, "in");
const CROSS_SITE: (u16, &str) = (403, r#"{"error":"csrf"}"#);
const REPEATED: (u16, &str) = (400, r#"{"error":"invalid_request"}"#);
const INVALID: (u16, &str) = (401, r#"{"error":"invalid_token"}"#);

#[tokio::test]
async fn a_token_in_a_cookie_is_taken_where_nothing_is_changed() {
    let service = Service::new().await;
    for method in ["GET", "HEAD", "OPTIONS"] {
        let body = if method == "HEAD" { "" } else { "in" };
        service.check(method, &[TOKEN], (200, body)).await;
        service.check(method, &[TOKEN, ("sec-fetch-site", "cross-site")], (200, body)).await;
    }
    service.check("GET", &[("cookie", "a=b"), TOKEN, ("cookie", "")], IN).await;
    service.check("GET", &[("cookie", "__Host-access_token=a.b.c")], INVALID).await;
    service.check("GET", &[("cookie", "__Host-access_token=")], INVALID).await;
    service.check("GET", &[("cookie", "__host-access_token={token}; access_token={token}")], (401, "")).await;
    // The header is taken as everywhere, and nobody forges it.
    service.check("POST", &[("authorization", "Bearer {token}")], IN).await;
}

#[tokio::test]
async fn who_changes_anything_repeats_what_only_the_own_site_can_read() {
    let service = Service::new().await;
    let csrf = ("x-csrf-token", CSRF);
    for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE", "get"] {
        service.check(method, &[BOTH, csrf], IN).await;
        service.check(method, &[BOTH, csrf, ("sec-fetch-site", "same-origin")], IN).await;
        service.check(method, &[BOTH, csrf, ("sec-fetch-site", "cross-site")], CROSS_SITE).await;
        service.check(method, &[BOTH], CROSS_SITE).await;
        service.check(method, &[TOKEN], CROSS_SITE).await;
    }
    let other = ("cookie", "__Host-csrf_token=another-value-of-16");
    for headers in [
        &[TOKEN, csrf][..],
        &[BOTH, ("x-csrf-token", "0123456789abcdeF")],
        &[BOTH, ("x-csrf-token", "0123456789abcdef0")],
        &[BOTH, ("x-csrf-token", "")],
        &[BOTH, csrf, csrf],
        &[BOTH, other, csrf],
        &[TOKEN, ("cookie", "__Host-csrf_token="), ("x-csrf-token", "")],
        &[TOKEN, ("cookie", "__Host-csrf_token=0123456789abcde"), ("x-csrf-token", "0123456789abcde")],
        &[TOKEN, ("cookie", "csrf_token=0123456789abcdef"), csrf],
        &[BOTH, csrf, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
    ] {
        service.check("POST", headers, CROSS_SITE).await;
    }
}

#[tokio::test]
async fn only_the_own_page_opens_a_websocket() {
    let service = Service::new().await;
    let (upgrade, same) = (("upgrade", "websocket"), ("sec-fetch-site", "same-origin"));
    service.check("GET", &[TOKEN, upgrade, same], IN).await;
    service.check("GET", &[TOKEN, upgrade], CROSS_SITE).await;
    service.check("GET", &[TOKEN, upgrade, same, same], CROSS_SITE).await;
    for other in ["cross-site", "same-site", "none", "same-origin, same-site", "Same-Origin", ""] {
        service.check("GET", &[TOKEN, upgrade, ("sec-fetch-site", other)], CROSS_SITE).await;
        service.check("GET", &[TOKEN, upgrade, same, ("sec-fetch-site", other)], CROSS_SITE).await;
    }
    service.check("POST", &[TOKEN, upgrade, same], CROSS_SITE).await;
    service.check("GET", &[upgrade, ("authorization", "Bearer {token}")], IN).await;
}

#[tokio::test]
async fn there_is_one_token_in_a_request() {
    let service = Service::new().await;
    for second in ["Bearer {token}", "Bearer a", "Basic b3JkZXJzOnM=", ""] {
        service.check("GET", &[TOKEN, ("authorization", second)], REPEATED).await;
    }
    service.check("GET", &[TOKEN, TOKEN], REPEATED).await;
    let twice = "__Host-access_token={token}; x=y; __Host-access_token=a";
    service.check("GET", &[("cookie", twice)], REPEATED).await;
    service.check("GET", &[("cookie", "__Host-access_token=; __Host-access_token={token}")], REPEATED).await;
}

#[tokio::test]
async fn cookies_that_cannot_be_read_are_refused() {
    let service = Service::new().await;
    let unreadable = HeaderValue::from_bytes(b"__Host-access_token=\xff").unwrap();
    let request = Request::get("/").header("cookie", unreadable).body(Body::empty()).unwrap();
    assert_eq!(crate::ask(&service.app, request).await.status, 401);
    service.check("GET", &[TOKEN, ("cookie", "=; ;;=a; a; \"; é=ü")], IN).await;
    service.check("GET", &[("cookie", "__Host-access_token")], (401, "")).await;
    service.check("GET", &[TOKEN, ("cookie", "a=b; __Host-access_token")], IN).await;
}

/// Another host of the site can set every cookie but those with the prefix, and sets what looks like one.
#[tokio::test]
async fn a_name_that_only_looks_like_the_prefix_is_another_name() {
    let service = Service::new().await;
    let looks = ["\u{2000}", "\u{a0}", "\u{3000}", "\u{85}", "\u{feff}", "\u{200b}", "x"];
    for look in looks {
        for name in [format!("{look}__Host-access_token"), format!("__Host-access_token{look}")] {
            service.check("GET", &[("cookie", &format!("{name}={{token}}"))], (401, "")).await;
            // Nor can it turn the owner's token into a second one.
            service.check("GET", &[TOKEN, ("cookie", &format!("{name}={{token}}"))], IN).await;
        }
    }
    for encoded in ["%5f_Host-access_token", "__HOST-access_token", "\"__Host-access_token\""] {
        service.check("GET", &[("cookie", &format!("{encoded}={{token}}"))], (401, "")).await;
    }
    service.check("GET", &[("cookie", "a=b;\t __Host-access_token \t=\t {token} ;c")], IN).await;
}

#[tokio::test]
async fn a_cookie_of_somebody_else_spoils_nothing() {
    let service = Service::new().await;
    for other in [&b"theirs=\xff; "[..], b"\xff=a; ", b"\xff; ", b"\x80\xfe;;"] {
        let mut cookies = other.to_vec();
        cookies.extend_from_slice(format!("__Host-access_token={}", service.token).as_bytes());
        let cookies = HeaderValue::from_bytes(&cookies).unwrap();
        let request = Request::get("/").header("cookie", cookies).body(Body::empty()).unwrap();
        assert_eq!(crate::ask(&service.app, request).await.status, 200, "{other:?}");
    }
}

#[tokio::test]
async fn without_being_asked_nobody_looks_at_a_cookie() {
    let bench = Bench::new().await;
    let cookie = format!("__Host-access_token={}", bench.token().sign_with(TestKey::es256()));
    let answer = crate::get(&app(&bench.verifier), "/", &[("cookie", &cookie)]).await;
    assert_eq!((answer.status, answer.challenge()), (401, r#"Bearer realm="service""#));
    let both = [("cookie", cookie.as_str()), ("authorization", &bench.bearer())];
    assert_eq!(crate::get(&app(&bench.verifier), "/", &both).await.status, 200);
}

#[tokio::test]
async fn what_is_set_comes_back_and_is_cleared() {
    let service = Service::new().await;
    let cookies = Cookies::default();
    let [token, csrf] = cookies.set(&service.token, CSRF, Duration::from_mins(5)).unwrap();
    assert!(token.is_sensitive() && !csrf.is_sensitive());
    let attributes = "SameSite=Lax; Secure; Path=/; Max-Age=300";
    assert_eq!(token, format!("__Host-access_token={}; HttpOnly; {attributes}", service.token));
    assert_eq!(csrf, format!("__Host-csrf_token={CSRF}; {attributes}"));
    let sent = [token, csrf].map(|set| set.to_str().unwrap().split(';').next().unwrap().to_owned());
    service.check("POST", &[("cookie", &sent.join("; ")), ("x-csrf-token", CSRF)], IN).await;

    let [token, csrf] = cookies.clear();
    assert_eq!(token, "__Host-access_token=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
    assert_eq!(csrf, "__Host-csrf_token=; SameSite=Lax; Secure; Path=/; Max-Age=0");
}

#[tokio::test]
async fn names_and_values_are_checked() {
    let cookies = Cookies::named("__Host-orders", "__Host-orders_csrf").unwrap();
    let bench = Bench::with(|builder| builder.cookies(cookies.clone())).await;
    let cookie = format!("__Host-orders={}", bench.token().sign_with(TestKey::es256()));
    assert_eq!(crate::get(&app(&bench.verifier), "/", &[("cookie", &cookie)]).await.status, 200);

    for (token, csrf) in [
        ("orders", "__Host-csrf"),
        ("__Host-orders", "csrf"),
        ("__Host-", "__Host-csrf"),
        ("__host-orders", "__Host-csrf"),
        ("__Host-a;b", "__Host-csrf"),
        ("__Host-a\r\n", "__Host-csrf"),
        ("__Host-same", "__Host-same"),
    ] {
        assert_eq!(Cookies::named(token, csrf).unwrap_err(), CookieError::Name, "{token:?} {csrf:?}");
    }
    let set = |token: &str, csrf: &str| cookies.set(token, csrf, Duration::MAX).map(drop);
    assert_eq!(set("a", CSRF), Ok(()));
    for bad in ["", "a;b", "a b", "a\"b", "a,b", "a\\b", "a\r\n", "é"] {
        assert_eq!(set(bad, CSRF), Err(CookieError::Characters), "{bad:?}");
    }
    assert_eq!(set("a", "0123456789abcde"), Err(CookieError::ShortCsrf));
    let attributes = set_length(&cookies) - 1;
    assert_eq!(set(&"a".repeat(4096 - attributes), CSRF), Ok(()));
    assert_eq!(set(&"a".repeat(4097 - attributes), CSRF), Err(CookieError::TooLong));
}

/// What a browser counts of the shortest token.
fn set_length(cookies: &Cookies) -> usize {
    cookies.set("a", CSRF, Duration::MAX).unwrap()[0].len()
}
