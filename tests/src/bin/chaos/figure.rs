use std::time::Duration;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    Seconds,
    Percent,
    Times,
}

/// What was found, and what is allowed.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) found: f64,
    pub(crate) limit: Limit,
    pub(crate) unit: Unit,
    /// It is a time that tells of the machine as well: a busy one may take longer.
    pub(crate) of_machine: bool,
    /// What an excess looks like: the first few.
    pub(crate) detail: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// Shown only.
    None,
    /// It was not played: that is a miss where nothing may be left out.
    Skipped,
}

impl Figure {
    fn new(what: impl Into<String>, found: f64, limit: Limit, unit: Unit) -> Self {
        Self { what: what.into(), found, limit, unit, of_machine: false, detail: Vec::new() }
    }

    /// Things of which there must be none.
    pub(crate) fn none_of(what: impl Into<String>, found: Vec<String>) -> Self {
        let mut figure = Self::new(what, count(found.len()), Limit::AtMost(0.0), Unit::Count);
        figure.detail = found.into_iter().take(5).collect();
        figure
    }

    /// A scenario that this machine cannot play, and why.
    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self::new(why, 0.0, Limit::Skipped, Unit::Count)
    }

    pub(crate) fn at_least(what: impl Into<String>, found: usize, least: usize) -> Self {
        Self::new(what, count(found), Limit::AtLeast(count(least)), Unit::Count)
    }

    pub(crate) fn at_most(what: impl Into<String>, found: usize, most: usize) -> Self {
        Self::new(what, count(found), Limit::AtMost(count(most)), Unit::Count)
    }

    pub(crate) fn counted(what: impl Into<String>, found: usize) -> Self {
        Self::new(what, count(found), Limit::None, Unit::Count)
    }

    pub(crate) fn took(what: impl Into<String>, found: Duration, most: Duration) -> Self {
        Self::new(what, found.as_secs_f64(), Limit::AtMost(most.as_secs_f64()), Unit::Seconds)
    }

    /// The same, where nothing but speed is at stake: the limit is stretched for a busy machine.
    pub(crate) fn swift(what: impl Into<String>, found: Duration, most: Duration) -> Self {
        Self { of_machine: true, ..Self::took(what, found, most) }
    }

    /// It tells of the machine as well.
    pub(crate) fn of_machine(self) -> Self {
        Self { of_machine: true, ..self }
    }

    /// With the limit for a machine that is slower by this factor.
    pub(crate) fn stretched(mut self, factor: f64) -> Self {
        if let (true, Limit::AtMost(most)) = (self.of_machine, self.limit) {
            self.limit = Limit::AtMost(most * factor);
        }
        self
    }

    pub(crate) fn shown(what: impl Into<String>, found: Duration) -> Self {
        Self::new(what, found.as_secs_f64(), Limit::None, Unit::Seconds)
    }

    pub(crate) fn times(what: impl Into<String>, found: f64, most: f64) -> Self {
        Self::new(what, found, Limit::AtMost(most), Unit::Times)
    }

    /// A share that must be small, in percent.
    pub(crate) fn share_of(what: impl Into<String>, part: usize, of: usize, most: f64) -> Self {
        let share = if of == 0 { 100.0 } else { 100.0 * count(part) / count(of) };
        Self::new(what, share, Limit::AtMost(most), Unit::Percent)
    }

    /// A share that must be whole.
    pub(crate) fn all_of(what: impl Into<String>, good: usize, of: usize) -> Self {
        let share = if of == 0 { 0.0 } else { 100.0 * count(good) / count(of) };
        let mut figure = Self::new(what, share, Limit::AtLeast(100.0), Unit::Percent);
        if good < of {
            figure.detail.push(format!("{} of {of} were not", of - good));
        }
        figure
    }

    pub(crate) fn holds(&self) -> bool {
        match self.limit {
            Limit::AtMost(most) => self.found <= most,
            Limit::AtLeast(least) => self.found >= least,
            Limit::None => true,
            Limit::Skipped => std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        }
    }

    /// The figure, its limit and the verdict.
    pub(crate) fn cells(&self) -> [String; 4] {
        let limit = match self.limit {
            Limit::AtMost(most) => format!("≤ {}", self.told(most)),
            Limit::AtLeast(least) => format!("≥ {}", self.told(least)),
            Limit::None | Limit::Skipped => "-".to_owned(),
        };
        let verdict = match (self.limit, self.holds()) {
            (Limit::None, _) => "",
            (Limit::Skipped, _) => "SKIPPED",
            (_, true) => "met",
            (_, false) => "MISSED",
        };
        [self.what.clone(), self.told(self.found), limit, verdict.to_owned()]
    }

    fn told(&self, value: f64) -> String {
        match self.unit {
            Unit::Count => format!("{value:.0}"),
            Unit::Seconds if value < 1.0 => format!("{:.0} ms", 1e3 * value),
            Unit::Seconds => format!("{value:.1} s"),
            Unit::Percent => format!("{value:.2} %"),
            Unit::Times => format!("{value:.2}x"),
        }
    }
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
