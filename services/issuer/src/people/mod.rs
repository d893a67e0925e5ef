//! People: their passwords, and how they prove that they know them.
//!
//! In reading order:
//!
//! - `password`: a password as it was typed; `rules`: whether it is one to choose, with the `blocklist`.
//! - `scheme`: what is kept of a password, by us and by others; `passwords`: where that is computed, a bounded number at a
//!   time.
//! - `device`: browsers in which somebody has logged in before; `attempts`: how often may be guessed.
//! - `turned_away`: who was refused a moment ago; `log_in`: the one way in, for pages, first-party applications and whoever comes later.
//! - `first_administrator`: how the first account comes to be.
//! - `office`: what operators do to people.
//! - `profile` and `import`: what else is known of people, and bringing them from elsewhere.

mod attempts;
mod blocklist;
mod device;
pub(crate) mod first_administrator;
pub(crate) mod import;
mod log_in;
pub(crate) mod office;
mod password;
mod passwords;
pub(crate) mod profile;
mod rules;
mod scheme;
mod turned_away;

use claviger_keyring::rand_core::RngCore;
use claviger_oauth::UserId;

pub(crate) use self::{
    device::Devices,
    log_in::{Credentials, Gate, LogInError, LoggedIn, Origin, log_in},
    password::{Password, PasswordFault},
    passwords::Passwords,
    rules::PasswordRules,
    scheme::Scheme,
    turned_away::TurnedAway,
};
use crate::rng::SystemRng;

/// The name of somebody new. Nobody else ever has it.
pub(crate) fn new_user_id() -> UserId {
    let mut random = [0; 16];
    SystemRng.fill_bytes(&mut random);
    UserId::from_random(random)
}
