//! How issuers write their access tokens, and what a verifier reads from each.
//!
//! RFC 9068 is this house's way and that of a growing number of issuers; the others are one row each.

use std::{borrow::Cow, time::Duration};

use claviger_jose::{HeaderRules, JwsError, Typ, VerifiedPayload};
use claviger_oauth::{AccessTokenClaims, Scope, ScopeSet};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{TokenFault, dialect::Member::Named};

/// One issuer's way to write access tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    /// Kinds that the header may declare.
    pub(crate) typ: &'static [Typ],
    /// Whether the header may declare none.
    pub(crate) untyped: bool,
    /// Whether keys have names that are no thumbprints, and claims are read by the names below.
    pub(crate) foreign: bool,
    /// Where the audience stands: the first of these that is there, and that one alone.
    pub(crate) audience: &'static [&'static str],
    /// Where the client stands: the first of these that is there. One of them has to be: a subject is taken for
    /// a client only where the issuer knows no clients, or a user who is called like one would pass for it.
    pub(crate) client_id: &'static [&'static str],
    /// Where the token's name stands.
    pub(crate) jti: &'static [&'static str],
    /// Whether there are access tokens without a name.
    pub(crate) nameless: bool,
    /// Where the scopes stand, as a list with spaces or an array.
    pub(crate) scope: &'static [&'static str],
    /// Where roles stand: paths of members.
    pub(crate) roles: &'static [&'static [Member]],
    /// A claim that only access tokens have, or have with this value: an ID token must not pass for one
    /// where the header does not tell them apart.
    pub(crate) mark: Option<Mark>,
    /// A member of `cnf` that, with this value, only says what the others say. Any other one that nobody here
    /// knows may bind the token in a way that nobody here can check.
    pub(crate) cnf_remark: Option<(&'static str, &'static str)>,
    /// The longest lifetime that the issuer can be set to.
    pub(crate) max_lifetime: Duration,
}

/// A member of the claims.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Member {
    Named(&'static str),
    /// The one that is named like the service: what others may do elsewhere is no matter here.
    OfAudience,
}

/// What tells an access token from other tokens of the issuer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mark {
    /// The claim is there.
    Present(&'static str),
    /// The client is named.
    Client,
    /// The claim has this value.
    Is(&'static str, &'static str),
    /// `typ` is the type of the access token: `Bearer`, or `DPoP` if it is bound to the key of a proof.
    TokenType,
}

/// RFC 9068, and keys that are named by their thumbprints.
pub(crate) static HOUSE: Dialect = Dialect {
    typ: &[Typ::AtJwt],
    untyped: false,
    foreign: false,
    audience: &["aud"],
    client_id: &["client_id"],
    jti: &["jti"],
    nameless: false,
    scope: &["scope"],
    roles: &[&[Named("roles")]],
    mark: None,
    cnf_remark: None,
    max_lifetime: Duration::from_hours(1),
};

impl Dialect {
    /// The headers that are taken.
    pub(crate) fn header_rules(&self) -> HeaderRules {
        let typ = self.typ.iter().copied();
        let rules = match self.typ {
            [typ] if !self.foreign => HeaderRules::of(*typ),
            _ => HeaderRules::foreign(typ),
        };
        if self.untyped { rules.or_untyped() } else { rules }
    }

