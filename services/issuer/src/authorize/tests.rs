//! The pages as browsers get them, from a provider with a database of its own and no other part of a server.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, FromRequestParts},
    response::Response,
};
use claviger_oauth::{Application, AuthenticationMethod, ClientKeys, GrantType};
use claviger_store::{Client, ClientGrant, NewUser, Profile, Registry, RegistrySnapshot, Store, User};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use migrations::Migrator;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::{
    browser::Visitor,
    config::Config,
    http::Shutdown,
    keys::{Vault, create_kek},
    mint::Mint,
    people::{Password, new_user_id},
    provider::Provider,
    registry_view::RegistryView,
    server::Issuance,
    signer_pool::SignerPool,
};

const ISSUER: &str = "https://id.fleet.test";
const CALLBACK: &str = "https://shop.test/callback";
const PASSWORD: &str = "the fog hums over tartu all night";

/// An issuer that is asked without a network.
struct House {
    provider: Arc<Provider>,
    router: Router,
    directory: TempDir,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: String,
}

impl House {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        create_kek(&directory.path().join("kek")).unwrap();
        let store = Store::open::<Migrator>(&url(directory.path())).await.unwrap();
        Self::over(directory, store).await
    }

    /// What is declared from now on.
    fn declare(&self, client: Client) {
        let registry = Registry { clients: vec![client], ..Registry::default() };
        let (snapshot, issuer) = (RegistrySnapshot { revision: 1, registry }, ISSUER.parse().unwrap());
        let view = RegistryView::new(snapshot, Duration::from_mins(5), &issuer);
        self.provider.issuance.registry.store(Arc::new(view));
    }

    async fn over(directory: TempDir, store: Store) -> Self {
        let text = format!(
            "issuer = \"{ISSUER}\"\nlisten = \"127.0.0.1:0\"\ndatabase = \"{}\"\nkey_encryption_key = \"kek\"",
            url(directory.path())
        );
        let config = Config::parse("claviger.toml", &text, directory.path(), |_| None).unwrap();
        let vault = Vault::unlock(&config).await.unwrap();
        let mint = Mint::new(config.issuer.clone(), SignerPool::start().unwrap());
        let (shutdown, _) = Shutdown::manual();
        let issuance = Issuance::new(config, mint, shutdown);
        let provider = Arc::new(Provider::open(Arc::new(issuance), store, &vault).await.unwrap());
        let router = super::router().with_state(Arc::clone(&provider));
        let house = Self { provider, router, directory };
        house.declare(shop());
        house
    }

    async fn add(&self, name: &str) {
        let password = Password::parse(&PASSWORD.into()).unwrap();
        let new = NewUser {
            id: new_user_id(),
            username: name.parse().unwrap(),
            password_hash: Some(self.provider.gate().unwrap().passwords.hash(password).await.unwrap()),
            disabled: false,
            profile: Profile::default(),
        };
        self.provider.store.add_user(&new, &[]).await.unwrap();
    }

    async fn ask(&self, mut request: Request<Body>) -> Answer {
        let peer: SocketAddr = "192.0.2.1:1234".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let response: Response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, cookie);
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, cookie: &str, form: &[(&str, &str)]) -> Answer {
        let body: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let request = Request::post(path)
            .header(header::COOKIE, cookie)
            .header(header::ORIGIN, ISSUER)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(request.body(body.join("&").into()).unwrap()).await
    }

    /// Says yes on a consent page, with these cookies.
    async fn allow(&self, page: &Answer, cookie: &str) -> Answer {
        let form = [
            ("csrf_token", page.field("csrf_token")),
            ("interaction", page.field("interaction")),
            ("decision", "allow"),
        ];
        self.post("/consent", cookie, &form).await
    }

    /// Signs `ada` in from an open log-in page.
    async fn sign_in(&self, page: &Answer) -> Answer {
        let form = [
            ("csrf_token", page.field("csrf_token")),
            ("interaction", page.field("interaction")),
            ("username", "ada"),
            ("password", PASSWORD),
            ("decision", "allow"),
        ];
        self.post("/sign-in", &page.cookies(), &form).await
    }
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What a browser sends back of the cookies that are set.
    fn cookies(&self) -> String {
        let set = self.headers.get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap());
        let kept = set.filter(|line| !line.contains("Max-Age=0"));
        kept.map(|line| line.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
    }

    fn field(&self, name: &str) -> &str {
        let start = format!("name=\"{name}\" value=\"");
        let at = self.body.find(&start).map(|at| at + start.len());
        at.map_or("", |at| self.body[at..].split('"').next().unwrap())
    }
}

