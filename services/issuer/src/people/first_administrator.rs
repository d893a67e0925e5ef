//! How the first account comes to be: by a link that the command line prints, once, and never by a password that everybody
//! knows (S-93).

use std::time::Duration;

use claviger_jose::NumericDate;
use claviger_keyring::rand_core::RngCore;
use claviger_oauth::{Issuer, LinkSecret, UserId};
use claviger_store::{
    LinkOutcome, LinkPurpose, NewUser, Profile, Store, StoreError, Username, UsernameError,
};
use secrecy::SecretString;
use serde_json::json;

use super::{
    log_in::{Gate, Origin},
    new_user_id,
    password::{Password, PasswordFault},
    passwords::Busy,
    rules::PasswordRules,
};
use crate::{actor::Actor, rng::SystemRng};

/// What an administrator is, as a role.
pub(crate) const ROLE: &str = PURPOSE.role();
/// Where the link leads.
pub(crate) const PATH: &str = "/welcome";
/// How long a link can be used: long enough to walk to another desk, too short to be forgotten in a drawer.
pub(crate) const SHORTEST: Duration = Duration::from_mins(15);
pub(crate) const LONGEST: Duration = Duration::from_hours(1);

const PURPOSE: LinkPurpose = LinkPurpose::FirstAdministrator;

/// A link, shown once.
#[derive(Debug)]
pub(crate) struct Offer {
    /// With the secret in it.
    pub(crate) url: SecretString,
    pub(crate) expires_at: NumericDate,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OfferError {
    #[error(
        "there is an administrator already, who can make others (`claviger users add --role administrator`)"
    )]
    Exists,
    #[error("a link can be used for 15 to 60 minutes")]
    Lifetime,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What somebody with a link sends.
#[derive(Clone, Copy)]
pub(crate) struct Welcome<'w> {
    pub(crate) link: &'w str,
    pub(crate) username: &'w str,
    pub(crate) password: &'w SecretString,
}

/// Why nobody has become administrator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WelcomeError {
    /// Unknown, used, expired: one answer.
    #[error("this link cannot be used, or not any more")]
    Link,
    #[error("{0}")]
    Username(UsernameError),
    #[error("there is somebody of this name already")]
    Taken,
    #[error(transparent)]
    Password(#[from] PasswordFault),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error("the database failed")]
    Unavailable(#[from] StoreError),
}

/// Makes a link while there is no administrator. Its address is the configured one, whatever a request may have said.
pub(crate) async fn offer(
    store: &Store,
    issuer: &Issuer,
    lifetime: Duration,
    actor: &Actor,
) -> Result<Offer, OfferError> {
    if !(SHORTEST..=LONGEST).contains(&lifetime) {
        return Err(OfferError::Lifetime);
    }
    if store.has_user_in_role(ROLE).await? {
        return Err(OfferError::Exists);
    }
    let mut random = [0; 32];
    SystemRng.fill_bytes(&mut random);
    let secret = LinkSecret::from_random(random);
    let acts = [actor.act("link.create", PURPOSE.as_str(), json!({ "minutes": lifetime.as_secs() / 60 }))];
    let expires_at = store.add_link(&secret, PURPOSE, None, lifetime, &acts).await?;
    let url = issuer.join(&format!("{PATH}?link={}", secret.expose()));
    Ok(Offer { url: url.into(), expires_at })
}

/// Whether a link can be used: for the page that asks for a name and a password.
pub(crate) async fn is_usable(store: &Store, link: &str) -> Result<bool, StoreError> {
    let Ok(secret) = link.parse::<LinkSecret>() else {
        return Ok(false);
    };
    Ok(store.link(&secret, PURPOSE).await?.is_some() && !store.has_user_in_role(ROLE).await?)
}

/// Uses the link: the account is made, and the link is gone, in one transaction. A name or password that will not do leaves the
/// link as it is.
pub(crate) async fn accept(
    gate: &Gate,
    rules: &PasswordRules,
    welcome: Welcome<'_>,
    origin: Origin<'_>,
) -> Result<UserId, WelcomeError> {
    let Welcome { link, username, password } = welcome;
    // Before anything is computed: without a link nobody makes us work.
    if !is_usable(&gate.store, link).await? {
        return Err(WelcomeError::Link);
    }
    let secret: LinkSecret = link.parse().map_err(|_| WelcomeError::Link)?;
    let username: Username = username.parse().map_err(WelcomeError::Username)?;
    let password = Password::parse(password)?;
    rules.check(&password, [username.as_str()])?;
    let hash = gate.passwords.hash(password).await?;
    let id = new_user_id();
    let profile = Profile { roles: vec![ROLE.to_owned()], ..Profile::default() };
    let new = NewUser { id: id.clone(), username, password_hash: Some(hash), disabled: false, profile };
    let actor = Actor::person(&id, origin.address);
    let act = actor.act("user.add", id.as_str(), json!({ "by": PURPOSE.as_str(), "roles": [ROLE] }));
    match gate.store.add_user_by_link(&secret, PURPOSE, &new, &[act]).await {
        Ok(LinkOutcome::Used) => Ok(id),
        Ok(LinkOutcome::Invalid) => Err(WelcomeError::Link),
        Err(StoreError::UserExists(_)) => Err(WelcomeError::Taken),
        Err(error) => Err(error.into()),
    }
}

impl std::fmt::Debug for Welcome<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Welcome(..)")
    }
}

#[cfg(test)]
mod tests;
