//! What operators do to people, from the command line and through the admin API alike.

use claviger_oauth::{ClientId, UserId};
use claviger_store::{Act, NewUser, Profile, User, UserChange};
use serde_json::{Map, Value, json};

use super::{
    password::{Password, PasswordFault},
    profile::well_known,
    rules::PasswordRules,
};
use crate::actor::Actor;

/// What the audit log says of somebody who was added. It does not say who that is: the log is for ever, and an id tells those who
/// may know.
pub(crate) fn added(actor: &Actor, new: &NewUser) -> Act {
    let detail = json!({
        "password": new.password_hash.is_some(),
        "disabled": new.disabled,
        "roles": new.profile.roles,
        "groups": new.profile.groups,
    });
    actor.act("user.add", new.id.as_str(), detail)
}

/// What the audit log says of a change: what was before and is after, of a password and of claims only that they changed.
pub(crate) fn changed(actor: &Actor, before: &User, change: &UserChange<'_>) -> Act {
    let mut detail = Map::new();
    let mut note = |what: &str, before: Value, after: Value| {
        if before != after {
            detail.insert(what.to_owned(), json!({ "before": before, "after": after }));
        }
    };
    if let Some(disabled) = change.disabled {
        note("disabled", before.disabled.into(), disabled.into());
    }
    if let Some(profile) = change.profile {
        note("roles", json!(before.profile.roles), json!(profile.roles));
        note("groups", json!(before.profile.groups), json!(profile.groups));
        if before.profile.claims != profile.claims {
            detail.insert("claims".to_owned(), "changed".into());
        }
    }
    if change.password.is_some() {
        detail.insert("password".to_owned(), "changed".into());
    }
    actor.act("user.change", before.id.as_str(), Value::Object(detail))
}

/// What the audit log says of somebody's consent that is taken back, by themselves or by an operator.
pub(crate) fn withdrawn(actor: &Actor, account: &UserId, client: &ClientId) -> Act {
    actor.act("consent.withdraw", client.as_str(), json!({ "account": account }))
}

/// Whether somebody may have this password, who is known by this name and profile.
///
/// # Errors
/// The [`PasswordFault`] to tell.
pub(crate) fn check_password(
    rules: &PasswordRules,
    password: &Password,
    (username, profile): (&str, &Profile),
) -> Result<(), PasswordFault> {
    rules.check(password, well_known(profile).chain([username]))
}
