use std::time::{SystemTime, UNIX_EPOCH};

use claviger_jose::NumericDate;

/// The wall clock, for the times in tokens; stored times are the database's.
#[expect(clippy::disallowed_methods, reason = "the one place where the issuer reads the clock")]
pub(crate) fn wall_clock() -> NumericDate {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    NumericDate::from_secs(since.as_secs())
}
