//! RP-initiated log-out, and the page of one's own sessions.

use std::time::Duration;

use claviger_jose::{Mark, Marked};
use claviger_store::Revoked;

use crate::{
    issuer::{ISSUER, Issuer, until},
    person::{BYE, Browser, hidden, location},
};

// S-97 S-83
#[tokio::test]
async fn a_client_with_an_old_id_token_signs_a_person_out_and_has_them_back() {
    let issuer = Issuer::start("").await;
    issuer.add_shop(None).await;
    let ada = issuer.sign_in("ada", 1).await;
    let token = issuer.old_id_token(&ada).await;
    let url = format!("{}/oauth2/logout", issuer.url);
    let query = [("id_token_hint", token.as_str()), ("post_logout_redirect_uri", BYE), ("state", "a&b")];
    let answer = ada.get(&url, &query).await;
    assert_eq!((answer.status().as_u16(), location(&answer)), (303, "https://shop.test/bye?state=a%26b"));
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("claviger-session=;") && cookie.contains("Max-Age=0"), "{cookie}");
    assert!(!issuer.is_alive(&ada).await);
    let feed = issuer.store.load_revocations().await.unwrap().revocations;
    let sid = Revoked::Session(Mark::of(Marked::Sid, ada.session.sid.as_str()));
    assert_eq!(feed.iter().map(|entry| entry.revoked).collect::<Vec<_>>(), [sid]);
    let act = issuer.store.audit_tail(1).await.unwrap().remove(0).act;
    assert_eq!((act.actor.as_str(), act.act.as_str()), ("user:ada", "session.end"));
    issuer.stop().await;
}

// S-97
#[tokio::test]
async fn a_post_from_the_clients_site_brings_no_cookie_and_the_hint_says_which_session() {
    let issuer = Issuer::start("").await;
    issuer.add_shop(None).await;
    let (ada, bob) = (issuer.sign_in("ada", 1).await, issuer.sign_in("bob", 2).await);
    let url = format!("{}/oauth2/logout", issuer.url);
    let mut forged = issuer.sign_in("bob", 3).await;
    forged.session.sid = ada.session.sid.clone();
    let token = issuer.old_id_token(&forged).await;
    let answer = bob.post_from_elsewhere(&url, &[("id_token_hint", token.as_str())]).await;
    assert_eq!(answer.status(), 200);
    assert!(issuer.is_alive(&ada).await, "a session of somebody else's is not ended");
    let dropped = answer.headers().get("set-cookie");
    assert_eq!(dropped, None, "nor does another site make a browser forget its own");
    let token = issuer.old_id_token(&ada).await;
    let answer = ada.post_from_elsewhere(&url, &[("id_token_hint", token.as_str())]).await;
    assert_eq!(answer.status(), 200);
    assert!(!issuer.is_alive(&ada).await && issuer.is_alive(&bob).await);
    issuer.stop().await;
}

