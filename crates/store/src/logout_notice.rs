//! Clients that are still to be told that a session has ended.

use std::collections::HashMap;

use claviger_jose::NumericDate;
use claviger_oauth::{ClientId, Sid, UserId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    Statement, sea_query::OnConflict,
};

use crate::{
    SecretHash, Store, StoreError,
    entity::{
        logout_notice::{Column, Entity, Model},
        session_client,
    },
    session_table::CHUNK,
    sign_out::Open,
    store::{date, read_clock},
    timed::Transaction,
};

/// How often a client is told before it is given up: for about a day.
pub const MAX_LOGOUT_ATTEMPTS: u32 = 14;

/// A client that is still to be told that a session has ended (OpenID Connect Back-Channel Logout 1.0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutNotice {
    /// The name of the notice, for [`Store::settle_logout_notice`].
    pub id: String,
    /// Whom to tell.
    pub client_id: ClientId,
    /// Whose session it was.
    pub account: UserId,
    /// The session.
    pub sid: Sid,
    /// How often it was tried, this time included.
    pub attempts: u32,
    /// When the session ended.
    pub created_at: NumericDate,
}

impl Store {
    /// Takes notices that are due, those that were tried least first, for one attempt each, and none to the clients of
    /// `except`: they are due again after 10 s, and after each attempt twice as long, up to 6 h, until they are [settled](Self::settle_logout_notice). Whoever
    /// dies over one has lost nothing, and two that take at once never take the same.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn take_logout_notices(
        &self,
        most: u32,
        except: &[ClientId],
    ) -> Result<Vec<LogoutNotice>, StoreError> {
        let backend = self.db.get_database_backend();
        let skip = if backend == DbBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
        let names: Vec<_> = (4..).take(except.len()).map(|number| format!("${number}")).collect();
        let except_sql = match names.as_slice() {
            [] => String::new(),
            names => format!("AND client_id NOT IN ({})", names.join(", ")),
        };
        let sql = TAKE.replace("{next}", NEXT).replace("{skip}", skip).replace("{except}", &except_sql);
        let now = read_clock(&self.db).await?;
        let limits = [now.into(), i64::from(MAX_LOGOUT_ATTEMPTS).into(), i64::from(most).into()];
        let values = limits.into_iter().chain(except.iter().map(|client| client.as_str().into()));
        let rows = self.db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        rows.iter().map(|row| notice(Model::from_query_result(row, "")?)).collect()
    }

    /// A client was told, or need not be.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn settle_logout_notice(&self, id: &str) -> Result<(), StoreError> {
        Entity::delete_by_id(id).exec(&self.db).await?;
        Ok(())
    }

    /// A client could not be reached. That was an attempt for all its notices that are due: each of them would have come to the
    /// same, one after the other, and kept others waiting.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn put_off_logout_notices(&self, client_id: &ClientId) -> Result<(), StoreError> {
        let backend = self.db.get_database_backend();
        let now = read_clock(&self.db).await?;
        let values = [now.into(), i64::from(MAX_LOGOUT_ATTEMPTS).into(), client_id.as_str().into()];
        let sql = PUT_OFF.replace("{next}", NEXT);
        self.db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(())
    }

    /// Gives up the clients that could not be told in [so many](MAX_LOGOUT_ATTEMPTS) attempts, and names them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn abandon_logout_notices(&self) -> Result<Vec<LogoutNotice>, StoreError> {
        let backend = self.db.get_database_backend();
        let values = [read_clock(&self.db).await?.into(), i64::from(MAX_LOGOUT_ATTEMPTS).into()];
        let rows = self.db.query_all_raw(Statement::from_sql_and_values(backend, ABANDON, values)).await?;
        rows.iter().map(|row| notice(Model::from_query_result(row, "")?)).collect()
    }
}

/// When the attempt after this one is due. The time is bound: an index is asked for what is before it.
const NEXT: &str = "$1 + CASE WHEN attempts < 11 THEN 10 * (1 << attempts) ELSE 21600 END";

/// The time of the next attempt is written before the attempt is made.
const TAKE: &str = "
    UPDATE logout_notice SET attempts = attempts + 1, next_at = {next}
    WHERE next_at <= $1 AND id IN (
        SELECT id FROM logout_notice WHERE next_at <= $1 AND attempts < $2 {except}
        ORDER BY attempts, next_at, id LIMIT $3 {skip})
    RETURNING *";

const PUT_OFF: &str = "
    UPDATE logout_notice SET attempts = attempts + 1, next_at = {next}
    WHERE next_at <= $1 AND attempts < $2 AND client_id = $3";

const ABANDON: &str = "DELETE FROM logout_notice WHERE next_at <= $1 AND attempts >= $2 RETURNING *";

/// Queues a notice to each client that has got tokens in one of these sessions.
pub(crate) async fn queue(transaction: &Transaction, ended: &[Open], now: i64) -> Result<(), StoreError> {
    let clients = session_client::Entity::find()
        .filter(session_client::Column::Sid.is_in(ended.iter().map(|(sid, _)| sid.as_str())))
        .all(transaction)
        .await?;
    let accounts: HashMap<&str, &str> = ended.iter().map(|(sid, account)| (&**sid, &**account)).collect();
    let row = |client: session_client::Model| {
        let account = (*accounts.get(client.sid.as_str())?).to_owned();
        Some(of(client, account, now).into_active_model())
    };
    let rows: Vec<_> = clients.into_iter().filter_map(row).collect();
    for chunk in rows.chunks(CHUNK) {
        let once = OnConflict::column(Column::Id).do_nothing().to_owned();
        let insert = Entity::insert_many(chunk.iter().cloned()).on_conflict(once);
        insert.exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// One client is told of one session once: the name says both.
fn of(client: session_client::Model, account: String, now: i64) -> Model {
    let session_client::Model { sid, client_id } = client;
    let hash = SecretHash::of(&format!("{sid} {client_id}"));
    let id = base64_simd::URL_SAFE_NO_PAD.encode_to_string(hash.as_bytes());
    Model { id, client_id, account, sid, attempts: 0, created_at: now, next_at: now }
}

fn notice(row: Model) -> Result<LogoutNotice, StoreError> {
    let damaged = |column: &str| StoreError::Corrupt(format!("{column} in logout_notice"));
    Ok(LogoutNotice {
        client_id: row.client_id.parse().map_err(|_| damaged("client_id"))?,
        account: row.account.parse().map_err(|_| damaged("account"))?,
        sid: row.sid.parse().map_err(|_| damaged("sid"))?,
        attempts: u32::try_from(row.attempts).map_err(|_| damaged("attempts"))?,
        created_at: date(row.created_at).ok_or_else(|| damaged("created_at"))?,
        id: row.id,
    })
}
