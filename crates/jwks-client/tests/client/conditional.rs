use std::{sync::Arc, time::Duration};

use axum::http::header;
use claviger_jose::NumericDate;
use claviger_jwks_client::{FetchError, JwksClient};
use claviger_testkit::{TestClock, TestKey};

use crate::{publisher::Publisher, set_of};

const MORNING: &str = "Wed, 21 Oct 2026 07:28:00 GMT";
const NOON: &str = "Wed, 21 Oct 2026 12:00:00 GMT";

struct Pair {
    publisher: Publisher,
    clock: TestClock,
    client: JwksClient,
}

/// A client of a publisher with such headers, that has fetched once.
async fn pair(headers: &[(&'static str, &str)]) -> Pair {
    let mut publisher = Publisher::start(set_of(&[TestKey::es256()]), headers).await;
    let clock = TestClock::at(NumericDate::from_secs(1_800_000_000));
    let builder = JwksClient::builder("https://id.test").jwks_url(&publisher.url);
    let client = builder.clock(Arc::new(clock.clone())).build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    let first = publisher.request().await;
    for condition in [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE] {
        assert!(!first.contains_key(condition), "nothing is held that could be unmodified");
    }
    Pair { publisher, clock, client }
}

impl Pair {
    /// The condition of the next request, which is answered 304.
    async fn confirm(&mut self) -> (Option<String>, Option<String>) {
        self.publisher.reply(|reply| (reply.status, reply.headers) = (304, Vec::new()));
        self.clock.advance(Duration::from_secs(1));
        self.client.refresh_now().await.unwrap();
        let request = self.publisher.request().await;
        let text = |name| request.get(name).map(|value| value.to_str().unwrap().to_owned());
        (text(header::IF_NONE_MATCH), text(header::IF_MODIFIED_SINCE))
    }

    async fn refresh(&mut self) -> Result<(), FetchError> {
        self.clock.advance(Duration::from_secs(1));
        let refreshed = self.client.refresh_now().await;
        self.publisher.request().await;
        refreshed
    }

    /// Whether an attempt is made on its own when so much time has passed since the last one.
    async fn refreshes_after(&mut self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.publisher.request().await;
    }
}

#[tokio::test]
async fn a_set_is_confirmed_by_its_tag() {
    let mut pair = pair(&[("etag", "\"one\""), ("last-modified", MORNING)]).await;
    assert_eq!(pair.confirm().await, (Some("\"one\"".to_owned()), None));
    assert_eq!(pair.client.status().fetches.not_modified, 1);
}

#[tokio::test]
async fn a_set_without_a_tag_is_confirmed_by_its_date() {
    let mut pair = pair(&[("last-modified", MORNING)]).await;
    assert_eq!(pair.confirm().await, (None, Some(MORNING.to_owned())));
    let status = pair.client.status();
    assert_eq!((status.fetches.not_modified, status.age), (1, Some(Duration::ZERO)));
}

#[tokio::test]
async fn a_set_that_was_refused_does_not_become_the_one_to_be_confirmed() {
    let mut pair = pair(&[("etag", "\"one\"")]).await;
    pair.publisher.reply(|reply| {
        reply.headers = vec![("etag", "\"broken\"".to_owned())];
        reply.body = r#"{"keys":[]}"#.to_owned();
    });
    assert_eq!(pair.refresh().await, Err(FetchError::NoUsableKey));
    assert_eq!(pair.confirm().await.0.unwrap(), "\"one\"");
}

// S-25
#[tokio::test]
async fn expires_says_how_long_a_set_is_fresh_within_the_bounds() {
    for (expires, latest_refresh) in [("Wed, 21 Oct 2026 07:29:40 GMT", 88), (NOON, 3_168), ("0", 53)] {
        let mut pair = pair(&[("date", MORNING), ("expires", expires)]).await;
        pair.refreshes_after(latest_refresh).await;
        assert_eq!(pair.publisher.pending(), 0, "{expires}");
    }
}

// S-25
#[tokio::test]
async fn expires_of_noon_is_an_hour_and_not_less() {
    let mut pair = pair(&[("date", MORNING), ("expires", NOON)]).await;
    pair.clock.advance(Duration::from_secs(2_500));
    // Not stale: not even a kid that is served is counted as such.
    assert!(pair.client.known(TestKey::es256().kid()).is_some());
    assert_eq!(pair.client.status().stale_served, 0);
    pair.refreshes_after(668).await;
}

#[tokio::test]
async fn retry_after_may_be_a_date() {
    let mut pair = pair(&[]).await;
    pair.publisher.reply(|reply| {
        reply.status = 503;
        let later = "Wed, 21 Oct 2026 07:28:40 GMT".to_owned();
        reply.headers = vec![("date", MORNING.to_owned()), ("retry-after", later)];
    });
    assert_eq!(pair.refresh().await, Err(FetchError::Status(503)));
    pair.clock.advance(Duration::from_secs(39));
    assert_eq!(pair.client.refresh_now().await, Err(FetchError::Status(503)));
    assert_eq!(pair.publisher.pending(), 0, "an issuer that asks to be left alone is left alone");
    pair.refreshes_after(6).await;
}

// S-21
#[tokio::test]
async fn a_copy_from_before_the_held_set_does_not_take_its_place() {
    let mut pair = pair(&[("age", "30"), ("etag", "\"new\"")]).await;
    pair.clock.advance(Duration::from_mins(1));
    let offer = |pair: &Pair, age: &str, keys: &[&TestKey]| {
        let (age, body) = (age.to_owned(), set_of(keys));
        pair.publisher.reply(|reply| {
            (reply.status, reply.body) = (200, body);
            reply.headers = vec![("age", age), ("etag", "\"other\"".to_owned())];
        });
    };
    offer(&pair, "600", &[TestKey::rs256()]);
    assert_eq!(pair.refresh().await, Err(FetchError::Older));
    let status = pair.client.status();
    assert_eq!((status.keys, status.generation, status.age), (1, 1, Some(Duration::from_secs(91))));
    let held = pair.client.resolve(TestKey::es256().kid()).await;
    assert_eq!(held.unwrap().kid(), TestKey::es256().kid());

    offer(&pair, "600", &[TestKey::es256()]);
    pair.clock.advance(Duration::from_secs(1));
    pair.client.refresh_now().await.unwrap();
    let asked = pair.publisher.request().await;
    assert_eq!(asked[header::IF_NONE_MATCH], "\"new\"", "what is held is what was taken");
    let status = pair.client.status();
    assert_eq!(
        (status.generation, status.age),
        (1, Some(Duration::from_secs(92))),
        "the same set is no older one"
    );

    offer(&pair, "99999999999999999999999", &[TestKey::rs256()]);
    assert_eq!(pair.refresh().await, Err(FetchError::Older));
    offer(&pair, "0", &[TestKey::es256_other()]);
    pair.refresh().await.unwrap();
    assert_eq!(pair.client.status().generation, 2);
}
