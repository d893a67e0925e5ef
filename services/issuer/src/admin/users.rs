//! People.

use axum::{
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    response::Response,
};
use claviger_oauth::{Subject, UserId};
use claviger_store::{NewUser, PasswordHash, Profile, StoreError, User, UserChange, UserOutcome, Username};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ETAG, IF_MATCH, LOCATION},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    body,
    desk::Desk,
    guard::Caller,
    problem::{Problem, done},
};
use crate::{
    expiry::last_expiry,
    people::{Password, Scheme, new_user_id, office, profile},
};

/// People per answer: what is asked for if nothing is said, and at most.
const LIMIT: u32 = 100;
const MOST: u32 = 1000;
const PATH: &str = "/admin/v1/users";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

/// Somebody new. Of the two ways to say a password one at most is used.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Add {
    username: String,
    password: Option<String>,
    /// From another system.
    password_hash: Option<String>,
    disabled: bool,
    claims: Map<String, Value>,
    roles: Vec<String>,
    groups: Vec<String>,
}

/// What is to be otherwise; what is not said stays.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Change {
    password: Option<String>,
    disabled: Option<bool>,
    claims: Option<Map<String, Value>>,
    roles: Option<Vec<String>>,
    groups: Option<Vec<String>>,
}

/// People by their names, so many, those after a name: `?after=ada&limit=100`.
pub(super) async fn list(
    State(desk): State<Desk>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Problem> {
    let invalid = |_| Problem::bad_request("`after` is a name, `limit` a number, and nothing else is known");
    let Query(Page { after, limit }) = page.map_err(invalid)?;
    let after: Option<Username> =
        after.map(|after| after.parse()).transpose().map_err(|error| bad("after", &error))?;
    let limit = limit.unwrap_or(LIMIT).clamp(1, MOST);
    let _reading = desk.reading().await?;
    let users = desk.store.users(after.as_ref(), limit).await?;
    let full = u32::try_from(users.len()).is_ok_and(|count| count == limit);
    let next = users.last().filter(|_| full).map(|user| user.username.as_str());
    Ok(done(json!({ "users": users.iter().map(view).collect::<Vec<_>>(), "next": next })))
}

/// One person. The entity tag is what a change must name.
pub(super) async fn show(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Response, Problem> {
    let _reading = desk.reading().await?;
    Ok(shown(&found(&desk, &id).await?))
}

/// Adds somebody.
pub(super) async fn add(
    Caller(actor): Caller,
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Add { username, password, password_hash, disabled, claims, roles, groups } =
        body::read(&headers, body).await?;
    let username: Username = username.parse().map_err(|error| bad("username", &error))?;
    let profile =
        profile::checked(claims, roles, groups).map_err(|wrong| Problem::bad_request(wrong.join("; ")))?;
    let password_hash = match (password, password_hash) {
        (Some(password), None) => Some(hashed(&desk, password, (username.as_str(), &profile)).await?),
        (None, Some(foreign)) => Some(taken_over(&foreign)?),
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request("say `password` or `password_hash`, not both"));
        }
    };
    let new = NewUser { id: new_user_id(), username, password_hash, disabled, profile };
    match desk.store.add_user(&new, &[office::added(&actor, &new)]).await {
        Err(StoreError::UserExists(_)) => {
            return Err(Problem::conflict("exists", "there is somebody of this name already"));
        }
        added => added?,
    }
    let mut response = shown(&found(&desk, new.id.as_str()).await?);
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::from_str(&format!("{PATH}/{}", new.id));
    response.headers_mut().insert(LOCATION, location.expect("an id is of a URL's characters"));
    Ok(response)
}

