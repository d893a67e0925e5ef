use std::time::Duration;

use claviger_jose::Algorithm;
use claviger_oauth::AuthenticationMethod;
use claviger_store::{Client, ClientGrant, Outcome, Registry, ResourceServer, SecretHash, StoreError, Team};

use crate::fixture::{at, on_each_database};

fn client(id: &str, audience: &str) -> Client {
    Client {
        client_id: id.parse().expect("a client id"),
        team: "shop".parse().expect("a team"),
        method: AuthenticationMethod::ClientSecretPost,
        disabled: false,
        grants: vec![ClientGrant {
            audience: audience.parse().expect("an audience"),
            scopes: "ledger:post ledger:read".parse().expect("scopes"),
        }],
        secrets: Vec::new(),
    }
}

fn fleet() -> Registry {
    Registry {
        teams: vec![Team { name: "shop".parse().expect("a team") }],
        resource_servers: vec![ResourceServer {
            audience: "https://ledger.fleet.test".parse().expect("an audience"),
            team: "shop".parse().expect("a team"),
            alg: Algorithm::Es256,
            token_lifetime: Duration::from_mins(5),
            scopes: "ledger:post ledger:read".parse().expect("scopes"),
        }],
        clients: vec![client("orders", "https://ledger.fleet.test")],
    }
}

#[tokio::test]
async fn a_new_database_has_an_empty_registry() {
    on_each_database(async |database| {
        let snapshot = database.open().await.load_registry().await.expect("it loads");
        assert_eq!(snapshot.revision, 0);
        assert_eq!(format!("{:?}", snapshot.registry), format!("{:?}", Registry::default()));
    })
    .await;
}

// S-56
#[tokio::test]
async fn a_registry_comes_back_as_it_was_written() {
    on_each_database(async |database| {
        let store = database.open().await;
        let mut written = fleet();
        written.clients[0].disabled = true;
        written.clients[0].add_secret(SecretHash::of("first"), at(100), at(100));
        written.clients[0].add_secret(SecretHash::of("second"), at(200), at(300));
        assert_eq!(store.replace_registry(0, &written, &[]).await.expect("applied"), Outcome::Applied);
        let read = store.load_registry().await.expect("it loads");
        assert_eq!(read.revision, 1);
        assert_eq!(format!("{:?}", read.registry), format!("{written:?}"));
        let [first, second] = &read.registry.clients[0].secrets[..] else { panic!("two secrets") };
        assert!(first.hash.verify("first") && second.hash.verify("second") && !first.hash.verify("second"));
    })
    .await;
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_touch() {
    on_each_database(async |database| {
        let store = database.open().await;
        let mut fleet = fleet();
        fleet.clients[0].add_secret(SecretHash::of("first"), at(100), at(100));
        store.replace_registry(0, &fleet, &[]).await.expect("applied");
        let mut next = store.load_registry().await.expect("it loads").registry;
        next.clients.push(client("billing", "https://ledger.fleet.test"));
        store.replace_registry(1, &next, &[]).await.expect("applied");
        let read = store.load_registry().await.expect("it loads").registry;
        let names: Vec<_> = read.clients.iter().map(|client| client.client_id.as_str()).collect();
        assert_eq!(names, ["billing", "orders"]);
        assert!(read.clients[1].secrets[0].hash.verify("first"));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_declared_is_gone() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.replace_registry(0, &fleet(), &[]).await.expect("applied");
        store.replace_registry(1, &Registry::default(), &[]).await.expect("applied");
        let read = store.load_registry().await.expect("it loads").registry;
        assert_eq!((read.teams.len(), read.resource_servers.len(), read.clients.len()), (0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn of_two_changes_from_one_revision_the_second_does_nothing() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.replace_registry(0, &fleet(), &[]).await.expect("applied");
        let second = store.replace_registry(0, &Registry::default(), &[]).await.expect("not an error");
        assert_eq!(second, Outcome::AlreadyRotated);
        assert_eq!(store.load_registry().await.expect("it loads").registry.clients.len(), 1);
        let revisions = store.revisions().await.expect("they are there");
        assert_eq!((revisions.keyring, revisions.registry), (0, 1));
    })
    .await;
}

// S-60 S-106
#[tokio::test]
async fn a_registry_that_is_not_whole_changes_nothing() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.replace_registry(0, &fleet(), &[]).await.expect("applied");
        let mut without_team = fleet();
        without_team.teams.clear();
        let mut without_audience = fleet();
        without_audience.clients.push(client("billing", "https://nowhere.fleet.test"));
        let mut twice = fleet();
        twice.clients.push(client("orders", "https://ledger.fleet.test"));
        for broken in [without_team, without_audience, twice] {
            let refused = store.replace_registry(1, &broken, &[]).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        }
        let read = store.load_registry().await.expect("it loads");
        assert_eq!((read.revision, read.registry.clients.len()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_large_fleet_is_one_change() {
    on_each_database(async |database| {
        let store = database.open().await;
        let mut large = fleet();
        large.clients =
            (0..2500).map(|n| client(&format!("client-{n}"), "https://ledger.fleet.test")).collect();
        store.replace_registry(0, &large, &[]).await.expect("applied");
        let read = store.load_registry().await.expect("it loads").registry;
        assert_eq!(read.clients.iter().filter(|client| client.grants.len() == 1).count(), 2500);
    })
    .await;
}

#[tokio::test]
async fn a_row_that_no_issuer_wrote_is_named() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.replace_registry(0, &fleet(), &[]).await.expect("applied");
        let intruder = database.intruder().await;
        intruder.execute("UPDATE client SET auth_method = 'none'").await.expect("a row");
        let error = store.load_registry().await.expect_err("damaged");
        assert!(matches!(&error, StoreError::Corrupt(what) if what.contains("in client")), "{error:?}");
    })
    .await;
}