    /// Reads the claims, whatever they are called.
    pub(crate) fn read<'p>(&self, payload: &'p VerifiedPayload) -> Result<AccessTokenClaims<'p>, TokenFault> {
        if !self.foreign {
            return Ok(payload.read::<AccessTokenClaims<'p>>()?.into_inner());
        }
        let claims = payload.read::<Map<String, Value>>()?.into_inner();
        self.check_mark(&claims)?;
        self.translate(claims).ok_or(TokenFault::Jws(JwsError::MalformedPayload))
    }

    fn check_mark(&self, claims: &Map<String, Value>) -> Result<(), TokenFault> {
        let marked = match self.mark {
            None => true,
            Some(Mark::Present(name)) => claims.contains_key(name),
            Some(Mark::Client) => self.client_id.iter().any(|name| claims.contains_key(*name)),
            Some(Mark::Is(name, value)) => claims.get(name).and_then(Value::as_str) == Some(value),
            Some(Mark::TokenType) => match claims.get("typ").and_then(Value::as_str) {
                Some("Bearer") => true,
                Some("DPoP") => {
                    claims.get("cnf").and_then(|cnf| cnf.get("jkt")).is_some_and(Value::is_string)
                }
                _ => false,
            },
        };
        if marked { Ok(()) } else { Err(TokenFault::NoAccessToken) }
    }

    fn pass_over_remark(&self, claims: &mut Map<String, Value>) {
        if let Some((name, value)) = self.cnf_remark
            && let Some(Value::Object(cnf)) = claims.get_mut("cnf")
            && cnf.get(name).and_then(Value::as_str) == Some(value)
        {
            cnf.remove(name);
        }
    }

    /// `None` for a claim that is missing, empty or of another type, as in RFC 9068: `null` is no absence.
    fn translate(&self, mut claims: Map<String, Value>) -> Option<AccessTokenClaims<'static>> {
        let aud = self.audience.iter().find_map(|name| claims.get(*name))?;
        let aud = serde_json::from_value(aud.clone()).ok()?;
        let sub: String = required(&mut claims, "sub")?;
        self.pass_over_remark(&mut claims);
        let client_id = match self.client_id {
            [] => sub.clone(),
            names => named(&mut claims, names)??,
        };
        let jti = named(&mut claims, self.jti)?;
        if jti.is_none() && !self.nameless {
            return None;
        }
        Some(AccessTokenClaims {
            iss: Cow::Owned(required(&mut claims, "iss")?),
            aud,
            exp: required(&mut claims, "exp")?,
            iat: required(&mut claims, "iat")?,
            nbf: optional(&mut claims, "nbf")?,
            jti,
            client_id,
            sub: Some(sub).filter(|sub| !sub.is_empty())?,
            scope: match self.scope.iter().find_map(|name| claims.remove(*name)) {
                Some(scope) => Some(scope_set(scope)?),
                None => None,
            },
            cnf: optional(&mut claims, "cnf")?,
            auth_time: optional(&mut claims, "auth_time")?,
            acr: optional(&mut claims, "acr")?,
            sid: match claims.remove("sid") {
                Some(Value::String(sid)) => Some(sid),
                // What others call so may be anything, and no feed of theirs is known that names it.
                _ => None,
            },
        })
    }
}

fn required<T: DeserializeOwned>(claims: &mut Map<String, Value>, name: &str) -> Option<T> {
    serde_json::from_value(claims.remove(name)?).ok()
}

/// `Some(None)` if it is absent, `None` if it is of another type.
#[expect(clippy::option_option, reason = "the outer one is the failure, to be passed on by `?`")]
fn optional<T: DeserializeOwned>(claims: &mut Map<String, Value>, name: &str) -> Option<Option<T>> {
    match claims.remove(name) {
        None => Some(None),
        Some(value) => serde_json::from_value(value).ok().map(Some),
    }
}

/// The first of these names that is there, and says something.
#[expect(clippy::option_option, reason = "the outer one is the failure, to be passed on by `?`")]
fn named(claims: &mut Map<String, Value>, names: &[&str]) -> Option<Option<String>> {
    match names.iter().find_map(|name| claims.remove(*name)) {
        None => Some(None),
        Some(Value::String(text)) if !text.is_empty() => Some(Some(text)),
        Some(_) => None,
    }
}

/// A list with spaces, or an array of scopes. A name that is no scope of RFC 6749 makes the claim malformed: one with
/// a space in it would grant two others.
fn scope_set(value: Value) -> Option<ScopeSet> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Array(scopes) => {
            let scopes: Option<Vec<&str>> = scopes.iter().map(one_scope).collect();
            scopes?.join(" ").parse().ok()
        }
        _ => None,
    }
}

fn one_scope(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| text.parse::<Scope>().is_ok())
}
