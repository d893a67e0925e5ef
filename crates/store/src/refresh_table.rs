//! Refresh tokens and their families, many at once: one parameter for many rows, as `revocation_table` does it.

use std::{fmt::Display, str::FromStr};

use claviger_jose::NumericDate;
use claviger_oauth::{Authorization, ClientId, PresentedRefresh, Sid, UsedRefresh, UserId};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, QueryResult, Statement};
use serde_json::{Value, json};

use crate::{
    StoreError, audit_log, consent,
    entity::account,
    refresh_book::{Book, Changes, Hash, Kin, Token},
    revocation::{self, Full},
    revocation_row::hex,
    store::{clock, date, read_clock},
    timed::Transaction,
    user_row,
};

/// Ends a family, and answers whether it was alive.
pub(crate) async fn end_family(
    transaction: &Transaction,
    family: &str,
    reason: &str,
) -> Result<bool, StoreError> {
    let backend = transaction.get_database_backend();
    let sql = format!(
        "UPDATE refresh_family SET ended_at = {}, end_reason = $2 WHERE id = $1 AND ended_at IS NULL",
        clock(backend)
    );
    let statement = Statement::from_sql_and_values(backend, sql, [family.into(), reason.into()]);
    Ok(transaction.execute_raw(statement).await?.rows_affected() == 1)
}

/// The family of a token of this client, its session, and whose that is.
pub(crate) async fn family_of(
    db: &impl ConnectionTrait,
    token: &Hash,
    client: &ClientId,
) -> Result<Option<(String, Sid, UserId)>, StoreError> {
    let sql = "SELECT f.id, f.sid, f.account FROM refresh_token t JOIN refresh_family f ON f.id = t.family
               WHERE t.hash = $1 AND f.client_id = $2";
    let values = [token.to_vec().into(), client.as_str().into()];
    let row =
        db.query_one_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    row.map(|row| {
        let text = |column: &str| row.try_get::<String>("", column);
        Ok((text("id")?, parse(&text("sid")?)?, parse(&text("account")?)?))
    })
    .transpose()
}

/// Whoever changes the tokens of a family has its row, or a share of it. SQLite has one writer.
pub(crate) async fn lock(transaction: &Transaction, token: &Hash) -> Result<(), StoreError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let sql =
            "SELECT id FROM refresh_family WHERE id = (SELECT family FROM refresh_token WHERE hash = $1)
                   FOR NO KEY UPDATE";
        let values = [token.to_vec().into()];
        transaction.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await?;
    }
    Ok(())
}

/// What an account is to those who read it beside something else. Its password's hash stays where it is.
pub(crate) const ACCOUNT: &str = r#"
    a.id AS a_id, a.username AS a_username, a.username_key AS a_username_key, NULL AS a_password_hash,
    a.password_changed_at AS a_password_changed_at, a.disabled AS a_disabled, a.not_before AS a_not_before,
    a.claims AS a_claims, a.roles AS a_roles, a."groups" AS a_groups, a.created_at AS a_created_at,
    a.last_login_at AS a_last_login_at"#;

const READ: &str = r#"
    SELECT t.hash, t.family, t.idle_until, t.used_at, t.child, t.nonce, t.retries,
           c.used_at AS child_used_at, f.client_id, f.sid, f."authorization", f.jkt, f.expires_at,
           f.ended_at, s.ended_at AS session_ended_at, k.scopes, {account}
    FROM refresh_token t
    JOIN refresh_family f ON f.id = t.family
    JOIN account a ON a.id = f.account
    LEFT JOIN refresh_token c ON c.hash = t.child
    LEFT JOIN session s ON s.sid = f.sid
    LEFT JOIN consent k ON k.account = f.account AND k.client_id = f.client_id
    WHERE t.hash IN ({hashes})"#;

