use std::time::{Duration, Instant};

use claviger_store::Bucket;
use moka::sync::Cache;

/// For how long it is remembered. Whoever lifts a lock-out at another process is believed so much later.
const MEMORY: Duration = Duration::from_secs(5);
/// How many buckets are remembered, some 10 MiB.
const MOST: u64 = 65_536;

/// The buckets that have just had no room. Who comes back too early is answered from here, and costs neither a place in the
/// queue nor a question to the database: else one host that is refused could keep both busy for everybody.
#[derive(Debug, Clone)]
pub(crate) struct TurnedAway(Cache<Bucket, Refusal>);

#[derive(Debug, Clone, Copy)]
struct Refusal {
    at: Instant,
    retry_after: Duration,
}

impl Default for TurnedAway {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(MEMORY).build())
    }
}

impl TurnedAway {
    /// How long an attempt in these buckets must wait, as far as is known here.
    pub(super) fn wait(&self, buckets: &[Bucket], now: Instant) -> Option<Duration> {
        buckets.iter().filter_map(|bucket| self.0.get(bucket)?.wait(now)).max()
    }

    /// The database has refused an attempt for the sake of this bucket.
    pub(super) fn note(&self, bucket: Bucket, retry_after: Duration, now: Instant) {
        self.0.insert(bucket, Refusal { at: now, retry_after });
    }
}

impl Refusal {
    fn wait(self, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.at);
        let left = self.retry_after.checked_sub(passed).filter(|left| !left.is_zero());
        left.filter(|_| passed < MEMORY)
    }
}

#[cfg(test)]
mod tests {
    use claviger_store::AttemptLimits;

    use super::*;

    const ONE: Duration = Duration::from_secs(1);

    // S-90
    #[test]
    fn what_was_refused_is_remembered_for_a_moment_and_not_beyond_its_own_time() {
        let limits = AttemptLimits::Rate { burst: 1, each: ONE };
        let [ada, here, there] = ["ada", "here", "there"].map(|name| Bucket::new("test", name, limits));
        let (turned_away, start) = (TurnedAway::default(), Instant::now());
        turned_away.note(ada, Duration::from_mins(10), start);
        turned_away.note(here, 2 * ONE, start);
        let wait = |buckets: &[Bucket], seconds| turned_away.wait(buckets, start + ONE * seconds);
        assert_eq!(wait(&[there], 0), None);
        assert_eq!(wait(&[here, there], 0), Some(2 * ONE));
        assert_eq!(wait(&[ada, here], 1), Some(Duration::from_secs(599)));
        assert_eq!(wait(&[here], 1), Some(ONE));
        assert_eq!(wait(&[here], 2), None);
        assert_eq!(wait(&[ada], 4), Some(Duration::from_secs(596)));
        assert_eq!(wait(&[ada], 5), None, "an operator may have lifted it");
    }
}
