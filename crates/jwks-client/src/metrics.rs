//! What is counted, through the facade of the crate `metrics`. Labels are the configured issuer and
//! names from closed sets: nothing that the network sends becomes one.

use std::{sync::Arc, time::Duration};

#[cfg(feature = "metrics")]
use metrics::{counter, gauge, histogram};

/// The metrics of one issuer.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "metrics"),
    expect(dead_code, reason = "without the facade nobody asks for the label")
)]
pub(crate) struct Metrics {
    issuer: Arc<str>,
}

/// What became of a request for a kid that is not held.
#[derive(Debug, Clone, Copy)]
pub(crate) enum UnknownKid {
    /// It cannot be a key of this issuer.
    Malformed,
    /// It is denied.
    Denied,
    /// It waited for an attempt that was made anyway.
    Joined,
    /// It was granted an attempt.
    Fetched,
    /// No attempt was due or granted.
    Throttled,
}

#[cfg(feature = "metrics")]
impl Metrics {
    pub(crate) fn fetched(&self, outcome: &'static str, took: Duration) {
        counter!("jwks_fetches_total", "issuer" => self.issuer(), "outcome" => outcome).increment(1);
        histogram!("jwks_fetch_seconds", "issuer" => self.issuer()).record(took);
    }

    pub(crate) fn unknown_kid(&self, action: UnknownKid) {
        let action = match action {
            UnknownKid::Malformed => "malformed",
            UnknownKid::Denied => "denied",
            UnknownKid::Joined => "joined",
            UnknownKid::Fetched => "fetched",
            UnknownKid::Throttled => "throttled",
        };
        counter!("jwks_unknown_kid_total", "issuer" => self.issuer(), "action" => action).increment(1);
    }

    pub(crate) fn stale_served(&self, keys: u64) {
        counter!("jwks_stale_served_total", "issuer" => self.issuer()).increment(keys);
    }

    pub(crate) fn clock_set_back(&self) {
        counter!("jwks_clock_set_back_total", "issuer" => self.issuer()).increment(1);
    }

    pub(crate) fn polled(&self, outcome: &'static str) {
        counter!("revocations_polls_total", "issuer" => self.issuer(), "outcome" => outcome).increment(1);
    }

    pub(crate) fn statement_refused(&self, reason: &'static str) {
        counter!("revocations_refused_total", "issuer" => self.issuer(), "reason" => reason).increment(1);
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 revocations will not come")]
    pub(crate) fn revocations(&self, seq: Option<u64>, entries: usize) {
        gauge!("revocations_seq", "issuer" => self.issuer()).set(seq.unwrap_or(0) as f64);
        gauge!("revocations_entries", "issuer" => self.issuer()).set(entries as f64);
    }

    pub(crate) fn revocations_age(&self, age: Duration) {
        gauge!("revocations_age_seconds", "issuer" => self.issuer()).set(age.as_secs_f64());
    }

    pub(crate) fn age(&self, age: Duration) {
        gauge!("jwks_age_seconds", "issuer" => self.issuer()).set(age.as_secs_f64());
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 generations will not come")]
    pub(crate) fn keys(&self, keys: usize, generation: u64) {
        gauge!("jwks_keys", "issuer" => self.issuer()).set(keys as f64);
        gauge!("jwks_generation", "issuer" => self.issuer()).set(generation as f64);
    }

    fn issuer(&self) -> Arc<str> {
        Arc::clone(&self.issuer)
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "the signatures are those of the feature `metrics`")]
impl Metrics {
    pub(crate) fn fetched(&self, _outcome: &'static str, _took: Duration) {}
    pub(crate) fn unknown_kid(&self, _action: UnknownKid) {}
    pub(crate) fn stale_served(&self, _keys: u64) {}
    pub(crate) fn clock_set_back(&self) {}
    pub(crate) fn polled(&self, _outcome: &'static str) {}
    pub(crate) fn statement_refused(&self, _reason: &'static str) {}
    pub(crate) fn revocations(&self, _seq: Option<u64>, _entries: usize) {}
    pub(crate) fn revocations_age(&self, _age: Duration) {}
    pub(crate) fn age(&self, _age: Duration) {}
    pub(crate) fn keys(&self, _keys: usize, _generation: u64) {}
}

impl Metrics {
    pub(crate) fn of(issuer: &Arc<str>) -> Self {
        Self { issuer: Arc::clone(issuer) }
    }
}
