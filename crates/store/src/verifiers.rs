//! The verifiers that name themselves, as they were last heard of.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use claviger_jose::{NumericDate, VerifierReport};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{Expr, OnConflict},
};

use crate::{
    Store, StoreError,
    admission::Census,
    entity::{verifier, verifier_overflow},
    fleet::ago,
    store::{date, read_clock},
};

/// The most verifiers that are remembered of one audience.
pub const MAX_INSTANCES: u32 = 2_000;
/// The most verifiers that are remembered.
pub const MAX_VERIFIERS: u32 = 10_000;

/// Rows per statement: both databases bound the number of parameters.
const CHUNK: usize = 1000;
/// Who was silent for so long makes room for who is new, whether anybody asks for the list or not.
const SILENCE: Duration = Duration::from_hours(24);

/// A verifier as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenVerifier {
    /// What it said.
    pub said: VerifierReport,
    /// When it was first heard of, and was then never silent for so long that it was forgotten.
    pub first_seen: NumericDate,
    /// When it said that, by the clock of the database.
    pub seen: NumericDate,
}

/// The verifiers that are remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenVerifiers {
    /// By audience and instance.
    pub verifiers: Vec<SeenVerifier>,
    /// When one was last turned away because there were too many.
    pub overflowed: Option<NumericDate>,
}

/// The last report of each verifier, in one order for all replicas: two that write the same rows do not wait for each other
/// in a circle.
type Reports<'a> = BTreeMap<(&'a str, &'a str), &'a VerifierReport>;

impl Store {
    /// Notes what verifiers have said, at the time of the database. One that is new is turned away if there are
    /// [too many](MAX_VERIFIERS) already, and that it was is noted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn note_verifiers(&self, reports: &[VerifierReport]) -> Result<(), StoreError> {
        let mut reports: Reports<'_> = reports
            .iter()
            .map(|report| ((report.audience.as_str(), report.instance.as_str()), report))
            .collect();
        if reports.is_empty() {
            return Ok(());
        }
        let now = read_clock(&self.db).await?;
        let known = known(&self.db, &reports).await?;
        let mut new = reports.clone();
        new.retain(|name, _| !known.contains(name));
        reports.retain(|name, _| known.contains(name));
        upsert(&self.db, &reports, now).await?;
        if new.is_empty() { Ok(()) } else { self.admit_verifiers(new, now).await }
    }

    async fn admit_verifiers(&self, mut new: Reports<'_>, now: i64) -> Result<(), StoreError> {
        let transaction = self.begin_write().await?;
        // One replica at a time admits: together they would overstep the bounds.
        let queue = Expr::col(verifier_overflow::Column::NotedAt);
        note_overflow(&transaction, queue).await?;
        let silent = verifier::Entity::delete_many().filter(verifier::Column::Seen.lt(ago(now, SILENCE)));
        silent.exec(&transaction).await?;
        let counts = verifier::Entity::find()
            .select_only()
            .column(verifier::Column::Audience)
            .column_as(verifier::Column::Instance.count(), "instances")
            .group_by(verifier::Column::Audience);
        let counts: Vec<(String, i64)> = counts.into_tuple().all(&transaction).await?;
        let counts =
            counts.into_iter().map(|(audience, count)| (audience, u32::try_from(count).unwrap_or(u32::MAX)));
        let mut census = Census::new(counts);
        let asked = new.len();
        // Another replica may have admitted it meanwhile.
        let known = known(&transaction, &new).await?;
        new.retain(|name, report| known.contains(name) || census.admit(report));
        upsert(&transaction, &new, now).await?;
        if new.len() < asked {
            note_overflow(&transaction, now.into()).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The verifiers that were heard of within this time; older ones are forgotten.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn verifiers(&self, within: Duration) -> Result<SeenVerifiers, StoreError> {
        let oldest = ago(read_clock(&self.db).await?, within);
        let rows = verifier::Entity::find()
            .order_by_asc(verifier::Column::Audience)
            .order_by_asc(verifier::Column::Instance)
            .all(&self.db)
            .await?;
        if rows.iter().any(|row| row.seen < oldest) {
            let silent = verifier::Entity::delete_many().filter(verifier::Column::Seen.lt(oldest));
            silent.exec(&self.db).await?;
        }
        let overflowed = verifier_overflow::Entity::find_by_id(1_i16).one(&self.db).await?;
        Ok(SeenVerifiers {
            verifiers: rows
                .into_iter()
                .filter(|row| row.seen >= oldest)
                .map(seen_verifier)
                .collect::<Result<_, _>>()?,
            overflowed: overflowed.and_then(|row| row.noted_at).and_then(date),
        })
    }
}

/// Which of these verifiers have a row.
async fn known<'a>(
    db: &impl ConnectionTrait,
    reports: &Reports<'a>,
) -> Result<HashSet<(&'a str, &'a str)>, StoreError> {
    let names: Vec<(&'a str, &'a str)> = reports.keys().copied().collect();
    let mut rows: HashSet<(String, String)> = HashSet::with_capacity(names.len());
    for chunk in names.chunks(CHUNK) {
        let columns =
            Expr::tuple([Expr::col(verifier::Column::Audience), Expr::col(verifier::Column::Instance)]);
        let found = verifier::Entity::find()
            .select_only()
            .columns([verifier::Column::Audience, verifier::Column::Instance])
            .filter(columns.in_tuples(chunk.iter().copied()));
        rows.extend(found.into_tuple::<(String, String)>().all(db).await?);
    }
    let has_row = |name: &(&str, &str)| rows.contains(&(name.0.to_owned(), name.1.to_owned()));
    Ok(names.into_iter().filter(has_row).collect())
}

