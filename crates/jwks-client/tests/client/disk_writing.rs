use std::{fs, time::Duration};

use claviger_jose::{Kid, NumericDate};
use claviger_jwks_client::{JwksClient, JwksClientBuilder, JwksDocument, KeySource};
use claviger_testkit::{Fault, TestKey};
use serde_json::Value;

use crate::{
    disk::{BEGIN, HOUR, House, SECOND, content},
    nobodys_kid, set_of,
};

#[tokio::test]
async fn a_confirmation_renews_the_copy_once_a_minute_at_most() {
    let house = House::new().await;
    let process = house.process(Duration::ZERO);
    assert!(process.client.ready_within(Duration::from_secs(10)).await);
    house.copied(|copy| copy["set"]["contact"] == BEGIN).await;
    process.clock.advance(59 * SECOND);
    process.client.refresh_now().await.unwrap();
    // A denial is written at once, after whatever was to be written before, and with the contact of that.
    let kid = |text: &str| text.repeat(43).parse::<Kid>().unwrap();
    let denied = |copy: &Value| copy["denied"].as_array().map_or(0, Vec::len);
    process.client.deny_kid(&kid("k")).unwrap();
    house.copied(|copy| denied(copy) == 1).await;
    assert_eq!(content(&house.path()).unwrap()["set"]["contact"], BEGIN, "59 s are not worth a write");
    process.clock.advance(Duration::from_mins(1));
    process.client.refresh_now().await.unwrap();
    house.copied(|copy| copy["set"]["contact"] == BEGIN + 119).await;
    process.client.deny_kid(&kid("l")).unwrap();
    house.copied(|copy| denied(copy) == 2).await;
}

// S-30
#[tokio::test]
async fn a_wall_clock_that_is_set_back_does_not_make_the_copy_younger() {
    let house = House::new().await;
    let process = house.process(Duration::ZERO);
    assert!(process.client.ready_within(Duration::from_secs(10)).await);
    house.copied(|copy| copy["set"]["contact"] == BEGIN).await;
    house.issuer.stop().await;
    process.clock.advance(12 * HOUR);
    let back = BEGIN + 3_600;
    // The task looks at the clocks before it makes an attempt.
    assert!(process.client.refresh_now().await.is_err());
    process.clock.set_wall(NumericDate::from_secs(back));
    house.copied(|copy| copy["set"]["contact"] == back - 12 * 3_600).await;
    drop(process);
    assert!(!house.process(HOUR + 12 * HOUR).client.is_ready(), "it is 24 h old by either clock");
    assert!(house.process(HOUR + 11 * HOUR).client.is_ready());
}

// S-28 S-30
#[tokio::test]
async fn a_machine_that_slept_does_not_make_the_copy_younger() {
    let house = House::new().await;
    let process = house.process(Duration::ZERO);
    assert!(process.client.ready_within(Duration::from_secs(10)).await);
    house.copied(|copy| copy["set"]["contact"] == BEGIN).await;
    house.issuer.stop().await;
    // The wall clock goes on, the other does not.
    process.clock.set_wall(NumericDate::from_secs(BEGIN + 20 * 3_600));
    assert!(process.client.refresh_now().await.is_err());
    process.client.deny_kid(&nobodys_kid()).unwrap();
    house.copied(|copy| copy["denied"].as_array().is_some_and(|denied| denied.len() == 1)).await;
    assert_eq!(content(&house.path()).unwrap()["set"]["contact"], BEGIN);
    drop(process);
    assert!(!house.process(24 * HOUR).client.is_ready());
}

// S-28
#[tokio::test]
async fn a_fixed_set_of_last_resort_does_not_make_the_copy_younger() {
    let house = House::new().await;
    let other = JwksDocument::from(set_of(&[TestKey::es256_other()]));
    let sources = [KeySource::Discovery, KeySource::FixedSet(other)];
    let process = house
        .process_with(Duration::ZERO, |builder| builder.failover(sources.clone()).disk_copy(house.path()));
    assert!(process.client.ready_within(Duration::from_secs(10)).await);
    house.copied(|copy| copy["set"]["contact"] == BEGIN).await;
    house.issuer.stop().await;
    process.clock.advance(24 * HOUR);
    assert_eq!(process.client.refresh_now().await, Ok(()));
    assert!(process.knows(TestKey::es256_other()) && !process.knows(TestKey::es256()));
    process.client.deny_kid(&nobodys_kid()).unwrap();
    house.copied(|copy| copy["denied"].as_array().is_some_and(|denied| denied.len() == 1)).await;
    assert_eq!(content(&house.path()).unwrap()["set"]["contact"], BEGIN);
}

