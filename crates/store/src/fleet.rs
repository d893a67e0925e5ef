//! The replicas of the issuer: which of them live, what each publishes, and which of them takes due steps.

use std::{collections::HashMap, sync::Arc, time::Duration};

use claviger_jose::{Kid, NumericDate};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, Set,
    sea_query::{Expr, OnConflict, Query},
};

use crate::{
    Store, StoreError,
    entity::{duty, key_set, replica, serving},
    store::{clock, date, read_clock},
};

/// How many published sets are remembered.
const KEY_SETS: i64 = 64;

/// What a replica says of itself, once a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The process: a UUID.
    pub replica: String,
    /// Where it runs, for people: host and process id.
    pub place: String,
    /// The entity tag of the key set that it publishes, without quotes.
    pub keys: String,
    /// The `seq` of the feed that it publishes.
    pub sequence: u64,
    /// The version of its program.
    pub version: String,
    /// Why it signs nothing, if so.
    pub refusal: Option<String>,
}

/// A replica as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// What it said.
    pub said: Heartbeat,
    /// When, by the clock of the database.
    pub seen: NumericDate,
}

/// The time in which some replica was ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServingTime {
    /// When it began: there was a break before, or nothing.
    pub since: NumericDate,
    /// When a replica last said that it is ready.
    pub seen: NumericDate,
}

