//! The simulated time: whole milliseconds since the beginning of the year.

use std::time::Duration;

use claviger_jose::NumericDate;

/// Milliseconds since the beginning.
pub(crate) type Millis = u64;

pub(crate) const SECOND: Millis = 1000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
pub(crate) const HOUR: Millis = 60 * MINUTE;
pub(crate) const DAY: Millis = 24 * HOUR;

/// The wall clock at the beginning.
const BEGINNING: Millis = 1_800_000_000 * SECOND;

/// What the true clock, which is the database's, shows.
pub(crate) fn date(now: Millis) -> NumericDate {
    NumericDate::from_secs((BEGINNING + now) / SECOND)
}

/// What a clock shows that is off by so many milliseconds.
pub(crate) fn date_off(now: Millis, off: i64) -> NumericDate {
    NumericDate::from_secs((BEGINNING + now).saturating_add_signed(off) / SECOND)
}

/// The first moment at which the true clock shows this date.
pub(crate) fn moment(date: NumericDate) -> Millis {
    (date.as_secs() * SECOND).saturating_sub(BEGINNING)
}

/// A monotonic clock, which is nobody's concern but its own.
pub(crate) fn monotonic(now: Millis) -> Duration {
    Duration::from_millis(now)
}

pub(crate) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
