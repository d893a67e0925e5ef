//! Refresh tokens: each is used once, and once more only by whoever lost the answer.

use std::{fmt, time::Duration};

use claviger_jose::NumericDate;
use claviger_oauth::{
    Audience, Authorization, ClientId, RefreshPolicy, RefreshRefusal, RefreshToken, ScopeSet, Sid,
};

use crate::{
    Act, Store, StoreError, User, failpoint, refresh_group, refresh_statement, refresh_table,
    revocation::{self, Full},
    store::secs,
};

/// A refresh token as it is presented, by a client that has proven who it is. Only hashes: neither the token nor the one
/// that may follow it is ever written down.
#[derive(Debug, Clone)]
pub struct RefreshAttempt {
    /// The hash of the token.
    pub token: [u8; 32],
    /// Who presents it.
    pub client_id: ClientId,
    /// The thumbprint of the key that the client has proven to hold (RFC 9449).
    pub jkt: Option<String>,
    /// What becomes of the client's refresh tokens when they are used.
    pub policy: RefreshPolicy,
    /// Whether people must have consented to what this client does.
    pub needs_consent: bool,
    /// The scopes asked for; none: all that the token stands for.
    pub scope: Option<ScopeSet>,
    /// The resource servers asked for.
    pub resource: Vec<Audience>,
    /// The resource servers that the client may have a token for now.
    pub targets: Vec<Audience>,
    /// What follows it, if it is used up.
    pub child: ChildToken,
    /// How long things are good for.
    pub terms: RefreshTerms,
    /// From where it is presented, for the audit log.
    pub origin: String,
    /// The request that presents it, for the audit log.
    pub request_id: Option<String>,
}

/// A refresh token that is derived from its parent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChildToken {
    /// Its hash.
    pub hash: [u8; 32],
    /// What it is derived with, besides its parent and a secret of the issuer's.
    pub nonce: [u8; 16],
}

/// How long refresh tokens are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshTerms {
    /// G: for how long a used token is answered with the same child.
    pub grace: Duration,
    /// For how long a token may lie unused.
    pub idle: Duration,
    /// Until when the end of a family must be told: the expiry of the last access token of its session.
    pub until: NumericDate,
}

/// What became of a presented refresh token.
#[derive(Debug)]
pub enum RefreshOutcome {
    /// It is good.
    Refreshed(Box<Refreshed>),
    /// It was used before, and not as who lost an answer would: its family has ended, for whoever holds the last token of it
    /// may be a thief.
    Reused {
        /// The session whose access tokens the feed names.
        sid: Sid,
        /// Whether the feed had room for it.
        told: bool,
    },
    /// There is no such token.
    Unknown,
    /// It is no good, and nothing has changed.
    Refused(RefusedRefresh),
    /// It does not stand for all scopes that were asked for. Nothing has changed.
    WiderScope,
    /// It does not stand for the resource server that was asked for, or for several of which none was, or the client may have
    /// no token for it now. Nothing has changed.
    OtherTarget,
}

/// Why a refresh token is refused that was not misused. For the log: the client is told `invalid_grant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedRefresh {
    /// It was given to another client.
    #[error("the refresh token is another client's")]
    OtherClient,
    /// It is bound to another key, or to one where none was proven.
    #[error("the refresh token is bound to another key")]
    OtherKey,
    /// The token or its family has ended or expired.
    #[error(transparent)]
    Past(#[from] RefreshRefusal),
    /// The person is disabled.
    #[error("the person is disabled")]
    Disabled,
    /// The person was signed out everywhere, or has changed the password.
    #[error("the person was signed out everywhere, or has changed the password")]
    SignedOut,
    /// The session has ended.
    #[error("the session has ended")]
    SessionEnded,
    /// The person does not consent any more.
    #[error("the consent is gone")]
    NoConsent,
}

/// What a good refresh token stands for.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// What the person allowed.
    pub authorization: Authorization,
    /// The person.
    pub user: User,
    /// The session in which it was allowed.
    pub sid: Sid,
    /// What the client uses from now on.
    pub next: NextToken,
}

/// Which refresh token the client uses from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextToken {
    /// The presented one, again.
    Same,
    /// The child of the presented one that is derived with this.
    Child([u8; 16]),
}

/// Somebody who ends something, for the audit log: as [`Act`], without what it is done to.
#[derive(Debug, Clone)]
pub struct FamilyEnd<'a> {
    /// Who asks for it.
    pub client_id: &'a ClientId,
    /// Until when the end must be told.
    pub until: NumericDate,
    /// What the log says of it; its subject becomes the session.
    pub act: Act,
}

