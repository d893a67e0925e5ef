use claviger_jose::NumericDate;
use claviger_oauth::{Sid, Subject, UserId};
use claviger_store::{Act, Revoked, SignedOut, Store, StoreError};

/// What an operator names who revokes something of people.
#[derive(Debug, Clone)]
pub(crate) enum OfPeople {
    /// A session.
    Session(Sid),
    /// Somebody, everywhere.
    Person(UserId),
}

impl OfPeople {
    /// What could be a session.
    pub(crate) fn session(name: &str) -> Option<Self> {
        name.parse().ok().map(Self::Session)
    }

    /// What could be a person.
    pub(crate) fn subject(name: &str) -> Option<Self> {
        name.parse::<Subject>().ok()?.user_id().map(Self::Person)
    }
}

/// Revokes, and answers the number of the feed from which on it is told. Of a session and of a person it is the end as well:
/// a revocation of access tokens alone would be undone by the next refresh.
///
/// # Errors
/// As for [`Store::revoke`].
pub(crate) async fn revoke(
    store: &Store,
    revoked: Revoked,
    named: Option<&OfPeople>,
    until: NumericDate,
    acts: &[Act],
) -> Result<u64, StoreError> {
    let ended = match named {
        Some(OfPeople::Session(sid)) => store.end_session(sid, until, acts).await?,
        Some(OfPeople::Person(account)) => store.end_sessions_of(account, until, acts).await?,
        None => SignedOut::default(),
    };
    match ended.sequence {
        Some(sequence) => Ok(sequence),
        // What is not known here may be known to verifiers.
        None => store.revoke(&[revoked], until, acts).await,
    }
}
