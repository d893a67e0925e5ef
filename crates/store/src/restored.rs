//! What a database that was restored from a backup must forget: what was used, ended or revoked since the backup is
//! unused and alive in it.

use claviger_jose::NumericDate;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, Query},
};

use crate::{
    Act, MAX_REVOCATIONS, Revoked, Store, StoreError, audit_log,
    entity::session::{Column, Entity},
    revocation_table,
    session_table::CHUNK,
    sign_out::{Open, end},
    store::{advance_revocations, read_clock, secs},
    timed::Transaction,
    waiting::announce,
};

/// Rows per statement.
const BATCH: u64 = 5000;

/// How much has ended after a restore.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndedSignIns {
    /// Authorization codes and pushed requests.
    pub codes: u64,
    /// One-time links.
    pub links: u64,
    /// Refresh families.
    pub families: u64,
    /// Sessions.
    pub sessions: u64,
}

impl Store {
    /// Ends whatever could be used once, and all sessions: nothing of it can be relied on in a database that is older than
    /// what has happened. The clients of the sessions are told, the feed has their `sid`, their subjects where those are too
    /// many, or all tokens so far where those are.
    ///
    /// It goes in steps, single-use secrets first; when it breaks off, it is run again. What begins meanwhile stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn end_all_sign_ins(
        &self,
        until: NumericDate,
        acts: &[Act],
    ) -> Result<EndedSignIns, StoreError> {
        self.end_all_sign_ins_within(MAX_REVOCATIONS, until, acts).await
    }

    /// [`end_all_sign_ins`](Self::end_all_sign_ins) with another bound of the feed: for tests, which would take long to fill
    /// the real one.
    ///
    /// # Errors
    /// As there.
    #[doc(hidden)]
    pub async fn end_all_sign_ins_within(
        &self,
        bound: u64,
        until: NumericDate,
        acts: &[Act],
    ) -> Result<EndedSignIns, StoreError> {
        let transaction = self.begin_write().await?;
        advance_revocations(&transaction).await?;
        let start = read_clock(&transaction).await?;
        let mut ended = EndedSignIns::default();
        for table in ["authorization_code", "pushed_request"] {
            let all = Query::delete().from_table(table).take();
            ended.codes += transaction.execute(&all).await?.rows_affected();
        }
        let links = Query::update()
            .table("one_time_link")
            .value("used_at", start)
            .and_where(Expr::col("used_at").is_null())
            .take();
        ended.links = transaction.execute(&links).await?.rows_affected();
        audit_log::append(&transaction, acts).await?;
        transaction.commit().await?;
        ended.families = self.end_all_families(start).await?;
        loop {
            let some = self.end_some_sessions(bound, start, until).await?;
            ended.sessions += some;
            if some == 0 {
                return Ok(ended);
            }
        }
    }

    async fn end_all_families(&self, start: i64) -> Result<u64, StoreError> {
        let mut ended = 0;
        loop {
            let alive = Query::select()
                .column("id")
                .from("refresh_family")
                .and_where(Expr::col("ended_at").is_null())
                .and_where(Expr::col("created_at").lte(start))
                .limit(BATCH)
                .take();
            let end = Query::update()
                .table("refresh_family")
                .value("ended_at", start)
                .value("end_reason", "restored")
                .and_where(Expr::col("id").in_subquery(alive))
                .take();
            let some = self.db.execute(&end).await?.rows_affected();
            ended += some;
            if some == 0 {
                return Ok(ended);
            }
        }
    }

    async fn end_some_sessions(&self, bound: u64, start: i64, until: NumericDate) -> Result<u64, StoreError> {
        let transaction = self.begin_write().await?;
        advance_revocations(&transaction).await?;
        let open = Entity::find()
            .select_only()
            .columns([Column::Sid, Column::Account])
            .filter(Column::EndedAt.is_null())
            .filter(Column::CreatedAt.lte(start))
            .order_by_asc(Column::Sid)
            .limit(CHUNK as u64)
            .lock_exclusive();
        let open: Vec<Open> = open.into_tuple().all(&transaction).await?;
        if open.is_empty() {
            transaction.rollback().await?;
            return Ok(0);
        }
        let ended = end(&transaction, &open, "restored").await?;
        if !ended.tell(&transaction, bound, until).await? {
            revoke_all(&transaction, bound, until).await?;
        }
        announce(&transaction).await?;
        transaction.commit().await?;
        Ok(ended.sessions)
    }
}

/// Where the feed cannot hold so many sessions, all tokens that were issued until now take their place.
async fn revoke_all(transaction: &Transaction, bound: u64, until: NumericDate) -> Result<(), StoreError> {
    let now = read_clock(transaction).await?;
    revocation_table::insert(transaction, &[Revoked::All.into()], now, secs(until)).await?;
    if revocation_table::fit(transaction, bound, now).await? { Ok(()) } else { Err(StoreError::FeedFull) }
}
