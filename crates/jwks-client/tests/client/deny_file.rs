//! Keys that an operator denies in a file, for where the issuer cannot be reached.

use std::{fs, time::Instant};

use claviger_testkit::TestKey;

use crate::feed::{Fleet, PATIENCE, client_of, eventually};

// S-42 S-43
#[tokio::test]
async fn a_partitioned_verifier_drops_a_key_within_5_s_of_a_change_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("denied");
    let fleet = Fleet::start_with(|builder| builder.deny_file(&path)).await;
    fleet.issuer.stop().await;
    assert!(fleet.client.known(TestKey::rs256().kid()).is_some());
    let before = fleet.client.generation();
    let start = Instant::now();
    fs::write(&path, format!("# stolen\n{}\nno kid\n", TestKey::rs256().kid())).unwrap();
    eventually(|| fleet.client.known(TestKey::rs256().kid()).is_none()).await;
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    assert!(fleet.client.generation() > before);
    assert!(fleet.client.known(TestKey::es256().kid()).is_some());
    assert_eq!(fleet.client.status().denied, 1);
}

// S-43
#[tokio::test]
async fn a_line_that_is_removed_counts_until_the_process_ends_and_the_copy_has_none_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("denied"), directory.path().join("jwks"));
    fs::write(&path, TestKey::rs256().kid().as_str()).unwrap();
    let Fleet { issuer, clock, client } =
        Fleet::start_with(|builder| builder.deny_file(&path).disk_copy(&copy)).await;
    assert!(client.known(TestKey::rs256().kid()).is_none(), "it is read at the start");
    fs::write(&path, TestKey::es256().kid().as_str()).unwrap();
    eventually(|| client.known(TestKey::es256().kid()).is_none()).await;
    assert!(client.known(TestKey::rs256().kid()).is_none());
    drop(client);
    fs::write(&path, "# nothing any more\n").unwrap();
    let client = client_of(&issuer, &clock, |builder| builder.deny_file(&path).disk_copy(&copy));
    assert!(client.ready_within(PATIENCE).await);
    assert!(client.known(TestKey::rs256().kid()).is_some() && client.known(TestKey::es256().kid()).is_some());
}

#[tokio::test]
async fn a_fixed_set_has_a_deny_file_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("denied");
    let fleet = Fleet::start().await;
    let set = fleet.issuer.jwks();
    let client = client_of(&fleet.issuer, &fleet.clock, |builder| builder.fixed_set(set).deny_file(&path));
    assert!(client.known(TestKey::rs256().kid()).is_some());
    fs::write(&path, TestKey::rs256().kid().as_str()).unwrap();
    eventually(|| client.known(TestKey::rs256().kid()).is_none()).await;
    assert!(client.is_ready());
}
