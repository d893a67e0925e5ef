//! The acceptance of a token's times, by the rules of the verifier.

use std::time::Duration;

use claviger_jose::NumericDate;
use claviger_verifier::simulation::{Acceptance, is_signed_in_time};

/// No verifier allows for more between clocks.
const MAX_LEEWAY: Duration = Duration::from_mins(1);

/// What a verifier allows for in a fleet whose clocks are so far apart.
pub(crate) fn leeway(skew: Duration) -> Duration {
    skew.min(MAX_LEEWAY)
}

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
        is_signed_in_time(self.sign_until, self.iat, self.skew)
            && by.accept(self.iat, self.exp, self.here).is_ok()
    }
}
