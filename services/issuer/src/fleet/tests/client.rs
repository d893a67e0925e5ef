//! What a client may declare, and what not.

use std::time::Duration;

use claviger_oauth::{
    Application, ApplicationKind, AuthenticationMethod, ClientKeys, GrantType, Issuer, RefreshPolicy,
};
use claviger_store::Client;

use super::issuer;
use crate::fleet::parse;

pub(super) const APPLICATION: &str = r#"
[[team]]
name = "shop"

[[client]]
id = "shop-web"
team = "shop"
"#;

/// The one client of a file that declares it so; `lines` begin at line 8.
fn client(lines: &str) -> Client {
    let text = format!("{APPLICATION}{lines}");
    let registry = parse("fleet.toml", &text, Duration::from_mins(5), &issuer());
    registry.unwrap_or_else(|mistakes| panic!("{mistakes}")).clients.remove(0)
}

fn mistakes(lines: &str) -> Vec<String> {
    let text = format!("{APPLICATION}{lines}");
    let found = parse("fleet.toml", &text, Duration::from_mins(5), &issuer());
    let found = found.err().map(|mistakes| mistakes.0).unwrap_or_default();
    found.into_iter().map(|mistake| format!("{}: {}", mistake.place, mistake.message)).collect()
}

/// There is one mistake, at this line, about that.
fn mistaken(lines: &str, line: usize, about: &str) {
    let found = mistakes(lines);
    let place = format!("fleet.toml:{line}: ");
    assert!(
        found.len() == 1 && found[0].starts_with(&place) && found[0].contains(about),
        "{lines}\nline {line}, {about:?}: {found:#?}"
    );
}