fn url(directory: &Path) -> String {
    format!("sqlite://{}", directory.join("claviger.db").display())
}

fn shop() -> Client {
    Client {
        client_id: "shop".parse().unwrap(),
        team: "shop".parse().unwrap(),
        method: AuthenticationMethod::None,
        disabled: false,
        grants: Vec::new(),
        secrets: Vec::new(),
        grant_types: vec![GrantType::AuthorizationCode],
        keys: ClientKeys::None,
        application: Some(Application {
            redirect_uris: vec![CALLBACK.parse().unwrap()],
            identity_scopes: "openid".parse().unwrap(),
            first_party: true,
            ..Application::default()
        }),
    }
}

/// One that is not of the house, and may read at these services.
fn partner(services: &[(&str, &str)]) -> Client {
    let grants = services.iter().map(|(audience, scopes)| ClientGrant {
        audience: audience.parse().unwrap(),
        scopes: scopes.parse().unwrap(),
    });
    let shop = shop();
    let application = shop.application.map(|own| Application { first_party: false, ..own });
    Client { method: AuthenticationMethod::ClientSecretBasic, grants: grants.collect(), application, ..shop }
}

fn request() -> String {
    format!(
        "/oauth2/authorize?client_id=shop&redirect_uri={}&response_type=code&scope=openid&state=s&\
         code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
        escaped(CALLBACK)
    )
}

fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    value.bytes().map(escape).collect()
}

/// The path of an address of ours.
fn path(location: &str) -> &str {
    location.strip_prefix(ISSUER).unwrap_or_else(|| panic!("{location}"))
}

// S-94
#[tokio::test]
async fn over_https_the_cookies_are_this_host_s_and_the_session_s_is_new() {
    let house = House::new().await;
    house.add("ada").await;
    let page = house.get(&request(), "").await;
    assert_eq!(page.status, 200);
    assert!(page.cookies().starts_with("__Host-claviger-visit="));
    let signed_in = house.sign_in(&page).await;
    assert_eq!(signed_in.status, 303, "{}", signed_in.body);
    let set: Vec<_> = signed_in.headers.get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(set.len(), 3, "session, device, and the visit is over");
    for line in set {
        let line = line.to_str().unwrap();
        assert!(
            line.starts_with("__Host-") && line.contains("HttpOnly; SameSite=Lax; Secure; Path=/"),
            "{line}"
        );
    }
    let back = house.get(path(signed_in.header(header::LOCATION)), &signed_in.cookies()).await;
    assert_eq!(back.status, 303);
    assert!(back.header(header::LOCATION).starts_with(&format!("{CALLBACK}?code=ac_")));
    assert_eq!(back.header(header::CACHE_CONTROL), "no-store");
}