impl Store {
    /// Notes that a replica is alive and what it publishes, at the time of the database.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn beat(&self, heartbeat: &Heartbeat) -> Result<(), StoreError> {
        use replica::Column::{KeySet, Place, Refusal, Seen, Sequence, Version};
        let row = replica::ActiveModel {
            id: Set(heartbeat.replica.clone()),
            place: Set(heartbeat.place.clone()),
            key_set: Set(heartbeat.keys.clone()),
            sequence: Set(i64::try_from(heartbeat.sequence).unwrap_or(i64::MAX)),
            version: Set(heartbeat.version.clone()),
            refusal: Set(heartbeat.refusal.clone()),
            seen: Set(read_clock(&self.db).await?),
        };
        let latest = OnConflict::column(replica::Column::Id)
            .update_columns([Place, KeySet, Sequence, Version, Refusal, Seen])
            .to_owned();
        replica::Entity::insert(row).on_conflict(latest).exec_without_returning(&self.db).await?;
        Ok(())
    }

    /// Notes that some replica is ready, whichever. After more than this time in which none was, it begins anew.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn note_serving(&self, longest_break: Duration) -> Result<(), StoreError> {
        let now = clock(self.db.get_database_backend());
        let longest = i64::try_from(longest_break.as_secs()).unwrap_or(i64::MAX);
        // A clock that was ahead for a moment is not waited for.
        let is_new = format!("{now} - serving.seen > {longest} OR serving.since > {now}");
        let begins = format!("CASE WHEN {is_new} THEN {now} ELSE serving.since END");
        let insert = Query::insert()
            .into_table(serving::Entity)
            .columns([serving::Column::Id, serving::Column::Since, serving::Column::Seen])
            .values_panic([1.into(), Expr::cust(now), Expr::cust(now)])
            .on_conflict(
                OnConflict::column(serving::Column::Id)
                    .value(serving::Column::Since, Expr::cust(begins))
                    .value(serving::Column::Seen, Expr::cust(now))
                    .to_owned(),
            )
            .take();
        self.db.execute(&insert).await?;
        Ok(())
    }

    /// Since when some replica is ready; `None` if none ever was.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn serving(&self) -> Result<Option<ServingTime>, StoreError> {
        let damaged = || StoreError::Corrupt("a time in serving".to_owned());
        let row = serving::Entity::find_by_id(1_i16).one(&self.db).await?;
        let times = row.map(|row| Some(ServingTime { since: date(row.since)?, seen: date(row.seen)? }));
        times.map(|times| times.ok_or_else(damaged)).transpose()
    }

    /// A replica has stopped: nobody need wait for it, and another may take its duty.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn leave(&self, replica: &str) -> Result<(), StoreError> {
        duty::Entity::delete_many().filter(duty::Column::Replica.eq(replica)).exec(&self.db).await?;
        replica::Entity::delete_by_id(replica).exec(&self.db).await?;
        Ok(())
    }

    /// The replicas that were heard of within this time, by place; older ones are forgotten.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn replicas(&self, within: Duration) -> Result<Vec<Replica>, StoreError> {
        let oldest = ago(read_clock(&self.db).await?, within);
        let rows = replica::Entity::find()
            .order_by_asc(replica::Column::Place)
            .order_by_asc(replica::Column::Id)
            .all(&self.db)
            .await?;
        if rows.iter().any(|row| row.seen < oldest) {
            let silent = replica::Entity::delete_many().filter(replica::Column::Seen.lt(oldest));
            silent.exec(&self.db).await?;
        }
        rows.into_iter().filter(|row| row.seen >= oldest).map(replica).collect()
    }

    /// Keeps which keys a published set has, by its entity tag. The last 64 sets are kept.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn keep_key_set(&self, etag: &str, kids: &[Kid]) -> Result<(), StoreError> {
        let transaction = self.begin_write().await?;
        let newest = key_set::Entity::find().order_by_desc(key_set::Column::Number).one(&transaction).await?;
        let number = newest.map_or(1, |newest| newest.number + 1);
        let row = key_set::ActiveModel {
            etag: Set(etag.to_owned()),
            kids: Set(kids.iter().map(Kid::as_str).collect::<Vec<_>>().join(" ")),
            number: Set(number),
        };
        let latest = OnConflict::column(key_set::Column::Etag)
            .update_columns([key_set::Column::Kids, key_set::Column::Number])
            .to_owned();
        key_set::Entity::insert(row).on_conflict(latest).exec_without_returning(&transaction).await?;
        let old = key_set::Entity::delete_many().filter(key_set::Column::Number.lte(number - KEY_SETS));
        old.exec(&transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// The keys of the sets that were published lately, by their entity tags.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn key_sets(&self) -> Result<HashMap<String, Arc<[Kid]>>, StoreError> {
        let rows = key_set::Entity::find().all(&self.db).await?;
        let kids =
            |row: &key_set::Model| row.kids.split_whitespace().filter_map(|kid| kid.parse().ok()).collect();
        Ok(rows.into_iter().map(|row| (row.etag.clone(), kids(&row))).collect())
    }

    /// Whether this replica is the one that takes due steps, from now on for this time. It spares the others the work; that no
    /// step is taken twice is the revision's doing, which fences off whoever was held up.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn take_duty(&self, replica: &str, length: Duration) -> Result<bool, StoreError> {
        let now = clock(self.db.get_database_backend());
        let seconds = i64::try_from(length.as_secs()).unwrap_or(i64::from(u32::MAX));
        // The clock is read where the row is locked: who waited for it does not come with an old time.
        let insert = Query::insert()
            .into_table(duty::Entity)
            .columns([duty::Column::Id, duty::Column::Replica, duty::Column::Until])
            .values_panic([1.into(), replica.into(), Expr::cust(now).add(seconds)])
            .on_conflict(
                OnConflict::column(duty::Column::Id)
                    .update_columns([duty::Column::Replica, duty::Column::Until])
                    .action_and_where(Expr::cust(format!(
                        "duty.replica = excluded.replica OR duty.until <= {now}"
                    )))
                    .to_owned(),
            )
            .take();
        Ok(self.db.execute(&insert).await?.rows_affected() == 1)
    }
}

/// The time so long before.
pub(crate) fn ago(now: i64, within: Duration) -> i64 {
    now.saturating_sub(i64::try_from(within.as_secs()).unwrap_or(i64::MAX))
}

fn replica(row: replica::Model) -> Result<Replica, StoreError> {
    let damaged = || StoreError::Corrupt("a number in replica".to_owned());
    let said = Heartbeat {
        replica: row.id,
        place: row.place,
        keys: row.key_set,
        sequence: u64::try_from(row.sequence).map_err(|_| damaged())?,
        version: row.version,
        refusal: row.refusal,
    };
    Ok(Replica { said, seen: date(row.seen).ok_or_else(damaged)? })
}
