//! A process of the issuer: what it last saw in the database, and whether it may sign.

use std::time::Duration;

use crate::{
    database::Version,
    time::{Millis, SECOND, millis},
};

/// How long the database takes to answer: a view is confirmed as of the question.
pub(crate) const ROUND_TRIP: Millis = 5;

/// A replica.
#[derive(Debug)]
pub(crate) struct Replica {
    /// Its looks come at this moment of each period.
    pub(crate) phase: Millis,
    /// How often it looks: each second, or four times in a lease that is shorter than that.
    pub(crate) period: Millis,
    /// It does not reach the database.
    is_cut: bool,
    /// Its last look before it was cut off.
    looked: Millis,
    /// When it was cut off no more.
    back_at: Millis,
    /// By how much its clock is off.
    pub(crate) clock: i64,
    /// What it publishes and signs with.
    pub(crate) view: Version,
    /// Since when.
    pub(crate) view_since: Millis,
}

impl Replica {
    pub(crate) fn new(phase: Millis, lease: Duration) -> Self {
        let period = SECOND.min(millis(lease) / 4).max(1);
        Self {
            phase: phase % period,
            period,
            is_cut: false,
            looked: 0,
            back_at: 0,
            clock: 0,
            view: 0,
            view_since: 0,
        }
    }

    /// Its last look that was answered.
    pub(crate) fn last_look(&self, now: Millis) -> Millis {
        let look = self.look_before(now.saturating_sub(ROUND_TRIP));
        // Who is back looks next time: a look in that very moment was not made.
        if self.is_cut || look <= self.back_at { self.looked } else { look }
    }

    fn look_before(&self, now: Millis) -> Millis {
        ((now + self.period - self.phase) / self.period * self.period + self.phase)
            .saturating_sub(self.period)
    }

    pub(crate) fn cut(&mut self, now: Millis) {
        (self.looked, self.is_cut) = (self.last_look(now), true);
    }

    pub(crate) fn reconnect(&mut self, now: Millis) {
        (self.back_at, self.is_cut) = (now, false);
    }

    /// Its first look after this moment.
    pub(crate) fn next_look(&self, now: Millis) -> Millis {
        (now + self.period - self.phase) / self.period * self.period + self.phase
    }

    pub(crate) fn is_connected(&self) -> bool {
        !self.is_cut
    }

    /// The lease, as the issuer judges it: its view is not older, and its clock not farther from the database's than
    /// the skew allowed and the second by which two clocks of whole seconds always may differ.
    pub(crate) fn may_sign(&self, now: Millis, lease: Duration, skew: Duration) -> bool {
        now.saturating_sub(self.last_look(now)) <= millis(lease) && !self.clock_is_off(skew)
    }

    pub(crate) fn clock_is_off(&self, skew: Duration) -> bool {
        self.clock.unsigned_abs() > millis(skew) + SECOND
    }

    /// The last moment at which it may have signed with the key of its view.
    pub(crate) fn signs_until(&self, now: Millis, lease: Duration) -> Millis {
        now.min(self.last_look(now) + millis(lease))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_back_in_the_moment_of_a_look_has_not_looked() {
        let mut replica = Replica::new(494, Duration::from_mins(1));
        replica.cut(10_000);
        replica.reconnect(80_494);
        assert_eq!(replica.next_look(80_494), 81_494);
        assert_eq!(replica.last_look(81_000), 9_494, "and signs nothing by it");
        assert_eq!(replica.last_look(81_500), 81_494);
    }
}
