//! People who have signed in, each in one browser or application.

use std::time::Duration;

use claviger_jose::NumericDate;
use claviger_oauth::{ClientId, Sid, UserId};

/// A session: somebody has signed in, in one browser or application, and has not signed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What tokens and the revocation feed call it. It is no secret.
    pub sid: Sid,
    /// Whose it is.
    pub account: UserId,
    /// When the person last showed who they are.
    pub auth_time: NumericDate,
    /// By what means (RFC 8176).
    pub amr: Vec<String>,
    /// How good those are, if that has a name.
    pub acr: Option<String>,
    /// When it began.
    pub created_at: NumericDate,
    /// When it was last used, within a minute.
    pub seen_at: NumericDate,
    /// When it ends, however much it is used.
    pub expires_at: NumericDate,
    /// What the browser called itself then.
    pub user_agent: String,
    /// Where it came from then.
    pub address: String,
}

/// What is known when somebody has shown who they are; the times are the database's.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The name of the session: 128 random bits, for each session others.
    pub sid: Sid,
    /// Whose it is.
    pub account: UserId,
    /// The account's `not_before` as it was read together with the password's hash: who was signed out everywhere while
    /// the password was being checked is not signed in by it.
    pub not_before: NumericDate,
    /// By what means the person showed who they are (RFC 8176).
    pub amr: Vec<String>,
    /// How good those are, if that has a name.
    pub acr: Option<String>,
    /// How long it lasts at most.
    pub lifetime: Duration,
    /// What the browser calls itself. What is longer than 256 characters is cut.
    pub user_agent: String,
    /// Where it comes from.
    pub address: String,
}

/// A session as its owner is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSession {
    /// The session.
    pub session: Session,
    /// Whether the browser is still signed in; else only clients still act for the person, by refresh tokens.
    pub is_signed_in: bool,
    /// The clients that have got tokens in it, by name.
    pub clients: Vec<ClientId>,
}
