//! Sessions begin, are looked up by what the browser presents, and are forgotten.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use claviger_oauth::{ClientId, SessionSecret, Sid, UserId};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    Set, Statement, TryIntoModel,
    sea_query::{Expr, Query, SelectStatement, SimpleExpr},
};

use crate::{
    NewSession, OwnSession, Session, Store, StoreError,
    entity::{
        account,
        session::{self, Column},
        session_client,
    },
    session_row,
    store::{read_clock, secs},
    timed::Transaction,
    upkeep::{LONGEST, PAGE},
};

/// How far behind the last use of a session the stored one may be: a page that is loaded again and again writes nothing.
const TOUCH: i64 = 60;
/// Rows per statement when some are named.
pub(crate) const CHUNK: usize = 1000;

impl Store {
    /// Begins a session, known by its secret, of which only the hash is kept. `None` if the account is disabled, or was
    /// signed out everywhere since its [`not_before`](NewSession::not_before) was read.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn begin_session(
        &self,
        secret: &SessionSecret,
        new: &NewSession,
    ) -> Result<Option<Session>, StoreError> {
        let transaction = self.begin_write().await?;
        if !may_sign_in(&transaction, new).await? {
            transaction.rollback().await?;
            return Ok(None);
        }
        let now = read_clock(&transaction).await?;
        let row = session_row::row(secret, new, now, secs(new.not_before));
        session::Entity::insert(row.clone()).exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        session_row::parse(&row.try_into_model()?).map(Some)
    }

    /// The person of a session has shown again who they are: the same session goes on, from now, known by a new secret,
    /// and the old one is worth nothing (a secret that somebody had fixed or seen before is none afterwards). `None` if
    /// `old` is no session of theirs that is alive, and as for [`begin_session`](Self::begin_session).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn renew_session(
        &self,
        old: &SessionSecret,
        secret: &SessionSecret,
        new: &NewSession,
    ) -> Result<Option<Session>, StoreError> {
        let transaction = self.begin_write().await?;
        let may_sign_in = may_sign_in(&transaction, new).await?;
        let now = read_clock(&transaction).await?;
        let held = session::Entity::find_by_id(old.hash().to_vec())
            .filter(Column::Account.eq(new.account.as_str()))
            .filter(Column::EndedAt.is_null())
            .filter(Column::ExpiresAt.gt(now))
            .lock_exclusive()
            .one(&transaction)
            .await?;
        let Some(held) = held.filter(|_| may_sign_in) else {
            transaction.rollback().await?;
            return Ok(None);
        };
        let mut row = session_row::row(secret, new, now, secs(new.not_before));
        row.sid = Set(held.sid);
        row.created_at = Set(held.created_at);
        session::Entity::delete_by_id(held.hash).exec(&transaction).await?;
        session::Entity::insert(row.clone()).exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        session_row::parse(&row.try_into_model()?).map(Some)
    }

    /// The session that a browser presents, if it is alive: not ended, not past its end, used within `idle`, of an
    /// account that is not disabled and was not signed out everywhere since. It counts as used now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn session(
        &self,
        secret: &SessionSecret,
        idle: Duration,
    ) -> Result<Option<Session>, StoreError> {
        let now = read_clock(&self.db).await?;
        let row = session::Entity::find_by_id(secret.hash().to_vec()).filter(is_alive(now, idle));
        let Some(row) = row.one(&self.db).await? else {
            return Ok(None);
        };
        if now - row.seen_at >= TOUCH {
            let touch = session::Entity::update_many()
                .col_expr(Column::SeenAt, now.into())
                .filter(Column::Sid.eq(row.sid.as_str()))
                .filter(Column::SeenAt.lt(now));
            // Who is signed in stays so while the database takes no writes.
            match touch.exec(&self.db).await.map_err(StoreError::from) {
                Ok(_) | Err(StoreError::Unavailable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        session_row::parse(&row).map(Some)
    }

    /// The session of this name, if it has not been ended and is not past its end, whoever presents it. A name is no
    /// secret: it shows which session is meant, and proves nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn session_of_sid(&self, sid: &Sid) -> Result<Option<Session>, StoreError> {
        self.held(Column::Sid.eq(sid.as_str())).await
    }

    /// The session that a browser presents, if there is anything to end: however long it was not used, for clients may still
    /// act for the person in it. It does not count as used.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn held_session(&self, secret: &SessionSecret) -> Result<Option<Session>, StoreError> {
        self.held(Column::Hash.eq(secret.hash().to_vec())).await
    }

    async fn held(&self, which: SimpleExpr) -> Result<Option<Session>, StoreError> {
        let now = read_clock(&self.db).await?;
        let row = session::Entity::find()
            .filter(which)
            .filter(Column::EndedAt.is_null())
            .filter(Expr::col(Column::ExpiresAt).gt(now).or(Expr::exists(live_families(now))));
        row.one(&self.db).await?.as_ref().map(session_row::parse).transpose()
    }

    /// What is open of a person, the last used first: sessions that are alive, and those in which clients still hold
    /// refresh tokens.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn sessions_of(&self, account: &UserId, idle: Duration) -> Result<Vec<OwnSession>, StoreError> {
        let now = read_clock(&self.db).await?;
        let idle = i64::try_from(idle.as_secs()).unwrap_or(i64::MAX);
        let signed_in = |row: &session::Model| row.expires_at > now && row.seen_at > now.saturating_sub(idle);
        let alive =
            Condition::all().add(Column::ExpiresAt.gt(now)).add(Column::SeenAt.gt(now.saturating_sub(idle)));
        let rows = session::Entity::find()
            .filter(Column::Account.eq(account.as_str()))
            .filter(Column::EndedAt.is_null())
            .filter(Condition::any().add(alive).add(Expr::exists(live_families(now))))
            .order_by_desc(Column::SeenAt)
            .order_by_asc(Column::Sid)
            .limit(CHUNK as u64)
            .all(&self.db)
            .await?;
        let mut clients = self.clients_in(&rows).await?;
        let own = |row: &session::Model| {
            Ok(OwnSession {
                session: session_row::parse(row)?,
                is_signed_in: signed_in(row),
                clients: clients.remove(&row.sid).unwrap_or_default(),
            })
        };
        rows.iter().map(own).collect()
    }

    /// The clients that have got tokens in these sessions, by session and name.
    async fn clients_in(
        &self,
        rows: &[session::Model],
    ) -> Result<HashMap<String, Vec<ClientId>>, StoreError> {
        let found = session_client::Entity::find()
            .filter(session_client::Column::Sid.is_in(rows.iter().map(|row| row.sid.as_str())))
            .order_by_asc(session_client::Column::ClientId);
        let mut clients: HashMap<String, Vec<ClientId>> = HashMap::new();
        for row in found.all(&self.db).await? {
            let client = row
                .client_id
                .parse()
                .map_err(|_| StoreError::Corrupt("client_id in session_client".to_owned()))?;
            clients.entry(row.sid).or_default().push(client);
        }
        Ok(clients)
    }

    /// Forgets the sessions that nothing can come of any more, and answers how many those were: ended, past their end or
    /// unused for `idle`, and without a refresh token that is alive. Of very many some are left for the next time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all; what was forgotten before is.
    pub async fn forget_sessions(&self, idle: Duration) -> Result<u64, StoreError> {
        let idle = i64::try_from(idle.as_secs()).unwrap_or(i64::MAX);
        let mut forgotten = 0;
        for column in ENDS {
            let (started, idle) = (Instant::now(), if column == SEEN { idle } else { 0 });
            loop {
                let past = self.forget_some_sessions(column, idle).await?;
                forgotten += past;
                if past < PAGE || started.elapsed() > LONGEST {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    async fn forget_some_sessions(&self, column: &str, idle: i64) -> Result<u64, StoreError> {
        let transaction = self.begin_write().await?;
        let now = read_clock(&transaction).await?;
        let most = i64::try_from(PAGE).unwrap_or(1);
        let values = [now.saturating_sub(idle).into(), now.into(), most.into()];
        let backend = transaction.get_database_backend();
        let past = Statement::from_sql_and_values(backend, past_statement(column), values);
        let past = transaction.query_all_raw(past).await?;
        let past: Vec<String> = past.iter().map(|row| row.try_get("", "sid")).collect::<Result<_, _>>()?;
        if past.is_empty() {
            transaction.rollback().await?;
            return Ok(0);
        }
        let clients =
            session_client::Entity::delete_many().filter(session_client::Column::Sid.is_in(past.clone()));
        clients.exec(&transaction).await?;
        let gone = session::Entity::delete_many().filter(Column::Sid.is_in(past)).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(gone.rows_affected)
    }
}

const SEEN: &str = "seen_at";
/// What ends a session, each with an index: of one condition over all of them no index would be used.
const ENDS: [&str; 3] = ["ended_at", "expires_at", SEEN];

fn past_statement(column: &str) -> String {
    format!(
        "SELECT sid FROM session WHERE {column} <= $1 AND NOT EXISTS (
             SELECT 1 FROM refresh_family f
             WHERE f.sid = session.sid AND f.ended_at IS NULL AND f.expires_at > $2)
         ORDER BY {column} LIMIT $3"
    )
}

pub(crate) fn past_statements() -> impl Iterator<Item = String> {
    ENDS.iter().map(|column| past_statement(column))
}

/// Whether the account is still as it was when its password was read. The row is held until the transaction ends: who
/// ends all of its sessions comes before or after, and then sees this one.
async fn may_sign_in(transaction: &Transaction, new: &NewSession) -> Result<bool, StoreError> {
    let account = account::Entity::find_by_id(new.account.as_str())
        .filter(account::Column::Disabled.eq(false))
        .filter(account::Column::NotBefore.eq(secs(new.not_before)))
        .lock_shared();
    Ok(account.one(transaction).await?.is_some())
}

/// Whether a session is alive at this time.
fn is_alive(now: i64, idle: Duration) -> Condition {
    let idle = i64::try_from(idle.as_secs()).unwrap_or(i64::MAX);
    let account = Query::select()
        .expr(Expr::val(1))
        .from(account::Entity)
        .and_where(
            Expr::col((account::Entity, account::Column::Id)).equals((session::Entity, Column::Account)),
        )
        .and_where(account::Column::Disabled.eq(false))
        .and_where(
            Expr::col((account::Entity, account::Column::NotBefore))
                .lte(Expr::col((session::Entity, Column::AuthTime))),
        )
        .take();
    Condition::all()
        .add(Column::EndedAt.is_null())
        .add(Column::ExpiresAt.gt(now))
        .add(Column::SeenAt.gt(now.saturating_sub(idle)))
        .add(Expr::exists(account))
}

/// The refresh families of a session that are alive at this time.
fn live_families(now: i64) -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from("refresh_family")
        .and_where(Expr::col(("refresh_family", "sid")).equals((session::Entity, Column::Sid)))
        .and_where(Expr::col(("refresh_family", "ended_at")).is_null())
        .and_where(Expr::col(("refresh_family", "expires_at")).gt(now))
        .take()
}
