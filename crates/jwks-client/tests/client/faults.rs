use std::{io::ErrorKind, net::TcpListener, time::Duration};

use claviger_jose::JwkSetError;
use claviger_jwks_client::{FetchError, JwksClient, KeyError};
use claviger_testkit::{Fault, TestIssuer, TestKey};
use tokio::time::timeout;

use crate::{Rig, is_unavailable, nobodys_kid, publisher::Publisher, set_of};

/// The fault costs nothing but freshness: known kids are answered, others are 503 and not 401,
/// and when it is over everything is as before.
async fn survives(fault: Fault, expected: FetchError) {
    let rig = Rig::start().await;
    rig.issuer.fault(fault);
    // A slow fault outlasts the wait of one request.
    let failed = async {
        while rig.client.status().last_error.is_none() {
            assert!(is_unavailable(rig.provoke().await));
        }
    };
    timeout(Duration::from_secs(20), failed).await.expect("the attempt ends");
    let status = rig.client.status();
    assert_eq!((status.last_error, status.keys, status.generation), (Some(expected), 2, 1));
    assert_eq!((status.fetches.replaced, status.fetches.failed), (1, 1));
    assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));

    rig.issuer.heal();
    rig.clock.advance(Duration::from_mins(2));
    assert_eq!(rig.provoke().await, KeyError::UnknownKid);
    assert_eq!(rig.client.status().last_error, None);
}

// S-22
#[tokio::test]
async fn survives_a_server_error() {
    survives(Fault::Status(500), FetchError::Status(500)).await;
}

// S-22
#[tokio::test]
async fn survives_a_set_that_is_gone() {
    survives(Fault::Status(404), FetchError::Status(404)).await;
}

// S-22
#[tokio::test]
async fn survives_a_partial_answer() {
    survives(Fault::Status(206), FetchError::Status(206)).await;
}

// S-22
#[tokio::test]
async fn survives_being_told_to_slow_down() {
    survives(Fault::StatusWithRetryAfter(429, 3_600), FetchError::Status(429)).await;
}

// S-24
#[tokio::test]
async fn survives_a_page() {
    survives(Fault::Html, FetchError::Set(JwkSetError::Malformed)).await;
}

// S-24
#[tokio::test]
async fn survives_half_a_set() {
    survives(Fault::TruncatedJson, FetchError::Set(JwkSetError::Malformed)).await;
}

// S-27
#[tokio::test]
async fn survives_an_empty_set() {
    survives(Fault::EmptySet, FetchError::NoUsableKey).await;
}

// S-24
#[tokio::test]
async fn survives_an_endless_body() {
    survives(Fault::Huge, FetchError::TooLarge).await;
}

// S-24
#[tokio::test]
async fn survives_a_compressed_body() {
    survives(Fault::GzipBomb, FetchError::ContentEncoding).await;
}

// S-24
#[tokio::test]
async fn survives_a_drip() {
    survives(Fault::Drip, FetchError::Timeout).await;
}

// S-24
#[tokio::test]
async fn survives_a_server_that_hangs() {
    survives(Fault::Hang, FetchError::Timeout).await;
}

// S-26
#[tokio::test]
async fn survives_two_keys_of_one_kid() {
    survives(Fault::DuplicateKid, FetchError::Set(JwkSetError::DuplicateKid)).await;
}

// S-26
#[tokio::test]
async fn survives_a_published_private_key() {
    survives(Fault::PrivateMember, FetchError::Set(JwkSetError::PrivateKey)).await;
}

// S-24
#[tokio::test]
async fn survives_too_many_keys() {
    survives(Fault::TooManyKeys, FetchError::Set(JwkSetError::TooManyKeys)).await;
}

