use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use claviger_jose::{Clock, NumericDate};

/// A clock in the test's hand. Clones show the same time.
///
/// It stands still until [`advance`](Self::advance) moves both hands, or [`set_wall`](Self::set_wall) the wall
/// clock alone, as an operator or a bad time server does.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    /// The monotonic hand, in nanoseconds.
    elapsed: AtomicU64,
    /// What the wall clock would have shown at monotonic zero, in seconds, modulo 2^64.
    wall_at_zero: AtomicU64,
}

impl TestClock {
    /// A clock whose wall hand shows `wall`.
    #[must_use]
    pub fn at(wall: NumericDate) -> Self {
        Self(Arc::new(Hands { elapsed: AtomicU64::new(0), wall_at_zero: AtomicU64::new(wall.as_secs()) }))
    }

    /// A clock that stands still at the system's time, so that tokens look right beside those of other clocks.
    #[must_use]
    pub fn at_system_time() -> Self {
        Self::at(system_now())
    }

    /// Lets time pass: both hands move.
    ///
    /// # Panics
    /// If the clock would have run for more than 584 years.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).expect("a test takes less than 584 years");
        self.0.elapsed.fetch_add(nanos, SeqCst);
    }

    /// Sets the wall clock, forward or back. The monotonic hand does not notice.
    pub fn set_wall(&self, wall: NumericDate) {
        self.0.wall_at_zero.store(wall.as_secs().wrapping_sub(self.monotonic().as_secs()), SeqCst);
    }
}

/// What time an issuer goes by.
#[derive(Debug, Clone)]
pub(crate) enum IssuerClock {
    System,
    InTheTestsHand(TestClock),
    /// The system's, ahead by as much as this one was advanced.
    #[cfg(feature = "cli")]
    Ahead(TestClock),
}

impl IssuerClock {
    pub(crate) fn now(&self) -> NumericDate {
        match self {
            Self::System => system_now(),
            Self::InTheTestsHand(clock) => clock.now(),
            #[cfg(feature = "cli")]
            Self::Ahead(by) => system_now() + by.monotonic(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "an issuer is a process with a clock; tests bring their own")]
fn system_now() -> NumericDate {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    NumericDate::from_secs(since.map_or(0, |since| since.as_secs()))
}

impl Clock for TestClock {
    fn now(&self) -> NumericDate {
        let at_zero = self.0.wall_at_zero.load(SeqCst);
        NumericDate::from_secs(at_zero.wrapping_add(self.monotonic().as_secs()))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.elapsed.load(SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hands_advance_and_the_wall_clock_can_be_set_alone() {
        let clock = TestClock::at(NumericDate::from_secs(1_000));
        let same = clock.clone();
        clock.advance(Duration::from_millis(2_500));
        assert_eq!((same.now().as_secs(), same.monotonic()), (1_002, Duration::from_millis(2_500)));
        clock.set_wall(NumericDate::from_secs(1));
        assert_eq!((same.now().as_secs(), same.monotonic()), (1, Duration::from_millis(2_500)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(same.now().as_secs(), 2);
    }
}
