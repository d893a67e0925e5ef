//! What a browser lets pages of other origins read.

use reqwest::{Method, Response};

use crate::issuer::Issuer;

const REGISTERED: &str = "https://page.test";
/// What looks like it, and what is often let in by mistake.
const OTHERS: [&str; 8] = [
    "https://evil.test",
    "https://page.test.evil.test",
    "https://evil-page.test",
    "http://page.test",
    "https://page.test:8443",
    "https://page.test/",
    "https://disabled.test",
    "null",
];

async fn ask(issuer: &Issuer, method: &Method, path: &str, origin: &str) -> Response {
    let request =
        issuer.http.request(method.clone(), format!("{}{path}", issuer.url)).header("origin", origin);
    let request = match *method {
        Method::OPTIONS => request
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type"),
        Method::POST => request.form(&[("grant_type", "client_credentials")]),
        _ => request,
    };
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Where pages of registered origins may call.
const SHARED: [(&str, Method); 5] = [
    ("/.well-known/openid-configuration", Method::GET),
    ("/.well-known/oauth-authorization-server", Method::GET),
    ("/.well-known/jwks.json", Method::GET),
    ("/.well-known/revocations", Method::GET),
    ("/oauth2/token", Method::POST),
];

// S-69
#[tokio::test]
async fn a_page_of_a_registered_origin_reads_the_answers_and_no_other_page_does() {
    let issuer = Issuer::start("").await;
    for (path, method) in &SHARED {
        for method in [method, &Method::OPTIONS] {
            let answer = ask(&issuer, method, path, REGISTERED).await;
            assert_eq!(header(&answer, "access-control-allow-origin"), Some(REGISTERED), "{method} {path}");
            assert_eq!(header(&answer, "access-control-allow-credentials"), None, "{method} {path}");
            for origin in OTHERS {
                let answer = ask(&issuer, method, path, origin).await;
                assert_eq!(header(&answer, "access-control-allow-origin"), None, "{method} {path} {origin}");
                // What a cache keeps for one origin is not the answer for another.
                let vary = header(&answer, "vary").unwrap_or_default();
                assert!(vary.split(',').any(|name| name.trim().eq_ignore_ascii_case("origin")), "{vary:?}");
            }
        }
    }
    let preflight = ask(&issuer, &Method::OPTIONS, "/oauth2/token", REGISTERED).await;
    assert_eq!(header(&preflight, "access-control-allow-methods"), Some("GET,POST"));
    assert_eq!(header(&preflight, "access-control-allow-headers"), Some("authorization,content-type,dpop"));
    let token = ask(&issuer, &Method::POST, "/oauth2/token", REGISTERED).await;
    assert_eq!((token.status().as_u16(), header(&token, "cache-control")), (401, Some("no-store")));
    issuer.stop().await;
}

// S-69
#[tokio::test]
async fn where_people_sign_in_there_is_no_cors_for_anybody() {
    let issuer = Issuer::start("").await;
    for path in
        ["/oauth2/authorize", "/oauth2/par", "/sign-in", "/consent", "/sessions", "/oauth2/logout", "/livez"]
    {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let answer = ask(&issuer, &method, path, REGISTERED).await;
            let told = answer.headers().keys().find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(told, None, "{method} {path}");
        }
    }
    issuer.stop().await;
}
