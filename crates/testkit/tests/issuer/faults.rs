use std::time::{Duration, Instant};

use claviger_jose::{JwkSet, JwkSetError};
use claviger_testkit::{Endpoint, Fault, TestIssuer, TestKey};
use reqwest::{Response, StatusCode, header};
use tokio::time::timeout;

use crate::{client, fetch, fetch_holding};

/// What a fetch comes to: a parsed set, or in a word why not.
async fn outcome(issuer: &TestIssuer) -> String {
    let answer = match timeout(Duration::from_millis(200), fetch(&issuer.jwks_url())).await {
        Err(_) => return "no answer".to_owned(),
        Ok(Err(error)) if error.is_connect() => return "no connection".to_owned(),
        Ok(Err(_)) => return "closed".to_owned(),
        Ok(Ok(answer)) => answer,
    };
    if answer.status() != StatusCode::OK {
        return answer.status().as_u16().to_string();
    }
    let encoding = answer.headers().get(header::CONTENT_ENCODING).is_some();
    let Ok(body) = timeout(Duration::from_millis(300), read(answer)).await else {
        return "slow body".to_owned();
    };
    match body {
        _ if encoding => "encoded".to_owned(),
        None => "broken body".to_owned(),
        Some(body) if body.len() > 256 * 1024 => "huge".to_owned(),
        Some(body) => match JwkSet::parse(&body) {
            Ok(set) => format!("{} keys, {} skipped", set.keys().len(), set.skipped().len()),
            Err(error) => error.to_string(),
        },
    }
}

/// The body, or what of it shows that it is too large; `None` if it broke off.
async fn read(mut answer: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < 1024 * 1024 {
        match answer.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Some(body),
            Err(_) => return None,
        }
    }
    Some(body)
}

#[tokio::test]
async fn every_fault_shows_and_is_healed() {
    let malformed = JwkSetError::Malformed.to_string();
    for fault in Fault::all() {
        let issuer = TestIssuer::start().await;
        let expected = match &fault {
            Fault::Down => "closed",
            Fault::Status(_) => "500",
            Fault::StatusWithRetryAfter(..) => "503",
            Fault::RedirectTo(_) => "302",
            Fault::UnaskedNotModified => "304",
            Fault::Hang | Fault::Slow(_) => "no answer",
            Fault::Drip => "slow body",
            Fault::CutOff => "broken body",
            Fault::TruncatedJson | Fault::Html | Fault::Garbage => malformed.as_str(),
            Fault::Huge => "huge",
            Fault::GzipBomb => "encoded",
            Fault::EmptySet => "0 keys, 0 skipped",
            Fault::OneBadEntry => "2 keys, 1 skipped",
            Fault::DuplicateKid => "two keys with one kid",
            Fault::PrivateMember => "a private or symmetric key was published",
            Fault::TooManyKeys => "more than 32 keys",
            _ => "2 keys, 0 skipped",
        };
        issuer.fault(fault.clone());
        assert_eq!(outcome(&issuer).await, expected, "{}", fault.name());
        issuer.heal();
        assert_eq!(outcome(&issuer).await, "2 keys, 0 skipped", "{} is healed", fault.name());
        issuer.expect_fetches(2);
    }
}

#[tokio::test]
async fn a_slow_answer_comes_in_its_time() {
    let issuer = TestIssuer::start().await;
    issuer.fault(Fault::Slow(Duration::from_millis(50)));
    let start = Instant::now();
    assert_eq!(fetch(&issuer.jwks_url()).await.unwrap().status(), StatusCode::OK);
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_stale_copy_is_the_set_of_the_past() {
    let issuer = TestIssuer::start().await;
    issuer.fault(Fault::StaleCopy);
    let before = issuer.jwks();
    issuer.set_keys(&[TestKey::es256_other()]);
    let answer = fetch(&issuer.jwks_url()).await.unwrap();
    assert_eq!(answer.headers()[header::AGE], "86400");
    assert_eq!(answer.text().await.unwrap(), before);
    issuer.heal();
    let answer = fetch(&issuer.jwks_url()).await.unwrap();
    assert!(answer.headers().get(header::AGE).is_none());
    assert_eq!(answer.text().await.unwrap(), issuer.jwks());
}

#[tokio::test]
async fn a_conditional_request_does_not_hide_a_fault() {
    let issuer = TestIssuer::start().await;
    let etag = fetch(&issuer.jwks_url()).await.unwrap().headers()[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(fetch_holding(&issuer.jwks_url(), &etag).await.unwrap().status(), StatusCode::NOT_MODIFIED);
    issuer.fault(Fault::TruncatedJson);
    assert_eq!(fetch_holding(&issuer.jwks_url(), &etag).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn the_other_endpoints_break_too() {
    let issuer = TestIssuer::start().await;
    issuer.client("orders", "secret").allow("https://ledger.fleet.test", "");
    let token = async || {
        let request = client().post(issuer.token_url()).basic_auth("orders", Some("secret"));
        request.form(&[("grant_type", "client_credentials")]).send().await.unwrap().status().as_u16()
    };
    issuer.fault_at(Endpoint::Token, Fault::Status(503));
    assert_eq!((token().await, outcome(&issuer).await.as_str()), (503, "2 keys, 0 skipped"));
    issuer.heal();
    assert_eq!(token().await, 200);

    issuer.fault(Fault::ContradictingIssuer);
    let metadata = format!("{}/.well-known/openid-configuration", issuer.url());
    let told: serde_json::Value = fetch(&metadata).await.unwrap().json().await.unwrap();
    assert_eq!(told["issuer"], "https://another-issuer.test");
}

#[tokio::test]
async fn a_request_without_an_answer_is_on_record_as_one() {
    let issuer = TestIssuer::start().await;
    issuer.fault(Fault::Down);
    fetch(&issuer.jwks_url()).await.unwrap_err();
    assert_eq!(issuer.requests()[0].status, None);
}
