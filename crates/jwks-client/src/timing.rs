use std::time::Duration;

/// The shortest time for which a set counts as fresh, whatever the issuer says: a `max-age=0` must
/// not turn the fleet into a load test.
pub(crate) const MIN_FRESHNESS: Duration = Duration::from_mins(1);
/// The same for an issuer on plain http, which is always on this machine, in development and in
/// tests, where hours are compressed into seconds.
pub(crate) const MIN_FRESHNESS_ON_LOOPBACK: Duration = Duration::from_secs(1);
/// The longest: a `max-age` of a year must not keep a withdrawn key alive.
pub(crate) const MAX_FRESHNESS: Duration = Duration::from_hours(1);
/// The longest time for which a set can be used after the last contact.
pub(crate) const MAX_STALENESS: Duration = Duration::from_hours(72);
/// The shortest and the longest pause between polls of the revocation feed.
pub(crate) const POLL_BOUNDS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));
/// How long a request waits for a fetch.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(2);

const HOUR: Duration = Duration::from_hours(1);

/// How long a key set is fresh, how stale it may get, how often an unknown kid may cause a fetch, and how often the
/// revocation feed is polled.
///
/// ```
/// use std::time::Duration;
/// use claviger_jwks_client::Timing;
///
/// let fail_closed = Timing::default().with_staleness(Duration::ZERO)?;
/// assert!(Timing::default().with_unknown_kid_interval(Duration::from_secs(1)).is_err());
/// # Ok::<(), claviger_jwks_client::TimingError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timing {
    freshness: Duration,
    staleness: Duration,
    unknown_kid_interval: Duration,
    revocation_interval: Duration,
}

impl Default for Timing {
    /// Fresh for 5 min, usable for 24 h, a fetch for unknown kids every 30 s, a poll of the feed every 15 s.
    fn default() -> Self {
        Self {
            freshness: HOUR / 12,
            staleness: 24 * HOUR,
            unknown_kid_interval: Duration::from_secs(30),
            revocation_interval: Duration::from_secs(15),
        }
    }
}

impl Timing {
    /// Sets how long a set is fresh if the issuer does not say (C). An issuer that sends `Cache-Control` is
    /// followed within 60 s to 1 h; on plain http, which is loopback only, within 1 s to 1 h.
    ///
    /// # Errors
    /// [`TimingError`] outside of 60 s to 1 h.
    pub fn with_freshness(self, freshness: Duration) -> Result<Self, TimingError> {
        within("the freshness of the key set", freshness, MIN_FRESHNESS, MAX_FRESHNESS)?;
        Ok(Self { freshness, ..self })
    }

    /// Sets how long a set may be used after the last contact with the issuer (M), less the time for which the answer lay
    /// in a cache on the way (`Age`), but always while it is fresh. Zero fails closed:
    /// the set is dropped when it is no longer fresh.
    ///
    /// # Errors
    /// [`TimingError`] for more than 72 h.
    pub fn with_staleness(self, staleness: Duration) -> Result<Self, TimingError> {
        within("the staleness of the key set", staleness, Duration::ZERO, MAX_STALENESS)?;
        Ok(Self { staleness, ..self })
    }

    /// Sets how often unknown kids may cause a fetch (U): twice at once, then once per interval, in the whole
    /// process. A key that the issuer signs with before it was published for C is learned this fast.
    ///
    /// # Errors
    /// [`TimingError`] outside of 10 s to 1 h.
    pub fn with_unknown_kid_interval(self, interval: Duration) -> Result<Self, TimingError> {
        within("the interval of fetches for unknown kids", interval, Duration::from_secs(10), HOUR)?;
        Ok(Self { unknown_kid_interval: interval, ..self })
    }

    /// Sets how often the revocation feed is polled if the issuer does not say (F). An issuer that sends
    /// `Cache-Control` with it is followed within 5 to 60 s; on plain http, which is loopback only, within 1 to 60 s.
    ///
    /// # Errors
    /// [`TimingError`] outside of 5 s to 60 s.
    pub fn with_revocation_interval(self, interval: Duration) -> Result<Self, TimingError> {
        let (least, most) = POLL_BOUNDS;
        within("the interval of polls of the revocation feed", interval, least, most)?;
        Ok(Self { revocation_interval: interval, ..self })
    }

    /// How long a set is fresh if the issuer does not say.
    #[must_use]
    pub fn freshness(&self) -> Duration {
        self.freshness
    }

    /// How long a set may be used after the last contact.
    #[must_use]
    pub fn staleness(&self) -> Duration {
        self.staleness
    }

    /// How often the revocation feed is polled if the issuer does not say.
    #[must_use]
    pub fn revocation_interval(&self) -> Duration {
        self.revocation_interval
    }

    /// How often unknown kids may cause a fetch.
    #[must_use]
    pub fn unknown_kid_interval(&self) -> Duration {
        self.unknown_kid_interval
    }
}

fn within(name: &'static str, given: Duration, least: Duration, most: Duration) -> Result<(), TimingError> {
    if (least..=most).contains(&given) { Ok(()) } else { Err(TimingError { name, given, least, most }) }
}

/// A duration is out of its bounds, which the message names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {given:?}, but must be from {least:?} to {most:?}")]
pub struct TimingError {
    name: &'static str,
    given: Duration,
    least: Duration,
    most: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_has_its_bounds() {
        type Setter = fn(Timing, Duration) -> Result<Timing, TimingError>;
        let table: [(Setter, u64, u64); 4] = [
            (Timing::with_freshness, 60, 3_600),
            (Timing::with_staleness, 0, 259_200),
            (Timing::with_unknown_kid_interval, 10, 3_600),
            (Timing::with_revocation_interval, 5, 60),
        ];
        for (set, least, most) in table {
            for seconds in [least, most] {
                assert!(set(Timing::default(), Duration::from_secs(seconds)).is_ok(), "{seconds}");
            }
            let above = Duration::from_secs(most) + Duration::from_nanos(1);
            let below = Duration::from_secs(least).checked_sub(Duration::from_nanos(1));
            for outside in [Some(above), below].into_iter().flatten() {
                assert!(set(Timing::default(), outside).is_err(), "{outside:?}");
            }
        }
    }

    #[test]
    fn the_error_names_the_bounds() {
        let error = Timing::default().with_unknown_kid_interval(Duration::from_secs(9)).unwrap_err();
        let message = "the interval of fetches for unknown kids is 9s, but must be from 10s to 3600s";
        assert_eq!(error.to_string(), message);
    }
}
