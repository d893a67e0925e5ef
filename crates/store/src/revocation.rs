//! What is revoked besides keys.

use claviger_jose::{Kid, Mark, Marked, NumericDate};
use claviger_oauth::{Subject, UserId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    Act, Store, StoreError, audit_log,
    entity::{revocation, signing_key},
    failpoint, revocation_row, revocation_table,
    store::{advance_revocations, read_clock, read_revisions, secs},
    timed::Transaction,
    waiting::announce,
};

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
    /// Tokens issued before are dead: one second after the revocation, so that those of the same second are among them. For
    /// a single token the time of its revocation.
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

/// The most revocations, besides those of keys, that the feed holds: its readers take 4 MiB, and one with its time is up
/// to 51 bytes of it.
pub const MAX_REVOCATIONS: u64 = 80_000;
/// Rows per statement when all are read.
const PAGE: u64 = 10_000;

pub(crate) const FORGET: &str = "
    DELETE FROM revocation WHERE (kind, mark) IN (
    SELECT kind, mark FROM revocation WHERE until < $1 ORDER BY until LIMIT $2)";

/// Whether the feed had no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    No,
    Yes,
}

/// What is revoked, and whose it is where that is known: of very much that is one subject's, the subject is revoked instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owned {
    pub(crate) revoked: Revoked,
    pub(crate) sub: Option<Mark>,
}

impl From<Revoked> for Owned {
    fn from(revoked: Revoked) -> Self {
        let sub = if let Revoked::Token { sub, .. } = revoked { sub } else { None };
        Self { revoked, sub }
    }
}

/// A subject, as the feed says it.
pub(crate) fn subject(account: &UserId) -> Mark {
    Mark::of(Marked::Sub, Subject::of_user(account).as_str())
}

/// What ends with a session, as the feed says it: its tokens issued until now.
pub(crate) fn of_session(sid: &str, account: &UserId) -> Owned {
    Owned { revoked: Revoked::Session(Mark::of(Marked::Sid, sid)), sub: Some(subject(account)) }
}

/// Puts on the feed what a transaction ends. Where there is no room the feed is as it was: what is ended stays ended, and
/// access tokens live on for their minutes.
pub(crate) async fn put(
    transaction: &Transaction,
    revoked: &[Owned],
    until: i64,
) -> Result<Full, StoreError> {
    transaction.execute_unprepared("SAVEPOINT feed").await?;
    let (_, full) = put_within(transaction, MAX_REVOCATIONS, revoked, until).await?;
    if full == Full::Yes {
        transaction.execute_unprepared("ROLLBACK TO SAVEPOINT feed").await?;
    }
    transaction.execute_unprepared("RELEASE SAVEPOINT feed").await?;
    Ok(full)
}

async fn put_within(
    transaction: &Transaction,
    bound: u64,
    revoked: &[Owned],
    until: i64,
) -> Result<(u64, Full), StoreError> {
    // First of all, and so one after the other.
    let sequence = advance_revocations(transaction).await?;
    let now = read_clock(transaction).await?;
    revocation_table::insert(transaction, revoked, now, until).await?;
    let full = if revocation_table::fit(transaction, bound, now).await? { Full::No } else { Full::Yes };
    announce(transaction).await?;
    Ok((sequence, full))
}

impl Store {
    /// Revokes, and answers the number of the feed from which on it is told. `until` is the expiry of the last token that it
    /// can concern, the verifiers' leeway included. What is revoked already is revoked from now; nothing is lifted, and the later `until` holds.
    ///
    /// Of [very many](MAX_REVOCATIONS) single tokens and sessions, those of the subjects that have most of them are revoked by
    /// their subject: more is revoked then than was asked, never less.
    ///
    /// # Errors
    /// Nothing is changed then. [`StoreError::FeedFull`] if the feed cannot hold more; [`StoreError::Unavailable`] above all.
    pub async fn revoke(
        &self,
        revoked: &[Revoked],
        until: NumericDate,
        acts: &[Act],
    ) -> Result<u64, StoreError> {
        self.revoke_within(MAX_REVOCATIONS, revoked, until, acts).await
    }

    /// [`revoke`](Self::revoke) with another bound: for tests, which would take long to fill the real one.
    #[doc(hidden)]
    pub async fn revoke_within(
        &self,
        bound: u64,
        revoked: &[Revoked],
        until: NumericDate,
        acts: &[Act],
    ) -> Result<u64, StoreError> {
        let transaction = self.begin_write().await?;
        let revoked: Vec<Owned> = revoked.iter().copied().map(Owned::from).collect();
        let (sequence, full) = put_within(&transaction, bound, &revoked, secs(until)).await?;
        if full == Full::Yes {
            transaction.rollback().await?;
            return Err(StoreError::FeedFull);
        }
        audit_log::append(&transaction, acts).await?;
        failpoint("revoke.before_commit");
        transaction.commit().await?;
        failpoint("revoke.after_commit");
        Ok(sequence)
    }

    /// All that is revoked and not yet forgotten.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a row is not what [`revoke`](Self::revoke) wrote; [`StoreError::Unavailable`] above all.
    pub async fn load_revocations(&self) -> Result<RevocationSnapshot, StoreError> {
        let transaction = self.begin_read().await?;
        let sequence = read_revisions(&transaction).await?.revocations;
        let kids = signing_key::Entity::find()
            .select_only()
            .column(signing_key::Column::Kid)
            .filter(signing_key::Column::State.eq("revoked"))
            .order_by_asc(signing_key::Column::Since)
            .order_by_asc(signing_key::Column::Kid);
        let kids: Vec<String> = kids.into_tuple().all(&transaction).await?;
        let rows = revocation::Entity::find()
            .order_by_asc(revocation::Column::Kind)
            .order_by_asc(revocation::Column::Mark);
        // In pages: a statement that sends all of a full table may not end within its time.
        let mut all: Vec<revocation::Model> = Vec::new();
        loop {
            let page = rows.clone().limit(PAGE).offset(all.len() as u64).all(&transaction).await?;
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        all.sort_by_key(|row| row.not_before);
        transaction.commit().await?;
        Ok(RevocationSnapshot {
            sequence,
            // What is no kid is no key that anybody could present; `load_keys` reports the row.
            kids: kids.iter().filter_map(|kid| kid.parse().ok()).collect(),
            revocations: all.iter().map(revocation_row::parse).collect::<Result<_, _>>()?,
        })
    }

    /// Forgets what concerns no token any more, and answers how much that was. The feed's number stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn forget_revocations(&self) -> Result<u64, StoreError> {
        self.delete_pages(FORGET, read_clock(&self.db).await?).await
    }
}