// S-78
#[tokio::test]
async fn a_database_that_is_away_loses_nobody_s_way() {
    let house = House::new().await;
    house.add("ada").await;
    let page = house.get(&request(), "").await;
    let signed_in = house.sign_in(&page).await;
    let way_on = path(signed_in.header(header::LOCATION)).to_owned();

    // The same database, and a provider whose connections to it are gone.
    let House { directory, provider, router } = house;
    let store = Store::open::<Migrator>(&url(directory.path())).await.unwrap();
    provider.store.clone().close().await.unwrap();
    let away = House { directory: tempfile::tempdir().unwrap(), provider, router };

    let waiting = away.get(&request(), &signed_in.cookies()).await;
    assert_eq!((waiting.status, waiting.header(header::LOCATION)), (StatusCode::SERVICE_UNAVAILABLE, ""));
    assert!(!waiting.header(header::RETRY_AFTER).is_empty());
    let refresh = waiting.header(header::REFRESH).to_owned();
    let typed = away.sign_in(&page).await;
    assert_eq!(typed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!typed.header(header::RETRY_AFTER).is_empty());
    assert!(!typed.field("interaction").is_empty(), "the form is still there");
    assert!(!typed.body.contains(PASSWORD));

    // It is back: both go on where they were.
    let back = House::over(directory, store).await;
    let by_itself = refresh.split_once("url=").map(|(_, url)| path(url)).unwrap();
    for way in [by_itself, &way_on] {
        let answer = back.get(way, &signed_in.cookies()).await;
        assert!(
            answer.header(header::LOCATION).starts_with(&format!("{CALLBACK}?code=ac_")),
            "{}",
            answer.status
        );
    }
    let again = back.sign_in(&typed_with(&page, &typed)).await;
    assert_eq!(again.status, 303, "{}", again.body);
}

/// The page of the second answer in the browser of the first.
fn typed_with(first: &Answer, second: &Answer) -> Answer {
    Answer { status: second.status, headers: first.headers.clone(), body: second.body.clone() }
}

// S-49
#[tokio::test]
async fn without_the_issuer_s_own_secret_nobody_signs_in_and_nobody_is_sent_away() {
    let house = House::new().await;
    let House { directory, provider, .. } = house;
    std::fs::remove_file(directory.path().join("kek")).unwrap();
    create_kek(&directory.path().join("kek")).unwrap();
    let locked = House::over(directory, provider.store.clone()).await;
    let page = locked.get(&request(), "").await;
    assert_eq!((page.status, page.header(header::LOCATION)), (StatusCode::SERVICE_UNAVAILABLE, ""));
    assert!(!page.header(header::RETRY_AFTER).is_empty());
}

const A: &str = "https://a.test";
const B: &str = "https://b.test";

/// A request of the partner for this scope at this service.
fn at(service: &str, scope: &str, more: &str) -> String {
    let request = request().replace("scope=openid", &format!("scope={}", escaped(scope)));
    format!("{request}&resource={}{more}", escaped(service))
}

/// What the client is told.
fn told(answer: &Answer) -> String {
    let location = answer.header(header::LOCATION);
    let (_, query) = location.split_once('?').unwrap_or_default();
    let first = query.split('&').next().unwrap_or_default();
    if first.starts_with("code=ac_") { "code".to_owned() } else { first.to_owned() }
}

// S-70
#[tokio::test]
async fn what_is_allowed_at_one_service_is_asked_for_at_another() {
    let house = House::new().await;
    house.add("ada").await;
    house.declare(partner(&[(A, "read"), (B, "read")]));
    let signed_in = house.sign_in(&house.get(&at(A, "openid read", ""), "").await).await;
    let cookies = signed_in.cookies();
    let page = house.get(path(signed_in.header(header::LOCATION)), &cookies).await;
    assert!(page.body.contains(A) && !page.body.contains(B), "{}", page.body);
    assert_eq!(told(&house.allow(&page, &cookies).await), "code");

    let silent = async |service, scope| told(&house.get(&at(service, scope, "&prompt=none"), &cookies).await);
    assert_eq!(silent(A, "openid read").await, "code");
    assert_eq!(silent(A, "openid").await, "code");
    for scope in ["read", "openid", "openid read"] {
        assert_eq!(silent(B, scope).await, "error=consent_required", "{scope}");
        let page = house.get(&at(B, scope, ""), &cookies).await;
        assert!(page.status == 200 && page.body.contains(B), "{scope}: {}", page.body);
    }
}

