//! Where a time stands on the line.

use std::time::Duration;

use claviger_jose::NumericDate;

/// A time line on which the hour around now and the month around it are both to be seen: distances from now are
/// drawn as their logarithm, beyond a short time as they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    now: NumericDate,
    unit: Duration,
    left: f64,
    right: f64,
}

/// A mark of the scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// Where, in percent of the width.
    pub(super) at: f64,
    /// `1 h ago`, `in 1 d`.
    pub(super) label: String,
    /// Whether it is left out where there is little room.
    pub(super) minor: bool,
}

/// Distances that get a mark.
const MARKS: [(u64, &str, bool); 11] = [
    (1, "1 s", true),
    (5, "5 s", false),
    (30, "30 s", true),
    (60, "1 min", false),
    (600, "10 min", true),
    (3_600, "1 h", false),
    (21_600, "6 h", true),
    (86_400, "1 d", false),
    (604_800, "7 d", true),
    (2_592_000, "30 d", false),
    (31_536_000, "1 y", false),
];
/// The least distance between two marks, and between a mark and the edge, in percent.
const APART: f64 = 5.5;
/// The same where there is little room.
const FAR_APART: f64 = 15.0;

impl Scale {
    /// A scale from `first` to `last`; `unit` is the distance from now that is still drawn as it is.
    pub(super) fn new(first: NumericDate, now: NumericDate, last: NumericDate, unit: Duration) -> Self {
        let unit = unit.max(Duration::from_secs(1));
        let bare = Self { now, unit, left: -1.0, right: 1.0 };
        let (left, right) = (bare.logarithm(first).min(-0.5), bare.logarithm(last).max(0.5));
        Self { left, right, ..bare }
    }

    /// Where a time stands, in percent of the width; what is beyond an edge stands at the edge.
    pub(super) fn at(&self, time: NumericDate) -> f64 {
        (100.0 * (self.logarithm(time) - self.left) / (self.right - self.left)).clamp(0.0, 100.0)
    }

    /// The marks of the scale, from left to right, without now itself.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let past = MARKS.iter().rev().map(|(secs, name, minor)| {
            (self.now.minus(Duration::from_secs(*secs)), format!("{name} ago"), *minor)
        });
        let future = MARKS
            .iter()
            .map(|(secs, name, minor)| (self.now + Duration::from_secs(*secs), format!("in {name}"), *minor));
        let mut ticks: Vec<Tick> = Vec::new();
        let now = self.at(self.now);
        for (time, label, minor) in past.chain(future) {
            let at = self.at(time);
            let clear = |other: f64, room: f64| (at - other).abs() >= room;
            let major = ticks.iter().rev().find(|tick| !tick.minor);
            let minor =
                minor || !clear(now, FAR_APART) || major.is_some_and(|tick| !clear(tick.at, FAR_APART));
            let free = ticks.last().is_none_or(|last| clear(last.at, APART));
            if (APART..=100.0 - APART).contains(&at) && clear(now, APART) && free {
                ticks.push(Tick { at, label, minor });
            }
        }
        ticks
    }

    fn logarithm(&self, time: NumericDate) -> f64 {
        let distance = |span: Duration| (span.as_secs_f64() / self.unit.as_secs_f64()).ln_1p();
        if time >= self.now { distance(time.since(self.now)) } else { -distance(self.now.since(time)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn at(secs: u64) -> NumericDate {
        NumericDate::from_secs(secs)
    }

    #[test]
    fn times_stand_in_their_order_and_within_the_edges() {
        let scale = Scale::new(at(70 * DAY), at(100 * DAY), at(131 * DAY), Duration::from_mins(15));
        let times = [0, 70, 99, 100, 101, 130, 131, 500].map(|day| scale.at(at(day * DAY)));
        assert!(times.is_sorted(), "{times:?}");
        assert!(times[0].abs() < 1e-9 && times[1].abs() < 1e-9 && (times[6] - 100.0).abs() < 1e-9);
        let hour = scale.at(at(100 * DAY + 3600)) - scale.at(at(100 * DAY));
        assert!(hour > 5.0, "an hour from now is to be seen: {hour}");
    }

    #[test]
    fn marks_keep_their_distance() {
        for (past, future, unit) in [(30, 31, 900), (0, 0, 1), (400, 2, 60)] {
            let now = at(1000 * DAY);
            let scale = Scale::new(
                at((1000 - past) * DAY),
                now,
                at((1000 + future) * DAY + 5),
                Duration::from_secs(unit),
            );
            let ticks = scale.ticks();
            assert!(ticks.windows(2).all(|pair| pair[1].at - pair[0].at >= APART), "{ticks:?}");
        }
    }

    #[test]
    fn a_moment_alone_still_has_a_line() {
        let scale = Scale::new(at(5), at(5), at(5), Duration::ZERO);
        assert!((scale.at(at(5)) - 50.0).abs() < 1e-9);
    }
}
