//! Many revocations at once, and not too many in all.

use std::collections::HashSet;

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, FromQueryResult, PaginatorTrait,
    QueryFilter, QuerySelect, Statement,
};

use crate::{
    StoreError,
    entity::revocation::{Column, Entity, Model},
    revocation::Owned,
    revocation_row::{self, ALL, SESSION, SUBJECT, TOKEN},
    sign_out::AHEAD,
    timed::Transaction,
};

/// Rows per statement: some hundred kilobytes.
const CHUNK: usize = 5000;

pub(crate) async fn insert(
    transaction: &Transaction,
    revoked: &[Owned],
    now: i64,
    until: i64,
) -> Result<(), StoreError> {
    upsert(transaction, &revocation_row::rows(revoked, now, until)).await
}

/// One parameter for many rows: neither database bounds its size as they bound the number of parameters, and who holds the row
/// of `revision` has few statements to send.
async fn upsert(transaction: &Transaction, rows: &[Model]) -> Result<(), StoreError> {
    let backend = transaction.get_database_backend();
    let source = match backend {
        DbBackend::Postgres => FROM_POSTGRES,
        _ => FROM_SQLITE,
    };
    let sql = UPSERT.replace("{source}", source);
    for chunk in rows.chunks(CHUNK) {
        let rows = revocation_row::json(chunk);
        transaction.execute_raw(Statement::from_sql_and_values(backend, &sql, [rows.into()])).await?;
    }
    Ok(())
}

/// Of two revocations of one thing the later times hold: nothing is ever lifted.
const UPSERT: &str = "
    INSERT INTO revocation (kind, mark, sub, not_before, until) {source}
    ON CONFLICT (kind, mark) DO UPDATE SET
        sub = COALESCE(excluded.sub, revocation.sub),
        not_before = CASE WHEN excluded.not_before > revocation.not_before
                     THEN excluded.not_before ELSE revocation.not_before END,
        until = CASE WHEN excluded.until > revocation.until THEN excluded.until ELSE revocation.until END";

/// Without the condition SQLite takes `ON CONFLICT` for that of a join.
const FROM_SQLITE: &str = "
    SELECT value ->> 0, unhex(value ->> 1), unhex(value ->> 2), value ->> 3, value ->> 4
    FROM json_each($1) WHERE TRUE";

const FROM_POSTGRES: &str = "
    SELECT value ->> 0, decode(value ->> 1, 'hex'), decode(value ->> 2, 'hex'),
           (value ->> 3)::bigint, (value ->> 4)::bigint
    FROM json_array_elements($1::json)";

/// Single tokens and sessions of one subject, and the times of a revocation of the subject that means all of them.
#[derive(Debug, Clone, FromQueryResult)]
struct Singles {
    sub: Vec<u8>,
    count: i64,
    not_before: i64,
    until: i64,
}

/// No token was issued after its revocation, and a session names its time by itself. That of a session may lie a minute ahead,
/// and so the subject's then does: whoever fills the table is kept out for that minute, and nothing is missed.
const SINGLES: &str = "
    SELECT sub, count(*) AS count, max(until) AS until,
           max(CASE kind WHEN 'jti' THEN not_before + 1 ELSE not_before END) AS not_before
    FROM revocation WHERE kind IN ('jti', 'sid') AND sub IS NOT NULL GROUP BY sub";

/// Brings the table within its bound, and answers whether that was possible. What has passed goes first, then what a
/// revocation of everything says as well, then single tokens and sessions give way to their subjects.
pub(crate) async fn fit(transaction: &Transaction, bound: u64, now: i64) -> Result<bool, StoreError> {
    if Entity::find().count(transaction).await? <= bound {
        return Ok(true);
    }
    Entity::delete_many().filter(Column::Until.lt(now)).exec(transaction).await?;
    give_way_to_all(transaction, now).await?;
    let rows = Entity::find().count(transaction).await?;
    if rows <= bound {
        return Ok(true);
    }
    let singles = Statement::from_string(transaction.get_database_backend(), SINGLES);
    let singles = transaction.query_all_raw(singles).await?;
    let singles = singles.iter().map(|row| Singles::from_query_result(row, "")).collect::<Result<_, _>>()?;
    let revoked = Entity::find().select_only().column(Column::Mark).filter(Column::Kind.eq(SUBJECT));
    let revoked: HashSet<Vec<u8>> = revoked.into_tuple().all(transaction).await?.into_iter().collect();
    let Some(subjects) = give_way(singles, &revoked, rows - bound) else {
        return Ok(false);
    };
    for chunk in subjects.chunks(CHUNK) {
        let rows: Vec<Model> = chunk.iter().map(of_subject).collect();
        upsert(transaction, &rows).await?;
        let gone = Column::Sub.is_in(chunk.iter().map(|singles| singles.sub.clone()));
        let gone = Entity::delete_many().filter(Column::Kind.is_in([TOKEN, SESSION])).filter(gone);
        gone.exec(transaction).await?;
    }
    Ok(true)
}