// S-97 S-95
#[tokio::test]
async fn without_a_hint_the_person_is_asked_and_only_the_page_that_asks_can_answer() {
    let issuer = Issuer::start("").await;
    issuer.add_shop(None).await;
    let ada = issuer.sign_in("ada", 1).await;
    let url = format!("{}/oauth2/logout", issuer.url);
    let bob = issuer.sign_in("bob", 2).await;
    let strangers = issuer.old_id_token(&bob).await;
    for hint in ["", "a.b.c", &strangers] {
        let query = [("client_id", "web-shop"), ("post_logout_redirect_uri", BYE), ("id_token_hint", hint)];
        let page = ada.get(&url, &query).await;
        assert_eq!(page.status(), 200, "{hint}");
        assert!(issuer.is_alive(&ada).await, "{hint}");
    }
    let query = [("client_id", "web-shop"), ("post_logout_redirect_uri", BYE), ("state", "x")];
    let page = ada.get(&url, &query).await.text().await.unwrap();
    let (token, interaction) = (hidden(&page, "csrf_token"), hidden(&page, "interaction"));
    let form = |token, decision| {
        [("csrf_token", token), ("interaction", interaction.as_str()), ("decision", decision)]
    };
    let foreign = ada.post(&url, "https://evil.test", &form(&token, "allow")).await;
    assert_eq!(foreign.status(), 403);
    let forged = ada.post(&url, ISSUER, &form("AAAA", "allow")).await;
    assert_eq!(forged.status(), 403);
    let others = bob.post(&url, ISSUER, &form(&token, "allow")).await;
    assert_eq!(others.status(), 403, "a token is good in one session");
    let stays = ada.post(&url, ISSUER, &form(&token, "deny")).await;
    assert_eq!((stays.status().as_u16(), location(&stays)), (303, "http://127.0.0.1:8080/sessions"));
    assert!(issuer.is_alive(&ada).await && issuer.is_alive(&bob).await);
    let leaves = ada.post(&url, ISSUER, &form(&token, "allow")).await;
    assert_eq!((leaves.status().as_u16(), location(&leaves)), (303, "https://shop.test/bye?state=x"));
    assert!(!issuer.is_alive(&ada).await);
    issuer.stop().await;
}

// S-83
#[tokio::test]
async fn who_has_not_come_by_for_long_can_still_sign_out() {
    let issuer = Issuer::start("sign_in.session_idle = \"1s\"").await;
    let ada = issuer.sign_in("ada", 1).await;
    let idle =
        || async { issuer.store.session(&ada.secret, Duration::from_secs(1)).await.unwrap().is_none() };
    until("the session is idle", || async { idle().await.then_some(()) }).await;
    let url = format!("{}/oauth2/logout", issuer.url);
    let page = ada.get(&url, &[]).await.text().await.unwrap();
    let (token, interaction) = (hidden(&page, "csrf_token"), hidden(&page, "interaction"));
    let form = [("csrf_token", token.as_str()), ("interaction", &interaction), ("decision", "allow")];
    assert_eq!(ada.post(&url, ISSUER, &form).await.status(), 200);
    assert_eq!(issuer.store.held_session(&ada.secret).await.unwrap(), None, "it has ended");
    issuer.stop().await;
}

// S-97
#[tokio::test]
async fn nobody_is_sent_to_where_no_client_has_said() {
    let issuer = Issuer::start("").await;
    issuer.add_shop(None).await;
    let ada = issuer.sign_in("ada", 1).await;
    let token = issuer.old_id_token(&ada).await;
    let url = format!("{}/oauth2/logout", issuer.url);
    for query in [
        &[("id_token_hint", token.as_str()), ("post_logout_redirect_uri", "https://evil.test/")][..],
        &[("id_token_hint", token.as_str()), ("post_logout_redirect_uri", "https://shop.test/bye/")],
        &[("id_token_hint", token.as_str()), ("client_id", "operator")],
        &[("client_id", "nobody"), ("post_logout_redirect_uri", BYE)],
        &[("client_id", "operator"), ("post_logout_redirect_uri", BYE)],
        &[("post_logout_redirect_uri", BYE)],
        &[("client_id", "web-shop"), ("client_id", "web-shop")],
    ] {
        let answer = ada.get(&url, query).await;
        assert_eq!(answer.status(), 400, "{query:?}");
        assert!(answer.headers().get("location").is_none(), "{query:?}");
        assert!(!answer.text().await.unwrap().contains("evil.test"), "{query:?}");
    }
    assert!(issuer.is_alive(&ada).await);
    issuer.stop().await;
}

