use std::time::Duration;

use claviger_jose::NumericDate;
use claviger_oauth::AccessTokenClaims;

use crate::{TokenFault, dialect::HOUSE, profile::Profile, verifier};

const NAME: &str = "https://fleet.test";
const GOOD: &str = r#"{
    "iss": "https://fleet.test", "aud": "https://fleet.test", "sub": "client:a", "client_id": "a",
    "jti": "1", "iat": 0, "exp": 1
}"#;

/// The acceptance of claims by a service, as far as times go.
#[derive(Debug)]
pub struct Acceptance {
    profile: Profile,
    claims: AccessTokenClaims<'static>,
}

impl Acceptance {
    /// That of a service which allows for so much between clocks.
    ///
    /// # Panics
    /// Never: the claims are good ones.
    #[must_use]
    pub fn new(leeway: Duration) -> Self {
        let profile = Profile {
            issuer: NAME.into(),
            audience: NAME.into(),
            leeway,
            max_lifetime: Duration::from_hours(1),
            dialect: &HOUSE,
        };
        let claims = serde_json::from_str(GOOD);
        Self { profile, claims: claims.expect("the claims are complete") }
    }

    /// Judges a token of these times.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn accept(&mut self, iat: NumericDate, exp: NumericDate, now: NumericDate) -> Result<(), TokenFault> {
        (self.claims.iat, self.claims.exp) = (iat, exp);
        self.profile.check(&self.claims, now)
    }
}

/// Whether a key had not ceased to sign when a token of it was issued, as far as clocks may be apart: a key without an end
/// signs on. The rule of the verifier.
#[must_use]
pub fn is_signed_in_time(sign_until: Option<NumericDate>, iat: NumericDate, leeway: Duration) -> bool {
    verifier::is_signed_in_time(sign_until, iat, leeway)
}