/// Reads all that the verdict on these tokens depends on.
pub(crate) async fn read(db: &impl ConnectionTrait, tokens: &[Hash]) -> Result<Book, StoreError> {
    let backend = db.get_database_backend();
    let hashes = match backend {
        DbBackend::Postgres => "SELECT decode(value, 'hex') FROM json_array_elements_text($1::json)",
        _ => "SELECT unhex(value) FROM json_each($1)",
    };
    let sql = READ.replace("{account}", ACCOUNT).replace("{hashes}", hashes);
    let presented = Value::from(tokens.iter().map(|token| hex(token)).collect::<Vec<_>>()).to_string();
    let statement = Statement::from_sql_and_values(backend, sql, [presented.into()]);
    let now = date(read_clock(db).await?).ok_or_else(|| StoreError::Corrupt("the time".to_owned()))?;
    let mut book = Book::new(now);
    for row in db.query_all_raw(statement).await? {
        enter(&mut book, &row)?;
    }
    Ok(book)
}

fn enter(book: &mut Book, row: &QueryResult) -> Result<(), StoreError> {
    let date_of = |column: &str| time(row.try_get("", column)?);
    let ended = |column: &str| Ok::<_, StoreError>(row.try_get::<Option<i64>>("", column)?.is_some());
    let used_at: Option<i64> = row.try_get("", "used_at")?;
    let used = match used_at {
        Some(at) => Some(UsedRefresh {
            at: time(at)?,
            child_used: ended("child_used_at")?,
            retries: u16::try_from(row.try_get::<i16>("", "retries")?).unwrap_or(u16::MAX),
        }),
        None => None,
    };
    let child = match (row.try_get("", "child")?, row.try_get("", "nonce")?) {
        (Some(child), Some(nonce)) => Some((bytes(child)?, bytes(nonce)?)),
        _ => None,
    };
    let token = Token {
        family: row.try_get("", "family")?,
        state: PresentedRefresh { idle_until: date_of("idle_until")?, used },
        child,
    };
    let authorization = authorization(&row.try_get::<String>("", "authorization")?)?;
    let scopes: Option<String> = row.try_get("", "scopes")?;
    let kin = Kin {
        client_id: parse(&row.try_get::<String>("", "client_id")?)?,
        jkt: row.try_get("", "jkt")?,
        ended: ended("ended_at")?,
        expires_at: date_of("expires_at")?,
        session_ended: ended("session_ended_at")?,
        consented: scopes.is_some_and(|scopes| consent::covers(&scopes, &authorization)),
        authorization,
        user: user_row::user(account::Model::from_query_result(row, "a_")?)?,
        sid: parse(&row.try_get::<String>("", "sid")?)?,
    };
    book.enter(bytes(row.try_get("", "hash")?)?, token, kin);
    Ok(())
}

/// Writes what was decided, and answers whether the feed had no room for what has ended.
pub(crate) async fn write(transaction: &Transaction, changes: &Changes) -> Result<Full, StoreError> {
    let Changes { used, retried, prolonged, ended } = changes;
    let uses = used.iter().map(|using| {
        json!([
            hex(&using.token),
            using.at,
            hex(&using.child),
            hex(&using.nonce),
            using.family,
            using.idle_until
        ])
    });
    let uses: Vec<Value> = uses.collect();
    if !uses.is_empty() {
        run(transaction, USE, &uses).await?;
        run(transaction, BEAR, &uses).await?;
    }
    // Each of them counts: one token may have been retried more than once.
    for token in retried {
        let sql = "UPDATE refresh_token SET retries = retries + 1 WHERE hash = $1";
        let backend = transaction.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, [token.to_vec().into()]);
        transaction.execute_raw(statement).await?;
    }
    let prolonged: Vec<Value> = prolonged.iter().map(|(token, until)| json!([hex(token), until])).collect();
    if !prolonged.is_empty() {
        run(transaction, PROLONG, &prolonged).await?;
    }
    if ended.is_empty() {
        return Ok(Full::No);
    }
    for end in ended {
        end_family(transaction, &end.family, "reuse").await?;
    }
    let sessions: Vec<_> =
        ended.iter().map(|end| revocation::of_session(end.sid.as_str(), &end.account)).collect();
    let until = ended.iter().map(|end| end.until).max().unwrap_or_default();
    let full = revocation::put(transaction, &sessions, until).await?;
    let acts: Vec<_> = ended.iter().map(|end| end.act.clone()).collect();
    audit_log::append(transaction, &acts).await?;
    Ok(full)
}

