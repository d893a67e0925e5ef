//! How long a token is used and how long the issuer is left alone, as functions of durations and
//! of a `chance` from 0 to 1 that the shell draws.

use std::time::Duration;

/// A token is not sent in its last seconds: it would end on the way.
const LONGEST_MARGIN: Duration = Duration::from_secs(5);
/// A mistake of the issuer's must not make a token eternal, or an instant overflow.
const LONGEST_LIFETIME: Duration = Duration::from_hours(24);
/// How long a `Retry-After` is believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(5);
/// Refresh times are spread by this share, or replicas that started together would stay together.
const JITTER: f64 = 0.1;

/// The numbers of the token source; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// The share of its lifetime after which a token's successor is fetched.
    pub(crate) refresh_at: f64,
    /// The ceiling of the first wait after a failure; it doubles with each further one.
    pub(crate) first_backoff: Duration,
    /// The highest ceiling, and the wait after a refusal.
    pub(crate) longest_backoff: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            refresh_at: 0.8,
            first_backoff: Duration::from_millis(250),
            longest_backoff: Duration::from_secs(30),
        }
    }
}

impl Policy {
    /// The lifetime that is worked with, from the seconds of `expires_in`.
    pub(crate) fn lifetime(expires_in: u64) -> Duration {
        Duration::from_secs(expires_in).min(LONGEST_LIFETIME)
    }

    /// How long a token of this lifetime is handed out.
    pub(crate) fn usable_for(lifetime: Duration) -> Duration {
        lifetime.saturating_sub(LONGEST_MARGIN.min(lifetime / 10))
    }

    /// The age at which a token's successor is fetched; always within [`usable_for`](Self::usable_for).
    pub(crate) fn refresh_after(&self, lifetime: Duration, chance: f64) -> Duration {
        lifetime.mul_f64(self.refresh_at * (1.0 - JITTER + 2.0 * JITTER * chance))
    }

    /// The wait after the `failures`-th attempt in a row that failed: full jitter under a ceiling
    /// that doubles, but at least what the issuer asked for.
    pub(crate) fn backoff(&self, failures: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let ceiling = self.first_backoff.saturating_mul(doubled).min(self.longest_backoff);
        let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        ceiling.mul_f64(chance).max(asked)
    }

    /// The wait after a refusal: nothing changes until a person has acted, but then it should not
    /// take a restart.
    pub(crate) fn after_refusal(&self, chance: f64) -> Duration {
        self.longest_backoff.mul_f64(0.5 + 0.5 * chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn check_lifetime(expires_in: u64, usable: Duration, earliest: Duration, latest: Duration) {
        let lifetime = Policy::lifetime(expires_in);
        let refresh = |chance| Policy::default().refresh_after(lifetime, chance);
        assert_eq!(Policy::usable_for(lifetime), usable, "{expires_in}");
        assert_eq!((refresh(0.0), refresh(1.0)), (earliest, latest), "{expires_in}");
        assert!(latest <= usable, "{expires_in}");
    }

    #[test]
    fn a_token_is_refreshed_at_four_fifths_and_not_sent_at_its_end() {
        check_lifetime(300, secs(295), secs(216), secs(264));
        check_lifetime(3600, secs(3595), secs(2592), secs(3168));
        check_lifetime(10, secs(9), Duration::from_millis(7200), Duration::from_millis(8800));
        check_lifetime(1, Duration::from_millis(900), Duration::from_millis(720), Duration::from_millis(880));
        check_lifetime(0, secs(0), secs(0), secs(0));
        check_lifetime(u64::MAX, secs(86_395), secs(62_208), secs(76_032));
    }

    fn check_backoff(failures: u32, ceiling_ms: u64) {
        let wait = |chance| Policy::default().backoff(failures, None, chance);
        assert_eq!(wait(0.0), Duration::ZERO, "{failures}");
        assert_eq!(wait(1.0), Duration::from_millis(ceiling_ms), "{failures}");
        assert_eq!(wait(0.5), Duration::from_millis(ceiling_ms) / 2, "{failures}");
    }

    #[test]
    fn waits_grow_from_a_quarter_of_a_second_to_half_a_minute() {
        check_backoff(1, 250);
        check_backoff(2, 500);
        check_backoff(7, 16_000);
        check_backoff(8, 30_000);
        check_backoff(32, 30_000);
        check_backoff(33, 30_000);
        check_backoff(u32::MAX, 30_000);
    }

    #[test]
    fn the_issuer_is_left_alone_for_as_long_as_it_asks_within_reason() {
        let wait = |asked, chance| Policy::default().backoff(8, Some(secs(asked)), chance);
        assert_eq!(wait(7, 0.0), secs(7));
        assert_eq!(wait(7, 1.0), secs(30));
        assert_eq!(wait(120, 1.0), secs(120));
        assert_eq!(wait(31_536_000, 0.0), secs(300));
    }

    #[test]
    fn a_refusal_is_repeated_neither_at_once_nor_never() {
        assert_eq!(Policy::default().after_refusal(0.0), secs(15));
        assert_eq!(Policy::default().after_refusal(1.0), secs(30));
    }
}
