//! Rows become people, and back.

use claviger_jose::NumericDate;
use sea_orm::Set;
use serde::de::DeserializeOwned;

use crate::{
    NewUser, Profile, StoreError, User,
    entity::account::{ActiveModel, Model},
    store::date,
};

pub(crate) fn user(row: Model) -> Result<User, StoreError> {
    let profile = Profile {
        claims: json(&row.claims, "claims")?,
        roles: json(&row.roles, "roles")?,
        groups: json(&row.groups, "groups")?,
    };
    Ok(User {
        id: row.id.parse().map_err(|_| damaged("id"))?,
        username: row.username.parse().map_err(|_| damaged("username"))?,
        password_hash: row
            .password_hash
            .map(|hash| hash.parse().map_err(|_| damaged("password_hash")))
            .transpose()?,
        password_changed_at: row.password_changed_at.map(time).transpose()?,
        disabled: row.disabled,
        not_before: time(row.not_before)?,
        profile,
        created_at: time(row.created_at)?,
        last_login_at: row.last_login_at.map(time).transpose()?,
    })
}

/// The row of somebody who is added now.
pub(crate) fn of_new(new: &NewUser, now: i64) -> ActiveModel {
    ActiveModel {
        id: Set(new.id.to_string()),
        username: Set(new.username.to_string()),
        username_key: Set(new.username.key().to_owned()),
        password_hash: Set(new.password_hash.as_ref().map(|hash| hash.expose().to_owned())),
        password_changed_at: Set(new.password_hash.as_ref().map(|_| now)),
        disabled: Set(new.disabled),
        not_before: Set(now),
        claims: Set(claims(&new.profile)),
        roles: Set(names(&new.profile.roles)),
        groups: Set(names(&new.profile.groups)),
        created_at: Set(now),
        last_login_at: Set(None),
    }
}

pub(crate) fn claims(profile: &Profile) -> String {
    serde_json::Value::Object(profile.claims.clone()).to_string()
}

pub(crate) fn names(names: &[String]) -> String {
    serde_json::json!(names).to_string()
}

fn json<T: DeserializeOwned>(text: &str, column: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| damaged(column))
}

fn time(secs: i64) -> Result<NumericDate, StoreError> {
    date(secs).ok_or_else(|| damaged("a time"))
}

/// The text is not repeated: it is about a person, or a hash.
fn damaged(column: &str) -> StoreError {
    StoreError::Corrupt(format!("{column} in account"))
}
