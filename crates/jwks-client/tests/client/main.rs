//! The client against an issuer in this process: what a service sees when the network does its worst.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conditional;
mod deny_file;
mod discovery;
mod disk;
mod disk_writing;
mod events;
mod faults;
mod feed;
mod feed_lies;
mod foreign;
mod freshness;
mod handles;
#[cfg(feature = "metrics")]
mod metrics;
mod publisher;
mod reports;
mod sharing;
mod sources;
mod start;

use std::{sync::Arc, time::Duration};

use claviger_jose::{Kid, NumericDate};
use claviger_jwks_client::{JwksClient, JwksClientBuilder, KeyError};
use claviger_testkit::{TestClock, TestIssuer, TestKey};
use serde_json::json;

/// An issuer with [`TestKey::rs256`] and [`TestKey::es256`], and a client that has fetched them.
struct Rig {
    issuer: TestIssuer,
    clock: TestClock,
    client: JwksClient,
}

impl Rig {
    async fn start() -> Self {
        Self::start_with(|builder| builder).await
    }

    async fn start_with(configure: impl FnOnce(JwksClientBuilder) -> JwksClientBuilder) -> Self {
        let issuer = TestIssuer::start().await;
        let clock = TestClock::at(NumericDate::from_secs(1_800_000_000));
        let builder = JwksClient::builder(issuer.url()).clock(Arc::new(clock.clone()));
        let client = configure(builder).build().unwrap();
        assert!(client.ready_within(Duration::from_secs(10)).await, "{client:?}");
        Self { issuer, clock, client }
    }

    async fn knows(&self, key: &TestKey) -> Result<(), KeyError> {
        let found = self.client.resolve(key.kid()).await?;
        assert_eq!(found.kid(), key.kid());
        Ok(())
    }

    /// Asks for a kid that no issuer has: an attempt is made if the bucket has one left, and awaited for up to 2 s.
    async fn provoke(&self) -> KeyError {
        self.client.resolve(&nobodys_kid()).await.unwrap_err()
    }
}

/// The text of a set with these keys.
fn set_of(keys: &[&TestKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| json!(key.jwk())).collect();
    json!({ "keys": keys }).to_string()
}

fn nobodys_kid() -> Kid {
    "A".repeat(43).parse().unwrap()
}

fn is_unavailable(error: KeyError) -> bool {
    matches!(error, KeyError::Unavailable { .. })
}
