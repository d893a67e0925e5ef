use std::time::Duration;

use claviger_jose::Algorithm;
use claviger_oauth::Issuer;
use claviger_store::Registry;
use expect_test::{Expect, expect};

use self::client::{APPLICATION, WEB};
use super::{difference, parse};

mod client;

const FLEET: &str = r#"
[[team]]
name = "shop"

[[resource_server]]
audience = "https://orders.fleet.test"
team = "shop"
algorithm = "RS256"
scopes = ["orders:read", "orders:write"]

[[client]]
id = "web"
team = "shop"
access."https://orders.fleet.test" = ["orders:read"]
"#;

fn issuer() -> Issuer {
    "https://id.fleet.test".parse().unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "`expect!` reads best in the call")]
fn check_mistakes(text: &str, expected: Expect) {
    let found = parse("fleet.toml", text, Duration::from_mins(5), &issuer());
    expected.assert_eq(&found.map_or_else(|mistakes| mistakes.to_string(), |_| "none".to_owned()));
}

#[test]
fn a_fleet_is_read() {
    let registry = parse("fleet.toml", FLEET, Duration::from_mins(5), &issuer()).unwrap();
    assert_eq!(registry.teams.len(), 1);
    assert_eq!(registry.resource_servers[0].alg, Algorithm::Rs256);
    assert_eq!(registry.resource_servers[0].token_lifetime, Duration::from_mins(5));
    assert_eq!(registry.clients[0].grants[0].scopes.as_str(), "orders:read");
}

#[test]
fn all_mistakes_are_found_in_one_run_with_their_lines() {
    let text = r#"
[[team]]
name = "Shop!"
nmae = "x"

[[resource_server]]
audience = "orders"
team = "shop"
algorithm = "HS256"
token_lifetime = "2h"
scopes = ["a b", 7]

[[resource_server]]
audience = "https://a.test"
scopes = "x"

[[client]]
id = "web:1"
team = "shop"
method = "trust"

[[client]]
id = "web"
access."https://b.test" = []
[[client]]
id = 5
[clients]
"#;
    check_mistakes(
        text,
        expect![[r#"
            fleet.toml:3: `name` = "Shop!": a team name has only the characters a-z 0-9 -
            fleet.toml:4: `nmae` is not known here; known are: name
            fleet.toml:7: `audience` = "orders": an audience is an absolute URI
            fleet.toml:8: team shop is not declared in this file
            fleet.toml:9: `algorithm` = "HS256": the algorithm is neither RS256 nor ES256
            fleet.toml:10: `token_lifetime` must be 1s to 5m (`token_lifetime` in claviger.toml)
            fleet.toml:11: `scopes` = "a b": a scope has 1 to 128 printable ASCII characters without space, " and \
            fleet.toml:11: `scopes` must be a list of strings, not integer
            fleet.toml:13: `team` is missing
            fleet.toml:15: `scopes` must be a list of strings, not string
            fleet.toml:18: `id` = "web:1": a client id has only the characters A-Z a-z 0-9 . _ -
            fleet.toml:19: team shop is not declared in this file
            fleet.toml:20: `method` = "trust": an authentication method is `client_secret_basic`, `client_secret_post`, `private_key_jwt` or `none`
            fleet.toml:22: `team` is missing
            fleet.toml:24: resource server https://b.test is not declared in this file
            fleet.toml:25: `team` is missing
            fleet.toml:26: `id` must be a string, not integer
            fleet.toml:27: `clients` is not known here; known are: team, resource_server, client"#]],
    );
}

#[test]
fn what_is_declared_twice_or_reaches_too_far_is_refused() {
    let twice = format!("{FLEET}{}", FLEET.replace("orders:read\"]\n", "orders:admin\"]\n"));
    check_mistakes(
        &twice,
        expect![[r"
        fleet.toml:16: team shop is declared twice
        fleet.toml:19: resource server https://orders.fleet.test is declared twice
        fleet.toml:25: client web is declared twice
        fleet.toml:28: resource server https://orders.fleet.test has no scope orders:admin"]],
    );
}

// S-98
#[test]
fn the_admin_api_is_there_for_those_who_are_granted_it_and_nobody_declares_it() {
    let granted = format!("{FLEET}access.\"https://id.fleet.test/admin\" = [\"keys:read\"]\n");
    let registry = parse("fleet.toml", &granted, Duration::from_mins(5), &issuer()).unwrap();
    let audiences: Vec<_> = registry.resource_servers.iter().map(|server| server.audience.as_str()).collect();
    assert_eq!(audiences, ["https://id.fleet.test/admin", "https://orders.fleet.test"]);
    check_mistakes(
        &granted.replace("keys:read", "keys:write"),
        expect!["fleet.toml:15: resource server https://id.fleet.test/admin has no scope keys:write"],
    );
    check_mistakes(
        &FLEET.replace("https://orders.fleet.test\"\nteam", "https://id.fleet.test/admin\"\nteam"),
        expect![[r"
        fleet.toml:6: the issuer's own admin API is not declared; grant clients access to it
        fleet.toml:14: resource server https://orders.fleet.test is not declared in this file"]],
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    check_mistakes(
        "[[team]\nname = ",
        expect![[r"
        fleet.toml:1: unclosed array table, expected `]`
        fleet.toml:2: `name` is not known here; known are: team, resource_server, client"]],
    );
}

#[expect(clippy::needless_pass_by_value, reason = "`expect!` reads best in the call")]
fn check_difference(before: &str, after: &str, expected: Expect) {
    let read = |lines: &str| -> Registry {
        parse("fleet.toml", &format!("{APPLICATION}{lines}"), Duration::from_mins(5), &issuer()).unwrap()
    };
    let changes: Vec<String> =
        difference(&read(before), &read(after)).iter().map(ToString::to_string).collect();
    expected.assert_eq(&changes.join("\n"));
}

#[test]
fn what_changes_is_told_in_the_words_of_the_file() {
    check_difference(WEB, WEB, expect![[""]]);
    check_difference(
        "",
        WEB,
        expect![
            "~ client shop-web (grant types: nothing -> authorization_code; kind: nothing -> web; name: nothing -> n; redirect URIs: nothing -> https://a.test/cb; identity scopes: nothing -> openid; refresh: nothing -> rotate)"
        ],
    );
    let more = format!(
        "{WEB}first_party = true\nclaims = [{{ claim = \"a\", from = \"roles\", in = [\"id_token\"] }}]"
    );
    check_difference(
        WEB,
        &more.replace("a.test/cb", "b.test/cb"),
        expect![
            "~ client shop-web (first party: nothing -> true; redirect URIs: https://a.test/cb -> https://b.test/cb; claim a: nothing -> roles in id_token)"
        ],
    );
}
