//! What of a client's declaration goes together, and what does not.

use claviger_oauth::{
    Application, ApplicationKind, AuthenticationMethod, ClaimPlace, ClientKeys, GrantType, OFFLINE_ACCESS,
    RefreshPolicy,
};
use claviger_store::Client;

use crate::declared::Table;

/// The rules that are broken, each with the line of the member that breaks it.
type Broken = Vec<(usize, String)>;

/// What only a client has that signs people in.
const OF_APPLICATIONS: [&str; 11] = [
    "first_party",
    "name",
    "logo_uri",
    "redirect_uris",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "origins",
    "identity_scopes",
    "require_pushed",
    "refresh",
    "claims",
];

/// A client without `kind`: a service that acts for itself.
pub(super) fn service(table: &Table<'_, '_>, client: &Client) -> Broken {
    let mut broken = keys(table, client);
    for name in OF_APPLICATIONS.into_iter().filter(|name| table.has(name)) {
        let rule = format!(
            "`{name}` is for a client that signs people in: `kind` is missing (web, native, browser)"
        );
        broken.push((table.line_of(name), rule));
    }
    let rules = [
        (
            client.method == AuthenticationMethod::None,
            "method",
            "a client that acts for itself proves who it is: with a secret, or with a key",
        ),
        (
            client.grant_types != [GrantType::ClientCredentials],
            "grant_types",
            "a client without `kind` acts for itself: its grant type is client_credentials",
        ),
    ];
    broken.extend(found(table, &rules));
    broken
}

/// A client that signs people in.
pub(super) fn application(table: &Table<'_, '_>, client: &Client, application: &Application) -> Broken {
    let has = |grant| client.grant_types.contains(&grant);
    let Application { kind, first_party, refresh, .. } = *application;
    let (is_web, is_public) = (kind == ApplicationKind::Web, client.method == AuthenticationMethod::None);
    let (codes, refreshes) = (has(GrantType::AuthorizationCode), has(GrantType::RefreshToken));
    let rules = [
        (
            is_web && is_public,
            "method",
            "a web client keeps a secret or a key; one that cannot is `native` or `browser`",
        ),
        (
            !is_web && !is_public,
            "method",
            "what runs on people's own machines keeps no secret and no key: its method is \"none\"",
        ),
        (
            is_public && has(GrantType::ClientCredentials),
            "grant_types",
            "a client that proves nothing cannot act for itself",
        ),
        (!codes, "grant_types", "a client of a `kind` signs people in: authorization_code is missing"),
        (
            codes && table.lacks("redirect_uris") && !first_party,
            "redirect_uris",
            "with authorization_code people are sent back somewhere: `redirect_uris` is missing",
        ),
        (
            table.has("refresh") && !refreshes,
            "refresh",
            "there is nothing to refresh: refresh_token is not among `grant_types`",
        ),
        (
            refresh != RefreshPolicy::Rotate && is_public,
            "refresh",
            "whoever has a refresh token of a client that proves nothing can use it: it must rotate (RFC 9700)",
        ),
        (
            application.identity_scopes.contains(OFFLINE_ACCESS) && !refreshes,
            "identity_scopes",
            "offline_access asks for a refresh token: refresh_token is not among `grant_types`",
        ),
        (
            !table.has("name") && !first_party,
            "name",
            "people are asked whether they trust it: `name` is missing",
        ),
        (
            application.backchannel_logout_uri.is_some() && !is_web,
            "backchannel_logout_uri",
            "only a web client listens for that",
        ),
        (
            kind == ApplicationKind::Browser && table.lacks("origins"),
            "origins",
            "its pages call from a browser, which asks whether they may: `origins` is missing",
        ),
        (
            kind == ApplicationKind::Native && !application.origins.is_empty(),
            "origins",
            "a native application has no origin",
        ),
        (
            application.claims.iter().any(|rule| rule.is_for(ClaimPlace::AccessToken)),
            "claims",
            "an access token is for a resource server, which declares what it wants to be told",
        ),
    ];
    let mut broken = keys(table, client);
    broken.extend(found(table, &rules));
    broken
}

/// The keys go with one method, and that with keys.
fn keys(table: &Table<'_, '_>, client: &Client) -> Broken {
    let by_key = client.method == AuthenticationMethod::PrivateKeyJwt;
    let declared = table.has("jwks") || table.has("jwks_uri");
    found(
        table,
        &[
            (
                by_key && !declared,
                "method",
                "with private_key_jwt the issuer must know the public keys: `jwks` or `jwks_uri` is missing",
            ),
            (
                !by_key && client.keys != ClientKeys::None,
                if table.has("jwks") { "jwks" } else { "jwks_uri" },
                "keys are for `method` = \"private_key_jwt\"",
            ),
        ],
    )
}

fn found(table: &Table<'_, '_>, rules: &[(bool, &str, &str)]) -> Broken {
    let broken = rules.iter().filter(|(is_broken, ..)| *is_broken);
    broken.map(|(_, name, rule)| (table.line_of(name), (*rule).to_owned())).collect()
}
