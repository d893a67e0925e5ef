use std::time::Duration;

use crate::timing::POLL_BOUNDS;

/// The shortest pause between polls, whatever the issuer says.
pub const MIN_POLL: Duration = POLL_BOUNDS.0;
/// The same for an issuer on plain http, which is always on this machine.
pub const MIN_POLL_ON_LOOPBACK: Duration = Duration::from_secs(1);
/// The longest: a revocation is known everywhere within a minute.
pub const MAX_POLL: Duration = POLL_BOUNDS.1;
/// The first pause after a poll that failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// No draw of the jitter turns the client into a busy loop.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// When the feed is polled. All times are monotonic.
#[derive(Debug, Clone)]
pub struct FeedPolicy {
    /// What was configured.
    default: Duration,
    least: Duration,
    /// The pause between polls (F): ours, or what the issuer said last.
    interval: Duration,
    next_at: Duration,
    failures: u32,
    /// The issuer asked to be left alone until then.
    barred_until: Duration,
}

impl FeedPolicy {
    /// Polls at once, and then once per interval, which is never shorter than `least`.
    #[must_use]
    pub fn new(interval: Duration, least: Duration) -> Self {
        Self {
            default: interval,
            least,
            interval: interval.clamp(least, MAX_POLL),
            next_at: Duration::ZERO,
            failures: 0,
            barred_until: Duration::ZERO,
        }
    }

    /// How long until the next poll; zero if it is due.
    #[must_use]
    pub fn pause(&self, now: Duration) -> Duration {
        self.next_at.saturating_sub(now)
    }

    /// A poll that began then has brought a statement, or the news that it is the same; the answer may say how long
    /// it is fresh.
    pub fn succeeded(&mut self, began: Duration, now: Duration, fresh: Option<Duration>, jitter: f64) {
        self.interval = fresh.unwrap_or(self.default).clamp(self.least, MAX_POLL);
        self.failures = 0;
        self.barred_until = Duration::ZERO;
        // A tenth more or less, so that not all verifiers come at once.
        self.next_at = (began + self.interval.mul_f64(0.9 + 0.2 * jitter)).max(now + MIN_PAUSE);
    }

    /// A poll failed, or brought what is refused; the issuer may have said when to come back.
    pub fn failed(&mut self, now: Duration, retry_after: Option<Duration>, jitter: f64) {
        let longest = (2 * self.interval).min(MAX_POLL);
        let bound = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        let told = retry_after.unwrap_or(Duration::ZERO).min(MAX_POLL);
        self.barred_until = now + told;
        self.next_at = now + bound.mul_f64(jitter).max(MIN_PAUSE).max(told.mul_f64(1.0 + 0.1 * jitter));
    }

    /// There is something to report to the issuer: a poll is made within a second, for whoever waits for all verifiers
    /// to have learned a key.
    pub fn report(&mut self, now: Duration, jitter: f64) {
        let soon = now + Duration::from_secs(1).mul_f64(jitter).max(MIN_PAUSE);
        self.next_at = self.next_at.min(soon.max(self.barred_until));
    }

    /// Somebody wants a poll at once; it is made as soon as the issuer allows.
    pub fn wake(&mut self, now: Duration) {
        self.next_at = self.next_at.min(now.max(self.barred_until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn pause_after(says: Option<f64>, jitter: f64) -> f64 {
        let mut policy = FeedPolicy::new(secs(15.0), MIN_POLL);
        assert_eq!(policy.pause(secs(0.0)), Duration::ZERO);
        policy.succeeded(secs(0.0), secs(0.0), says.map(secs), jitter);
        policy.pause(secs(0.0)).as_secs_f64()
    }

    // S-43
    #[test]
    fn polls_come_once_per_interval_and_not_all_at_once() {
        for (says, jitter, pause) in [
            (None, 0.5, 15.0),
            (None, 0.0, 13.5),
            (None, 1.0, 16.5),
            (Some(30.0), 0.5, 30.0),
            (Some(0.0), 0.5, 5.0),
            (Some(86_400.0), 0.5, 60.0),
        ] {
            assert!((pause_after(says, jitter) - pause).abs() < 1e-6, "{says:?} {jitter}");
        }
    }

    #[test]
    fn failures_are_repeated_ever_more_slowly_and_within_a_minute() {
        let mut policy = FeedPolicy::new(secs(15.0), MIN_POLL);
        for longest in [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            policy.failed(secs(0.0), None, 1.0);
            assert_eq!(policy.pause(secs(0.0)), secs(longest));
        }
        policy.failed(secs(0.0), None, 0.0);
        assert_eq!(policy.pause(secs(0.0)), MIN_PAUSE);
        policy.succeeded(secs(0.0), secs(0.0), None, 0.5);
        policy.failed(secs(0.0), None, 1.0);
        assert_eq!(policy.pause(secs(0.0)), secs(1.0), "success begins anew");
    }

    #[test]
    fn the_issuer_may_ask_to_be_left_alone() {
        let mut policy = FeedPolicy::new(secs(15.0), MIN_POLL);
        policy.failed(secs(0.0), Some(secs(40.0)), 0.0);
        policy.wake(secs(1.0));
        assert_eq!(policy.pause(secs(1.0)), secs(39.0));
        policy.succeeded(secs(40.0), secs(40.0), None, 0.5);
        policy.wake(secs(41.0));
        assert_eq!(policy.pause(secs(41.0)), Duration::ZERO);
    }

    #[test]
    fn what_was_learned_is_reported_within_a_second_and_not_before_the_issuer_allows() {
        let mut policy = FeedPolicy::new(secs(15.0), MIN_POLL);
        policy.succeeded(secs(0.0), secs(0.0), None, 0.5);
        policy.report(secs(1.0), 0.7);
        assert_eq!(policy.pause(secs(1.0)), secs(0.7));
        policy.report(secs(1.5), 1.0);
        assert_eq!(policy.pause(secs(1.0)), secs(0.7), "nothing is put off");
        policy.failed(secs(2.0), Some(secs(40.0)), 0.0);
        policy.report(secs(2.0), 0.0);
        assert_eq!(policy.pause(secs(2.0)), secs(40.0));
    }

    #[test]
    fn an_answer_that_took_long_is_not_followed_by_one_at_once() {
        let mut policy = FeedPolicy::new(secs(5.0), MIN_POLL);
        policy.succeeded(secs(0.0), secs(60.0), None, 0.5);
        assert_eq!(policy.pause(secs(60.0)), MIN_PAUSE);
    }
}
