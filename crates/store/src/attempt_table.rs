//! Attempts are reserved before they are evaluated, so that many at once cannot pass together (S-90).

use std::time::Duration;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, QueryFilter, Set,
    sea_query::{Expr, OnConflict},
};

use crate::{
    AttemptLimits, Bucket, Reservation, Store, StoreError, Username,
    attempt::{NoRoom, Tally, secs},
    entity::attempt::{ActiveModel, Column, Entity, Model},
    store::read_clock,
    timed::Transaction,
};

/// For so long is remembered what a binary has counted that did not say for how long.
const SILENCE: Duration = Duration::from_hours(30 * 24);

/// The hard stop is that of every limit, or more. It is looked at again: an older binary counts on and says no new time. Who
/// attempts something right now is passed over.
const FORGET: [&str; 2] = [
    "DELETE FROM attempt WHERE bucket IN (
     SELECT bucket FROM attempt WHERE forget_at < $1 AND consecutive < 100 AND not_before <= $1
     ORDER BY forget_at LIMIT $2 {skip})",
    "DELETE FROM attempt WHERE bucket IN (
     SELECT bucket FROM attempt WHERE forget_at IS NULL AND consecutive < 100 AND window_at < $1
     LIMIT $2 {skip})",
];

pub(crate) fn forget_statements(backend: DbBackend) -> [String; 2] {
    let skip = if backend == DbBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
    FORGET.map(|sql| sql.replace("{skip}", skip))
}

impl Store {
    /// Counts one attempt in each of these buckets, if all of them have room, else in none: in one transaction, which is
    /// over before anything is evaluated. Of attempts at once, on whatever replica, no more pass than there is room for.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all: nothing may be attempted then.
    pub async fn reserve_attempt(&self, buckets: &[Bucket]) -> Result<Reservation, StoreError> {
        let transaction = self.begin_write().await?;
        let mut wait: Option<(NoRoom, Bucket)> = None;
        let rows = locked(&transaction, buckets).await?;
        // Behind the locks: who waited for them must not come with an old time.
        let now = read_clock(&transaction).await?;
        for (bucket, row) in buckets.iter().zip(rows) {
            match bucket.limits.reserve(tally(&row), now) {
                Ok(next) => update(&transaction, bucket, next).await?,
                Err(no_room) if wait.is_none_or(|(longest, _)| longest < no_room) => {
                    wait = Some((no_room, *bucket));
                }
                Err(_) => {}
            }
        }
        if let Some((no_room, bucket)) = wait {
            transaction.rollback().await?;
            return Ok(Reservation::Refused { no_room, bucket });
        }
        transaction.commit().await?;
        Ok(Reservation::Reserved)
    }

    /// An attempt was right: guesses are counted anew, and a rate has one more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn clear_attempts(&self, buckets: &[Bucket]) -> Result<(), StoreError> {
        let transaction = self.begin_write().await?;
        clear(&transaction, buckets).await?;
        Ok(transaction.commit().await?)
    }

    /// Forgets attempts that are long past, and answers how many buckets that were. One that was guessed at to the end is
    /// never among them. Of very many some are left for the next time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all; what was forgotten before is.
    pub async fn forget_attempts(&self) -> Result<u64, StoreError> {
        let now = read_clock(&self.db).await?;
        let [said, unsaid] = forget_statements(self.db.get_database_backend());
        let forgotten = self.delete_pages(&said, now).await?;
        Ok(forgotten + self.delete_pages(&unsaid, now - secs(SILENCE)).await?)
    }
}

/// See [`Store::clear_attempts`].
pub(crate) async fn clear(transaction: &Transaction, buckets: &[Bucket]) -> Result<(), StoreError> {
    for bucket in sorted(buckets) {
        match bucket.limits {
            AttemptLimits::Guesses { .. } => {
                Entity::delete_by_id(bucket.key().to_vec()).exec(transaction).await?;
            }
            AttemptLimits::Rate { each, .. } => {
                let less = Expr::col(Column::NotBefore).sub(secs(each));
                let update = Entity::update_many().col_expr(Column::NotBefore, less);
                update.filter(Column::Bucket.eq(bucket.key().to_vec())).exec(transaction).await?;
            }
        }
    }
    Ok(())
}

/// All wrong guesses at this account are forgotten, from whichever browser: somebody in charge says so.
pub(crate) async fn forgive(transaction: &Transaction, name: &Username) -> Result<(), StoreError> {
    // Its limits do not matter to what is deleted.
    let any = AttemptLimits::Rate { burst: 1, each: Duration::ZERO };
    let account = Bucket::of_account(name, any).key().to_vec();
    Entity::delete_many().filter(Column::Account.eq(account.clone())).exec(transaction).await?;
    Entity::delete_by_id(account).exec(transaction).await?;
    Ok(())
}

/// The rows of these buckets, made if there are none, and locked, in one order for all: two that want the same rows do not wait
/// for each other in a circle. They come in the order of the buckets.
async fn locked(transaction: &Transaction, buckets: &[Bucket]) -> Result<Vec<Model>, StoreError> {
    let rows = sorted(buckets).into_iter().map(|bucket| row(bucket, Tally::default()));
    let as_it_is = OnConflict::column(Column::Bucket).update_column(Column::Bucket).to_owned();
    let rows = Entity::insert_many(rows).on_conflict(as_it_is).exec_with_returning(transaction).await?;
    let of = |bucket: &Bucket| rows.iter().find(|row| row.bucket == bucket.key()).cloned();
    let found: Option<Vec<Model>> = buckets.iter().map(of).collect();
    found.ok_or_else(|| StoreError::Corrupt("no row of an attempt".to_owned()))
}

fn sorted(buckets: &[Bucket]) -> Vec<&Bucket> {
    let mut sorted: Vec<&Bucket> = buckets.iter().collect();
    sorted.sort_by_key(|bucket| *bucket.key());
    // A row cannot be written twice by one statement.
    sorted.dedup_by_key(|bucket| *bucket.key());
    sorted
}

async fn update(transaction: &Transaction, bucket: &Bucket, tally: Tally) -> Result<(), StoreError> {
    row(bucket, tally).update(transaction).await?;
    Ok(())
}

fn row(bucket: &Bucket, tally: Tally) -> ActiveModel {
    ActiveModel {
        bucket: Set(bucket.key().to_vec()),
        window_at: Set(tally.last),
        count: Set(tally.count),
        consecutive: Set(tally.consecutive),
        not_before: Set(tally.not_before),
        account: Set(bucket.account().map(|account| account.to_vec())),
        forget_at: Set(Some(bucket.limits.forget_at(&tally))),
    }
}

fn tally(row: &Model) -> Tally {
    Tally { last: row.window_at, count: row.count, consecutive: row.consecutive, not_before: row.not_before }
}
