use std::{
    fmt,
    net::IpAddr,
    time::{Duration, Instant},
};

use claviger_store::{LogIn, NoRoom, Reservation, Store, StoreError, User, Username};
use secrecy::SecretString;
use serde_json::json;

use super::{
    attempts::buckets,
    device::Devices,
    password::Password,
    passwords::{Busy, Passwords, Verdict},
    turned_away::TurnedAway,
};
use crate::actor::Actor;

/// What a log-in needs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) store: Store,
    pub(crate) passwords: Passwords,
    pub(crate) devices: Devices,
    pub(crate) turned_away: TurnedAway,
}

/// What somebody presents.
#[derive(Clone, Copy)]
pub(crate) struct Credentials<'c> {
    pub(crate) username: &'c str,
    pub(crate) password: &'c SecretString,
}

/// From where it comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'o> {
    pub(crate) address: IpAddr,
    /// The cookie of a browser in which somebody has logged in before, if it sends one.
    pub(crate) device: Option<&'o str>,
}

/// Somebody who is who they say.
#[derive(Debug)]
pub(crate) struct LoggedIn {
    pub(crate) user: User,
    /// The cookie by which this browser is known from now on.
    pub(crate) device: String,
}

/// Why nobody is logged in. Wrong, unknown and disabled are one answer (S-89).
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogInError {
    /// A text that can be no name, or no password. Nothing was looked up.
    #[error("{0}")]
    Malformed(String),
    #[error("the user name or the password is wrong")]
    Wrong,
    #[error("too many attempts")]
    TooMany { retry_after: Duration },
    /// Too many wrong ones in a row: no time ends that, an operator does.
    #[error("too many attempts, and no more until an operator says so")]
    Stopped,
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error("the database failed")]
    Unavailable(#[from] StoreError),
}

impl From<NoRoom> for LogInError {
    fn from(no_room: NoRoom) -> Self {
        match no_room {
            NoRoom::For(retry_after) => Self::TooMany { retry_after },
            NoRoom::Stopped => Self::Stopped,
        }
    }
}

/// The one way in: whoever asks for a password asks here, so that all guesses count together (S-90).
///
/// The order matters. Who was refused a moment ago is refused from memory; a place among those who compute comes next, so that
/// a storm reaches the database with no more than these many, and few of them from one address; the attempt is counted
/// before it is evaluated, so that a thousand at once are not a thousand guesses; and the same is read and computed whether
/// there is such a person or not.
pub(crate) async fn log_in(
    gate: &Gate,
    credentials: Credentials<'_>,
    origin: Origin<'_>,
) -> Result<LoggedIn, LogInError> {
    let malformed = |reason: &dyn fmt::Display| LogInError::Malformed(reason.to_string());
    let name: Username = credentials.username.parse().map_err(|error| malformed(&error))?;
    let password = Password::parse(credentials.password).map_err(|error| malformed(&error))?;
    let device = origin.device.and_then(|cookie| gate.devices.recognise(&name, cookie));
    let buckets = buckets(&name, device.as_ref(), origin.address);
    if let Some(no_room) = gate.turned_away.remembers(&buckets, Instant::now()) {
        tracing::debug!(address = %origin.address, "too many log-ins were tried, a moment ago too");
        return Err(no_room.into());
    }
    let place = gate.passwords.place_of(origin.address)?;
    if let Reservation::Refused { no_room, bucket } = gate.store.reserve_attempt(&buckets).await? {
        gate.turned_away.note(bucket, no_room, Instant::now());
        // Whom it keeps out, if it is somebody: what was typed is not logged.
        let user = gate.store.user_by_name(&name).await.ok().flatten().map(|user| user.id);
        let user = user.as_ref().map(tracing::field::display);
        let refused = LogInError::from(no_room);
        tracing::info!(address = %origin.address, user, reason = %refused, "a log-in was not looked at");
        return Err(refused);
    }
    let user = gate.store.user_by_name(&name).await?;
    let hash = user.as_ref().and_then(|user| user.password_hash.clone());
    let verdict = place.verify(hash.clone(), password).await?;
    let (Some(user), Some(verified), Verdict::Right { upgraded }) = (&user, hash, verdict) else {
        // The name is not logged: some type their password there.
        let user = user.as_ref().map(|user| tracing::field::display(&user.id));
        tracing::info!(address = %origin.address, user, "a log-in was refused");
        return Err(LogInError::Wrong);
    };
    let noted = LogIn { user: &user.id, verified: &verified, upgraded: upgraded.as_ref(), buckets: &buckets };
    let detail = json!({ "known_device": device.is_some(), "upgraded": upgraded.is_some() });
    let act = Actor::person(&user.id, origin.address).act("user.log_in", user.id.as_str(), detail);
    if user.disabled || !gate.store.note_log_in(noted, &[act]).await? {
        tracing::info!(user = %user.id, address = %origin.address, "somebody who is disabled was refused");
        return Err(LogInError::Wrong);
    }
    tracing::info!(user = %user.id, "somebody has logged in");
    let device = device.map_or_else(|| gate.devices.remember(&name), super::device::KnownDevice::into_cookie);
    Ok(LoggedIn { user: user.clone(), device })
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

#[cfg(test)]
mod tests;
