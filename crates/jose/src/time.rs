use std::{fmt, ops::Add, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds (RFC 7519 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumericDate(u64);

/// The year 9999: later dates are a mistake or an attack on somebody's arithmetic.
const LATEST: u64 = 253_402_300_799;

impl NumericDate {
    /// A date from seconds since the epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this date; zero if `earlier` is in fact later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// This date less a duration, not before the epoch. Fractions of a second are dropped.
    #[must_use]
    pub const fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_secs()))
    }
}

impl Add<Duration> for NumericDate {
    type Output = Self;

    /// Fractions of a second are dropped; the sum saturates.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }
}

impl fmt::Display for NumericDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for NumericDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(NumericDateVisitor)
    }
}

struct NumericDateVisitor;

impl de::Visitor<'_> for NumericDateVisitor {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since the epoch, up to the year 9999")
    }

    fn visit_u64<E: de::Error>(self, secs: u64) -> Result<NumericDate, E> {
        if secs <= LATEST {
            Ok(NumericDate(secs))
        } else {
            Err(E::invalid_value(de::Unexpected::Unsigned(secs), &self))
        }
    }

    /// RFC 7519 allows fractions of a second; they are dropped.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the range is checked first, and dropping the fraction is the point"
    )]
    fn visit_f64<E: de::Error>(self, secs: f64) -> Result<NumericDate, E> {
        if (0.0..=LATEST as f64).contains(&secs) {
            Ok(NumericDate(secs as u64))
        } else {
            Err(E::invalid_value(de::Unexpected::Float(secs), &self))
        }
    }
}

/// Where the time comes from: the system in production, the test's hand in tests.
///
/// Both hands of the clock are here because they answer different questions. Token times are
/// wall-clock times; how long something was held must not change when the wall clock is set.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall-clock time, for `exp`, `iat` and `nbf`.
    fn now(&self) -> NumericDate;

    /// Time since an arbitrary start that never goes back, for freshness and lifetimes.
    fn monotonic(&self) -> Duration;
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-8
    #[test]
    fn a_date_is_a_number_in_range_and_nothing_else() {
        let parse = |json| serde_json::from_str::<NumericDate>(json).ok().map(NumericDate::as_secs);
        assert_eq!(parse("0"), Some(0));
        assert_eq!(parse("1700000000"), Some(1_700_000_000));
        assert_eq!(NumericDate::from_secs(1_700_000_000).to_string(), "1700000000");
        assert_eq!(parse("1700000000.9"), Some(1_700_000_000));
        for json in [
            "-1",
            "-0.5",
            "1e400",
            "1e300",
            "253402300800",
            "18446744073709551615",
            "\"1700000000\"",
            "null",
            "true",
            "[]",
            "{}",
            "NaN",
            "[1700000000]",
        ] {
            assert_eq!(parse(json), None, "{json}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let date = NumericDate::from_secs(5);
        assert_eq!(date.minus(Duration::from_secs(9)), NumericDate::from_secs(0));
        assert_eq!(date.since(NumericDate::from_secs(9)), Duration::ZERO);
        assert_eq!(
            NumericDate::from_secs(u64::MAX) + Duration::from_secs(1),
            NumericDate::from_secs(u64::MAX)
        );
    }
}
