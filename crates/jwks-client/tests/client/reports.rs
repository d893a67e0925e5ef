//! A verifier tells its issuer who it is and what it holds, and nobody else.

use claviger_jose::{Algorithm, VerifierReport};
use claviger_testkit::{Endpoint, TestClock, TestIssuer};

use crate::feed::{Fleet, PATIENCE, SECOND, client_of, eventually};

/// The reports of the last request to an endpoint.
fn last(issuer: &TestIssuer, endpoint: Endpoint) -> Vec<VerifierReport> {
    let requests = issuer.requests();
    let last = requests.iter().rev().find(|request| request.endpoint == endpoint).unwrap();
    last.verifier.iter().map(|line| line.parse().unwrap()).collect()
}

#[tokio::test]
async fn each_poll_and_each_fetch_names_the_services_and_what_they_hold() {
    let fleet = Fleet::start_with(|builder| builder.instance("orders-7")).await;
    fleet.client.verifies_for("https://orders.fleet.test");
    fleet.client.verifies_for("https://refunds.fleet.test");
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    let polled = last(&fleet.issuer, Endpoint::Revocations);
    let audiences: Vec<&str> = polled.iter().map(|report| report.audience.as_str()).collect();
    assert_eq!(audiences, ["https://orders.fleet.test", "https://refunds.fleet.test"]);
    let first = &polled[0];
    assert!(first.instance.starts_with("orders-7.") && first.instance.len() == 9 + 16, "{first:?}");
    assert_eq!((first.sequence, first.keys.len()), (Some(1), 43));
    assert_eq!(polled[1].instance, first.instance);
    assert_eq!(first.version, env!("CARGO_PKG_VERSION"));

    let next = fleet.issuer.publish_next(Algorithm::Es256);
    fleet.issuer.revoke_jti("t-1");
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    fleet.clock.advance(SECOND);
    eventually(|| fleet.client.known(next.kid()).is_some()).await;
    let fetched = last(&fleet.issuer, Endpoint::KeySet);
    assert_eq!((fetched[0].sequence, &fetched[0].keys), (Some(2), &first.keys), "what it held before");
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    let polled = last(&fleet.issuer, Endpoint::Revocations);
    assert_eq!(polled[0].sequence, Some(2));
    assert_ne!(polled[0].keys, first.keys, "and what it holds now");
}

#[tokio::test]
async fn an_issuer_without_a_feed_learns_nothing_of_who_asks() {
    let clock = TestClock::at_system_time();
    let issuer = TestIssuer::builder().clock(&clock).start().await;
    let client = client_of(&issuer, &clock, |builder| builder.foreign_kids().instance("orders-7"));
    client.verifies_for("https://orders.fleet.test");
    assert!(client.ready_within(PATIENCE).await);
    clock.advance(SECOND);
    assert_eq!(client.refresh_now().await, Ok(()));
    assert!(issuer.requests().iter().all(|request| request.verifier.is_empty()));
}
