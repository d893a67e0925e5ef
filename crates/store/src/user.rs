use std::fmt;

use aws_lc_rs::digest;
use claviger_jose::{NumericDate, base64url};
use claviger_oauth::UserId;
use serde_json::{Map, Value, json};

use crate::{PasswordHash, Username};

/// A person who can sign in. Its row is never deleted: the id, and with it the subject in tokens, is never somebody
/// else's.
#[derive(Debug, Clone)]
pub struct User {
    /// Opaque, and never given twice.
    pub id: UserId,
    /// The name to log in with.
    pub username: Username,
    /// What is kept of the password; without it nobody can log in.
    pub password_hash: Option<PasswordHash>,
    /// When the password was last set.
    pub password_changed_at: Option<NumericDate>,
    /// Whether the person is kept out.
    pub disabled: bool,
    /// What was signed in to before is over.
    pub not_before: NumericDate,
    /// What clients may be told.
    pub profile: Profile,
    /// When the account was made.
    pub created_at: NumericDate,
    /// When somebody last logged in.
    pub last_login_at: Option<NumericDate>,
}

/// What clients may be told of a person.
#[derive(Clone, Default, PartialEq)]
pub struct Profile {
    /// Claims such as `name` and `email` (OpenID Connect Core 1.0 section 5.1), and the organisation's own.
    pub claims: Map<String, Value>,
    /// What the person is.
    pub roles: Vec<String>,
    /// Where the person belongs.
    pub groups: Vec<String>,
}

/// A person who is to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// 128 random bits: nobody else has it.
    pub id: UserId,
    /// The name to log in with.
    pub username: Username,
    /// What is kept of the password, if there is one.
    pub password_hash: Option<PasswordHash>,
    /// Whether the person is kept out for now.
    pub disabled: bool,
    /// What clients may be told.
    pub profile: Profile,
}

/// What is to become of a person; what is not said stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserChange<'c> {
    /// Whether the person is kept out.
    pub disabled: Option<bool>,
    /// What is kept of a new password.
    pub password: Option<&'c PasswordHash>,
    /// What clients may be told.
    pub profile: Option<&'c Profile>,
}

/// What became of a change to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserOutcome {
    /// It was made.
    Applied,
    /// The person is not as was expected: somebody else has changed it. Nothing was done.
    Changed,
    /// There is no such person.
    Unknown,
}

impl User {
    /// A mark of all that an operator can change: it is another one after each change, and the same after a log-in or its end.
    #[must_use]
    pub fn tag(&self) -> String {
        let Profile { claims, roles, groups } = &self.profile;
        let state = json!([
            self.id,
            self.username.as_str(),
            self.password_hash.is_some(),
            self.password_changed_at,
            self.disabled,
            claims,
            roles,
            groups,
        ]);
        let hash = digest::digest(&digest::SHA256, state.to_string().as_bytes());
        base64url::encode(&hash.as_ref()[..16])
    }
}

/// What a person has told of itself does not belong into logs.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims: Vec<&String> = self.claims.keys().collect();
        f.debug_struct("Profile")
            .field("claims", &claims)
            .field("roles", &self.roles)
            .field("groups", &self.groups)
            .finish()
    }
}
