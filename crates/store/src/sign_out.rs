//! The end of sessions: one transaction, in which all that could still act for the person ends with them.

use claviger_jose::{Mark, Marked, NumericDate};
use claviger_oauth::{Sid, UserId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, Query},
};

use crate::{
    Act, MAX_REVOCATIONS, Revoked, Store, StoreError, audit_log,
    entity::{
        account,
        session::{Column, Entity},
    },
    failpoint, logout_notice,
    revocation::{self, Owned},
    revocation_table,
    session_table::CHUNK,
    store::{advance_revocations, read_clock, secs},
    timed::Transaction,
    waiting::announce,
};

/// No replica that signs has a clock so far ahead: the bound of the skew. A token that one of them was about to sign in a
/// session when it ended may be from that future.
pub(crate) const AHEAD: i64 = 60;
/// Of a person with more sessions the subject alone is told to be revoked.
const MAX_SIDS: usize = 64;
/// Why a refresh family has ended, for whoever asks.
const REASON: &str = "signed_out";

/// What became of sessions that were to end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignedOut {
    /// How many sessions have ended; none if there were none.
    pub sessions: u64,
    /// The number of the feed from which on it is told. `None` if nothing changed, or if the feed cannot hold more: the
    /// sessions have ended all the same, and their access tokens expire.
    pub sequence: Option<u64>,
}

/// Which sessions end.
#[derive(Debug, Clone, Copy)]
enum Whose<'s> {
    One(&'s Sid),
    OthersOf { account: &'s UserId, kept: &'s Sid },
    AllOf(&'s UserId),
}

impl Whose<'_> {
    /// The rows of these, in each table that has a session and an account.
    fn rows(self) -> Expr {
        match self {
            Self::One(sid) => Expr::col("sid").eq(sid.as_str()),
            Self::OthersOf { account, kept } => {
                Expr::col("account").eq(account.as_str()).and(Expr::col("sid").ne(kept.as_str()))
            }
            Self::AllOf(account) => Expr::col("account").eq(account.as_str()),
        }
    }
}

impl Store {
    /// Ends a session: in one transaction its refresh families end, codes that were not used yet are gone, its `sid` goes
    /// to the feed, and its clients are to be told. A session that has ended already, or never was, is no error.
    ///
    /// `until` is the expiry of the last token that it can concern, as for [`revoke`](Self::revoke). A full feed keeps nobody
    /// from signing out.
    ///
    /// # Errors
    /// Nothing is changed then. [`StoreError::Unavailable`] above all.
    pub async fn end_session(
        &self,
        sid: &Sid,
        until: NumericDate,
        acts: &[Act],
    ) -> Result<SignedOut, StoreError> {
        self.sign_out(Whose::One(sid), until, acts).await
    }

    /// Ends all sessions of a person but one: that of the browser in which they ask for it.
    ///
    /// # Errors
    /// As for [`end_session`](Self::end_session).
    pub async fn end_other_sessions(
        &self,
        account: &UserId,
        kept: &Sid,
        until: NumericDate,
        acts: &[Act],
    ) -> Result<SignedOut, StoreError> {
        self.sign_out(Whose::OthersOf { account, kept }, until, acts).await
    }

    /// Signs a person out everywhere: all sessions and refresh families end, and the subject's tokens issued until now are
    /// revoked on the feed. They can sign in again.
    ///
    /// # Errors
    /// As for [`end_session`](Self::end_session).
    pub async fn end_sessions_of(
        &self,
        account: &UserId,
        until: NumericDate,
        acts: &[Act],
    ) -> Result<SignedOut, StoreError> {
        self.sign_out(Whose::AllOf(account), until, acts).await
    }

    async fn sign_out(
        &self,
        whose: Whose<'_>,
        until: NumericDate,
        acts: &[Act],
    ) -> Result<SignedOut, StoreError> {
        let transaction = self.begin_write().await?;
        // First of all, and so one after the other.
        let sequence = advance_revocations(&transaction).await?;
        let ended = match whose {
            Whose::AllOf(account) => end_account(&transaction, account).await?,
            Whose::One(_) | Whose::OthersOf { .. } => {
                end_codes(&transaction, whose.rows()).await?;
                let open = open_sessions(&transaction, whose).await?;
                end(&transaction, &open, REASON).await?
            }
        };
        if ended.revoked.is_empty() {
            transaction.rollback().await?;
            return Ok(SignedOut::default());
        }
        let told = ended.tell(&transaction, MAX_REVOCATIONS, until).await?;
        audit_log::append(&transaction, acts).await?;
        announce(&transaction).await?;
        failpoint("sign_out.before_commit");
        transaction.commit().await?;
        failpoint("sign_out.after_commit");
        Ok(SignedOut { sessions: ended.sessions, sequence: told.then_some(sequence) })
    }
}

/// Ends all that could act for a person, in the transaction of what asks for it, before anything else in it: a new password,
/// or that the person is disabled.
///
/// # Errors
/// [`StoreError::Unavailable`] above all.
pub(crate) async fn end_sessions_in(
    transaction: &Transaction,
    account: &UserId,
    until: NumericDate,
) -> Result<(), StoreError> {
    advance_revocations(transaction).await?;
    let ended = end_account(transaction, account).await?;
    ended.tell(transaction, MAX_REVOCATIONS, until).await?;
    announce(transaction).await
}