// S-70
#[tokio::test]
async fn a_yes_is_to_no_more_than_the_page_has_shown() {
    let house = House::new().await;
    house.add("ada").await;
    house.declare(partner(&[(A, "read")]));
    let everything = at(A, "", "");
    let signed_in = house.sign_in(&house.get(&everything, "").await).await;
    let cookies = signed_in.cookies();
    let page = house.get(path(signed_in.header(header::LOCATION)), &cookies).await;
    assert!(page.body.contains("read") && !page.body.contains("erase"), "{}", page.body);

    // While the page is open the client is given more.
    house.declare(partner(&[(A, "read erase")]));
    let again = house.allow(&page, &cookies).await;
    assert!(again.status == 200 && again.body.contains("erase"), "{}: {}", again.status, again.body);
    let ada = house.provider.store.user_by_name(&"ada".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(house.provider.store.consents_of(&ada.id).await.unwrap(), []);

    // It has lost that again, and she has seen more than it gets.
    house.declare(partner(&[(A, "read")]));
    assert_eq!(told(&house.allow(&again, &cookies).await), "code");
    let held = house.provider.store.consents_of(&ada.id).await.unwrap();
    assert_eq!(
        serde_json::to_string(&held[0].allowed).unwrap(),
        r#"{"identity":[],"services":{"https://a.test":["read"]}}"#
    );
}

#[tokio::test]
async fn a_page_that_tells_of_a_fault_is_in_the_language_that_the_client_asks_for() {
    let house = House::new().await;
    house.add("ada").await;
    let korean = |page: &Answer| page.body.contains("<html lang=\"ko\"");
    let elsewhere = request().replace("shop.test", "elsewhere.test");
    let page = house.get(&format!("{elsewhere}&ui_locales=fr+ko"), "").await;
    assert!(page.status == 400 && korean(&page), "{}", page.body);
    assert!(!korean(&house.get(&elsewhere, "").await));

    let form = format!("{}&response_mode=form_post&ui_locales=ko", request());
    let page = house.get(&form, "").await;
    assert!(korean(&page));
    let signed_in = house.sign_in(&page).await;
    let posted = house.get(path(signed_in.header(header::LOCATION)), &signed_in.cookies()).await;
    assert!(korean(&posted) && posted.body.contains("value=\"ac_"), "{}", posted.body);
    let refused = house.get(&format!("{form}&prompt=none"), "").await;
    assert!(korean(&refused) && refused.body.contains("login_required"), "{}", refused.body);
}

// S-94
#[tokio::test]
async fn who_may_not_sign_in_any_more_ends_nobody_s_session() {
    let house = House::new().await;
    house.add("ada").await;
    let store = &house.provider.store;
    let signed_in = house.sign_in(&house.get(&request(), "").await).await;
    let ada = store.user_by_name(&"ada".parse().unwrap()).await.unwrap().unwrap();
    house.add("bob").await;
    let bob = store.user_by_name(&"bob".parse().unwrap()).await.unwrap().unwrap();

    let cookie = http::Request::get("/").header(header::COOKIE, signed_in.cookies()).body(()).unwrap();
    let (mut parts, ()) = cookie.into_parts();
    let visitor = Visitor::from_request_parts(&mut parts, &house.provider).await.unwrap();
    let sessions = async |of: &User| store.sessions_of(&of.id, Duration::from_hours(1)).await.unwrap().len();

    // Between his password and now he was signed out everywhere.
    let late = User { not_before: bob.not_before + Duration::from_secs(1), ..bob.clone() };
    assert!(super::begin_session(&visitor, &late).await.unwrap().is_none());
    assert_eq!((sessions(&ada).await, sessions(&bob).await), (1, 0));

    assert!(super::begin_session(&visitor, &bob).await.unwrap().is_some());
    assert_eq!((sessions(&ada).await, sessions(&bob).await), (0, 1), "one browser is one person's");
}
