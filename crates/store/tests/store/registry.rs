use std::time::Duration;

use claviger_jose::Algorithm;
use claviger_oauth::{Application, ApplicationKind, AuthenticationMethod, ClientKeys, GrantType};
use claviger_store::{
    Client, ClientGrant, Outcome, Registry, ResourceServer, SecretHash, Store, StoreError, Team,
};

use crate::fixture::{at, on_each_database};

fn client(id: &str, audience: &str) -> Client {
    Client {
        client_id: id.parse().expect("a client id"),
        team: "shop".parse().expect("a team"),
        method: AuthenticationMethod::ClientSecretPost,
        disabled: false,
        grant_types: vec![GrantType::ClientCredentials],
        keys: ClientKeys::None,
        application: None,
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
            claims: Vec::new(),
        }],
        clients: vec![client("orders", "https://ledger.fleet.test")],
        unreadable: Vec::new(),
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

/// An application beside a service, as they are declared.
fn shop() -> Registry {
    let mut fleet = fleet();
    let mut shop = client("shop-web", "https://ledger.fleet.test");
    shop.grant_types = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
    shop.application = Some(Application {
        kind: ApplicationKind::Native,
        name: Some("The shop, 가게".to_owned()),
        redirect_uris: vec!["com.example.shop:/callback".parse().expect("a redirect URI")],
        identity_scopes: "openid profile".parse().expect("scopes"),
        ..Application::default()
    });
    shop.add_secret(SecretHash::of("shop"), at(100), at(100));
    let mut robot = client("robot", "https://ledger.fleet.test");
    robot.method = AuthenticationMethod::PrivateKeyJwt;
    robot.keys = ClientKeys::Uri("https://robot.fleet.test/jwks".to_owned());
    let rule = r#"{"claim":"department","from":{"user":"department"},"in":["access_token"]}"#;
    fleet.resource_servers[0].claims = vec![serde_json::from_str(rule).expect("a rule")];
    fleet.clients.extend([robot, shop]);
    fleet
}

// S-60 S-63
#[tokio::test]
async fn what_an_application_declares_comes_back_as_it_was_written() {
    on_each_database(async |database| {
        let store = database.open().await;
        let written = shop();
        store.replace_registry(0, &written, &[]).await.expect("applied");
        let read = store.load_registry().await.expect("it loads").registry;
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
        let plain = database.intruder().await.count("client WHERE application IS NULL").await;
        assert_eq!(plain, 1, "a service is a row as it was before there were applications");
    })
    .await;
}

async fn unreadable(store: &Store) -> Vec<String> {
    let registry = store.load_registry().await.expect("damage is no error").registry;
    registry.unreadable.iter().map(ToString::to_string).collect()
}

// S-60
#[tokio::test]
async fn a_row_that_no_issuer_wrote_is_reported_and_harms_no_other() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.replace_registry(0, &shop(), &[]).await.expect("applied");
        let intruder = database.intruder().await;
        for damage in [
            "auth_method = 'trust_me'",
            "application = 'no JSON'",
            "application = '{\"grant_types\":[\"password\"]}'",
            "application = '{\"grant_types\":[],\"needs_a_newer_program\":true}'",
            "application = '{\"grant_types\":[],\"application\":{\"redirect_uris\":[\"http://evil.test\"]}}'",
            "application = '{\"grant_types\":[],\"keys\":{\"secret\":\"canary\"}}'",
        ] {
            let sql = format!("UPDATE client SET {damage} WHERE client_id = 'shop-web'");
            assert_eq!(intruder.execute(&sql).await.expect("a row"), 1);
            let registry = store.load_registry().await.expect("damage is no error").registry;
            let names: Vec<_> = registry.clients.iter().map(|client| client.client_id.as_str()).collect();
            assert_eq!(names, ["orders", "robot"], "{damage}");
            let found = &registry.unreadable[..];
            assert_eq!((found.len(), found[0].to_string()), (1, "client shop-web".to_owned()), "{damage}");
            assert!(found[0].secrets()[0].hash.verify("shop"), "who declares it anew keeps its secret");
            let told = format!("{found:?}");
            assert!(!told.contains("canary") && !told.contains("evil"), "{told}");
            intruder
                .execute("UPDATE client SET auth_method = 'none', application = NULL")
                .await
                .expect("rows");
        }
        intruder.execute("UPDATE resource_server SET claims = '[{}]'").await.expect("a row");
        assert_eq!(unreadable(&store).await, ["resource server https://ledger.fleet.test"]);
        intruder.execute("UPDATE client SET team = 'shop' || ' '").await.expect_err("there is no such team");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_survives_a_change_elsewhere_and_ends_with_a_new_declaration() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.replace_registry(0, &shop(), &[]).await.expect("applied");
        let intruder = database.intruder().await;
        let damaged = "{\"later\":1}";
        let sql = format!("UPDATE client SET application = '{damaged}' WHERE client_id = 'shop-web'");
        intruder.execute(&sql).await.expect("a row");
        intruder.execute("UPDATE resource_server SET claims = '7'").await.expect("a row");

        let mut next = store.load_registry().await.expect("it loads").registry;
        next.clients[0].disabled = true;
        store.replace_registry(1, &next, &[]).await.expect("applied");
        assert_eq!(unreadable(&store).await.len(), 2);
        let kept = "SELECT application FROM client WHERE client_id = 'shop-web'";
        assert_eq!(intruder.read(kept).await, damaged);
        assert_eq!(intruder.count("client_secret WHERE client_id = 'shop-web'").await, 1);
        assert_eq!(intruder.count("client_grant WHERE client_id = 'shop-web'").await, 1);

        let mut declared = shop();
        declared.unreadable = store.load_registry().await.expect("it loads").registry.unreadable;
        store.replace_registry(2, &declared, &[]).await.expect("applied");
        assert_eq!(unreadable(&store).await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_team_that_no_issuer_wrote_is_named() {
    on_each_database(async |database| {
        let store = database.open().await;
        let intruder = database.intruder().await;
        intruder.execute("INSERT INTO team VALUES ('Shop!')").await.expect("a row");
        let error = store.load_registry().await.expect_err("damaged");
        assert!(matches!(&error, StoreError::Corrupt(what) if what.contains("in team")), "{error:?}");
    })
    .await;
}