/// Changes somebody, if they are still as the operator has seen them. A new password, and being disabled, end what they are
/// signed in to.
pub(super) async fn change(
    Caller(actor): Caller,
    State(desk): State<Desk>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let seen = tag(&headers)?;
    let Change { password, disabled, claims, roles, groups } = body::read(&headers, body).await?;
    let user = found(&desk, &id).await?;
    if user.tag() != seen {
        return Err(changed_meanwhile());
    }
    let profile = if claims.is_none() && roles.is_none() && groups.is_none() {
        None
    } else {
        let Profile { claims: had, roles: was, groups: of } = user.profile.clone();
        let checked = profile::checked(claims.unwrap_or(had), roles.unwrap_or(was), groups.unwrap_or(of));
        Some(checked.map_err(|wrong| Problem::bad_request(wrong.join("; ")))?)
    };
    let about = (user.username.as_str(), profile.as_ref().unwrap_or(&user.profile));
    let password = match password {
        Some(password) => Some(hashed(&desk, password, about).await?),
        None => None,
    };
    let change = UserChange { disabled, password: password.as_ref(), profile: profile.as_ref() };
    let until = last_expiry(desk.store.now().await?, desk.issuance.config.policy.lifetimes().skew);
    let acts = [office::changed(&actor, &user, &change)];
    match desk.store.change_user(&user.id, Some(&seen), change, until, &acts).await? {
        UserOutcome::Applied => {}
        UserOutcome::Changed => return Err(changed_meanwhile()),
        UserOutcome::Unknown => return Err(unknown()),
    }
    desk.issuance.changed.notify_one();
    Ok(shown(&found(&desk, user.id.as_str()).await?))
}

async fn found(desk: &Desk, id: &str) -> Result<User, Problem> {
    let id: UserId = id.parse().map_err(|_| unknown())?;
    desk.store.user(&id).await?.ok_or_else(unknown)
}

/// A hash of a password that may be chosen.
async fn hashed(desk: &Desk, password: String, about: (&str, &Profile)) -> Result<PasswordHash, Problem> {
    let refused = |fault| Problem::new(StatusCode::BAD_REQUEST, "password_refused", format!("{fault}"));
    let password = Password::parse(&password.into()).map_err(refused)?;
    office::check_password(&desk.provider.password_rules, &password, about).map_err(refused)?;
    let gate = desk.provider.gate().map_err(|error| Problem::unavailable(error.to_string()))?;
    gate.passwords.hash(password).await.map_err(|error| Problem::unavailable(error.to_string()))
}

fn taken_over(hash: &str) -> Result<PasswordHash, Problem> {
    let hash: PasswordHash = hash.parse().map_err(|error| bad("password_hash", &error))?;
    Scheme::parse(&hash).map_err(|error| bad("password_hash", &error))?;
    Ok(hash)
}

/// What somebody has seen (RFC 9110 section 13.1.1). `*` would be whatever there is.
fn tag(headers: &HeaderMap) -> Result<String, Problem> {
    let mut tags = headers.get_all(IF_MATCH).iter();
    let (Some(tag), None) = (tags.next(), tags.next()) else {
        let detail = "say in If-Match which state you have seen: the ETag of GET /admin/v1/users/{id}";
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", detail));
    };
    let tag = tag.to_str().ok().and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"'));
    tag.map(str::to_owned).ok_or_else(|| Problem::bad_request("If-Match must be one entity tag in quotes"))
}

fn shown(user: &User) -> Response {
    let mut response = done(view(user));
    let tag = HeaderValue::from_str(&format!("\"{}\"", user.tag()));
    response.headers_mut().insert(ETAG, tag.expect("base64url in quotes is a header value"));
    response
}

fn view(user: &User) -> Value {
    json!({
        "id": user.id,
        "sub": Subject::of_user(&user.id),
        "username": user.username.as_str(),
        "disabled": user.disabled,
        "has_password": user.password_hash.is_some(),
        "password_changed_at": user.password_changed_at,
        "claims": user.profile.claims,
        "roles": user.profile.roles,
        "groups": user.profile.groups,
        "created_at": user.created_at,
        "last_login_at": user.last_login_at,
    })
}

fn bad(member: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::bad_request(format!("`{member}`: {error}"))
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_user", "there is nobody of this id")
}

fn changed_meanwhile() -> Problem {
    Problem::conflict("changed", "somebody else has changed this person: look again")
}