#[cfg(unix)]
#[tokio::test]
async fn copy_and_key_are_for_their_owner_alone_and_nothing_else_is_left() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new().await;
    house.past().await;
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(house.directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["jwks", "jwks.key"]);
    assert_eq!(fs::read(house.directory.path().join("jwks.key")).unwrap().len(), 32);
}

#[tokio::test]
async fn a_disk_that_fails_hurts_nothing_but_the_next_start() {
    let house = House::new().await;
    let process = house.process(Duration::ZERO);
    assert!(process.client.ready_within(Duration::from_secs(10)).await);
    house.copied(|copy| copy["set"]["contact"] == BEGIN && copy["revocations"]["seq"] == 1).await;
    fs::remove_dir_all(house.directory.path()).unwrap();
    process.clock.advance(HOUR);
    house.issuer.set_keys(&[TestKey::es256_other()]);
    assert_eq!(process.client.refresh_now().await, Ok(()));
    assert!(process.knows(TestKey::es256_other()));
    process.client.deny_kid(&nobodys_kid()).unwrap();
    fs::create_dir(house.directory.path()).unwrap();
    process.clock.advance(10 * SECOND);
    house.copied(|copy| copy["denied"].as_array().is_some_and(|denied| denied.len() == 1)).await;
}

#[tokio::test]
async fn bad_content_never_reaches_the_disk() {
    let house = House::new().await;
    let process = house.process(Duration::ZERO);
    assert!(process.client.ready_within(Duration::from_secs(10)).await);
    house.copied(|copy| copy["set"]["contact"] == BEGIN).await;
    let document = || content(&house.path()).unwrap()["set"]["document"].clone();
    let right = document();
    for fault in
        [Fault::Html, Fault::EmptySet, Fault::PrivateMember, Fault::DuplicateKid, Fault::TruncatedJson]
    {
        house.issuer.fault(fault);
        process.clock.advance(2 * Duration::from_mins(1));
        assert!(process.client.refresh_now().await.is_err());
        // Has a copy written, of whatever is held.
        let kid = format!("{:043}", process.client.status().denied);
        process.client.deny_kid(&kid.parse().unwrap()).unwrap();
        house
            .copied(|copy| {
                copy["denied"].as_array().is_some_and(|denied| denied.iter().any(|denied| *denied == *kid))
            })
            .await;
        assert_eq!(document(), right);
    }
}

#[tokio::test]
async fn a_place_that_cannot_hold_a_copy_is_refused_with_what_would_be_right() {
    let directory = tempfile::tempdir().unwrap();
    let refusal = |builder: JwksClientBuilder| builder.build().unwrap_err().to_string();
    let builder = || JwksClient::builder("https://id.test");
    let path = directory.path().join("absent/jwks");
    let error = refusal(builder().disk_copy(&path));
    let shown = path.display();
    let parent = path.parent().unwrap().display();
    assert_eq!(
        error,
        format!("the key set cannot be copied to {shown}: create the directory {parent} first, mode 0700")
    );
    assert!(refusal(builder().disk_copy("")).ends_with("the path must name a file"));
    let short = refusal(builder().disk_copy_with_key(directory.path().join("jwks"), b"too short"));
    assert!(short.ends_with("the key must have 32 bytes at least, and be random"), "{short}");
    fs::write(directory.path().join("jwks.key"), b"short").unwrap();
    let cut = refusal(builder().disk_copy(directory.path().join("jwks")));
    assert!(cut.ends_with("jwks.key is cut short: remove it"), "{cut}");
}

#[tokio::test]
async fn two_clients_do_not_share_a_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks");
    let build = |issuer: &str| JwksClient::builder(issuer).disk_copy(&path).build();
    let first = build("http://127.0.0.1:1").unwrap();
    let again = build("http://127.0.0.1:1").unwrap();
    let error = build("http://127.0.0.1:2").unwrap_err().to_string();
    assert!(
        error.ends_with("another client of this process keeps its copy there; give each a path of its own"),
        "{error}"
    );
    drop((first, again));
    assert!(build("http://127.0.0.1:2").is_ok());
}
