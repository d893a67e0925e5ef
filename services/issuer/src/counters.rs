//! What a process has done since it started, for its metrics.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// One number for each of a few labels. What has none of them is not counted, so a label never comes from outside.
#[derive(Debug)]
pub struct Tally<const N: usize> {
    labels: [&'static str; N],
    counts: [AtomicU64; N],
}

/// What is counted.
#[derive(Debug)]
pub struct Counters {
    /// Tokens issued, by algorithm.
    pub tokens: Tally<2>,
    /// Token requests refused, by the code of the answer.
    pub refusals: Tally<8>,
    /// Steps of the keys that were asked for here and refused, by the code of the answer.
    pub steps: Tally<8>,
    /// Answers with the key set, by status.
    pub key_set: Tally<3>,
    /// Answers with the revocation feed, by status.
    pub feed: Tally<3>,
    /// Looks into the database, by what became of them.
    pub looks: Tally<2>,
    /// Signatures that were asked of the keeper of a key that is kept elsewhere, by what became of them.
    pub external: Arc<Tally<6>>,
}

impl<const N: usize> Tally<N> {
    pub(crate) const fn new(labels: [&'static str; N]) -> Self {
        Self { labels, counts: [const { AtomicU64::new(0) }; N] }
    }

    /// Counts one more.
    pub fn add(&self, label: &str) {
        if let Some((_, count)) = self.labels.iter().zip(&self.counts).find(|(known, _)| **known == label) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// The numbers, with their labels.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.labels.iter().zip(&self.counts).map(|(label, count)| (*label, count.load(Relaxed)))
    }
}

impl Default for Counters {
    fn default() -> Self {
        const STATUSES: [&str; 3] = ["200", "304", "503"];
        Self {
            tokens: Tally::new(["RS256", "ES256"]),
            refusals: Tally::new([
                "invalid_request",
                "invalid_client",
                "invalid_grant",
                "unauthorized_client",
                "unsupported_grant_type",
                "invalid_scope",
                "invalid_target",
                "temporarily_unavailable",
            ]),
            steps: Tally::new([
                "too_early",
                "nobody_serves",
                "replica_behind",
                "unknown_key",
                "verify_only",
                "clock_off",
                "changed",
                "refused",
            ]),
            key_set: Tally::new(STATUSES),
            feed: Tally::new(STATUSES),
            looks: Tally::new(["done", "failed"]),
            external: Arc::new(Tally::new(crate::keys::SIGNING_OUTCOMES)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_labels_are_counted() {
        let counters = Counters::default();
        for label in ["304", "304", "200", "418"] {
            counters.key_set.add(label);
        }
        assert_eq!(counters.key_set.read().collect::<Vec<_>>(), [("200", 1), ("304", 2), ("503", 0)]);
    }
}
