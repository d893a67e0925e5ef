//! The lease to sign.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Whether this process may sign: only while it has lately seen, in the database, that its view
/// of the keys is the current one.
///
/// A replica that is cut off cannot know that its key was retired or revoked; when the lease has
/// run out it stops issuing, and goes on publishing keys.
#[derive(Debug)]
pub struct Lease {
    start: Instant,
    length: Duration,
    /// Milliseconds from `start` to the last confirmation, plus one; zero: never.
    confirmed: AtomicU64,
    clock_is_off: AtomicBool,
}

impl Lease {
    /// A lease of this length (L), not yet confirmed.
    #[must_use]
    pub fn new(length: Duration) -> Self {
        Self {
            start: Instant::now(),
            length,
            confirmed: AtomicU64::new(0),
            clock_is_off: AtomicBool::new(false),
        }
    }

    /// The view was the current one at `asked`, the moment before the database was asked.
    pub fn confirm(&self, asked: Instant) {
        let millis = asked.saturating_duration_since(self.start).as_millis();
        self.confirmed.fetch_max(u64::try_from(millis).unwrap_or(u64::MAX - 1) + 1, Ordering::Release);
    }

    /// Notes whether the wall clock differs from the database's by more than the skew allowed.
    pub fn note_clock(&self, is_off: bool) {
        self.clock_is_off.store(is_off, Ordering::Release);
    }

    /// Whether the wall clock was noted to be wrong.
    #[must_use]
    pub fn clock_is_off(&self) -> bool {
        self.clock_is_off.load(Ordering::Acquire)
    }

    /// The time since the last confirmation; `None` if there was none.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let millis = self.confirmed.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.start.elapsed().saturating_sub(Duration::from_millis(millis)))
    }

    /// Why this process may not sign now, if so.
    #[must_use]
    pub fn refusal(&self) -> Option<&'static str> {
        match self.age() {
            None => Some("the keys were never confirmed by the database"),
            Some(age) if age > self.length => {
                Some("the database has not confirmed the keys within the lease")
            }
            Some(_) => self.clock_is_off().then_some("the clock differs from the database's"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-35
    #[test]
    fn a_replica_signs_only_within_its_lease() {
        let lease = Lease::new(Duration::from_mins(1));
        assert!(lease.refusal().is_some(), "never confirmed");
        lease.confirm(Instant::now());
        assert_eq!(lease.refusal(), None);
        let expired = Lease::new(Duration::ZERO);
        expired.confirm(expired.start);
        while expired.start.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        assert!(expired.refusal().unwrap().contains("lease"));
    }

    // S-109
    #[test]
    fn a_replica_with_a_wrong_clock_does_not_sign() {
        let lease = Lease::new(Duration::from_mins(1));
        lease.confirm(Instant::now());
        lease.note_clock(true);
        assert!(lease.refusal().unwrap().contains("clock"));
        lease.note_clock(false);
        assert_eq!(lease.refusal(), None);
    }
}