/// Removes what the revocation of everything means too, if there is one: who fills the table must not be able to prevent it.
/// It is remembered for as long as the last of them would have been. A session that has ended is named some time ahead; at
/// the moment of the revocation of everything it is meant too.
async fn give_way_to_all(transaction: &Transaction, now: i64) -> Result<(), StoreError> {
    let Some(all) = Entity::find().filter(Column::Kind.eq(ALL)).one(transaction).await? else {
        return Ok(());
    };
    let ahead = if all.not_before > now { AHEAD } else { 0 };
    let session = Column::Kind.eq(SESSION).and(Column::NotBefore.lte(all.not_before + ahead));
    let meant = Column::NotBefore.lte(all.not_before).or(session);
    let until = Entity::find().select_only().column_as(Column::Until.max(), "until").filter(meant.clone());
    let until: Option<Option<i64>> = until.into_tuple().one(transaction).await?;
    Entity::delete_many().filter(meant).exec(transaction).await?;
    let until = until.flatten().unwrap_or(all.until);
    upsert(transaction, &[Model { until, ..all }]).await
}

fn of_subject(singles: &Singles) -> Model {
    let Singles { sub, not_before, until, .. } = singles;
    Model { kind: SUBJECT.to_owned(), mark: sub.clone(), sub: None, not_before: *not_before, until: *until }
}

/// The subjects whose tokens and sessions give way so that there are so many rows less: those with most of them first, as few
/// as will do. One row for the subject takes their place, if it is not `revoked` already. `None` if all together are not
/// enough.
fn give_way(mut singles: Vec<Singles>, revoked: &HashSet<Vec<u8>>, excess: u64) -> Option<Vec<Singles>> {
    let gain = |singles: &Singles| singles.count - i64::from(!revoked.contains(&singles.sub));
    singles.sort_by(|one, other| gain(other).cmp(&gain(one)).then_with(|| one.sub.cmp(&other.sub)));
    let mut freed = 0;
    let enough = singles.iter().position(|singles| {
        freed += u64::try_from(gain(singles)).unwrap_or(0);
        freed >= excess
    })?;
    singles.truncate(enough + 1);
    Some(singles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counts: &[i64], revoked: &[u8], excess: u64, expected: Option<&[u8]>) {
        let revoked = revoked.iter().map(|&sub| vec![sub]).collect();
        let tokens =
            (0..).zip(counts).map(|(sub, &count)| Singles { sub: vec![sub], count, not_before: 1, until: 2 });
        let subjects = give_way(tokens.collect(), &revoked, excess);
        let subjects =
            subjects.map(|subjects| subjects.iter().map(|tokens| tokens.sub[0]).collect::<Vec<_>>());
        assert_eq!(subjects.as_deref(), expected, "{counts:?} {excess}");
    }

    // S-85
    #[test]
    fn the_subject_with_most_tokens_gives_way_first_and_no_more_than_need_be() {
        check(&[3, 9, 5], &[], 1, Some(&[1]));
        check(&[3, 9, 5], &[], 8, Some(&[1]));
        check(&[3, 9, 5], &[], 9, Some(&[1, 2]));
        check(&[3, 9, 5], &[], 14, Some(&[1, 2, 0]));
        check(&[4, 4], &[], 3, Some(&[0]));
    }

    // S-85
    #[test]
    fn a_subject_that_is_revoked_already_needs_no_row_more() {
        check(&[3, 3, 1], &[1], 3, Some(&[1]));
        check(&[1, 1], &[1], 1, Some(&[1]));
        check(&[1, 1], &[1], 2, None);
    }

    // S-85
    #[test]
    fn what_does_not_fit_does_not_fit() {
        check(&[3, 9, 5], &[], 15, None);
        check(&[1, 1, 1], &[], 1, None);
        check(&[], &[], 1, None);
    }
}
