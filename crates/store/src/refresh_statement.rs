//! PostgreSQL: the use of a refresh token in one statement.

use std::sync::LazyLock;

use claviger_oauth::RefreshPolicy;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, FromQueryResult, Statement};

use serde_json::json;

use crate::{
    NextToken, RefreshAttempt, Refreshed, StoreError,
    entity::account,
    refresh_table::{self, ACCOUNT},
    store::clock,
    timed::Timed,
    user_row,
};

/// Uses a token that is good and was never used, with nothing asked for that has to be looked at. Answers nothing if there
/// is anything else about it: then nothing has changed, and the verdict takes a look.
///
/// That this is done exactly where the verdict would be `Rotate` is a test of the store.
pub(crate) async fn rotate(
    db: &Timed<DatabaseConnection>,
    presented: &RefreshAttempt,
) -> Result<Option<Refreshed>, StoreError> {
    let plain = presented.scope.is_none() && presented.resource.is_empty();
    if !plain || presented.policy != RefreshPolicy::Rotate {
        return Ok(None);
    }
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        rotation_statement(),
        [
            presented.token.to_vec().into(),
            presented.client_id.as_str().into(),
            presented.jkt.clone().into(),
            presented.child.hash.to_vec().into(),
            presented.child.nonce.to_vec().into(),
            i64::try_from(presented.terms.idle.as_secs()).unwrap_or(i64::from(u32::MAX)).into(),
            presented.needs_consent.into(),
            json!(presented.targets).to_string().into(),
        ],
    );
    let Some(row) = db.query_one_raw(statement).await? else { return Ok(None) };
    Ok(Some(Refreshed {
        authorization: refresh_table::authorization(&row.try_get::<String>("", "authorization")?)?,
        user: user_row::user(account::Model::from_query_result(&row, "a_")?)?,
        sid: refresh_table::parse(&row.try_get::<String>("", "sid")?)?,
        next: NextToken::Child(presented.child.nonce),
    }))
}

/// The one statement in which PostgreSQL uses a refresh token: for measurements, which compare its bare loop with all
/// that is around it.
#[doc(hidden)]
#[must_use]
pub fn rotation_statement() -> &'static str {
    static SQL: LazyLock<String> =
        LazyLock::new(|| SQL_TEXT.replace("{now}", clock(DbBackend::Postgres)).replace("{account}", ACCOUNT));
    &SQL
}

/// Whether the consent covers all that was authorized is whether the JSON of the one contains that of the other; what does
/// not begin so is a list of before, and no JSON.
///
/// It holds a share of the family until it is done: whoever ends the family does so before or after it, and never in
/// between.
const SQL_TEXT: &str = r#"
    WITH alive AS MATERIALIZED (
        SELECT f.id, f.account, f.sid, f.client_id, f."authorization", f.auth_time, f.expires_at, {now} AS now
        FROM refresh_family f
        WHERE f.id = (SELECT family FROM refresh_token WHERE hash = $1)
          AND f.client_id = $2 AND f.jkt IS NOT DISTINCT FROM $3 AND f.ended_at IS NULL
        FOR SHARE OF f
    ), good AS MATERIALIZED (
        SELECT f.*, {account}
        FROM alive f
        JOIN account a ON a.id = f.account
        WHERE f.expires_at > f.now AND NOT a.disabled
          AND f.auth_time >= a.not_before AND f.auth_time >= COALESCE(a.password_changed_at, 0)
          AND json_array_length(f."authorization"::json -> 'audiences') = 1
          AND f."authorization"::json -> 'audiences' ->> 0 IN (SELECT json_array_elements_text($8::json))
          AND NOT EXISTS (SELECT FROM session s WHERE s.sid = f.sid AND s.ended_at IS NOT NULL)
          AND (NOT $7 OR EXISTS (
              SELECT FROM consent k WHERE k.account = f.account AND k.client_id = f.client_id
              AND CASE WHEN k.scopes LIKE '{"%'
                       THEN (f."authorization"::jsonb -> 'allowed') <@ k.scopes::jsonb ELSE FALSE END))
    ), used AS (
        UPDATE refresh_token t SET used_at = good.now, child = $4, nonce = $5
        FROM good
        WHERE t.hash = $1 AND t.used_at IS NULL AND t.idle_until > good.now
        RETURNING good.*
    ), born AS (
        INSERT INTO refresh_token (hash, family, created_at, idle_until, retries)
        SELECT $4, used.id, used.now, LEAST(used.now + $6, used.expires_at), 0 FROM used
    )
    SELECT * FROM used"#;
