use std::{sync::Arc, time::Duration};

use url::Url;

use super::{FeedPolicy, RevocationList, SignedFor, StatementAges, StatementFault};
use crate::{FeedStatus, FetchError};

/// Why a poll of the revocation feed has brought no news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The issuer has no feed, or nobody has told yet where it is.
    #[error("there is no revocation feed, or it is not known yet")]
    NoFeed,
    /// There was no answer, or none that could be a statement.
    #[error("the revocation feed cannot be fetched: {0}")]
    Fetch(#[from] FetchError),
    /// The statement is refused.
    #[error("the statement of the revocation feed is refused: {0}")]
    Refused(#[from] StatementFault),
    /// The statement is the issuer's, and has expired: the feed is frozen, or a clock is wrong. What it revokes is revoked.
    #[error("the statement of the revocation feed has expired")]
    Expired,
    /// The statement is the issuer's, and claims to have been signed in the future: a clock is wrong. What it revokes is
    /// revoked.
    #[error("the statement of the revocation feed is from the future: is a clock wrong?")]
    FromFuture,
}

/// What is known of the feed, as far as decisions need it.
#[derive(Debug)]
pub(crate) struct FeedState {
    /// Where it is.
    pub(super) url: Option<Url>,
    /// The operator has said so, and nobody else has a say.
    pub(super) is_configured: bool,
    pub(crate) policy: FeedPolicy,
    /// A poll has begun and not ended.
    pub(super) under_way: bool,
    pub(crate) list: Arc<RevocationList>,
    /// What the last statement that was taken says of itself.
    pub(super) latest: Option<Latest>,
    pub(super) ages: StatementAges,
    /// The beginning of the last poll that found a statement which was news, by the monotonic clock.
    pub(super) fresh_at: Option<Duration>,
    pub(super) last_error: Option<FeedError>,
}

#[derive(Debug, Clone)]
pub(super) struct Latest {
    pub(super) times: SignedFor,
    /// The entity tag of the issuer's key set.
    pub(super) jwks: String,
}

impl FeedState {
    /// A feed at this URL, or at one that the issuer's metadata will tell.
    pub(crate) fn new(url: Option<Url>, policy: FeedPolicy) -> Self {
        Self {
            is_configured: url.is_some(),
            url,
            policy,
            under_way: false,
            list: Arc::default(),
            latest: None,
            ages: StatementAges::default(),
            fresh_at: None,
            last_error: None,
        }
    }

    /// The time since the last poll that found a statement which was news.
    pub(crate) fn age(&self, now: Duration) -> Option<Duration> {
        self.fresh_at.map(|at| now.saturating_sub(at))
    }

    pub(crate) fn status(&self, now: Duration) -> Option<FeedStatus> {
        let is_known = self.url.is_some() || self.list.sequence().is_some();
        is_known.then(|| FeedStatus {
            age: self.age(now),
            sequence: self.list.sequence(),
            entries: self.list.entries(),
            last_error: self.last_error,
        })
    }
}
