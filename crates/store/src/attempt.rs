//! How often something may be guessed: what decides is a value, and free of the database.

use std::{fmt, time::Duration};

use aws_lc_rs::digest;

use crate::Username;

/// Attempts that are counted together: those at one account, those from one address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bucket {
    key: [u8; 32],
    /// The bucket of the account at which these guesses are, if this is not the one.
    account: Option<[u8; 32]>,
    /// How many there may be.
    pub limits: AttemptLimits,
}

/// How many attempts there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptLimits {
    /// Guesses at one thing, counted until one of them is right.
    Guesses {
        /// So many, and then none for a while.
        most: u32,
        /// The while. After so much time without an attempt they are counted anew; each time that they are too many again
        /// it is twice as long.
        within: Duration,
        /// The longest it gets.
        longest: Duration,
        /// After so many in a row there are no more, however slowly they came.
        stop: u32,
    },
    /// Attempts at whatever it may be, from one place.
    Rate {
        /// So many at once.
        burst: u32,
        /// One more each time that this has passed, in whole seconds.
        each: Duration,
    },
}

/// Whether something may be attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// It may, and counts.
    Reserved,
    /// It may not.
    Refused {
        /// Until when.
        no_room: NoRoom,
        /// Which of the buckets has no room, of several the one in which it is longest.
        bucket: Bucket,
    },
}

/// Until when there is no room for an attempt; the last one is the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoRoom {
    /// Not before so much time has passed.
    For(Duration),
    /// Not until somebody in charge [says so](crate::Store::change_user), however much time passes.
    Stopped,
}

/// What is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// When the last attempt was.
    pub(crate) last: i64,
    /// Since the last pause.
    pub(crate) count: i64,
    /// Since the last success.
    pub(crate) consecutive: i64,
    pub(crate) not_before: i64,
}

/// A guess is remembered for a day, so many in a row for so many days and at most for these: who waits for them to be forgotten
/// has one a day, and who makes up names leaves no more than a day's guesses behind, however they are spread.
const LONGEST_MEMORY: i64 = 30;
const DAY: i64 = 86_400;

impl Bucket {
    /// The bucket of this kind and name. The name is not kept, only a hash of it.
    #[must_use]
    pub fn new(kind: &str, name: &str, limits: AttemptLimits) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [kind.as_bytes(), b"\0", name.as_bytes()] {
            context.update(part);
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self { key, account: None, limits }
    }

    /// All guesses at the password of one account, whichever way they come. There need be no such account: who guesses must
    /// not learn that.
    #[must_use]
    pub fn of_account(name: &Username, limits: AttemptLimits) -> Self {
        Self::new("account", name.key(), limits)
    }

    /// Guesses at the password of one account from one browser that it knows. Who forgives the account forgives these too.
    #[must_use]
    pub fn of_browser(mark: &str, name: &Username, limits: AttemptLimits) -> Self {
        let bucket = Self::new("browser", &format!("{mark} {}", name.key()), limits);
        Self { account: Some(Self::of_account(name, limits).key), ..bucket }
    }

