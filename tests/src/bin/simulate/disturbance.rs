//! When a verifier was out of reach, for only what came in between excuses that something was late.

use std::collections::VecDeque;

use crate::time::{DAY, MINUTE, Millis};

/// The longest pause after a failure.
const BACK_OFF: Millis = MINUTE;
/// Longer than any set may be used: what was before that is forgotten.
const KEPT: Millis = 3 * DAY;

/// From the first to the last of failures that follow each other.
#[derive(Debug, Default)]
pub(crate) struct Disturbances(VecDeque<(Millis, Millis)>);

impl Disturbances {
    /// Something has failed, or was lost.
    pub(crate) fn note(&mut self, now: Millis) {
        while self.0.front().is_some_and(|(_, last)| last + KEPT < now) {
            self.0.pop_front();
        }
        match self.0.back_mut() {
            Some((_, last)) if now <= *last + BACK_OFF => *last = now,
            _ => self.0.push_back((now, now)),
        }
    }

    /// When something must be done that takes `bound`, counted from `since` and again from the end of each disturbance
    /// that came before it was due. One that comes later moves nothing.
    pub(crate) fn due(&self, since: Millis, bound: Millis) -> Millis {
        let mut due = since + bound;
        for (first, last) in &self.0 {
            if *first <= due && last + BACK_OFF >= since {
                due = due.max(last + BACK_OFF + bound);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(failures: &[Millis]) -> Millis {
        let mut disturbances = Disturbances::default();
        for at in failures {
            disturbances.note(*at);
        }
        disturbances.due(1_000_000, 20_000)
    }

    #[test]
    fn only_a_disturbance_that_overlaps_moves_what_is_due() {
        assert_eq!(due(&[]), 1_020_000);
        assert_eq!(due(&[500_000]), 1_020_000, "long before");
        assert_eq!(due(&[1_020_001]), 1_020_000, "later");
        assert_eq!(due(&[1_010_000]), 1_090_000);
        assert_eq!(
            due(&[1_010_000, 1_060_000, 1_200_000]),
            1_140_000,
            "the last is another one, and too late"
        );
        assert_eq!(due(&[950_000]), 1_030_000, "its pause may last until then");
    }
}
