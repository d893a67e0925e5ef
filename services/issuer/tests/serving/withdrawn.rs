//! What no longer holds is no longer traded: every grant against everything that can be taken back.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use claviger_oauth::{Allowed, Authorization, AuthorizationCode, ClientId, SessionSecret, Sid, UserId};
use claviger_store::{NewCode, NewSession, NewUser, Outcome, Profile, UserChange};
use serde_json::Value;

use crate::issuer::{Issuer, answer, until};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const SCOPES: &str = "openid offline_access shop:read";

/// Somebody who is signed in and has allowed the client `cli` what it asks for.
struct Person<'i> {
    issuer: &'i Issuer,
    id: UserId,
    sid: Sid,
    codes: AtomicU8,
    number: u8,
}

fn cli() -> ClientId {
    "cli".parse().unwrap()
}

fn allowed() -> Allowed {
    let text = r#"{"identity":["openid","offline_access"],"services":{"https://shop.test":["shop:read"]}}"#;
    serde_json::from_str(text).unwrap()
}

impl<'i> Person<'i> {
    async fn new(issuer: &'i Issuer, number: u8) -> Self {
        let (id, sid) = (UserId::from_random([number; 16]), Sid::from_random([number; 16]));
        let new = NewUser {
            id: id.clone(),
            username: format!("person-{number}").parse().unwrap(),
            password_hash: None,
            disabled: false,
            profile: Profile::default(),
        };
        issuer.store.add_user(&new, &[]).await.unwrap();
        let session = NewSession {
            sid: sid.clone(),
            account: id.clone(),
            not_before: issuer.store.user(&id).await.unwrap().expect("added").not_before,
            amr: vec!["pwd".to_owned()],
            acr: None,
            lifetime: Duration::from_hours(1),
            user_agent: String::new(),
            address: String::new(),
        };
        let secret = SessionSecret::from_random([number; 32]);
        issuer.store.begin_session(&secret, &session).await.unwrap().expect("a session");
        issuer.store.grant_consent(&id, &cli(), &allowed(), &[]).await.unwrap();
        Self { issuer, id, sid, codes: AtomicU8::new(0), number }
    }

    /// A code that nobody has used yet, as the form of its redemption.
    async fn code(&self) -> Vec<(&'static str, String)> {
        let mut bits = [self.number; 32];
        bits[0] = self.codes.fetch_add(1, Ordering::Relaxed);
        let code = AuthorizationCode::from_random(bits);
        let authorization = Authorization {
            scope: SCOPES.parse().unwrap(),
            audiences: vec!["https://shop.test".parse().unwrap()],
            allowed: Some(allowed()),
            redirect_uri: None,
            code_challenge: Some(CHALLENGE.parse().unwrap()),
            nonce: None,
            auth_time: self.issuer.store.now().await.unwrap(),
            amr: vec!["pwd".to_owned()],
            acr: None,
            claims: None,
            dpop_jkt: None,
        };
        let (account, sid, lifetime) = (self.id.clone(), self.sid.clone(), Duration::from_mins(1));
        let new = NewCode { client_id: cli(), account, sid, authorization, lifetime };
        self.issuer.store.add_code(&code, &new).await.unwrap();
        let text = |text: &str| text.to_owned();
        vec![
            ("grant_type", text("authorization_code")),
            ("client_id", text("cli")),
            ("code", text(code.expose())),
            ("code_verifier", text(VERIFIER)),
        ]
    }

    /// A refresh token that nobody has used yet, as the form of its use.
    async fn refresh(&self) -> Vec<(&'static str, String)> {
        let (status, body) = ask(self.issuer, &self.code().await).await;
        assert_eq!(status, 200, "{body}");
        let token = body["refresh_token"].as_str().expect("offline_access was allowed").to_owned();
        vec![
            ("grant_type", "refresh_token".to_owned()),
            ("client_id", "cli".to_owned()),
            ("refresh_token", token),
        ]
    }

    async fn both(&self) -> [Vec<(&'static str, String)>; 2] {
        [self.code().await, self.refresh().await]
    }
}

async fn ask(issuer: &Issuer, form: &[(&'static str, String)]) -> (u16, Value) {
    answer(issuer.http.post(format!("{}/oauth2/token", issuer.url)).form(form).send().await.unwrap()).await
}

async fn refused(issuer: &Issuer, form: &[(&'static str, String)], status: u16, code: &str) {
    let (found, body) = ask(issuer, form).await;
    assert_eq!((found, body["error"].as_str()), (status, Some(code)), "{} {body}", form[0].1);
    assert_eq!(body.get("access_token"), None, "{}", form[0].1);
}

// S-60 S-76
#[tokio::test]
async fn no_grant_outlives_its_client_its_person_or_their_consent() {
    let issuer = Issuer::start("").await;

    let person = Person::new(&issuer, 1).await;
    for form in person.both().await {
        let (status, body) = ask(&issuer, &form).await;
        assert_eq!(status, 200, "what is refused below is traded as long as all holds: {body}");
    }

    let person = Person::new(&issuer, 2).await;
    let forms = person.both().await;
    let end = issuer.store.now().await.unwrap() + Duration::from_hours(1);
    let disabled = UserChange { disabled: Some(true), ..UserChange::default() };
    issuer.store.change_user(&person.id, None, disabled, end, &[]).await.unwrap();
    for form in &forms {
        refused(&issuer, form, 400, "invalid_grant").await;
    }

    let person = Person::new(&issuer, 3).await;
    let forms = person.both().await;
    assert!(issuer.store.withdraw_consent(&person.id, &cli(), &[]).await.unwrap());
    for form in &forms {
        refused(&issuer, form, 400, "invalid_grant").await;
    }

    let person = Person::new(&issuer, 4).await;
    let [code, refresh] = person.both().await;
    let secret = |client: &str| {
        vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", client.to_owned()),
            ("client_secret", crate::issuer::SECRET.to_owned()),
        ]
    };
    assert_eq!(ask(&issuer, &secret("machine")).await.0, 200);
    disable(&issuer, &["cli", "machine"]).await;
    for form in [code, refresh, secret("machine")] {
        refused(&issuer, &form, 401, "invalid_client").await;
    }
    issuer.stop().await;
}

/// Disables clients and waits until the issuer has heard of it.
async fn disable(issuer: &Issuer, clients: &[&str]) {
    let mut snapshot = issuer.store.load_registry().await.unwrap();
    for client in &mut snapshot.registry.clients {
        client.disabled |= clients.contains(&client.client_id.as_str());
    }
    let outcome = issuer.store.replace_registry(snapshot.revision, &snapshot.registry, &[]).await.unwrap();
    assert_eq!(outcome, Outcome::Applied);
    let nothing = [("grant_type", "client_credentials".to_owned()), ("client_id", "cli".to_owned())];
    until("the clients are disabled", async || {
        (ask(issuer, &nothing).await.1["error"] == "invalid_client").then_some(())
    })
    .await;
}

// S-57 S-60
#[tokio::test]
async fn a_client_trades_only_what_it_is_registered_for() {
    let issuer = Issuer::start("").await;
    let form = [("grant_type", "client_credentials".to_owned()), ("client_id", "cli".to_owned())];
    refused(&issuer, &form, 400, "unauthorized_client").await;
    let with_secret = [&form[..], &[("client_secret", crate::issuer::SECRET.to_owned())]].concat();
    refused(&issuer, &with_secret, 401, "invalid_client").await;
    issuer.stop().await;
}
