//! Clients are told over the back channel that a session has ended.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Router, extract::State, routing::post};
use claviger_oauth::ReceivedLogoutToken;
use claviger_store::Client;
use http::StatusCode;
use sea_orm::{ConnectionTrait, Database};
use tokio::net::TcpListener;

use crate::issuer::{ISSUER, Issuer, until, verified};

/// A shop that answers as it is told to, and remembers what it was told.
#[derive(Clone, Default)]
struct Shop {
    told: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Vec<(StatusCode, &'static str)>>>,
}

impl Shop {
    /// Answers with these, the last first, and then with 200.
    async fn open(answers: &[(StatusCode, &'static str)]) -> (Self, String) {
        let shop = Self { answers: Arc::new(Mutex::new(answers.to_vec())), ..Self::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/log-out", listener.local_addr().unwrap());
        let router = Router::new().route("/log-out", post(hear)).route("/elsewhere", post(hear));
        let serving = axum::serve(listener, router.with_state(shop.clone()));
        tokio::spawn(async move { serving.await });
        (shop, url)
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn hear(State(shop): State<Shop>, body: String) -> (StatusCode, [(&'static str, &'static str); 1]) {
    shop.told.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    let answer = shop.answers.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let (status, location) = answer.unwrap_or((StatusCode::OK, ""));
    (status, [("location", location)])
}

// S-84
#[tokio::test]
async fn a_client_is_told_until_it_has_understood_with_another_token_each_time() {
    let answers = [(StatusCode::INTERNAL_SERVER_ERROR, ""), (StatusCode::TEMPORARY_REDIRECT, "/elsewhere")];
    let (shop, uri) = Shop::open(&answers).await;
    let issuer = Issuer::start("").await;
    issuer.add_shop(Some(uri)).await;
    let ada = issuer.sign_in("ada", 1).await;
    let database = Database::connect(&issuer.config.database).await.unwrap();
    let noted = "INSERT INTO session_client (sid, client_id) VALUES ('sid-1', 'web-shop')";
    database.execute_unprepared(noted).await.unwrap();
    let far = issuer.store.now().await.unwrap() + std::time::Duration::from_hours(1);
    issuer.store.end_session(&ada.session.sid, far, &[]).await.unwrap();
    for attempt in 1..=3 {
        until("the shop is told", || async { (shop.told().len() >= attempt).then_some(()) }).await;
        // The next attempt is due in a while; here it is due now.
        until("the time of the next attempt is written", || async {
            let sooner = format!("UPDATE logout_notice SET next_at = 0 WHERE attempts = {attempt}");
            let done = database.execute_unprepared(&sooner).await.ok()?.rows_affected();
            (done == 1 || attempt == 3).then_some(())
        })
        .await;
    }
    until("the notice is settled", || async {
        let left = database.execute_unprepared("UPDATE logout_notice SET next_at = 0").await.ok()?;
        (left.rows_affected() == 0).then_some(())
    })
    .await;
    let told = shop.told();
    assert_eq!(told.len(), 3, "no redirect was followed: {told:?}");
    let (set, _) = issuer.key_set().await;
    let now = issuer.store.now().await.unwrap();
    let mut names = Vec::new();
    for body in &told {
        let token = body.strip_prefix("logout_token=").unwrap();
        let read: ReceivedLogoutToken = verified(token, &set).unwrap();
        let whom = read.accept(ISSUER, "web-shop", now).unwrap();
        assert_eq!(whom, (Some("user:ada"), Some("sid-1")));
        names.push(read.jti().to_owned());
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 3, "each token is another one");
    issuer.stop().await;
}

// S-84
#[tokio::test]
async fn a_notice_outlives_the_process_that_could_not_deliver_it() {
    let issuer = Issuer::start("").await;
    issuer.add_shop(Some("http://127.0.0.1:9/log-out".to_owned())).await;
    let ada = issuer.sign_in("ada", 1).await;
    let database = Database::connect(&issuer.config.database).await.unwrap();
    let noted = "INSERT INTO session_client (sid, client_id) VALUES ('sid-1', 'web-shop')";
    database.execute_unprepared(noted).await.unwrap();
    let far = issuer.store.now().await.unwrap() + std::time::Duration::from_hours(1);
    issuer.store.end_session(&ada.session.sid, far, &[]).await.unwrap();
    until("it was tried", || async {
        let tried = "UPDATE logout_notice SET next_at = 0 WHERE attempts = 1";
        let tried = database.execute_unprepared(tried).await.ok()?.rows_affected();
        (tried == 1).then_some(())
    })
    .await;
    let (shop, uri) = Shop::open(&[]).await;
    let issuer = issuer.restart().await;
    let mut held = issuer.store.load_registry().await.unwrap();
    for client in &mut held.registry.clients {
        if let Some(application) = &mut client.application {
            application.backchannel_logout_uri = Some(uri.clone());
        }
    }
    issuer.store.replace_registry(held.revision, &held.registry, &[]).await.unwrap();
    until("the shop is told at last", || async {
        let _ = database.execute_unprepared("UPDATE logout_notice SET next_at = 0").await;
        (shop.told().len() == 1).then_some(())
    })
    .await;
    issuer.stop().await;
}

// S-84
#[tokio::test]
async fn a_client_that_never_answers_keeps_no_other_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_uri = format!("http://{}/log-out", listener.local_addr().unwrap());
    let connections = Arc::new(Mutex::new(Vec::new()));
    let held = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            held.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    });
    let connected = || connections.lock().unwrap_or_else(PoisonError::into_inner).len();
    let (shop, uri) = Shop::open(&[]).await;
    let issuer = Issuer::start("").await;
    issuer.add_shop(Some(uri)).await;
    change_shop(&issuer, |shop| {
        let mut silent = shop.clone();
        silent.client_id = "silent".parse().unwrap();
        if let Some(application) = &mut silent.application {
            application.backchannel_logout_uri = Some(silent_uri.clone());
        }
        vec![shop, silent]
    })
    .await;
    let issuer = issuer.restart().await;
    let database = Database::connect(&issuer.config.database).await.unwrap();
    for number in 1..=40 {
        issuer.sign_in("ada", number).await;
        let noted = format!("INSERT INTO session_client (sid, client_id) VALUES ('sid-{number}', 'silent')");
        database.execute_unprepared(&noted).await.unwrap();
    }
    let noted = "INSERT INTO session_client (sid, client_id) VALUES ('sid-40', 'web-shop')";
    database.execute_unprepared(noted).await.unwrap();
    let far = issuer.store.now().await.unwrap() + std::time::Duration::from_hours(1);
    issuer.store.end_sessions_of(&"ada".parse().unwrap(), far, &[]).await.unwrap();
    until("the shop is told", || async { (shop.told().len() == 1).then_some(()) }).await;
    assert!(connected() <= 8, "{} wait for the silent one", connected());
    until("all that is due to the silent one is put off together", || async {
        let seen = "UPDATE logout_notice SET attempts = 1 WHERE attempts = 1 AND next_at > 0";
        let seen = database.execute_unprepared(seen).await.ok()?.rows_affected();
        (seen == 40).then_some(())
    })
    .await;
    assert!(connected() <= 8, "{} were tried one after the other", connected());
    issuer.stop().await;
}

// S-84
#[tokio::test]
async fn a_client_that_is_disabled_for_a_while_is_told_when_it_is_back() {
    let (shop, uri) = Shop::open(&[]).await;
    let issuer = Issuer::start("").await;
    issuer.add_shop(Some(uri)).await;
    let disable = async |issuer: &Issuer, disabled: bool| {
        change_shop(issuer, |shop| vec![Client { disabled, ..shop }]).await;
    };
    disable(&issuer, true).await;
    let issuer = issuer.restart().await;
    let ada = issuer.sign_in("ada", 1).await;
    let database = Database::connect(&issuer.config.database).await.unwrap();
    let noted = "INSERT INTO session_client (sid, client_id) VALUES ('sid-1', 'web-shop')";
    database.execute_unprepared(noted).await.unwrap();
    let far = issuer.store.now().await.unwrap() + std::time::Duration::from_hours(1);
    issuer.store.end_session(&ada.session.sid, far, &[]).await.unwrap();
    until("it was tried, and is kept", || async {
        let tried = "UPDATE logout_notice SET attempts = attempts WHERE attempts >= 1";
        let tried = database.execute_unprepared(tried).await.ok()?.rows_affected();
        (tried == 1).then_some(())
    })
    .await;
    assert!(shop.told().is_empty());
    disable(&issuer, false).await;
    let issuer = issuer.restart().await;
    until("the shop is told", || async {
        let _ = database.execute_unprepared("UPDATE logout_notice SET next_at = 0").await;
        (shop.told().len() == 1).then_some(())
    })
    .await;
    issuer.stop().await;
}

/// Declares anew what is there of the shop.
async fn change_shop(issuer: &Issuer, change: impl Fn(Client) -> Vec<Client>) {
    let mut held = issuer.store.load_registry().await.unwrap();
    let shop =
        held.registry.clients.iter().position(|client| client.client_id.as_str() == "web-shop").unwrap();
    let shop = held.registry.clients.remove(shop);
    held.registry.clients.extend(change(shop));
    issuer.store.replace_registry(held.revision, &held.registry, &[]).await.unwrap();
}
