use migrations::Migrator;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;
use crate::people::{Credentials, Devices, LogInError, Passwords, TurnedAway, log_in};

const PASSWORD: &str = "the fog hums over tartu";

struct Home {
    _directory: TempDir,
    gate: Gate,
    rules: PasswordRules,
    issuer: Issuer,
}

impl Home {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("data/claviger.db").display());
        let gate = Gate {
            store: Store::open::<Migrator>(&url).await.unwrap(),
            passwords: Passwords::start(2).unwrap(),
            devices: Devices::new(&[1; 32]),
            turned_away: TurnedAway::default(),
        };
        let (rules, issuer) = (PasswordRules::new(15, []), "https://id.test".parse().unwrap());
        Self { _directory: directory, gate, rules, issuer }
    }

    async fn offer(&self) -> Result<Offer, OfferError> {
        offer(&self.gate.store, &self.issuer, SHORTEST, &Actor::operator()).await
    }

    /// The secret of a new link.
    async fn link(&self) -> String {
        let url = self.offer().await.unwrap().url;
        url.expose_secret().strip_prefix("https://id.test/welcome?link=").unwrap().to_owned()
    }

    async fn accept(&self, link: &str, username: &str, password: &str) -> Result<UserId, WelcomeError> {
        let password = password.into();
        let welcome = Welcome { link, username, password: &password };
        accept(&self.gate, &self.rules, welcome, origin()).await
    }
}

fn origin() -> Origin<'static> {
    Origin { address: "192.0.2.1".parse().unwrap(), device: None }
}

// S-93
#[tokio::test]
async fn a_fresh_installation_has_nobody_who_can_log_in() {
    let home = Home::new().await;
    assert!(home.gate.store.users(None, 10).await.unwrap().is_empty());
    for username in ["admin", "administrator", "root", "claviger"] {
        for password in ["admin", "password", "claviger", "changeme"] {
            let password = password.into();
            home.gate.store.clear_attempts(&[]).await.unwrap();
            let refused = log_in(&home.gate, Credentials { username, password: &password }, origin()).await;
            assert!(matches!(refused, Err(LogInError::Wrong)), "{refused:?}");
        }
    }
}

// S-93
#[tokio::test]
async fn a_link_makes_one_administrator_and_no_second() {
    let home = Home::new().await;
    let link = home.link().await;
    assert!(is_usable(&home.gate.store, &link).await.unwrap());
    let id = home.accept(&link, "ada", PASSWORD).await.unwrap();
    let user = home.gate.store.user(&id).await.unwrap().unwrap();
    assert_eq!(user.profile.roles, [ROLE]);
    assert!(!is_usable(&home.gate.store, &link).await.unwrap());
    assert!(matches!(home.accept(&link, "eve", PASSWORD).await, Err(WelcomeError::Link)));
    assert!(matches!(home.offer().await, Err(OfferError::Exists)));
    let password = PASSWORD.into();
    let credentials = Credentials { username: "ada", password: &password };
    log_in(&home.gate, credentials, origin()).await.unwrap();
    let log = home.gate.store.audit_after(0, 9).await.unwrap();
    let acts: Vec<&str> = log.iter().map(|record| record.act.act.as_str()).collect();
    assert_eq!(acts, ["link.create", "user.add", "user.log_in"]);
    assert!(!format!("{log:?}").contains(&link), "the log does not know the link");
}

// S-93
#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_becomes_administrator() {
    let home = Home::new().await;
    let link = home.link().await;
    let (one, other) = tokio::join!(home.accept(&link, "ada", PASSWORD), home.accept(&link, "eve", PASSWORD));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert_eq!(home.gate.store.users(None, 10).await.unwrap().len(), 1);
}

// S-92 S-93
#[tokio::test]
async fn a_link_is_good_for_nothing_else_and_only_the_last_one_is() {
    let home = Home::new().await;
    let (first, last) = (home.link().await, home.link().await);
    let other = LinkSecret::from_random([7; 32]);
    for link in [&first, other.expose(), "", "ol_", &last[3..], &format!("{last}A")] {
        assert!(!is_usable(&home.gate.store, link).await.unwrap(), "{link}");
        assert!(matches!(home.accept(link, "ada", PASSWORD).await, Err(WelcomeError::Link)), "{link}");
    }
    assert_eq!(home.gate.passwords.evaluated(), 0, "and nobody makes us work");
    assert!(home.accept(&last, "ada", PASSWORD).await.is_ok());
}

// S-87 S-93
#[tokio::test]
async fn a_name_or_password_that_will_not_do_leaves_the_link_as_it_is() {
    let home = Home::new().await;
    let link = home.link().await;
    assert!(matches!(home.accept(&link, "", PASSWORD).await, Err(WelcomeError::Username(_))));
    let new = NewUser {
        id: new_user_id(),
        username: "eve".parse().unwrap(),
        password_hash: None,
        disabled: false,
        profile: Profile::default(),
    };
    home.gate.store.add_user(&new, &[]).await.unwrap();
    assert!(matches!(home.accept(&link, "Eve", PASSWORD).await, Err(WelcomeError::Taken)));
    assert!(matches!(home.accept(&link, "ada", "short").await, Err(WelcomeError::Password(_))));
    let own = home.accept(&link, "lovelace", "lovelace-lovelace").await;
    assert!(matches!(own, Err(WelcomeError::Password(PasswordFault::Common))), "{own:?}");
    assert!(home.accept(&link, "ada", PASSWORD).await.is_ok());
}

// S-92 S-93
#[tokio::test]
async fn a_link_is_256_bits_of_which_the_database_has_a_hash_and_it_ends_soon() {
    let home = Home::new().await;
    let before = home.gate.store.now().await.unwrap();
    let offer = home.offer().await.unwrap();
    let life = offer.expires_at.since(before);
    assert!((SHORTEST..SHORTEST + Duration::from_mins(1)).contains(&life), "{life:?}");
    assert!(!format!("{offer:?}").contains("ol_"));
    let link = home.link().await;
    assert_eq!(link.len(), "ol_".len() + 43);
    for wrong in [
        Duration::ZERO,
        SHORTEST.checked_sub(Duration::from_secs(1)).unwrap(),
        LONGEST + Duration::from_secs(1),
    ] {
        let refused = super::offer(&home.gate.store, &home.issuer, wrong, &Actor::operator()).await;
        assert!(matches!(refused, Err(OfferError::Lifetime)));
    }
}
