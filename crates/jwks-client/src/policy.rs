//! When to fetch, what to wait for and what to answer. Pure: the time and a random number are
//! arguments, and what it answers is done by others.

use std::time::Duration;

use crate::{
    KeyError, Timing,
    http_cache::Horizons,
    timing::{MAX_FRESHNESS, MAX_WAIT},
};

/// How many fetches unknown kids may cause at once.
const BUCKET: u32 = 2;
/// The shortest pause between attempts: no draw of the jitter and no answer turns the client into a busy loop.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// The first pause after a failure, and the longest, while nothing usable is held.
const COLD: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// The same while the held set bridges the outage.
const WARM: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// What the refresh task does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Make an attempt and tell the policy how it ended.
    Fetch,
    /// Nothing for so long, unless somebody wants a fetch.
    Sleep(Duration),
}

/// The state of one issuer's key set, as far as decisions need it. All times are monotonic.
#[derive(Debug)]
pub(crate) struct Policy {
    timing: Timing,
    /// The least freshness that the issuer can ask for.
    min_freshness: Duration,
    /// How long the held set is fresh.
    freshness: Duration,
    /// How long it may be used while the issuer cannot be reached: ours, or less if the issuer says so.
    staleness: Duration,
    /// The beginning of the last attempt that succeeded: the age of the set is never understated.
    contact: Option<Duration>,
    /// The beginning of the attempt under way.
    under_way: Option<Duration>,
    /// When the next attempt is due.
    next_at: Duration,
    /// Attempts that failed in a row.
    failures: u32,
    /// The issuer asked to be left alone until then.
    barred_until: Duration,
    /// When the bucket for unknown kids will be full again.
    bucket_full_at: Duration,
}

impl Policy {
    /// A policy that holds nothing and wants the first fetch now.
    pub(crate) fn new(timing: Timing, min_freshness: Duration) -> Self {
        Self {
            timing,
            min_freshness,
            freshness: timing.freshness(),
            staleness: timing.staleness(),
            contact: None,
            under_way: None,
            next_at: Duration::ZERO,
            failures: 0,
            barred_until: Duration::ZERO,
            bucket_full_at: Duration::ZERO,
        }
    }

    /// The task asks for its next step. After [`Turn::Fetch`] an attempt is under way.
    pub(crate) fn turn(&mut self, now: Duration) -> Turn {
        let pause = self.next_at.saturating_sub(now);
        if !pause.is_zero() {
            return Turn::Sleep(pause);
        }
        self.under_way = Some(now);
        Turn::Fetch
    }

    /// A request asks for a kid that is not held, or nothing usable is held at all. Answers whether
    /// waiting is worth while: an attempt is under way, due, or has now been granted.
    ///
    /// The bucket is charged per attempt that is granted here, however it ends, and never for joining.
    pub(crate) fn want(&mut self, now: Duration) -> bool {
        if self.under_way.is_some() || self.next_at <= now {
            return true;
        }
        if self.barred_until <= now && self.charge_bucket(now) {
            self.next_at = now;
            return true;
        }
        // With nothing to answer from, an attempt that comes soon is worth more than an answer now.
        !self.is_usable(now) && self.next_at.saturating_sub(now) <= MAX_WAIT
    }

    /// A set was fetched (or confirmed, with `confirmed`) that says how long it may be used, or does not.
    pub(crate) fn succeeded(&mut self, now: Duration, confirmed: bool, says: Horizons, jitter: f64) {
        let default = if confirmed { self.freshness } else { self.timing.freshness() };
        self.freshness = says.fresh.unwrap_or(default).clamp(self.min_freshness, MAX_FRESHNESS);
        let default = if confirmed { self.staleness } else { self.timing.staleness() };
        self.staleness = says.stale.unwrap_or(default).min(self.timing.staleness());
        let began = self.under_way.take().unwrap_or(now);
        self.contact = Some(began);
        self.failures = 0;
        self.barred_until = Duration::ZERO;
        // At 0.8 of the freshness, give or take a tenth: before it is stale, and not all verifiers at once.
        let refresh_at = began + self.freshness.mul_f64(0.8 * (0.9 + 0.2 * jitter));
        self.next_at = refresh_at.max(now + MIN_PAUSE);
    }

    /// An attempt failed; the issuer may have said when to come back.
    pub(crate) fn failed(&mut self, now: Duration, retry_after: Option<Duration>, jitter: f64) {
        self.under_way = None;
        let (first, longest) = if self.is_usable(now) { WARM } else { COLD };
        let bound = first.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        let pause = bound.mul_f64(jitter).max(MIN_PAUSE);
        let told = retry_after.unwrap_or(Duration::ZERO);
        self.barred_until = now + told;
        // All were told the same time: a tenth more, at random, keeps them from returning as one.
        self.next_at = now + pause.max(told.mul_f64(1.0 + 0.1 * jitter));
    }

    /// What a kid that is still not held is told.
    pub(crate) fn refusal(&self, now: Duration) -> KeyError {
        if self.failures == 0 && self.is_usable(now) { KeyError::UnknownKid } else { self.unavailable(now) }
    }

    /// The answer for a request whose wait was over before the attempt was.
    pub(crate) fn unavailable(&self, now: Duration) -> KeyError {
        let left = if self.under_way.is_some() { Duration::ZERO } else { self.next_at.saturating_sub(now) };
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        KeyError::Unavailable { retry_after: Duration::from_secs(seconds.clamp(1, 60)) }
    }

    /// Until when the held set may be used; `None` without one. A set may always be used while it is fresh.
    pub(crate) fn usable_until(&self) -> Option<Duration> {
        self.contact.map(|contact| contact + self.staleness.max(self.freshness))
    }

    /// The time since the last contact.
    pub(crate) fn age(&self, now: Duration) -> Option<Duration> {
        self.contact.map(|contact| now.saturating_sub(contact))
    }

    fn is_usable(&self, now: Duration) -> bool {
        self.usable_until().is_some_and(|until| now < until)
    }

    fn charge_bucket(&mut self, now: Duration) -> bool {
        let interval = self.timing.unknown_kid_interval();
        let full_at = self.bucket_full_at.max(now);
        let granted = full_at.saturating_sub(now) <= interval * (BUCKET - 1);
        if granted {
            self.bucket_full_at = full_at + interval;
        }
        granted
    }
}

#[cfg(test)]
mod tests;
