//! Which new verifiers are remembered. Nobody proves who it is, so there must be an end to it.

use std::collections::HashMap;

use claviger_jose::VerifierReport;

use crate::{MAX_INSTANCES, MAX_VERIFIERS};

/// How many verifiers there are, of each audience.
#[derive(Debug, Default)]
pub(crate) struct Census {
    by_audience: HashMap<String, u32>,
    all: u32,
}

impl Census {
    pub(crate) fn new(counts: impl IntoIterator<Item = (String, u32)>) -> Self {
        let by_audience: HashMap<String, u32> = counts.into_iter().collect();
        let all = by_audience.values().sum();
        Self { by_audience, all }
    }

    /// Whether there is room for this one, which is new; then it counts.
    pub(crate) fn admit(&mut self, report: &VerifierReport) -> bool {
        let instances = self.by_audience.entry(report.audience.clone()).or_default();
        let room = self.all < MAX_VERIFIERS && *instances < MAX_INSTANCES;
        if room {
            *instances += 1;
            self.all += 1;
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(census: &mut Census, audience: &str, times: u32) -> u32 {
        let report: VerifierReport = format!("{audience}; one; ; ; 0").parse().unwrap();
        (0..times).map(|_| u32::from(census.admit(&report))).sum()
    }

    // S-85
    #[test]
    fn one_audience_has_its_bound() {
        let mut census = Census::new([("a".to_owned(), MAX_INSTANCES - 2)]);
        assert_eq!(admitted(&mut census, "a", 5), 2);
        assert_eq!(admitted(&mut census, "b", 5), 5);
    }

    // S-85
    #[test]
    fn all_together_have_theirs() {
        let mut census = Census::new((0..6).map(|number| (number.to_string(), 1_666)));
        assert_eq!(admitted(&mut census, "more", 9), MAX_VERIFIERS - 6 * 1_666);
        assert_eq!(admitted(&mut census, "0", 9), 0);
    }
}