// S-70 S-95
#[tokio::test]
async fn a_person_sees_what_applications_are_allowed_and_takes_it_back() {
    let issuer = Issuer::start("").await;
    issuer.add_shop(None).await;
    let (ada, bob) = (issuer.sign_in("ada", 1).await, issuer.sign_in("bob", 2).await);
    let allowed = r#"{"identity":["openid","email"],"services":{"https://shop.test":["shop:read"]}}"#;
    let (allowed, shop) = (serde_json::from_str(allowed).unwrap(), "web-shop".parse().unwrap());
    for person in [&ada, &bob] {
        issuer.store.grant_consent(&person.session.account, &shop, &allowed, &[]).await.unwrap();
    }
    let url = format!("{}/sessions", issuer.url);
    let page = ada.get(&url, &[]).await.text().await.unwrap();
    for said in ["The Shop", "see your email address", "https://shop.test", "shop:read", "Allowed "] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let token = hidden(&page, "csrf_token");
    let held =
        async |person: &Browser| issuer.store.consents_of(&person.session.account).await.unwrap().len();
    let take_back = async |token: &str, client: &str| {
        ada.post(&url, ISSUER, &[("csrf_token", token), ("client", client)]).await
    };
    assert_eq!(take_back("AAAA", "web-shop").await.status(), 403);
    let foreign =
        ada.post(&url, "https://evil.test", &[("csrf_token", &token), ("client", "web-shop")]).await;
    assert_eq!(foreign.status(), 403);
    assert_eq!(take_back(&token, "no:client").await.status(), 400);
    let acts = async || issuer.store.audit_tail(1).await.unwrap().remove(0).act;
    let before = acts().await;
    assert_eq!(take_back(&token, "nobody").await.status(), 303);
    assert_eq!(acts().await, before, "what changes nothing is not noted");
    assert_eq!(held(&ada).await, 1);

    let back = take_back(&token, "web-shop").await;
    assert_eq!(location(&back), "http://127.0.0.1:8080/sessions?done=taken-back");
    assert_eq!((held(&ada).await, held(&bob).await), (0, 1));
    let act = acts().await;
    assert_eq!(
        (act.actor.as_str(), act.act.as_str(), act.subject.as_str()),
        ("user:ada", "consent.withdraw", "web-shop")
    );
    assert!(issuer.is_alive(&ada).await, "she stays signed in");
    let page = ada.get(&format!("{url}?done=taken-back"), &[]).await.text().await.unwrap();
    assert!(page.contains("taken back") && !page.contains("The Shop"), "{page}");
    issuer.stop().await;
}

// S-83 S-95
#[tokio::test]
async fn a_person_sees_own_sessions_and_ends_them() {
    let issuer = Issuer::start("").await;
    let (here, phone) = (issuer.sign_in("ada", 1).await, issuer.sign_in("ada", 2).await);
    let (lost, bob) = (issuer.sign_in("ada", 3).await, issuer.sign_in("bob", 4).await);
    let url = format!("{}/sessions", issuer.url);
    let page = here.get(&url, &[]).await.text().await.unwrap();
    assert!(page.contains("192.0.2.7") && page.contains("sid-2"), "{page}");
    assert!(page.contains("sid-3") && !page.contains("sid-4"), "{page}");
    let token = hidden(&page, "csrf_token");
    let end = async |sid: &str, token: &str| {
        here.post(&url, ISSUER, &[("csrf_token", token), ("sid", sid)]).await.status().as_u16()
    };
    assert_eq!(end("sid-3", "AAAA").await, 403);
    assert_eq!(end("sid-4", &token).await, 303);
    assert!(issuer.is_alive(&bob).await, "somebody else's");
    assert_eq!(end("sid-3", &token).await, 303);
    assert!(!issuer.is_alive(&lost).await && issuer.is_alive(&phone).await);
    let others = here.post(&url, ISSUER, &[("csrf_token", &token), ("decision", "others")]).await;
    assert_eq!(location(&others), "http://127.0.0.1:8080/sessions?done=others");
    assert!(issuer.is_alive(&here).await && !issuer.is_alive(&phone).await && issuer.is_alive(&bob).await);
    issuer.stop().await;
}
