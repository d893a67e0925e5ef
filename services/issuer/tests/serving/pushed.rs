//! Requests that a client leaves with the issuer before its browser comes.

use reqwest::{Method, Response};
use serde_json::Value;

use crate::issuer::Issuer;

const REQUEST: [(&str, &str); 6] = [
    ("client_id", "cli"),
    ("redirect_uri", "http://127.0.0.1/callback"),
    ("response_type", "code"),
    ("scope", "openid"),
    ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
    ("code_challenge_method", "S256"),
];

async fn push(issuer: &Issuer) -> Response {
    issuer.http.post(format!("{}/oauth2/par", issuer.url)).form(&REQUEST).send().await.unwrap()
}

// S-67
#[tokio::test]
async fn who_only_looks_whether_a_page_is_there_does_not_take_up_a_pushed_request() {
    let issuer = Issuer::start("").await;
    let pushed: Value = push(&issuer).await.json().await.unwrap();
    let query = [("client_id", "cli"), ("request_uri", pushed["request_uri"].as_str().unwrap())];
    let open = async |method: Method| {
        let url =
            reqwest::Url::parse_with_params(&format!("{}/oauth2/authorize", issuer.url), query).unwrap();
        issuer.http.request(method, url).send().await.unwrap()
    };
    let looked = open(Method::HEAD).await;
    assert_eq!((looked.status().as_u16(), looked.headers()["allow"].to_str().unwrap()), (405, "GET,POST"));
    let looked = issuer.http.head(format!("{}/continue?interaction=x", issuer.url)).send().await.unwrap();
    assert_eq!(looked.status(), 405, "it may lead to a code as well");
    let page = open(Method::GET).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("name=\"password\""));
    let again = open(Method::GET).await;
    assert_ne!(again.status(), 200, "it is taken up once");
    issuer.stop().await;
}

// S-67
#[tokio::test]
async fn in_the_name_of_a_client_that_proves_nothing_not_everybody_leaves_as_much_as_they_like() {
    let issuer = Issuer::start("").await;
    let mut taken = 0;
    let refused = loop {
        let answer = push(&issuer).await;
        if answer.status() != 201 {
            break answer;
        }
        taken += 1;
        assert!(taken < 600, "nobody counts");
    };
    assert!(taken >= 60, "{taken}");
    assert_eq!(refused.status(), 429);
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["error"], "temporarily_unavailable");
    issuer.stop().await;
}

// S-78
#[tokio::test]
async fn a_page_that_was_posted_and_is_opened_again_says_how_to_go_on() {
    let issuer = Issuer::start("").await;
    for path in ["/sign-in", "/consent"] {
        let answer = issuer.get(path).await;
        assert_eq!(answer.status(), 400, "{path}");
        assert!(answer.text().await.unwrap().contains("Go back to the application"), "{path}");
    }
    issuer.stop().await;
}
