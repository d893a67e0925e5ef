//! People: who there is, and what operators change.

use claviger_jose::NumericDate;
use claviger_oauth::UserId;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
};

use crate::{
    Act, NewUser, Store, StoreError, User, UserChange, UserOutcome, Username, attempt_table, audit_log,
    entity::account::{ActiveModel, Column, Entity, Model},
    sign_out::end_sessions_in,
    store::read_clock,
    timed::Transaction,
    user_row as row,
};

/// Rows per statement: both databases bound the number of parameters.
const CHUNK: usize = 500;

impl Store {
    /// Adds a person.
    ///
    /// # Errors
    /// [`StoreError::UserExists`] if the name is taken; [`StoreError::Unavailable`] above all.
    pub async fn add_user(&self, new: &NewUser, acts: &[Act]) -> Result<(), StoreError> {
        self.add_users(std::slice::from_ref(new), acts, |_| ()).await
    }

    /// Adds people, all or none; `progress` is told how many are written so far.
    ///
    /// # Errors
    /// [`StoreError::UserExists`] names the first whose name is taken; [`StoreError::Unavailable`] above all. Nobody is added
    /// then.
    pub async fn add_users(
        &self,
        new: &[NewUser],
        acts: &[Act],
        progress: impl Fn(usize) + Send,
    ) -> Result<(), StoreError> {
        let transaction = self.begin_write().await?;
        let now = read_clock(&transaction).await?;
        let mut written = 0;
        for chunk in new.chunks(CHUNK) {
            insert(&transaction, chunk, now).await?;
            written += chunk.len();
            progress(written);
        }
        audit_log::append(&transaction, acts).await?;
        Ok(transaction.commit().await?)
    }

    /// Which of these names are taken.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn taken_names(&self, names: &[Username]) -> Result<Vec<Username>, StoreError> {
        let mut taken = Vec::new();
        for chunk in names.chunks(CHUNK) {
            let keys = taken_keys(&self.db, chunk.iter()).await?;
            taken.extend(chunk.iter().filter(|name| keys.iter().any(|key| key == name.key())).cloned());
        }
        Ok(taken)
    }

    /// The person of this id.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the row is not what was written; [`StoreError::Unavailable`] above all.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        Entity::find_by_id(id.as_str()).one(&self.db).await?.map(row::user).transpose()
    }

    /// The person of this name.
    ///
    /// # Errors
    /// As [`user`](Self::user).
    pub async fn user_by_name(&self, name: &Username) -> Result<Option<User>, StoreError> {
        let found = Entity::find().filter(Column::UsernameKey.eq(name.key())).one(&self.db).await?;
        found.map(row::user).transpose()
    }

    /// So many people, by their names, those after a name.
    ///
    /// # Errors
    /// As [`user`](Self::user).
    pub async fn users(&self, after: Option<&Username>, limit: u32) -> Result<Vec<User>, StoreError> {
        let mut rows = Entity::find().order_by_asc(Column::UsernameKey).limit(u64::from(limit));
        if let Some(after) = after {
            rows = rows.filter(Column::UsernameKey.gt(after.key()));
        }
        rows.all(&self.db).await?.into_iter().map(row::user).collect()
    }

    /// Whether somebody has this role and is not disabled.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn has_user_in_role(&self, role: &str) -> Result<bool, StoreError> {
        has_user_in_role(&self.db, role).await
    }

    /// Changes a person in one transaction, if it is still as `seen` ([`User::tag`]).
    ///
    /// With a new password, and when the person is disabled, sessions and refresh tokens end in the same transaction, and
    /// access tokens are on the revocation feed `until` the last of them has expired. A new password, and being enabled, end
    /// a lock-out by wrong guesses, those from the person's own browsers included.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all. Nothing is changed then.
    pub async fn change_user(
        &self,
        id: &UserId,
        seen: Option<&str>,
        change: UserChange<'_>,
        until: NumericDate,
        acts: &[Act],
    ) -> Result<UserOutcome, StoreError> {
        let UserChange { disabled, password, profile } = change;
        let transaction = self.begin_write().await?;
        if password.is_some() || disabled == Some(true) {
            end_sessions_in(&transaction, id, until).await?;
        }
        // Before the row is locked: all take the log's turn first, and nobody waits in a circle.
        audit_log::append(&transaction, acts).await?;
        let (user, row) = match expect(&transaction, id, seen).await? {
            Ok(found) => found,
            Err(outcome) => {
                transaction.rollback().await?;
                return Ok(outcome);
            }
        };
        let mut changed: ActiveModel = row.into_active_model();
        if let Some(disabled) = disabled {
            changed.disabled = Set(disabled);
        }
        if let Some(hash) = password {
            changed.password_hash = Set(Some(hash.expose().to_owned()));
            changed.password_changed_at = Set(Some(read_clock(&transaction).await?));
        }
        if let Some(profile) = profile {
            changed.claims = Set(row::claims(profile));
            changed.roles = Set(row::names(&profile.roles));
            changed.groups = Set(row::names(&profile.groups));
        }
        if changed.is_changed() {
            changed.update(&transaction).await?;
        }
        if password.is_some() || disabled == Some(false) {
            attempt_table::forgive(&transaction, &user.username).await?;
        }
        transaction.commit().await?;
        Ok(UserOutcome::Applied)
    }
}

pub(crate) async fn has_user_in_role(
    db: &impl sea_orm::ConnectionTrait,
    role: &str,
) -> Result<bool, StoreError> {
    let named = Entity::find().filter(Column::Disabled.eq(false)).filter(Column::Roles.contains(role));
    for row in named.all(db).await? {
        if row::user(row)?.profile.roles.iter().any(|has| has == role) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Inserts people of names that nobody has.
pub(crate) async fn insert(transaction: &Transaction, new: &[NewUser], now: i64) -> Result<(), StoreError> {
    let taken = taken_keys(transaction, new.iter().map(|new| &new.username)).await?;
    if let Some(new) = new.iter().find(|new| taken.iter().any(|key| key == new.username.key())) {
        return Err(StoreError::UserExists(new.username.clone()));
    }
    let rows = new.iter().map(|new| row::of_new(new, now));
    match Entity::insert_many(rows).exec_without_returning(transaction).await.map_err(StoreError::from) {
        // Somebody else has taken the name since.
        Err(StoreError::Refused(_)) if new.len() == 1 => Err(StoreError::UserExists(new[0].username.clone())),
        inserted => inserted.map(drop),
    }
}

async fn taken_keys(
    db: &impl sea_orm::ConnectionTrait,
    names: impl Iterator<Item = &Username>,
) -> Result<Vec<String>, StoreError> {
    let keys = Entity::find().select_only().column(Column::UsernameKey);
    let keys = keys.filter(Column::UsernameKey.is_in(names.map(Username::key)));
    Ok(keys.into_tuple().all(db).await?)
}

/// The person with its row, locked, if it is as was seen.
pub(crate) async fn expect(
    transaction: &Transaction,
    id: &UserId,
    seen: Option<&str>,
) -> Result<Result<(User, Model), UserOutcome>, StoreError> {
    let Some(row) = Entity::find_by_id(id.as_str()).lock_exclusive().one(transaction).await? else {
        return Ok(Err(UserOutcome::Unknown));
    };
    let user = row::user(row.clone())?;
    if seen.is_some_and(|seen| seen != user.tag()) {
        return Ok(Err(UserOutcome::Changed));
    }
    Ok(Ok((user, row)))
}
