use std::time::Duration;

use claviger_jose::NumericDate;

/// How far the wall clock may go astray between two looks before it counts as set.
const TOLERATED: Duration = Duration::from_mins(1);

/// Compares the two hands of the clock, look by look. The wall clock has no say about the age of a
/// set, but a service that judges token times by it should know that it was set.
#[derive(Debug, Default)]
pub(crate) struct WallWatch(Option<(NumericDate, Duration)>);

/// The wall clock was set, against the monotonic one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Forward(Duration),
    Back(Duration),
}

impl WallWatch {
    pub(crate) fn look(&mut self, wall: NumericDate, monotonic: Duration) -> Option<Step> {
        let (last_wall, last_monotonic) = self.0.replace((wall, monotonic))?;
        let expected = last_wall + monotonic.saturating_sub(last_monotonic);
        let (back, forward) = (expected.since(wall), wall.since(expected));
        if back > TOLERATED {
            Some(Step::Back(back))
        } else if forward > TOLERATED {
            Some(Step::Forward(forward))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-30
    #[test]
    fn a_wall_clock_that_was_set_is_noticed_once() {
        let mut watch = WallWatch::default();
        let mut look = |wall: u64, monotonic: u64| {
            watch.look(NumericDate::from_secs(wall), Duration::from_secs(monotonic))
        };
        assert_eq!(look(1_000_000, 5), None);
        assert_eq!(look(1_003_600, 3_605), None);
        assert_eq!(look(1_003_541, 3_606), None, "60 s back is tolerated");
        assert_eq!(look(1_003_241, 3_606), Some(Step::Back(Duration::from_mins(5))));
        assert_eq!(look(1_003_242, 3_607), None);
        assert_eq!(look(1_003_542, 3_607), Some(Step::Forward(Duration::from_mins(5))));
        assert_eq!(look(0, 3_608), Some(Step::Back(Duration::from_secs(1_003_543))));
    }
}
