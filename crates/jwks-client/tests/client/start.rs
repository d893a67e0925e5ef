use std::time::Duration;

use claviger_jwks_client::{JwksClient, StartError, StartMode};
use claviger_testkit::{Fault, TestIssuer, TestKey};

const MOMENT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(10);

async fn refusal(issuer: &str, patience: Duration) -> String {
    JwksClient::builder(issuer).start(StartMode::FailFast(patience)).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_lazy_client_fetches_when_it_is_first_needed() {
    let issuer = TestIssuer::start().await;
    let client = JwksClient::builder(issuer.url()).start(StartMode::Lazy).await.unwrap();
    // It has every opportunity to begin.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert!(client.known(TestKey::es256().kid()).is_none());
    assert_eq!((issuer.metadata_fetches(), issuer.fetches()), (0, 0));
    assert!(client.resolve(TestKey::es256().kid()).await.is_ok());
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn who_waits_for_a_lazy_client_needs_it() {
    let issuer = TestIssuer::start().await;
    let client = JwksClient::builder(issuer.url()).start(StartMode::Lazy).await.unwrap();
    assert!(client.ready_within(LONG).await);
    assert_eq!(client.refresh_now().await, Ok(()));
}

#[tokio::test]
async fn a_lazy_client_is_woken_by_another_handle_that_is_not() {
    let issuer = TestIssuer::start().await;
    let lazy = JwksClient::builder(issuer.url()).start(StartMode::Lazy).await.unwrap();
    let eager = JwksClient::builder(issuer.url()).build().unwrap();
    issuer.wait_for_fetches(1).await;
    assert!(eager.ready_within(LONG).await && lazy.is_ready());
}

#[tokio::test]
async fn a_warm_client_has_its_set() {
    let issuer = TestIssuer::start().await;
    assert_eq!(StartMode::default(), StartMode::WarmUp(Duration::from_secs(5)));
    let client = JwksClient::builder(issuer.url()).start(StartMode::default()).await.unwrap();
    assert!(client.known(TestKey::es256().kid()).is_some());
}

// S-29
#[tokio::test]
async fn a_client_that_cannot_warm_up_goes_on_cold_and_is_ready_later() {
    let issuer = TestIssuer::start().await;
    issuer.stop().await;
    let client = JwksClient::builder(issuer.url()).start(StartMode::WarmUp(MOMENT)).await.unwrap();
    assert!(!client.is_ready());
    issuer.restart().await;
    assert!(client.ready_within(LONG).await);
}

#[tokio::test]
async fn a_client_that_fails_fast_says_where_it_looked_and_what_to_mend() {
    let issuer = TestIssuer::start().await;
    let client = JwksClient::builder(issuer.url()).start(StartMode::FailFast(LONG)).await.unwrap();
    assert!(client.is_ready());
    drop(client);

    issuer.fault(Fault::Status(404));
    let url = issuer.url();
    let expected = format!(
        "no key set of {url} ({url}/.well-known/oauth-authorization-server) within 2s: status 404; \
         there is no such document: check the path of the issuer, or configure the JWKS URL"
    );
    assert_eq!(refusal(url, Duration::from_secs(2)).await, expected);

    issuer.fault(Fault::Hang);
    assert!(refusal(url, MOMENT).await.contains("within 50ms: timed out; is the issuer up, "));
}

// S-5
#[tokio::test]
async fn metadata_of_another_issuer_fails_at_once_and_is_not_repeated() {
    let issuer = TestIssuer::start().await;
    issuer.fault(Fault::ContradictingIssuer);
    let error = refusal(issuer.url(), Duration::from_hours(1)).await;
    assert!(error.contains(issuer.url()), "{error}");
    assert!(error.contains("the metadata of another issuer; configure the issuer exactly as"), "{error}");
    assert!(!error.contains("another-issuer.test"), "{error}");
}

#[tokio::test]
async fn a_query_that_may_hold_a_secret_is_not_repeated() {
    let issuer = TestIssuer::start().await;
    issuer.fault(Fault::Html);
    let builder = JwksClient::builder(issuer.url()).jwks_url(&format!("{}?token=secret", issuer.jwks_url()));
    let error = builder.start(StartMode::FailFast(MOMENT)).await.unwrap_err().to_string();
    assert!(error.contains(&issuer.jwks_url()) && !error.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_wrong_configuration_fails_in_every_mode() {
    for mode in [StartMode::Lazy, StartMode::default(), StartMode::FailFast(LONG)] {
        let started = JwksClient::builder("http://id.example.com").start(mode).await;
        assert!(matches!(started, Err(StartError::Build(_))), "{mode:?}");
    }
}
