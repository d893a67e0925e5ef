use claviger_jose::Kid;
use claviger_keyring::SealedKey;
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, Set,
    sea_query::{CaseStatement, Expr, ExprTrait},
};

use crate::{
    Act, Outcome, Store, StoreError, audit_log,
    entity::{revision, signing_key},
    failpoint,
    store::advance,
    waiting::announce,
};

impl Store {
    /// Replaces seals, in one transaction and if nobody changed a key since `expected_revision`: of each key its private half
    /// as another key-encryption key has wrapped it, and the seal over its state, which stays as it is. A tombstone has no
    /// private half and gets none.
    ///
    /// # Errors
    /// Nothing is changed then. [`StoreError::NotInState`] for a key that there is not; [`StoreError::Unavailable`] above all.
    pub async fn rewrap_keys(
        &self,
        expected_revision: u64,
        seals: &[(Kid, SealedKey, Vec<u8>)],
        acts: &[Act],
    ) -> Result<Outcome, StoreError> {
        use signing_key::Column::{Kid, Sealed};
        let transaction = self.begin_write().await?;
        if !advance(&transaction, revision::Column::Keyring, expected_revision).await? {
            transaction.rollback().await?;
            return Ok(Outcome::AlreadyRotated);
        }
        for (kid, sealed, state_seal) in seals {
            let wrapped = CaseStatement::new()
                .case(Expr::col(Sealed).is_not_null(), sealed.bytes.clone())
                .finally(Expr::col(Sealed));
            let seals = signing_key::ActiveModel {
                kek_id: Set(sealed.kek_id.clone()),
                state_seal: Set(state_seal.clone()),
                ..Default::default()
            };
            let update = signing_key::Entity::update_many().set(seals).col_expr(Sealed, wrapped.into());
            if update.filter(Kid.eq(kid.as_str())).exec(&transaction).await?.rows_affected != 1 {
                return Err(StoreError::NotInState(*kid));
            }
            failpoint("rewrap.after_first_key");
        }
        audit_log::append(&transaction, acts).await?;
        announce(&transaction).await?;
        failpoint("rewrap.before_commit");
        transaction.commit().await?;
        failpoint("rewrap.after_commit");
        Ok(Outcome::Applied)
    }
}