impl Store {
    /// Presents a refresh token: decides what becomes of it
    /// ([`Family::present`](claviger_oauth::Family::present)) and makes it so, at once or not at all. Of the many who
    /// present one token at the same time one uses it, and the others get the same child.
    ///
    /// On PostgreSQL the use of a token is one statement; on SQLite many uses share one transaction, and each is answered
    /// when that is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all. Whether the token was used is open then: presented again within the time of
    /// grace it is answered as if nothing had happened.
    pub async fn present_refresh(&self, presented: RefreshAttempt) -> Result<RefreshOutcome, StoreError> {
        match &self.refreshes {
            Some(group) => group.present(presented).await,
            None => self.present_alone(&presented).await,
        }
    }

    /// What the writer of groups does when the disk was slow, for tests.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    #[doc(hidden)]
    pub async fn date_uses_anew(&self, tokens: &[[u8; 32]]) -> Result<(), StoreError> {
        refresh_group::date_anew(&self.db, tokens).await
    }

    async fn present_alone(&self, presented: &RefreshAttempt) -> Result<RefreshOutcome, StoreError> {
        failpoint("refresh.before_commit");
        if let Some(refreshed) = refresh_statement::rotate(&self.db, presented).await? {
            failpoint("refresh.after_commit");
            return Ok(RefreshOutcome::Refreshed(Box::new(refreshed)));
        }
        let mut book = refresh_table::read(&self.db, &[presented.token]).await?;
        let outcome = book.decide(presented)?;
        if book.changes().is_empty() {
            return Ok(outcome);
        }
        let mut ends = book.changes().ends_families();
        loop {
            let transaction = self.begin_write().await?;
            // Whoever ends something takes the row of `revision` first, and so nobody waits in a circle.
            if ends {
                crate::store::advance_revocations(&transaction).await?;
            }
            refresh_table::lock(&transaction, &presented.token).await?;
            let mut book = refresh_table::read(&transaction, &[presented.token]).await?;
            let mut outcome = book.decide(presented)?;
            if book.changes().ends_families() && !ends {
                transaction.rollback().await?;
                ends = true;
                continue;
            }
            let told = refresh_table::write(&transaction, book.changes()).await?;
            outcome.note(told);
            failpoint("refresh.before_commit");
            transaction.commit().await?;
            failpoint("refresh.after_commit");
            return Ok(outcome);
        }
    }

    /// The session of a refresh token, used or not, if it is this client's.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn session_of(
        &self,
        token: &RefreshToken,
        client: &ClientId,
    ) -> Result<Option<Sid>, StoreError> {
        Ok(refresh_table::family_of(&self.db, &token.hash(), client).await?.map(|(_, sid, _)| sid))
    }

    /// Ends the family of a refresh token, used or not, if it is this client's, and puts its session on the feed (RFC 7009
    /// section 2.1). Answers the session, if there was such a family.
    ///
    /// # Errors
    /// Nothing has changed then. [`StoreError::Unavailable`] above all.
    pub async fn end_family_of(
        &self,
        token: &RefreshToken,
        end: FamilyEnd<'_>,
    ) -> Result<Option<Sid>, StoreError> {
        let Some((family, sid, account)) =
            refresh_table::family_of(&self.db, &token.hash(), end.client_id).await?
        else {
            return Ok(None);
        };
        let transaction = self.begin_write().await?;
        crate::store::advance_revocations(&transaction).await?;
        let ended = refresh_table::end_family(&transaction, &family, "revoked").await?;
        if ended {
            let session = [revocation::of_session(sid.as_str(), &account)];
            // Without room on the feed its access tokens live on for their minutes; its refresh token does not.
            let told = revocation::put(&transaction, &session, secs(end.until)).await?;
            let mut act = end.act;
            act.subject = sid.to_string();
            if told == Full::Yes {
                act.detail = serde_json::json!({ "feed": "full" });
            }
            crate::audit_log::append(&transaction, &[act]).await?;
        }
        failpoint("refresh.before_end");
        transaction.commit().await?;
        failpoint("refresh.after_end");
        Ok(Some(sid))
    }
}

impl RefreshOutcome {
    /// Notes whether the feed had room.
    pub(crate) fn note(&mut self, full: Full) {
        if let Self::Reused { told, .. } = self {
            *told = full == Full::No;
        }
    }
}

impl fmt::Debug for ChildToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChildToken(..)")
    }
}