const USE: &str = "
    UPDATE refresh_token SET used_at = j.at, child = j.child, nonce = j.nonce
    FROM (SELECT {hex 0} AS hash, {number 1} AS at, {hex 2} AS child, {hex 3} AS nonce FROM {rows}) AS j
    WHERE refresh_token.hash = j.hash AND refresh_token.used_at IS NULL";

const BEAR: &str = "
    INSERT INTO refresh_token (hash, family, created_at, idle_until, retries)
    SELECT {hex 2}, value ->> 4, {number 1}, {number 5}, 0 FROM {rows} WHERE TRUE";

const PROLONG: &str = "
    UPDATE refresh_token SET idle_until = j.until
    FROM (SELECT {hex 0} AS hash, {number 1} AS until FROM {rows}) AS j
    WHERE refresh_token.hash = j.hash";

/// Says of uses whose answers may not have arrived that they are from now, if their children were not used yet.
pub(crate) async fn date_anew(transaction: &Transaction, tokens: &[Hash]) -> Result<(), StoreError> {
    let backend = transaction.get_database_backend();
    let now = read_clock(transaction).await?;
    let rows = tokens.iter().map(|token| json!([hex(token)])).collect::<Vec<_>>();
    let values = [Value::from(rows).to_string().into(), now.into()];
    let statement = Statement::from_sql_and_values(backend, dialect(DATE_ANEW, backend), values);
    transaction.execute_raw(statement).await?;
    Ok(())
}

const DATE_ANEW: &str = "
    UPDATE refresh_token SET used_at = $2
    WHERE hash IN (SELECT {hex 0} FROM {rows}) AND used_at IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM refresh_token c WHERE c.hash = refresh_token.child AND c.used_at IS NOT NULL)";

/// Runs a statement over rows that are one parameter, and checks that it did something to each.
async fn run(transaction: &Transaction, sql: &str, rows: &[Value]) -> Result<(), StoreError> {
    let backend = transaction.get_database_backend();
    let sql = dialect(sql, backend);
    let parameter = Value::from(rows.to_vec()).to_string();
    let statement = Statement::from_sql_and_values(backend, sql, [parameter.into()]);
    let done = transaction.execute_raw(statement).await?.rows_affected();
    if done == rows.len() as u64 {
        Ok(())
    } else {
        Err(StoreError::Corrupt(format!("{done} of {} refresh tokens could be changed", rows.len())))
    }
}

/// The words of a statement that each database has its own for.
fn dialect(sql: &str, backend: DbBackend) -> String {
    let (rows, hex, number) = match backend {
        DbBackend::Postgres => {
            ("json_array_elements($1::json)", ("decode(value ->> ", ", 'hex')"), ("(value ->> ", ")::bigint"))
        }
        _ => ("json_each($1)", ("unhex(value ->> ", ")"), ("(value ->> ", ")")),
    };
    let mut text = sql.replace("{rows}", rows);
    for place in 0..6 {
        text = text.replace(&format!("{{hex {place}}}"), &format!("{}{place}{}", hex.0, hex.1));
        text = text.replace(&format!("{{number {place}}}"), &format!("{}{place}{}", number.0, number.1));
    }
    text
}

pub(crate) fn authorization(json: &str) -> Result<Authorization, StoreError> {
    serde_json::from_str(json)
        .map_err(|_| StoreError::Corrupt("an authorization is not JSON of ours".to_owned()))
}

pub(crate) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error| StoreError::Corrupt(format!("in a grant: {error}")))
}

fn time(secs: i64) -> Result<NumericDate, StoreError> {
    date(secs).ok_or_else(|| StoreError::Corrupt("a time of a refresh token".to_owned()))
}

fn bytes<const N: usize>(bytes: Vec<u8>) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Corrupt("a hash of a refresh token".to_owned()))
}