async fn upsert(db: &impl ConnectionTrait, reports: &Reports<'_>, now: i64) -> Result<(), StoreError> {
    use verifier::Column::{Audience, Instance, KeySet, Seen, Sequence, Version};
    let rows: Vec<_> = reports.values().map(|report| of_report(report, now)).collect();
    for chunk in rows.chunks(CHUNK) {
        let latest = OnConflict::columns([Audience, Instance])
            .update_columns([KeySet, Sequence, Version, Seen])
            .to_owned();
        let insert = verifier::Entity::insert_many(chunk.iter().cloned()).on_conflict(latest);
        insert.exec_without_returning(db).await?;
    }
    Ok(())
}

async fn note_overflow(db: &impl ConnectionTrait, noted_at: Expr) -> Result<(), StoreError> {
    let update = verifier_overflow::Entity::update_many()
        .col_expr(verifier_overflow::Column::NotedAt, noted_at)
        .filter(verifier_overflow::Column::Id.eq(1));
    update.exec(db).await?;
    Ok(())
}

fn of_report(report: &VerifierReport, now: i64) -> verifier::ActiveModel {
    verifier::ActiveModel {
        audience: Set(report.audience.clone()),
        instance: Set(report.instance.clone()),
        key_set: Set(report.keys.clone()),
        // What was never given out is as good as any other.
        sequence: Set(report.sequence.map(|sequence| i64::try_from(sequence).unwrap_or(i64::MAX))),
        version: Set(report.version.clone()),
        first_seen: Set(now),
        seen: Set(now),
    }
}

fn seen_verifier(row: verifier::Model) -> Result<SeenVerifier, StoreError> {
    let damaged = || StoreError::Corrupt("a number in verifier".to_owned());
    let sequence = row.sequence.map(u64::try_from).transpose().map_err(|_| damaged())?;
    let said = VerifierReport {
        audience: row.audience,
        instance: row.instance,
        keys: row.key_set,
        sequence,
        version: row.version,
    };
    let time = |secs: i64| date(secs).ok_or_else(damaged);
    Ok(SeenVerifier { said, first_seen: time(row.first_seen)?, seen: time(row.seen)? })
}
