use std::{sync::Arc, time::Duration};

use claviger_jose::NumericDate;

use crate::{FeedError, FetchError};

/// The state of a client, for health endpoints and people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The time since the last contact: a set, or the news that it has not changed. The `Age` of an answer that lay in a
    /// cache is part of it. `None`: never.
    pub age: Option<Duration>,
    /// The wall-clock time of the last contact, which may have been an earlier process's. `None`: never, or the set is
    /// fixed.
    pub last_contact: Option<NumericDate>,
    /// Where the held set is from: a URL without its query, a path, or "a fixed set". `None` without one.
    pub source: Option<Arc<str>>,
    /// The held set is the disk copy of an earlier process, not yet confirmed by the issuer.
    pub from_disk: bool,
    /// How many keys are held.
    pub keys: usize,
    /// How many kids are denied.
    pub denied: usize,
    /// How often the keys have changed. What was derived from an earlier generation is out of date.
    pub generation: u64,
    /// Why the last attempt failed; `None` if it succeeded.
    pub last_error: Option<FetchError>,
    /// What became of all attempts.
    pub fetches: Fetches,
    /// How many keys were answered from a set that was no longer fresh.
    pub stale_served: u64,
    /// What is known from the revocation feed. `None` where the issuer has none, or has not told yet.
    pub feed: Option<FeedStatus>,
}

/// The state of the revocation feed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedStatus {
    /// The time since the last poll that found a statement which was still news. `None`: never, in this process. What is
    /// revoked stays so however old the last statement is; what the issuer has revoked since is not known here.
    pub age: Option<Duration>,
    /// The number of the last statement that was taken, also by an earlier process.
    pub sequence: Option<u64>,
    /// How many things are revoked, keys among them.
    pub entries: usize,
    /// Why the last poll brought no news; `None` if it did, or if there was none.
    pub last_error: Option<FeedError>,
}

/// Attempts to fetch the set, by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetches {
    /// A set was fetched and swapped in.
    pub replaced: u64,
    /// The held set was confirmed (304).
    pub not_modified: u64,
    /// No set, or none that could be trusted.
    pub failed: u64,
}
