//! The issuers that fleets also trust, and their quirks.

use std::time::Duration;

use claviger_jose::Typ;

use crate::{
    TrustedIssuer,
    dialect::{
        Dialect, HOUSE, Mark,
        Member::{Named, OfAudience},
    },
};

const DAY: Duration = Duration::from_hours(24);

/// RFC 9068, with keys that are named as the issuer likes.
static RFC_9068: Dialect = Dialect { foreign: true, max_lifetime: DAY, ..HOUSE };

/// `typ` in the *payload* tells access tokens (`Bearer`, or `DPoP` if they are bound) from `ID` and `Refresh`. Roles
/// are those of the realm and those of the client that this service is.
static KEYCLOAK: Dialect = Dialect {
    typ: &[Typ::Jwt, Typ::AtJwt],
    client_id: &["azp", "client_id"],
    roles: &[
        &[Named("realm_access"), Named("roles")],
        &[Named("resource_access"), OfAudience, Named("roles")],
    ],
    mark: Some(Mark::TokenType),
    cnf_remark: Some(("kc-jkt-type", "DPoP")),
    ..RFC_9068
};

/// The audience tells them from ID tokens, whose audience is the client; so does `azp` (`client_id` in the RFC 9068
/// profile), which those do not have. A `jti` is only in the RFC 9068 profile.
static AUTH0: Dialect = Dialect {
    typ: &[Typ::Jwt, Typ::AtJwt],
    client_id: &["azp", "client_id"],
    nameless: true,
    roles: &[&[Named("permissions")], &[Named("roles")]],
    mark: Some(Mark::Client),
    ..RFC_9068
};

/// `azp` (v2.0) or `appid` (v1.0) is only in access tokens. There is no `jti`; `uti` is what it would be.
static ENTRA_ID: Dialect = Dialect {
    typ: &[Typ::Jwt, Typ::AtJwt],
    client_id: &["azp", "appid"],
    jti: &["uti"],
    nameless: true,
    scope: &["scp"],
    mark: Some(Mark::Client),
    ..RFC_9068
};

/// There is no `typ`. A token that was asked for a resource (RFC 8707) names it in `aud` and is for that service
/// alone; without, the client that it was issued to is its audience as well.
static COGNITO: Dialect = Dialect {
    typ: &[],
    untyped: true,
    audience: &["aud", "client_id"],
    roles: &[&[Named("cognito:groups")]],
    mark: Some(Mark::Is("token_use", "access")),
    ..RFC_9068
};

/// There is no `typ`; `cid` is only in access tokens.
static OKTA: Dialect = Dialect {
    typ: &[Typ::Jwt, Typ::AtJwt],
    untyped: true,
    client_id: &["cid"],
    scope: &["scp"],
    roles: &[&[Named("groups")]],
    mark: Some(Mark::Client),
    ..RFC_9068
};

/// A projected service account token: no `typ`, no client and no scope. Of old clusters also no `jti`.
static KUBERNETES: Dialect = Dialect {
    typ: &[],
    untyped: true,
    client_id: &[],
    nameless: true,
    mark: Some(Mark::Present("kubernetes.io")),
    ..RFC_9068
};

impl TrustedIssuer {
    /// Another issuer of RFC 9068 access tokens, whose keys may have any names.
    pub fn rfc9068(issuer: &str) -> Self {
        Self::speaking(&RFC_9068, issuer)
    }

    /// A realm of Keycloak: `https://<host>/realms/<realm>`. The service's audience has to be added to the
    /// tokens by an audience mapper; where it is the id of a client, the roles of that client count as well as
    /// those of the realm.
    pub fn keycloak(issuer: &str) -> Self {
        Self::speaking(&KEYCLOAK, issuer)
    }

    /// A tenant of Auth0: `https://<tenant>.<region>.auth0.com/`, with the slash. The audience is the
    /// identifier of the API.
    pub fn auth0(issuer: &str) -> Self {
        Self::speaking(&AUTH0, issuer)
    }

    /// A tenant of Entra ID: `https://login.microsoftonline.com/<tenant>/v2.0`, or
    /// `https://sts.windows.net/<tenant>/` for applications whose tokens are of version 1.0. The audience is
    /// the application's client id (v2.0) or its identifier URI (v1.0). One tenant only: the name `common` is
    /// no issuer.
    pub fn entra_id(issuer: &str) -> Self {
        Self::speaking(&ENTRA_ID, issuer)
    }

    /// A user pool of Cognito: `https://cognito-idp.<region>.amazonaws.com/<pool>`. The audience is the resource
    /// that apps ask for (RFC 8707), which stands in `aud`; where they ask for none, there is no `aud`, and the
    /// audience is the client id of the app. A service that has both kinds of tokens trusts the pool under one
    /// of the two names.
    pub fn cognito(issuer: &str) -> Self {
        Self::speaking(&COGNITO, issuer)
    }

    /// An authorization server of Okta: `https://<domain>/oauth2/<id>`.
    pub fn okta(issuer: &str) -> Self {
        Self::speaking(&OKTA, issuer)
    }

    /// The service accounts of a Kubernetes cluster: what it was started with as `--service-account-issuer`.
    /// The audience is what a pod asks for in its projected volume.
    pub fn kubernetes(issuer: &str) -> Self {
        Self::speaking(&KUBERNETES, issuer)
    }
}
