//! What the end of a poll means for the next attempts, of the feed and of the key set.

use std::time::Duration;

use super::{FeedPolicy, StatementFault};
use crate::policy::Policy;

/// How a poll has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollEnd {
    /// Without an answer that could be a statement. The issuer may have said when to come back.
    Failed {
        /// In so much time.
        retry_after: Option<Duration>,
    },
    /// With a statement that is refused.
    Refused(StatementFault),
    /// With a statement that says nothing about now: it has expired, or is from the future.
    NoNews {
        /// For how long the answer is fresh, if it says so.
        fresh: Option<Duration>,
    },
    /// With a statement that is news, be it a new one or the one that was taken before.
    News {
        /// For how long the answer is fresh, if it says so.
        fresh: Option<Duration>,
        /// How long ago it was signed, when the poll began.
        age: Duration,
        /// Whether the key set that it names is the held one; `None` if the held one has no name.
        is_held: Option<bool>,
    },
}

/// The times of a poll, by the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct PollTimes {
    /// When it began.
    pub began: Duration,
    /// When it ended.
    pub now: Duration,
}

/// What is left to do for who has polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing.
    Nothing,
    /// The held set is the issuer's.
    Confirmed {
        /// And contact is back, which is news.
        is_back: bool,
    },
    /// An attempt for the set may be due sooner than it was.
    SetWanted,
}

/// Tells both policies how a poll has ended. Of the two random numbers the first is for the feed, the other for the set.
///
/// A statement that is refused because it is old, or because its signer is not known, may be the word of a thief, or one
/// that is refused because of him: the set tells.
pub fn poll_ended(
    end: PollEnd,
    times: PollTimes,
    jitters: [f64; 2],
    feed: &mut FeedPolicy,
    keys: &mut Policy,
) -> Consequence {
    let (PollTimes { began, now }, [jitter, keys_jitter]) = (times, jitters);
    match end {
        PollEnd::Failed { retry_after } => feed.failed(now, retry_after, jitter),
        PollEnd::Refused(_) => feed.failed(now, None, jitter),
        PollEnd::NoNews { fresh } | PollEnd::News { fresh, .. } => feed.succeeded(began, now, fresh, jitter),
    }
    match end {
        PollEnd::News { age, is_held: Some(true), .. } => {
            Consequence::Confirmed { is_back: keys.vouched(began, age, keys_jitter) }
        }
        PollEnd::News { is_held: Some(false), .. }
        | PollEnd::Refused(StatementFault::Rollback { .. } | StatementFault::UnknownSigner) => {
            keys.outdated(now, keys_jitter);
            Consequence::SetWanted
        }
        _ => Consequence::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timing, feed::MIN_POLL, http_cache::Horizons, policy::Turn, timing::MIN_FRESHNESS};

    const START: Duration = Duration::from_secs(100);

    /// A set that was fetched at second 100, a poll that began at 150 and took a second; how long the next poll and the
    /// next attempt are away then, in seconds.
    fn pauses_after(end: PollEnd) -> (Consequence, f64, f64) {
        let mut keys = Policy::new(Timing::default(), MIN_FRESHNESS);
        let mut feed = FeedPolicy::new(Duration::from_secs(15), MIN_POLL);
        keys.turn(START);
        keys.succeeded(START, false, Horizons::default(), 0.5);
        let (began, now) = (Duration::from_secs(150), Duration::from_secs(151));
        let consequence = poll_ended(end, PollTimes { began, now }, [0.5, 0.25], &mut feed, &mut keys);
        let Turn::Sleep(attempt) = keys.turn(now) else { panic!("an attempt is due") };
        (consequence, feed.pause(now).as_secs_f64(), attempt.as_secs_f64())
    }

    // S-43
    #[test]
    fn each_end_of_a_poll_has_its_consequence() {
        let secs = Duration::from_secs;
        let news = |is_held| PollEnd::News { fresh: Some(secs(20)), age: secs(10), is_held };
        let rollback = StatementFault::Rollback { held: 7, offered: 6 };
        let confirmed = Consequence::Confirmed { is_back: false };
        let table = [
            (PollEnd::Failed { retry_after: None }, Consequence::Nothing, 0.5, 189.0),
            (PollEnd::Refused(StatementFault::Malformed), Consequence::Nothing, 0.5, 189.0),
            (PollEnd::Refused(rollback), Consequence::SetWanted, 0.5, 0.25),
            (PollEnd::Refused(StatementFault::UnknownSigner), Consequence::SetWanted, 0.5, 0.25),
            (PollEnd::NoNews { fresh: Some(secs(20)) }, Consequence::Nothing, 19.0, 189.0),
            (news(None), Consequence::Nothing, 19.0, 189.0),
            (news(Some(false)), Consequence::SetWanted, 19.0, 0.25),
            (news(Some(true)), confirmed, 19.0, 227.0),
        ];
        for (end, expected, poll, attempt) in table {
            let (consequence, next_poll, next_attempt) = pauses_after(end);
            assert_eq!(consequence, expected, "{end:?}");
            assert!((next_poll - poll).abs() < 0.001, "{end:?}: the next poll in {next_poll}");
            assert!((next_attempt - attempt).abs() < 0.001, "{end:?}: the next attempt in {next_attempt}");
        }
    }
}
