//! What a refresh token stands for, for those who only ask.

use claviger_jose::NumericDate;
use claviger_oauth::{ClientId, RefreshToken, ScopeSet, Sid, UserId};

use super::{Book, Hash};
use crate::{Store, StoreError, refresh_table};

/// A refresh token that its client could use now (RFC 7662 section 2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshStanding {
    /// For whom.
    pub account: UserId,
    /// In which session.
    pub sid: Sid,
    /// What it stands for.
    pub scope: ScopeSet,
    /// When it ends, unused.
    pub expires_at: NumericDate,
}

impl Store {
    /// What a refresh token of this client stands for, if it could be used now. Nothing changes by the question: a token
    /// that was used before is merely none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn refresh_standing(
        &self,
        token: &RefreshToken,
        client_id: &ClientId,
        needs_consent: bool,
    ) -> Result<Option<RefreshStanding>, StoreError> {
        let hash = token.hash();
        let book = refresh_table::read(&self.db, &[hash]).await?;
        Ok(book.standing(&hash, client_id, needs_consent))
    }
}

impl Book {
    fn standing(&self, hash: &Hash, client_id: &ClientId, needs_consent: bool) -> Option<RefreshStanding> {
        let token = self.tokens.get(hash)?;
        let kin = self.families.get(&token.family).filter(|kin| kin.client_id == *client_id)?;
        let expires_at = token.state.idle_until.min(kin.expires_at);
        let alive = token.state.used.is_none() && !kin.ended && self.now < expires_at;
        if !alive || kin.fell(needs_consent).is_some() {
            return None;
        }
        Some(RefreshStanding {
            account: kin.user.id.clone(),
            sid: kin.sid.clone(),
            scope: kin.authorization.scope.clone(),
            expires_at,
        })
    }
}
