//! What verifiers say of themselves when they poll.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use claviger_jose::VerifierReport;
use claviger_store::MAX_VERIFIERS;
use http::{HeaderMap, HeaderValue};

use crate::registry_view::RegistryView;

/// The most lines that are read of one request, and the most bytes of each.
const MAX_LINES: usize = 8;
const MAX_LINE: usize = 512;
/// One more than the store remembers: if some had to be dropped here, the store too has too many, and notes it.
const CAPACITY: usize = MAX_VERIFIERS as usize + 1;

/// The last report of each verifier since they were last [taken](Self::take) to the database.
///
/// Nobody proves a report. So an audience must be known, and what is remembered is bounded: whoever makes some up can
/// at most delay a rotation until its lead has passed.
#[derive(Debug, Default)]
pub struct Reports(Mutex<HashMap<(String, String), VerifierReport>>);

impl Reports {
    /// Notes what a request says of those who sent it. Called on the way to an answer: nothing here waits.
    pub fn note(&self, request: &HeaderMap, registry: &RegistryView) {
        for line in request.get_all(VerifierReport::HEADER).iter().take(MAX_LINES) {
            if let Some(report) = parse(line).filter(|report| registry.knows(&report.audience)) {
                self.keep(report);
            }
        }
    }

    /// Takes what was noted.
    #[must_use]
    pub fn take(&self) -> Vec<VerifierReport> {
        std::mem::take(&mut *self.open()).into_values().collect()
    }

    fn keep(&self, report: VerifierReport) {
        let name = (report.audience.clone(), report.instance.clone());
        let mut reports = self.open();
        if reports.len() < CAPACITY || reports.contains_key(&name) {
            reports.insert(name, report);
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<(String, String), VerifierReport>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(line: &HeaderValue) -> Option<VerifierReport> {
    line.to_str().ok().filter(|line| line.len() <= MAX_LINE)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use claviger_store::RegistrySnapshot;

    use super::*;

    fn registry() -> RegistryView {
        let text = r#"
            team = [{ name = "shop" }]
            resource_server = [{ audience = "https://a.test", team = "shop" }]
        "#;
        let issuer = "https://id.test".parse().unwrap();
        let registry = crate::fleet::parse("fleet.toml", text, Duration::from_mins(5), &issuer).unwrap();
        RegistryView::new(RegistrySnapshot { revision: 1, registry }, Duration::from_mins(5), &issuer)
    }

    fn noted(lines: &[String]) -> Vec<VerifierReport> {
        let reports = Reports::default();
        let mut request = HeaderMap::new();
        for line in lines {
            request.append(VerifierReport::HEADER, line.parse().unwrap());
        }
        reports.note(&request, &registry());
        reports.take()
    }

    #[test]
    fn the_last_report_of_each_verifier_of_a_known_audience_counts() {
        let line =
            |audience: &str, instance: &str, keys: &str| format!("{audience}; {instance}; {keys}; 7; 0.1.0");
        let found = noted(&[
            line("https://a.test", "one", "old"),
            line("https://a.test", "one", "new"),
            line("https://b.test", "two", "x"),
            "no report".to_owned(),
        ]);
        let found: Vec<_> =
            found.iter().map(|report| (report.instance.as_str(), report.keys.as_str())).collect();
        assert_eq!(found, [("one", "new")]);
    }

    #[test]
    fn a_request_speaks_for_eight_verifiers_at_most() {
        let lines: Vec<_> = (0..20).map(|n| format!("https://a.test; i{n}; ; ; 0")).collect();
        assert_eq!(noted(&lines).len(), MAX_LINES);
        let long = format!("https://a.test; i; {}; ; 0", " ".repeat(MAX_LINE));
        assert_eq!(noted(&[long]).len(), 0);
    }

    #[test]
    fn what_is_made_up_is_bounded() {
        let reports = Reports::default();
        let report = |instance: usize, keys: &str| VerifierReport {
            audience: "https://a.test".to_owned(),
            instance: instance.to_string(),
            keys: keys.to_owned(),
            sequence: None,
            version: "0".to_owned(),
        };
        for instance in 0..CAPACITY + 100 {
            reports.keep(report(instance, ""));
        }
        reports.keep(report(0, "later"));
        let taken = reports.take();
        assert_eq!(taken.len(), CAPACITY);
        assert!(taken.contains(&report(0, "later")), "who is known can still speak");
        assert!(reports.take().is_empty());
    }
}
