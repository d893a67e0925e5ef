use std::time::{Duration, Instant};

use claviger_store::{Bucket, NoRoom};
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
    no_room: NoRoom,
}

impl Default for TurnedAway {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(MEMORY).build())
    }
}

impl TurnedAway {
    /// Until when there is no room in these buckets, as far as is known here.
    pub(super) fn remembers(&self, buckets: &[Bucket], now: Instant) -> Option<NoRoom> {
        buckets.iter().filter_map(|bucket| self.0.get(bucket)?.left(now)).max()
    }

    /// The database has refused an attempt for the sake of this bucket.
    pub(super) fn note(&self, bucket: Bucket, no_room: NoRoom, now: Instant) {
        self.0.insert(bucket, Refusal { at: now, no_room });
    }
}

impl Refusal {
    fn left(self, now: Instant) -> Option<NoRoom> {
        let passed = now.saturating_duration_since(self.at);
        let left = match self.no_room {
            NoRoom::For(wait) => wait.checked_sub(passed).filter(|left| !left.is_zero()).map(NoRoom::For),
            NoRoom::Stopped => Some(NoRoom::Stopped),
        };
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
        turned_away.note(ada, NoRoom::For(Duration::from_mins(10)), start);
        turned_away.note(here, NoRoom::For(2 * ONE), start);
        let wait = |buckets: &[Bucket], seconds| match turned_away.remembers(buckets, start + ONE * seconds) {
            Some(NoRoom::For(wait)) => Some(wait),
            Some(NoRoom::Stopped) => Some(Duration::MAX),
            None => None,
        };
        assert_eq!(wait(&[there], 0), None);
        assert_eq!(wait(&[here, there], 0), Some(2 * ONE));
        assert_eq!(wait(&[ada, here], 1), Some(Duration::from_secs(599)));
        assert_eq!(wait(&[here], 1), Some(ONE));
        assert_eq!(wait(&[here], 2), None);
        assert_eq!(wait(&[ada], 4), Some(Duration::from_secs(596)));
        assert_eq!(wait(&[ada], 5), None, "an operator may have lifted it");
        turned_away.note(there, NoRoom::Stopped, start);
        assert_eq!(wait(&[ada, there], 4), Some(Duration::MAX));
        assert_eq!(wait(&[there], 5), None, "an operator may have lifted that, too");
    }
}
