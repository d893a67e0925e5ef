use std::{fs, path::Path, sync::Arc, time::Duration};

use claviger_jose::{JwkSet, NumericDate};
use claviger_jwks_client::{
    BuildError, FetchError, JwksClient, JwksClientBuilder, KeyError, KeySource, KeysEvent,
};
use claviger_testkit::{Fault, TestClock, TestIssuer, TestKey};
use tokio::{sync::broadcast, time::timeout};

use crate::{is_unavailable, nobodys_kid, publisher::Publisher, set_of};

const ISSUER: &str = "https://id.test";

/// The next event, which must come in time.
async fn next(events: &mut broadcast::Receiver<KeysEvent>) -> KeysEvent {
    timeout(Duration::from_secs(10), events.recv()).await.expect("an event is due").unwrap()
}

/// Replaces the file as its writers should: at once.
fn replace(path: &Path, content: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, content).unwrap();
    fs::rename(draft, path).unwrap();
}

async fn has(client: &JwksClient, key: &TestKey) -> bool {
    client.resolve(key.kid()).await.is_ok()
}

fn refusal(builder: JwksClientBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn a_fixed_set_needs_no_runtime_and_no_time() {
    let clock = TestClock::at(NumericDate::from_secs(0));
    let set = JwkSet::parse(set_of(&[TestKey::es256()]).as_bytes()).unwrap();
    let client = JwksClient::builder(ISSUER).fixed_set(&set).clock(Arc::new(clock.clone())).build().unwrap();
    assert!(client.is_ready());
    clock.advance(Duration::from_hours(24 * 365 * 10));
    assert!(client.is_ready());
    assert!(client.known(TestKey::es256().kid()).is_some());
    let status = client.status();
    assert_eq!((status.age, status.keys, status.stale_served), (Some(Duration::ZERO), 1, 0));
    assert_eq!(status.source.as_deref(), Some("a fixed set"));
}

#[tokio::test]
async fn a_fixed_set_knows_what_the_issuer_lacks() {
    // An issuer of its own: what is denied is so for the process.
    let builder = JwksClient::builder("https://fixed.id.test").fixed_set(set_of(&[TestKey::es256()]));
    let client = builder.build().unwrap();
    assert!(has(&client, TestKey::es256()).await);
    assert_eq!(client.resolve(&nobodys_kid()).await.unwrap_err(), KeyError::UnknownKid);
    assert_eq!(client.refresh_now().await, Ok(()));
    client.deny_kid(TestKey::es256().kid()).unwrap();
    assert_eq!(client.resolve(TestKey::es256().kid()).await.unwrap_err(), KeyError::UnknownKid);
}

// S-26
#[tokio::test]
async fn a_fixed_set_is_taken_by_the_rules_of_a_fetched_one() {
    let fixed = |text: &str| JwksClient::builder(ISSUER).fixed_set(text);
    assert!(refusal(fixed("{}")).starts_with("the fixed key set cannot be used: not a JWK set; "));
    assert!(
        refusal(fixed(r#"{"keys":[]}"#)).contains("no usable key in the set; the set needs a key for RS256")
    );
    assert!(matches!(fixed("").build(), Err(BuildError::FixedSet { reason: FetchError::Set(_), .. })));
}

// S-21 S-24
#[tokio::test]
async fn a_watched_file_is_read_again_when_it_changes_and_bad_content_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    replace(&path, &set_of(&[TestKey::es256()]));
    let client = JwksClient::builder(ISSUER).watched_file(&path).build().unwrap();
    let mut events = client.subscribe();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    assert!(matches!(next(&mut events).await, KeysEvent::Changed { generation: 1, .. }));

    for (bad, expected) in [
        ("<html>".to_owned(), "not a JWK set"),
        (r#"{"keys":[]}"#.to_owned(), "no usable key in the set"),
        (" ".repeat(256 * 1024 + 1), "the body is too large"),
    ] {
        let failed = client.status().fetches.failed;
        replace(&path, &bad);
        let noticed = async {
            while client.status().fetches.failed == failed {
                let _ = timeout(Duration::from_millis(50), events.recv()).await;
            }
        };
        timeout(Duration::from_secs(20), noticed).await.expect("the file is looked at every second");
        assert_eq!(client.status().last_error.unwrap().to_string(), expected);
        assert!(has(&client, TestKey::es256()).await);
    }

    replace(&path, &set_of(&[TestKey::rs256(), TestKey::es256_other()]));
    let KeysEvent::Changed { added, removed, generation } = next(&mut events).await else {
        panic!("the set has changed");
    };
    assert_eq!((added.len(), removed, generation), (2, vec![*TestKey::es256().kid()], 2));
    assert_eq!(client.resolve(TestKey::es256().kid()).await.unwrap_err(), KeyError::UnknownKid);
    assert_eq!(client.status().source.as_deref(), path.to_str());
}

// S-22
#[tokio::test]
async fn a_file_that_is_gone_is_an_outage_and_one_that_comes_is_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    let clock = TestClock::at(NumericDate::from_secs(0));
    let builder = JwksClient::builder(ISSUER).watched_file(&path).clock(Arc::new(clock.clone()));
    let client = builder.build().unwrap();
    assert!(is_unavailable(client.resolve(TestKey::es256().kid()).await.unwrap_err()));
    assert_eq!(client.status().last_error.unwrap().to_string(), "the file cannot be read: entity not found");
    replace(&path, &set_of(&[TestKey::es256()]));
    assert!(client.ready_within(Duration::from_secs(10)).await);
    fs::remove_file(&path).unwrap();
    assert!(has(&client, TestKey::es256()).await);
    clock.advance(Duration::from_hours(24));
    assert!(is_unavailable(client.resolve(TestKey::es256().kid()).await.unwrap_err()));
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let client = JwksClient::builder(ISSUER).watched_file(directory.path()).build().unwrap();
    assert!(is_unavailable(client.resolve(TestKey::es256().kid()).await.unwrap_err()));
    let error = client.status().last_error.unwrap();
    assert_eq!(error, FetchError::File(std::io::ErrorKind::InvalidInput));
    assert!(error.remedy().contains("a regular file"));
}

#[tokio::test]
async fn the_next_source_is_asked_in_the_same_attempt_and_the_first_again_at_each_refresh() {
    let issuer = TestIssuer::start().await;
    let mut mirror = Publisher::start(set_of(&[TestKey::es256_other()]), &[("etag", "\"mirror\"")]).await;
    let clock = TestClock::at(NumericDate::from_secs(0));
    let sources = [KeySource::Discovery, KeySource::JwksUrl(mirror.url.clone())];
    let builder = JwksClient::builder(issuer.url()).failover(sources).clock(Arc::new(clock.clone()));
    issuer.fault(Fault::Status(500));
    let client = builder.build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    let status = client.status();
    assert_eq!((status.source.as_deref(), status.fetches.failed), (Some(mirror.url.as_str()), 0));
    assert!(has(&client, TestKey::es256_other()).await);
    assert_eq!((issuer.fetches(), mirror.pending()), (1, 1));
    mirror.request().await;

    // In between, too: the mirror cannot tell what the issuer lacks.
    assert!(is_unavailable(client.resolve(&nobodys_kid()).await.unwrap_err()));
    assert_eq!((issuer.fetches(), mirror.pending()), (2, 1));
    assert_eq!(mirror.request().await["if-none-match"], "\"mirror\"");

    issuer.heal();
    clock.advance(Duration::from_secs(270));
    issuer.wait_for_fetches(3).await;
    assert!(has(&client, TestKey::rs256()).await);
    assert_eq!(client.resolve(TestKey::es256_other().kid()).await.unwrap_err(), KeyError::UnknownKid);
    assert!(client.status().source.unwrap().ends_with("/.well-known/oauth-authorization-server"));
    assert_eq!(mirror.pending(), 0);
}

#[tokio::test]
async fn a_tag_is_sent_only_to_where_it_came_from() {
    let mut first = Publisher::start(set_of(&[TestKey::es256()]), &[("etag", "\"1\"")]).await;
    let mut second = Publisher::start(set_of(&[TestKey::es256()]), &[("etag", "\"1\"")]).await;
    let clock = TestClock::at(NumericDate::from_secs(0));
    let sources = [KeySource::JwksUrl(first.url.clone()), KeySource::JwksUrl(second.url.clone())];
    let builder = JwksClient::builder(ISSUER).failover(sources).clock(Arc::new(clock.clone()));
    let client = builder.build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    first.request().await;
    first.reply(|reply| reply.status = 500);
    clock.advance(Duration::from_hours(24));
    client.refresh_now().await.unwrap();
    assert!(first.request().await.contains_key("if-none-match"));
    assert!(!second.request().await.contains_key("if-none-match"), "it never saw our tag");
    first.reply(|reply| reply.status = 200);
    clock.advance(Duration::from_secs(1));
    client.refresh_now().await.unwrap();
    assert!(!first.request().await.contains_key("if-none-match"), "what is held is the other's");
}

// S-21 S-22
#[tokio::test]
async fn one_failed_fetch_does_not_revive_what_only_a_mirror_still_has() {
    let (withdrawn, good) = (TestKey::es256_other(), TestKey::es256());
    let issuer = Publisher::start(set_of(&[good]), &[]).await;
    let mut mirror = Publisher::start(set_of(&[withdrawn]), &[]).await;
    let clock = TestClock::at(NumericDate::from_secs(0));
    let sources = [
        KeySource::JwksUrl(issuer.url.clone()),
        KeySource::JwksUrl(mirror.url.clone()),
        KeySource::FixedSet(set_of(&[withdrawn]).into()),
    ];
    let builder = JwksClient::builder(ISSUER).failover(sources).clock(Arc::new(clock.clone()));
    let client = builder.build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    issuer.reply(|reply| reply.status = 503);
    assert_eq!(client.refresh_now().await, Err(FetchError::Status(503)));
    assert!(has(&client, good).await, "a key of the issuer's is as good as before");
    assert!(is_unavailable(client.resolve(withdrawn.kid()).await.unwrap_err()));
    assert_eq!(mirror.pending(), 0);

    // Only when there is nothing better.
    clock.advance(Duration::from_hours(24));
    assert_eq!(client.refresh_now().await, Ok(()));
    mirror.request().await;
    assert!(has(&client, withdrawn).await);
    assert!(is_unavailable(client.resolve(good.kid()).await.unwrap_err()), "the issuer may have it");

    issuer.reply(|reply| reply.status = 200);
    assert!(has(&client, good).await, "an unknown kid asks the issuer first");
    assert_eq!(client.resolve(withdrawn.kid()).await.unwrap_err(), KeyError::UnknownKid);
}

#[tokio::test]
async fn a_fixed_set_is_the_last_resort_and_gives_way_to_news() {
    let issuer = TestIssuer::start().await;
    issuer.stop().await;
    let sources = [KeySource::Discovery, KeySource::FixedSet(set_of(&[TestKey::es256()]).into())];
    let client = JwksClient::builder(issuer.url()).failover(sources).build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    assert!(has(&client, TestKey::es256()).await);
    issuer.restart().await;
    assert!(has(&client, TestKey::rs256()).await, "an unknown kid asks the issuer, not the fixed set");
}

#[tokio::test]
async fn when_all_sources_fail_the_first_is_reported_and_the_held_set_is_kept() {
    let first = Publisher::start(set_of(&[TestKey::es256()]), &[]).await;
    let second = Publisher::start(String::new(), &[]).await;
    let sources = [KeySource::JwksUrl(first.url.clone()), KeySource::JwksUrl(second.url.clone())];
    let client = JwksClient::builder(ISSUER).failover(sources).build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    first.reply(|reply| reply.status = 503);
    assert_eq!(client.refresh_now().await, Err(FetchError::Status(503)));
    assert!(has(&client, TestKey::es256()).await);
}

#[tokio::test]
async fn sources_that_do_not_go_together_are_refused_with_what_would_be_right() {
    let builder = || JwksClient::builder(ISSUER);
    let fixed = KeySource::FixedSet(set_of(&[TestKey::es256()]).into());
    let url = |n: usize| KeySource::JwksUrl(format!("https://id.test/{n}"));
    let table = [
        (builder().failover([]), "there is none; name one at least"),
        (builder().failover((0..5).map(url)), "there are more than 4; an attempt has no time for more"),
        (builder().failover([url(1), url(1)]), "one of them is named twice; name it once"),
        (
            builder().failover([fixed, url(1)]),
            "a fixed set never fails, so those behind it would never be asked; put it last",
        ),
        (
            builder().jwks_url("https://id.test/1").watched_file("/keys"),
            "they were named more than once; name one, or all of them in order with failover",
        ),
    ];
    for (builder, expected) in table {
        assert_eq!(refusal(builder), format!("the sources of the key set cannot be used: {expected}"));
    }
    let scheme = refusal(builder().failover([url(1), KeySource::JwksUrl("http://id.test".to_owned())]));
    assert!(scheme.starts_with("the JWKS URL is not acceptable: it must be https"), "{scheme}");
}