    pub(crate) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    pub(crate) fn account(&self) -> Option<&[u8; 32]> {
        self.account.as_ref()
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl AttemptLimits {
    /// The tally with one attempt more, or how long to wait.
    pub(crate) fn reserve(&self, tally: Tally, now: i64) -> Result<Tally, NoRoom> {
        match *self {
            Self::Guesses { most, within, longest, stop } => {
                if tally.consecutive >= i64::from(stop) {
                    return Err(NoRoom::Stopped);
                }
                if now < tally.not_before {
                    return Err(NoRoom::For(span(tally.not_before - now)));
                }
                let anew = now.saturating_sub(tally.last) >= secs(within);
                let count = if anew { 1 } else { tally.count.saturating_add(1) };
                let consecutive = tally.consecutive.saturating_add(1);
                let not_before = if count >= i64::from(most) {
                    let doublings = u32::try_from(consecutive / i64::from(most.max(1)) - 1).unwrap_or(0);
                    let delay = within.saturating_mul(2_u32.saturating_pow(doublings)).min(longest);
                    now.saturating_add(secs(delay))
                } else {
                    0
                };
                Ok(Tally { last: now, count, consecutive, not_before })
            }
            // The generic cell rate algorithm: `not_before` is when all of it may be had again.
            Self::Rate { burst, each } => {
                let full = tally.not_before.max(now).saturating_add(secs(each));
                let excess = full - now - secs(each).saturating_mul(i64::from(burst));
                if excess > 0 {
                    Err(NoRoom::For(span(excess)))
                } else {
                    Ok(Tally { last: now, not_before: full, ..tally })
                }
            }
        }
    }

    /// From when on a tally need not be remembered: never, if it was guessed to the end.
    pub(crate) fn forget_at(&self, tally: &Tally) -> i64 {
        match *self {
            Self::Guesses { stop, .. } if tally.consecutive >= i64::from(stop) => i64::MAX,
            Self::Guesses { .. } => {
                let days = tally.consecutive.clamp(1, LONGEST_MEMORY);
                tally.last.saturating_add(days * DAY).max(tally.not_before)
            }
            // It is full again then.
            Self::Rate { .. } => tally.not_before,
        }
    }
}

pub(crate) fn secs(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

fn span(secs: i64) -> Duration {
    Duration::from_secs(u64::try_from(secs).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUESSES: AttemptLimits = AttemptLimits::Guesses {
        most: 10,
        within: Duration::from_mins(10),
        longest: Duration::from_hours(24),
        stop: 100,
    };
    const RATE: AttemptLimits = AttemptLimits::Rate { burst: 3, each: Duration::from_secs(6) };

    /// When attempts pass, made once every `step` seconds.
    fn passing(limits: AttemptLimits, step: usize, until: i64) -> Vec<i64> {
        let mut tally = Tally::default();
        let mut passed = Vec::new();
        for now in (1_000_000..until).step_by(step) {
            if let Ok(next) = limits.reserve(tally, now) {
                tally = next;
                passed.push(now);
            }
        }
        passed
    }

    // S-90
    #[test]
    fn within_ten_minutes_there_are_never_more_than_ten_guesses() {
        for step in [1, 7, 59, 61, 300] {
            let passed = passing(GUESSES, step, 1_200_000);
            for (position, first) in passed.iter().enumerate() {
                let near = passed[position..].iter().filter(|at| *at - first < 600).count();
                assert!(near <= 10, "{near} guesses from {first} on, one each {step} s");
            }
        }
    }

    // S-90
    #[test]
    fn the_pause_doubles_and_after_a_hundred_there_are_no_more() {
        let passed = passing(GUESSES, 1, 1_000_000 + 30 * 86_400);
        assert_eq!(passed.len(), 100);
        let pauses: Vec<i64> =
            passed.windows(2).map(|pair| pair[1] - pair[0]).filter(|pause| *pause > 1).collect();
        assert_eq!(pauses, [600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 76_800, 86_400]);
        assert_eq!(passing(GUESSES, 3_600, 1_000_000 + 90 * 86_400).len(), 100, "however slowly they come");
    }

    // S-90
    #[test]
    fn who_is_refused_is_told_when_to_come_again() {
        let mut tally = Tally::default();
        for _ in 0..10 {
            tally = GUESSES.reserve(tally, 5_000).unwrap();
        }
        assert_eq!(GUESSES.reserve(tally, 5_100), Err(NoRoom::For(Duration::from_secs(500))));
        assert!(GUESSES.reserve(tally, 5_600).is_ok());
        let stopped = Tally { consecutive: 100, ..tally };
        assert_eq!(GUESSES.reserve(stopped, 9_999_999), Err(NoRoom::Stopped), "no time is promised");
    }

    // S-90
    #[test]
    fn a_rate_allows_a_burst_and_then_one_at_a_time() {
        let passed = passing(RATE, 1, 1_000_020);
        assert_eq!(passed, [1_000_000, 1_000_001, 1_000_002, 1_000_006, 1_000_012, 1_000_018]);
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally = RATE.reserve(tally, 50).unwrap();
        }
        assert_eq!(RATE.reserve(tally, 50), Err(NoRoom::For(Duration::from_secs(6))));
    }

    // S-90
    #[test]
    fn who_waits_to_be_forgotten_has_one_guess_a_day() {
        for (most, days) in [(1, 400), (9, 400), (29, 400), (99, 400)] {
            let (mut tally, mut now, mut passed) = (Tally::default(), 1_000_000, 0);
            while now < 1_000_000 + days * DAY {
                if tally.consecutive > 0 && GUESSES.forget_at(&tally) <= now {
                    tally = Tally::default();
                }
                // So many as fast as they come, and then a pause until they are forgotten.
                match GUESSES.reserve(tally, now) {
                    Ok(next) => (tally, passed) = (next, passed + 1),
                    Err(NoRoom::For(wait)) => now += secs(wait),
                    Err(NoRoom::Stopped) => panic!("after {} in a row", tally.consecutive),
                }
                if tally.consecutive >= most {
                    now = GUESSES.forget_at(&tally);
                }
            }
            let bound = if most < 30 { days + most } else { days * 100 / LONGEST_MEMORY };
            assert!(passed <= bound, "{passed} guesses in {days} days, {most} at a time");
        }
    }

    // S-90
    #[test]
    fn what_is_remembered_grows_with_what_was_guessed() {
        let of = |consecutive| Tally { last: 1_000_000, consecutive, count: 1, not_before: 0 };
        let days = |consecutive| (GUESSES.forget_at(&of(consecutive)) - 1_000_000) / DAY;
        assert_eq!([1, 2, 10, 30, 99].map(days), [1, 2, 10, 30, 30]);
        assert_eq!(GUESSES.forget_at(&of(100)), i64::MAX);
        let closed = Tally { not_before: 9_000_000, ..of(1) };
        assert_eq!(GUESSES.forget_at(&closed), 9_000_000, "no pause ends by it");
        assert_eq!(RATE.forget_at(&closed), 9_000_000);
    }

    #[test]
    fn a_damaged_tally_and_a_clock_that_went_back_panic_nobody() {
        for value in [i64::MIN, -1, 0, i64::MAX] {
            let tally = Tally { last: value, count: value, consecutive: value, not_before: value };
            for limits in [GUESSES, RATE] {
                for now in [0, 1_000, i64::MAX] {
                    let _ = limits.reserve(tally, now);
                }
                let _ = limits.forget_at(&tally);
            }
        }
    }

    #[test]
    fn buckets_of_other_kinds_and_names_are_others() {
        let bucket = |kind, name| *Bucket::new(kind, name, RATE).key();
        assert_eq!(bucket("a", "b"), bucket("a", "b"));
        assert_ne!(bucket("a", "b"), bucket("a", "c"));
        assert_ne!(bucket("a", "b"), bucket("b", "b"));
    }
}