#[test]
fn an_application_is_read() {
    let client = client(
        r#"
kind = "web"
name = "가게"
first_party = true
method = "client_secret_post"
logo_uri = "https://shop.test/logo.svg"
redirect_uris = ["https://shop.test/callback", "https://shop.test/callback"]
post_logout_redirect_uris = ["https://shop.test/"]
backchannel_logout_uri = "https://shop.test/logged-out"
origins = ["https://shop.test"]
grant_types = ["authorization_code", "refresh_token", "client_credentials"]
identity_scopes = ["openid", "offline_access"]
require_pushed = true
refresh = "never"
claims = [
    { claim = "department", from = { user = "department" }, in = ["id_token", "userinfo"], scope = "profile" },
    { claim = "tier", from = { constant = { level = 3, beta = [true, 1.5, "x"] } }, in = ["id_token"] },
]
"#,
    );
    let application = client.application.unwrap();
    assert_eq!(client.method, AuthenticationMethod::ClientSecretPost);
    assert_eq!(client.grant_types.len(), 3);
    assert_eq!(application.kind, ApplicationKind::Web);
    assert_eq!(application.name.as_deref(), Some("가게"));
    assert!(application.first_party && application.require_pushed);
    assert_eq!(application.redirect_uris.len(), 1);
    assert_eq!(application.identity_scopes.as_str(), "offline_access openid");
    assert_eq!(application.refresh, RefreshPolicy::Never);
    let claims = serde_json::to_string(&application.claims[1].from).unwrap();
    assert_eq!(claims, r#"{"constant":{"beta":[true,1.5,"x"],"level":3}}"#);
}

#[test]
fn what_is_left_out_is_the_least() {
    let service = client("");
    assert_eq!(service.method, AuthenticationMethod::ClientSecretBasic);
    assert_eq!(service.grant_types, [GrantType::ClientCredentials]);
    assert_eq!((service.application, service.keys), (None, ClientKeys::None));
    let native = client("kind = \"native\"\nname = \"n\"\nredirect_uris = [\"http://127.0.0.1/\"]");
    assert_eq!(native.method, AuthenticationMethod::None);
    assert_eq!(native.grant_types, [GrantType::AuthorizationCode]);
    let expected = Application {
        kind: ApplicationKind::Native,
        name: Some("n".to_owned()),
        redirect_uris: vec!["http://127.0.0.1/".parse().unwrap()],
        identity_scopes: "openid".parse().unwrap(),
        ..Application::default()
    };
    assert_eq!(native.application, Some(expected));
}

pub(super) const WEB: &str = "kind = \"web\"\nname = \"n\"\nredirect_uris = [\"https://a.test/cb\"]\n";
const PAGE: &str = "kind = \"browser\"\nname = \"n\"\nredirect_uris = [\"https://a.test/cb\"]\norigins = [\"https://a.test\"]\n";

// S-57 S-60
#[test]
fn a_method_goes_with_what_a_client_can_keep() {
    mistaken("method = \"none\"", 8, "proves who it is");
    mistaken(&format!("{WEB}method = \"none\""), 11, "a web client keeps a secret");
    for method in ["client_secret_basic", "client_secret_post"] {
        mistaken(&format!("{PAGE}method = \"{method}\""), 12, "keeps no secret");
    }
    mistaken(
        &format!("{PAGE}grant_types = [\"authorization_code\", \"client_credentials\"]"),
        12,
        "cannot act for itself",
    );
    mistaken("grant_types = [\"authorization_code\"]", 8, "acts for itself");
    mistaken("grant_types = []", 8, "acts for itself");
    mistaken("grant_types = [\"password\"]", 8, "a grant type is");
    mistaken(&format!("{WEB}grant_types = [\"refresh_token\"]"), 11, "authorization_code is missing");
}

// S-55
#[test]
fn keys_go_with_private_key_jwt_and_are_public_and_readable() {
    let by_key = "method = \"private_key_jwt\"\n";
    let key = r#"{"kty":"EC","crv":"P-256","kid":"K","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;
    let set = format!("jwks = '{{\"keys\": [{key}]}}'");
    let ClientKeys::Set(read) = client(&format!("{by_key}{set}")).keys else { panic!("a set") };
    assert_eq!(read.len(), format!(r#"{{"keys":[{key}]}}"#).len(), "as it was, without the space");
    let uri = "jwks_uri = \"https://robot.test/jwks\"";
    assert_eq!(client(&format!("{by_key}{uri}")).keys, ClientKeys::Uri("https://robot.test/jwks".to_owned()));

    mistaken(by_key, 8, "`jwks` or `jwks_uri` is missing");
    mistaken(&set, 8, "keys are for");
    mistaken(uri, 8, "keys are for");
    mistaken(&format!("{by_key}{set}\n{uri}"), 10, "which of the two holds");
    mistaken(&format!("{by_key}jwks = 'x'"), 9, "not a JWK set");
    mistaken(&format!("{by_key}jwks = '{{\"keys\": []}}'"), 9, "no key for RS256 or ES256");
    let lost = set.replace("\"kid\"", "\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\",\"kid\"");
    mistaken(&format!("{by_key}{lost}"), 9, "private");
    mistaken(&format!("{by_key}jwks = {{ file = \"nowhere.json\" }}"), 9, "nowhere.json");
}

// S-59
#[test]
fn nothing_declared_leads_into_this_network() {
    for uri in [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/",
        "https://2130706433/",
        "https://10.0.0.1/",
    ] {
        mistaken(
            &format!("method = \"private_key_jwt\"\njwks_uri = \"{uri}\""),
            9,
            "this machine or its network",
        );
        mistaken(&format!("{WEB}backchannel_logout_uri = \"{uri}\""), 11, "this machine or its network");
    }
    mistaken("method = \"private_key_jwt\"\njwks_uri = \"http://robot.test/\"", 9, "an https URL");
}

#[test]
fn a_key_set_is_read_from_beside_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let set = r#"{ "keys": [ {"kty":"EC","crv":"P-256","kid":"K","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"} ] }"#;
    std::fs::write(directory.path().join("robot.json"), set).unwrap();
    let text = format!("{APPLICATION}method = \"private_key_jwt\"\njwks = {{ file = \"robot.json\" }}");
    let name = directory.path().join("fleet.toml");
    let registry = parse(name.to_str().unwrap(), &text, Duration::from_mins(5), &issuer()).unwrap();
    assert!(matches!(&registry.clients[0].keys, ClientKeys::Set(set) if set.starts_with(r#"{"keys":[{"#)));
}

// S-63
#[test]
fn a_redirect_uri_is_registered_only_where_it_can_be_trusted() {
    let native = "kind = \"native\"\nname = \"n\"\n";
    for good in ["https://app.test/cb", "http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb"] {
        assert_eq!(
            mistakes(&format!("{native}redirect_uris = [\"{good}\"]")),
            Vec::<String>::new(),
            "{good}"
        );
    }
    let kind = "kind = \"web\"\nname = \"n\"\n";
    mistaken(&format!("{kind}redirect_uris = [\"http://127.0.0.1/cb\"]"), 10, "plain http is for native");
    mistaken(&format!("{kind}redirect_uris = [\"com.example.app:/cb\"]"), 10, "only a native application");
    mistaken(&format!("{kind}redirect_uris = []"), 10, "`redirect_uris` is missing");
    mistaken(kind, 5, "`redirect_uris` is missing");
    assert!(mistakes(&format!("{kind}first_party = true")).is_empty(), "its log-in needs none");
    for bad in [
        "http://app.test/cb",
        "https://*.app.test/cb",
        "https://app.test/*",
        "https://app.test/cb#",
        "https://a@app.test/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "app:/cb",
        "https://app.test/cb?code=1",
        "https://app.test/cb?state=1",
        "https://app.test/cb?iss=1",
        "https://App.test/cb",
        "https://app.test:443/cb",
        "https://app.test/a/../cb",
        "/cb",
        "",
        "https://app.test\\\\@evil.test",
        "file:///etc/passwd",
    ] {
        mistaken(&format!("{native}redirect_uris = [\"{bad}\"]"), 10, "a redirect URI");
    }
    mistaken(&format!("{WEB}post_logout_redirect_uris = [\"http://app.test/\"]"), 11, "a redirect URI");
}

#[test]
fn what_does_not_go_together_is_told() {
    mistaken("redirect_uris = [\"https://a.test/cb\"]", 8, "`kind` is missing");
    mistaken("first_party = true", 8, "`kind` is missing");
    mistaken(
        "kind = \"desktop\"",
        8,
        "unknown variant `desktop`, expected one of `web`, `native`, `browser`",
    );
    mistaken("kind = \"web\"\nredirect_uris = [\"https://a.test/cb\"]", 5, "`name` is missing");
    mistaken(&WEB.replace("\"n\"", "\"sh\\u202eop\""), 9, "none that cannot be seen");
    mistaken(&format!("{WEB}logo_uri = \"http://a.test/logo.png\""), 11, "an https URL");
    mistaken(&format!("{WEB}identity_scopes = [\"openid\", \"orders:read\"]"), 11, "orders:read is none of");
    mistaken(&format!("{WEB}identity_scopes = [\"offline_access\"]"), 11, "refresh_token is not among");
    mistaken(&format!("{WEB}refresh = \"rotate\""), 11, "nothing to refresh");
    let refreshes = "grant_types = [\"authorization_code\", \"refresh_token\"]\n";
    mistaken(&format!("{PAGE}{refreshes}refresh = \"never\""), 13, "it must rotate");
    mistaken(&format!("{PAGE}{refreshes}refresh = \"rotate_near_end\""), 13, "it must rotate");
    assert!(mistakes(&format!("{WEB}{refreshes}refresh = \"never\"")).is_empty());
    mistaken(&format!("{PAGE}backchannel_logout_uri = \"https://a.test/\""), 12, "only a web client");
    let native = "kind = \"native\"\nname = \"n\"\nredirect_uris = [\"https://a.test/cb\"]\n";
    mistaken(&format!("{native}origins = [\"https://a.test\"]"), 11, "has no origin");
}

// S-69
#[test]
fn a_page_declares_its_origins() {
    mistaken(&PAGE.replace("origins = [\"https://a.test\"]\n", ""), 5, "`origins` is missing");
    for bad in ["*", "null", "https://a.test/", "https://*.a.test", "http://a.test"] {
        assert!(!mistakes(&format!("{WEB}origins = [\"{bad}\"]")).is_empty(), "{bad}");
    }
    mistaken(
        &format!("{WEB}origins = [\"http://127.0.0.1:3000\"]"),
        11,
        "plain http is for native applications",
    );
}

#[test]
fn an_issuer_on_loopback_lets_applications_be_there_too() {
    let issuer: Issuer = "http://127.0.0.1:8080".parse().unwrap();
    let local = PAGE.replace("https://a.test", "http://127.0.0.1:3000");
    let local = format!("{APPLICATION}{local}");
    assert!(parse("fleet.toml", &local, Duration::from_mins(5), &issuer).is_ok());
}

// S-70
#[test]
fn what_others_learn_of_people_goes_with_a_scope_that_people_are_asked_for() {
    let rule = |rule: &str| format!("{WEB}claims = [{rule}]");
    let department = |scope: &str| {
        rule(&format!(r#"{{ claim = "d", from = {{ user = "department" }}, in = ["id_token"]{scope} }}"#))
    };
    mistaken(&department(""), 11, "`scope = \"profile\"` is missing");
    mistaken(&department(r#", scope = "openid""#), 11, "`scope = \"profile\"` is missing");
    mistaken(
        &rule(r#"{ claim = "d", from = "groups", in = ["userinfo"] }"#),
        11,
        "`scope = \"groups\"` is missing",
    );
    assert!(mistakes(&department(r#", scope = "profile""#)).is_empty());
    assert!(mistakes(&rule(r#"{ claim = "d", from = { client = "team" }, in = ["id_token"] }"#)).is_empty());
    assert!(mistakes(&format!("{}\nfirst_party = true", department(""))).is_empty());
}

#[test]
fn a_claim_says_nothing_that_it_must_not_and_stays_within_its_budget() {
    let rule = |rule: &str| format!("{WEB}claims = [{rule}]");
    mistaken(
        &rule(r#"{ claim = "sub", from = "roles", in = ["id_token"] }"#),
        11,
        "gives this claim a meaning",
    );
    mistaken(&rule(r#"{ claim = "a", from = "password", in = ["id_token"] }"#), 11, "`password`");
    mistaken(
        &rule(r#"{ claim = "a", from = "roles", in = ["access_token"] }"#),
        11,
        "an access token is for",
    );
    mistaken(&rule(r#"{ claim = "a", from = "roles", in = [] }"#), 11, "names no place");
    mistaken(
        &rule(r#"{ claim = "a", from = { constant = 2026-11-21 }, in = ["id_token"] }"#),
        11,
        "what JSON has too",
    );
    let long = "x".repeat(2048);
    mistaken(
        &rule(&format!(r#"{{ claim = "a", from = {{ constant = "{long}" }}, in = ["id_token"] }}"#)),
        11,
        "2048 fit",
    );
    let server = |claims: &str| {
        let server = "[[resource_server]]\naudience = \"https://orders.fleet.test\"\nteam = \"shop\"\n";
        mistakes(&format!("{server}{claims}"))
    };
    assert!(
        server(r#"claims = [{ claim = "tenant", from = { user = "tenant" }, in = ["access_token"] }]"#)
            .is_empty()
    );
    let seen = server(r#"claims = [{ claim = "tenant", from = { user = "tenant" }, in = ["userinfo"] }]"#);
    assert!(seen.len() == 1 && seen[0].contains("sees access tokens only"), "{seen:?}");
    assert!(server("scopes = [\"openid\"]")[0].contains("a scope of the issuer's own"));
}
