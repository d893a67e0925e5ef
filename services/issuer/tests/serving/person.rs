//! Somebody who is signed in at an issuer of these tests, and the shop that they use.

use std::time::Duration;

use claviger_issuer::keys::Vault;
use claviger_jose::{Algorithm, Typ};
use claviger_oauth::{Application, AuthenticationMethod, ClientKeys, SessionSecret, UserId};
use claviger_store::{Client, NewSession, NewUser, Outcome, Profile, Session};
use reqwest::{RequestBuilder, Response, redirect};
use serde_json::json;

use crate::issuer::{ISSUER, Issuer};

pub(crate) const BYE: &str = "https://shop.test/bye";

/// A browser in which somebody is signed in.
pub(crate) struct Browser {
    http: reqwest::Client,
    pub(crate) secret: SessionSecret,
    pub(crate) session: Session,
}

impl Issuer {
    /// Registers the shop.
    pub(crate) async fn add_shop(&self, backchannel_logout_uri: Option<String>) {
        let mut held = self.store.load_registry().await.unwrap();
        held.registry.clients.push(Client {
            client_id: "web-shop".parse().unwrap(),
            team: "shop".parse().unwrap(),
            method: AuthenticationMethod::None,
            disabled: false,
            grant_types: Vec::new(),
            keys: ClientKeys::None,
            application: Some(Application {
                name: Some("The Shop".to_owned()),
                post_logout_redirect_uris: vec![BYE.parse().unwrap()],
                backchannel_logout_uri,
                ..Application::default()
            }),
            grants: Vec::new(),
            secrets: Vec::new(),
        });
        let replaced = self.store.replace_registry(held.revision, &held.registry, &[]).await.unwrap();
        assert_eq!(replaced, Outcome::Applied);
        crate::issuer::until("the issuer knows the shop", || async {
            let asked = self.http.get(format!("{}/oauth2/logout?client_id=web-shop", self.url)).send().await;
            (asked.unwrap().status() == 200).then_some(())
        })
        .await;
    }

    /// Signs somebody in, in one browser.
    pub(crate) async fn sign_in(&self, person: &str, number: u8) -> Browser {
        let id: UserId = person.parse().unwrap();
        if self.store.user(&id).await.unwrap().is_none() {
            let (username, profile) = (person.parse().unwrap(), Profile::default());
            let user = NewUser { id: id.clone(), username, password_hash: None, disabled: false, profile };
            self.store.add_user(&user, &[]).await.unwrap();
        }
        let not_before = self.store.user(&id).await.unwrap().expect("added").not_before;
        let new = NewSession {
            sid: format!("sid-{number}").parse().unwrap(),
            account: id,
            not_before,
            amr: vec!["pwd".to_owned()],
            acr: None,
            lifetime: Duration::from_hours(1),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0".to_owned(),
            address: "192.0.2.7".to_owned(),
        };
        let secret = SessionSecret::from_random([number; 32]);
        let session = self.store.begin_session(&secret, &new).await.unwrap().unwrap();
        let http = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Browser { http, secret, session }
    }

    pub(crate) async fn is_alive(&self, browser: &Browser) -> bool {
        self.store.session(&browser.secret, Duration::from_hours(12)).await.unwrap().is_some()
    }

    /// An ID token that the shop has got an hour ago.
    pub(crate) async fn old_id_token(&self, browser: &Browser) -> String {
        let vault = Vault::unlock(&self.config).await.unwrap();
        let opened = vault.open(&self.store.load_keys().await.unwrap(), &[]);
        let key = opened.signers.iter().find(|key| key.alg() == Algorithm::Es256).unwrap();
        let now = self.store.now().await.unwrap().as_secs();
        let claims = json!({
            "iss": ISSUER, "sub": format!("user:{}", browser.session.account), "aud": "web-shop",
            "sid": browser.session.sid, "iat": now - 3600, "exp": now - 3300, "auth_time": now - 3600,
        });
        key.sign(Typ::Jwt, &claims).unwrap()
    }
}

impl Browser {
    fn with_cookie(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("cookie", format!("claviger-session={}", self.secret.expose()))
    }

    pub(crate) async fn get(&self, url: &str, query: &[(&str, &str)]) -> Response {
        let url = reqwest::Url::parse_with_params(url, query).unwrap();
        self.with_cookie(self.http.get(url)).send().await.unwrap()
    }

    /// Posts a form as a page of this origin does.
    pub(crate) async fn post(&self, url: &str, origin: &str, form: &[(&str, &str)]) -> Response {
        self.with_cookie(self.http.post(url).header("origin", origin).form(form)).send().await.unwrap()
    }

    /// Sends a form from another site: the browser leaves the cookie out.
    pub(crate) async fn post_from_elsewhere(&self, url: &str, form: &[(&str, &str)]) -> Response {
        self.http.post(url).header("origin", "https://shop.test").form(form).send().await.unwrap()
    }
}

/// The value of a hidden field of a page.
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let field = page.split("<input").find(|tag| tag.contains(&format!("name=\"{name}\""))).unwrap();
    let value = field.split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    value.replace("&amp;", "&")
}

pub(crate) fn location(response: &Response) -> &str {
    response.headers()["location"].to_str().unwrap()
}