// S-24
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let place = format!("http://{}/jwks", canary.local_addr().unwrap());
    survives(Fault::RedirectTo(place), FetchError::Redirect).await;
    assert_eq!(canary.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

// S-22 S-29
#[tokio::test]
async fn an_issuer_that_is_gone_and_returns_is_noticed() {
    let rig = Rig::start().await;
    rig.issuer.stop().await;
    assert!(is_unavailable(rig.provoke().await));
    assert_eq!(rig.client.status().last_error, Some(FetchError::Connect));
    assert_eq!(rig.knows(TestKey::rs256()).await, Ok(()));
    rig.issuer.restart().await;
    rig.clock.advance(Duration::from_mins(2));
    assert_eq!(rig.provoke().await, KeyError::UnknownKid);
}

// S-29
#[tokio::test]
async fn a_client_that_starts_before_its_issuer_becomes_ready() {
    let issuer = TestIssuer::start().await;
    issuer.stop().await;
    let client = JwksClient::builder(issuer.url()).build().unwrap();
    let error = client.resolve(TestKey::es256().kid()).await.unwrap_err();
    assert!(is_unavailable(error), "nothing is known, so nothing is unknown");
    assert!(!client.is_ready());
    issuer.restart().await;
    assert!(client.ready_within(Duration::from_secs(10)).await, "{client:?}");
    assert!(client.resolve(TestKey::es256().kid()).await.is_ok());
    assert_eq!(client.resolve(&nobodys_kid()).await.unwrap_err(), KeyError::UnknownKid);
}

// S-22
#[tokio::test]
async fn survives_a_connection_that_is_closed() {
    survives(Fault::Down, FetchError::Transport).await;
}

// S-24
#[tokio::test]
async fn survives_an_answer_that_is_cut_off() {
    survives(Fault::CutOff, FetchError::Transport).await;
}

// S-24
#[tokio::test]
async fn survives_bytes_that_are_no_text() {
    survives(Fault::Garbage, FetchError::Set(JwkSetError::Malformed)).await;
}

/// A fault that is none for us: the attempt succeeds and nothing is lost.
async fn takes(fault: Fault) {
    let rig = Rig::start().await;
    rig.issuer.fault(fault);
    assert_eq!(rig.client.refresh_now().await, Ok(()));
    assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
    let status = rig.client.status();
    assert_eq!((status.keys, status.generation, status.last_error), (2, 1, None));
}

#[tokio::test]
async fn a_slow_answer_is_an_answer() {
    takes(Fault::Slow(Duration::from_secs(1))).await;
}

// S-26
#[tokio::test]
async fn one_bad_entry_costs_no_other_key() {
    takes(Fault::OneBadEntry).await;
}

// S-25
#[tokio::test]
async fn a_copy_that_lay_in_a_cache_for_a_day_is_taken_and_soon_asked_for_again() {
    let rig = Rig::start().await;
    rig.issuer.fault(Fault::StaleCopy);
    assert_eq!(rig.client.refresh_now().await, Ok(()));
    let fetches = rig.issuer.fetches();
    rig.clock.advance(Duration::from_secs(1));
    rig.issuer.wait_for_fetches(fetches + 1).await;
}

#[tokio::test]
async fn not_modified_without_cause_is_a_failure() {
    let issuer = TestIssuer::start().await;
    issuer.fault(Fault::UnaskedNotModified);
    let client = JwksClient::builder(issuer.url()).build().unwrap();
    assert!(is_unavailable(client.resolve(TestKey::es256().kid()).await.unwrap_err()));
    assert_eq!(client.status().last_error, Some(FetchError::NotModified));
}

#[tokio::test]
async fn not_modified_of_something_else_is_a_failure() {
    let mut publisher = Publisher::start(set_of(&[TestKey::es256()]), &[("etag", "\"one\"")]).await;
    let client = JwksClient::builder("https://id.test").jwks_url(&publisher.url).build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    publisher.request().await;
    publisher.reply(|reply| {
        (reply.status, reply.body) = (304, String::new());
        reply.headers = vec![("etag", "\"two\"".to_owned())];
    });
    assert_eq!(client.refresh_now().await, Err(FetchError::NotModified));
    assert!(client.known(TestKey::es256().kid()).is_some());
}

#[tokio::test]
async fn a_cold_client_that_is_told_304_fails() {
    let issuer = TestIssuer::start().await;
    issuer.fault(Fault::Status(304));
    let client = JwksClient::builder(issuer.url()).build().unwrap();
    assert!(is_unavailable(client.resolve(TestKey::es256().kid()).await.unwrap_err()));
    assert_eq!(client.status().last_error, Some(FetchError::NotModified));
}
