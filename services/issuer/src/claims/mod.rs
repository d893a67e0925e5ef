//! What tokens and the userinfo endpoint say about a person: by scope, and by declaration.
//!
//! A scope that was granted stands for standard claims; a declared rule adds claims of an organisation's own. A
//! resource server declares what its access tokens say, because it decides by them; an application declares what it
//! learns in ID tokens and userinfo. What a person has no value for is left out.

mod budget;
mod own_token;
mod rules;

use claviger_oauth::{ClaimPlace, ClaimsRequest, ScopeSet, Subject, claims_of_scope, standard_claims};
use claviger_store::{Client, ResourceServer, User};
use serde_json::{Map, Value};

pub(crate) use own_token::{NotGood, OwnToken};

use self::{
    budget::Budget,
    rules::{About, apply},
};

/// What an access token for a resource server says about a person, beside the protocol's own claims: the roles and groups
/// if those scopes were granted (RFC 9068 section 2.2.3.1), and what the resource server has declared.
pub(crate) fn access_token_claims(
    user: &User,
    client: &Client,
    server: Option<&ResourceServer>,
    scope: &ScopeSet,
) -> Map<String, Value> {
    let mut budget = Budget::of_a_token();
    let about = About { user, client };
    let rules = server.map_or(&[][..], |server| &server.claims);
    apply(rules, ClaimPlace::AccessToken, scope, &about, &mut budget);
    for claim in ["roles", "groups"] {
        if scope.contains(claim) {
            budget.add(claim, standard_claim(user, claim));
        }
    }
    budget.into_claims()
}

/// What an ID token says about a person, beside the protocol's own claims: what its application has declared, and those
/// standard claims that were asked for by name and whose scope was granted. All others are for userinfo
/// (OpenID Connect Core section 5.4).
pub(crate) fn id_token_claims(
    user: &User,
    client: &Client,
    scope: &ScopeSet,
    requested: Option<&ClaimsRequest>,
) -> Map<String, Value> {
    let mut budget = Budget::of_a_token();
    let rules = client.application.as_ref().map_or(&[][..], |application| &application.claims);
    apply(rules, ClaimPlace::IdToken, scope, &About { user, client }, &mut budget);
    for claim in
        granted_claims(scope).filter(|claim| requested.is_some_and(|asked| asked.wants_in_id_token(claim)))
    {
        budget.add(claim, standard_claim(user, claim));
    }
    budget.into_claims()
}

/// The answer of the userinfo endpoint (OpenID Connect Core section 5.3.2).
pub(crate) fn userinfo(user: &User, client: &Client, scope: &ScopeSet) -> Map<String, Value> {
    let mut budget = Budget::of_an_answer();
    let rules = client.application.as_ref().map_or(&[][..], |application| &application.claims);
    apply(rules, ClaimPlace::Userinfo, scope, &About { user, client }, &mut budget);
    for claim in granted_claims(scope) {
        budget.add(claim, standard_claim(user, claim));
    }
    let mut claims = budget.into_claims();
    claims.insert("sub".to_owned(), Subject::of_user(&user.id).to_string().into());
    claims
}

fn granted_claims(scope: &ScopeSet) -> impl Iterator<Item = &'static str> {
    standard_claims().filter(|claim| scope.iter().any(|scope| claims_of_scope(scope).contains(claim)))
}

/// What a person's account has for a standard claim.
fn standard_claim(user: &User, claim: &str) -> Option<Value> {
    let listed = |names: &[String]| (!names.is_empty()).then(|| Value::from(names));
    match claim {
        "roles" => listed(&user.profile.roles),
        "groups" => listed(&user.profile.groups),
        "preferred_username" => {
            let own = user.profile.claims.get(claim).cloned();
            Some(own.unwrap_or_else(|| user.username.as_str().into()))
        }
        _ => user.profile.claims.get(claim).filter(|value| !value.is_null()).cloned(),
    }
}

#[cfg(test)]
mod tests;
