//! The acceptance of a token's times, by the rules of the verifier.

use std::time::Duration;

use claviger_jose::NumericDate;
use claviger_verifier::simulation::Acceptance;

/// A token, as far as times go, and who judges it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged {
    pub(crate) iat: NumericDate,
    pub(crate) exp: NumericDate,
    /// Until when its key signs, as the verifier knows it.
    pub(crate) sign_until: Option<NumericDate>,
    /// The verifier's clock.
    pub(crate) here: NumericDate,
    /// What the verifier allows for.
    pub(crate) skew: Duration,
}

impl Judged {
    /// Whether the verifier takes it.
    pub(crate) fn is_accepted(&self, by: &mut Acceptance) -> bool {
        // What a key signs after its time was not signed by the issuer (the verifier's rule for `sign_until`).
        let in_time = self.sign_until.is_none_or(|until| self.iat <= until + self.skew);
        in_time && by.accept(self.iat, self.exp, self.here).is_ok()
    }
}
