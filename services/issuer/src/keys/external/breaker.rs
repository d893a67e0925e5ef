use std::time::{Duration, Instant};

/// After this many failures in a row nobody is sent there any more.
const THRESHOLD: u32 = 5;
/// For how long, before one is sent to see.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps everybody from waiting for somebody who does not answer.
///
/// Closed it lets all through; after five failures in a row it is open for a second and refuses at once; then it lets
/// one through, and that one's success closes it. Of one who never reports back it expects nothing for longer than
/// another second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// All are let through.
    Closed {
        /// Failures since the last success.
        failures: u32,
    },
    /// All are refused.
    Open {
        /// When one is let through.
        until: Instant,
    },
    /// One is on the way.
    HalfOpen {
        /// When the next one is let through, if nothing is heard of that one.
        until: Instant,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Whether one may go now.
    pub fn admit(&mut self, now: Instant) -> bool {
        match *self {
            Self::Closed { .. } => true,
            Self::Open { until } | Self::HalfOpen { until } if now < until => false,
            Self::Open { .. } | Self::HalfOpen { .. } => {
                *self = Self::HalfOpen { until: now + PAUSE };
                true
            }
        }
    }

    /// One has succeeded.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }

    /// One has failed, or has not come back in time.
    pub fn fail(&mut self, now: Instant) {
        *self = match *self {
            Self::Closed { failures } if failures + 1 < THRESHOLD => Self::Closed { failures: failures + 1 },
            // Those who went before it opened come back late; they do not keep it open for longer.
            Self::Open { until } => Self::Open { until },
            Self::Closed { .. } | Self::HalfOpen { .. } => Self::Open { until: now + PAUSE },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each letter is an event: `a` asks and is admitted, `r` asks and is refused, `s` succeeds, `f` fails, `.` is a tenth
    /// of a second.
    fn check(story: &str) {
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        for (position, event) in story.chars().enumerate() {
            match event {
                'a' => assert!(breaker.admit(now), "{story} at {position}: {breaker:?}"),
                'r' => assert!(!breaker.admit(now), "{story} at {position}: {breaker:?}"),
                's' => breaker.succeed(),
                'f' => breaker.fail(now),
                _ => now += Duration::from_millis(100),
            }
        }
    }

    // S-54
    #[test]
    fn a_breaker_opens_after_five_failures_in_a_row_and_lets_one_through_after_a_second() {
        check("afafafafaaa");
        check("afafafafasafafafafa");
        check("afafafafafr.........r.a");
        check("afafafafaf..........arr");
        check("afafafafaf..........asaaa");
        check("afafafafaf..........afr.........r.ar");
    }

    // S-54
    #[test]
    fn a_breaker_that_hears_nothing_more_is_not_stuck() {
        check("afafafafaf..........ar.........r.ar.........r.asaa");
        check("aaaaaaaafffff.....fff.....ar");
    }
}