/// What has ended, to be told.
pub(crate) struct Ended {
    pub(crate) sessions: u64,
    revoked: Vec<Owned>,
}

impl Ended {
    /// Tells the feed, if it can hold that, and answers whether it could. A session's tokens are revoked for good, whichever
    /// clock they are by; a subject's only until now, for there will be new ones.
    pub(crate) async fn tell(
        &self,
        transaction: &Transaction,
        bound: u64,
        until: NumericDate,
    ) -> Result<bool, StoreError> {
        // Read after all has ended: what was waited for may have made a token meanwhile.
        let now = read_clock(transaction).await?;
        let room = bound.saturating_sub(self.revoked.len() as u64);
        if !revocation_table::fit(transaction, room, now).await? {
            return Ok(false);
        }
        let (sessions, subjects): (Vec<Owned>, Vec<Owned>) =
            self.revoked.iter().partition(|owned| matches!(owned.revoked, Revoked::Session(_)));
        revocation_table::insert(transaction, &sessions, now + AHEAD, secs(until)).await?;
        revocation_table::insert(transaction, &subjects, now, secs(until)).await?;
        Ok(true)
    }
}

/// An open session, and whose it is.
pub(crate) type Open = (String, String);

/// In one order for all who change these: codes, the account, sessions, families. Whoever makes a family of a code holds the
/// code and a share of the other two, and is waited for here; what it has made is then seen.
async fn end_account(transaction: &Transaction, account: &UserId) -> Result<Ended, StoreError> {
    let whose = Whose::AllOf(account);
    end_codes(transaction, whose.rows()).await?;
    let now = read_clock(transaction).await?;
    // One second after, as on the feed: what is of this second is before it. It never goes back.
    let not_before = account::Column::NotBefore;
    let later = Expr::case(not_before.gt(now + 1), Expr::col(not_before));
    let update = account::Entity::update_many()
        .col_expr(account::Column::NotBefore, later.finally(now + 1).into())
        .filter(account::Column::Id.eq(account.as_str()));
    update.exec(transaction).await?;
    let open = open_sessions(transaction, whose).await?;
    let mut ended = end(transaction, &open, REASON).await?;
    // Of sessions that are past there may be some left.
    end_families(transaction, whose.rows(), REASON, now).await?;
    if ended.revoked.len() > MAX_SIDS {
        ended.revoked.clear();
    }
    ended.revoked.push(Revoked::Subject(revocation::subject(account)).into());
    Ok(ended)
}

/// The sessions that are to end; their codes have.
async fn open_sessions(transaction: &Transaction, whose: Whose<'_>) -> Result<Vec<Open>, StoreError> {
    let open = Entity::find()
        .select_only()
        .columns([Column::Sid, Column::Account])
        .filter(Column::EndedAt.is_null());
    let open = open.filter(whose.rows());
    Ok(open.lock_exclusive().into_tuple().all(transaction).await?)
}

/// Ends sessions whose codes are gone, and their families. `reason` is for whoever asks why a refresh token is refused.
pub(crate) async fn end(transaction: &Transaction, open: &[Open], reason: &str) -> Result<Ended, StoreError> {
    let now = read_clock(transaction).await?;
    let mut sessions = 0;
    for chunk in open.chunks(CHUNK) {
        let sids = || chunk.iter().map(|(sid, _)| sid.as_str());
        let update = Entity::update_many()
            .col_expr(Column::EndedAt, now.into())
            .filter(Column::Sid.is_in(sids()))
            .filter(Column::EndedAt.is_null());
        sessions += update.exec(transaction).await?.rows_affected;
        end_families(transaction, Expr::col("sid").is_in(sids()), reason, now).await?;
        logout_notice::queue(transaction, chunk, now).await?;
    }
    let revoked = open.iter().map(|(sid, account)| match account.parse() {
        Ok(account) => revocation::of_session(sid, &account),
        // A damaged name keeps no session from ending.
        Err(_) => Revoked::Session(Mark::of(Marked::Sid, sid)).into(),
    });
    Ok(Ended { sessions, revoked: revoked.collect() })
}

/// Takes away the codes that were not used yet: there is nothing that a second use would have to end.
pub(crate) async fn end_codes(transaction: &Transaction, whose: Expr) -> Result<(), StoreError> {
    let codes = Query::delete()
        .from_table("authorization_code")
        .and_where(whose)
        .and_where(Expr::col("used_at").is_null())
        .take();
    transaction.execute(&codes).await?;
    Ok(())
}

/// Ends the refresh families that are alive.
pub(crate) async fn end_families(
    transaction: &Transaction,
    whose: Expr,
    reason: &str,
    now: i64,
) -> Result<(), StoreError> {
    let families = Query::update()
        .table("refresh_family")
        .value("ended_at", now)
        .value("end_reason", reason)
        .and_where(whose)
        .and_where(Expr::col("ended_at").is_null())
        .take();
    transaction.execute(&families).await?;
    Ok(())
}
