//! Authorization codes (RFC 6749 section 4.1): each is used once, and a second use ends what the first has made.

use std::time::Duration;

use claviger_jose::NumericDate;
use claviger_oauth::{Authorization, AuthorizationCode, ClientId, Sid, UserId};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

use crate::{
    Act, Store, StoreError, User, audit_log, consent,
    entity::account,
    failpoint,
    refresh_table::{self, ACCOUNT},
    revocation::{self, Full},
    store::{advance_revocations, clock, secs},
    timed::Transaction,
    user_row,
};

/// No code lives longer, whatever is asked for.
const LONGEST: Duration = Duration::from_mins(1);
/// For how long what has followed from a code can still be ended by it, where that is access tokens alone.
const MEMORY: Duration = Duration::from_hours(2);

/// What a code is given out for.
#[derive(Debug, Clone)]
pub struct NewCode {
    /// To which client.
    pub client_id: ClientId,
    /// For whom.
    pub account: UserId,
    /// In which session.
    pub sid: Sid,
    /// What the person allowed, and what the redeeming request must show.
    pub authorization: Authorization,
    /// How long it may be redeemed: at most a minute.
    pub lifetime: Duration,
}

/// A code as it is presented, by a client that has proven who it is.
#[derive(Debug)]
pub struct PresentedCode<'a> {
    /// The code.
    pub code: &'a AuthorizationCode,
    /// Who presents it.
    pub client_id: &'a ClientId,
    /// The name of the family that follows from it.
    pub family: &'a str,
    /// How long the family may live.
    pub lifetime: Duration,
    /// For how long its first refresh token may lie unused.
    pub idle: Duration,
    /// Until when the end of a family must be told.
    pub until: NumericDate,
    /// Whether people must have consented to what this client does.
    pub needs_consent: bool,
    /// What the log says if the code was used before; its subject becomes the session.
    pub replay: Act,
}

/// What a code stands for.
#[derive(Debug, Clone)]
pub struct Redeemed {
    /// What the person allowed.
    pub authorization: Authorization,
    /// The person.
    pub user: User,
    /// The session in which it was allowed.
    pub sid: Sid,
}

/// What became of a presented code.
#[derive(Debug)]
pub enum Redemption<R> {
    /// It is good, it is used up, and its family has begun.
    Redeemed(Box<Redeemed>),
    /// It is used up for nothing: the request did not show what it must.
    Refused(R),
    /// It is used up for nothing: the person, the session or the consent is gone.
    Gone(&'static str),
    /// It was used before. What that has made is ended.
    Replayed {
        /// The session whose access tokens the feed names, if there was anything to end.
        ended: Option<Sid>,
        /// Whether the feed had room for it.
        told: bool,
    },
    /// There is none of this client that could still be redeemed.
    Unknown,
}

impl Store {
    /// Keeps a code, as a hash, for its lifetime.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn add_code(&self, code: &AuthorizationCode, new: &NewCode) -> Result<(), StoreError> {
        let backend = self.db.get_database_backend();
        let sql = format!(
            r#"INSERT INTO authorization_code
               (hash, client_id, account, sid, "authorization", created_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, {now}, {now} + $6)"#,
            now = clock(backend)
        );
        let lifetime = new.lifetime.min(LONGEST).as_secs();
        let values: [Value; 6] = [
            code.hash().to_vec().into(),
            new.client_id.as_str().into(),
            new.account.as_str().into(),
            new.sid.as_str().into(),
            json(&new.authorization)?.into(),
            i64::try_from(lifetime).unwrap_or(0).into(),
        ];
        self.db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(())
    }

    /// Redeems a code: uses it up, has the request checked against what it is bound to, and begins the family that follows
    /// from it, in one transaction. `check` answers the hash of the family's first refresh token, if it gets one. A request
    /// that fails the check uses the code up all the same: who could try again could guess.
    ///
    /// # Errors
    /// Nothing has changed then. [`StoreError::Unavailable`] above all.
    pub async fn redeem_code<R>(
        &self,
        presented: PresentedCode<'_>,
        check: impl FnOnce(&Redeemed) -> Result<Option<[u8; 32]>, R>,
    ) -> Result<Redemption<R>, StoreError> {
        let transaction = self.begin_write().await?;
        let Some((account, sid, authorization)) = use_up(&transaction, &presented).await? else {
            transaction.rollback().await?;
            return self.end_replayed(presented).await;
        };
        let outcome = match standing(&transaction, &presented, &account, &sid, authorization).await? {
            Err(gone) => Redemption::Gone(gone),
            Ok(redeemed) => match check(&redeemed) {
                Err(refusal) => Redemption::Refused(refusal),
                Ok(refresh) => {
                    begin_family(&transaction, &presented, &redeemed, refresh).await?;
                    Redemption::Redeemed(Box::new(redeemed))
                }
            },
        };
        failpoint("code.before_commit");
        transaction.commit().await?;
        failpoint("code.after_commit");
        Ok(outcome)
    }

    async fn end_replayed<R>(&self, presented: PresentedCode<'_>) -> Result<Redemption<R>, StoreError> {
        let transaction = self.begin_write().await?;
        advance_revocations(&transaction).await?;
        let sql = "SELECT sid, account, family FROM authorization_code
                   WHERE hash = $1 AND client_id = $2 AND used_at IS NOT NULL";
        let values = [presented.code.hash().to_vec().into(), presented.client_id.as_str().into()];
        let backend = transaction.get_database_backend();
        let row = transaction.query_one_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        let Some(row) = row else {
            transaction.rollback().await?;
            return Ok(Redemption::Unknown);
        };
        let sid: Sid = refresh_table::parse(&row.try_get::<String>("", "sid")?)?;
        let account: UserId = refresh_table::parse(&row.try_get::<String>("", "account")?)?;
        let family: Option<String> = row.try_get("", "family")?;
        let ended = match &family {
            Some(family) => refresh_table::end_family(&transaction, family, "replayed code").await?,
            None => false,
        };
        if !ended {
            transaction.rollback().await?;
            return Ok(Redemption::Replayed { ended: None, told: true });
        }
        let session = [revocation::of_session(sid.as_str(), &account)];
        let full = revocation::put(&transaction, &session, secs(presented.until)).await?;
        let mut act = presented.replay;
        act.subject = sid.to_string();
        audit_log::append(&transaction, &[act]).await?;
        transaction.commit().await?;
        Ok(Redemption::Replayed { ended: Some(sid), told: full == Full::No })
    }
}

type Used = (String, Sid, Authorization);

/// One update, which only one of many at the same time can make.
async fn use_up(
    transaction: &Transaction,
    presented: &PresentedCode<'_>,
) -> Result<Option<Used>, StoreError> {
    let backend = transaction.get_database_backend();
    let sql = format!(
        r#"UPDATE authorization_code SET used_at = {now}, family = $3
           WHERE hash = $1 AND client_id = $2 AND used_at IS NULL AND expires_at > {now}
           RETURNING account, sid, "authorization""#,
        now = clock(backend)
    );
    let values: [Value; 3] =
        [presented.code.hash().to_vec().into(), presented.client_id.as_str().into(), presented.family.into()];
    let row = transaction.query_one_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let Some(row) = row else { return Ok(None) };
    let sid = refresh_table::parse(&row.try_get::<String>("", "sid")?)?;
    let authorization = refresh_table::authorization(&row.try_get::<String>("", "authorization")?)?;
    Ok(Some((row.try_get("", "account")?, sid, authorization)))
}

/// The person, if nothing has happened since the code was given out. Both rows are held: whoever ends the session or
/// disables the person finds the family that begins here, or has been before.
async fn standing(
    transaction: &Transaction,
    presented: &PresentedCode<'_>,
    account: &str,
    sid: &Sid,
    authorization: Authorization,
) -> Result<Result<Redeemed, &'static str>, StoreError> {
    let backend = transaction.get_database_backend();
    let share = if backend == DbBackend::Postgres { " FOR SHARE" } else { "" };
    let one = async |sql: String, values: Vec<Value>| {
        transaction.query_one_raw(Statement::from_sql_and_values(backend, sql, values)).await
    };
    let sql = format!("SELECT {ACCOUNT} FROM account a WHERE a.id = $1{share}");
    let Some(row) = one(sql, vec![account.into()]).await? else {
        return Err(StoreError::Corrupt("a code of nobody".to_owned()));
    };
    let row = account::Model::from_query_result(&row, "a_")?;
    let since = row.not_before.max(row.password_changed_at.unwrap_or(0));
    let user = user_row::user(row)?;
    let sql = format!("SELECT ended_at FROM session WHERE sid = $1{share}");
    let session = one(sql, vec![sid.as_str().into()]).await?;
    // One that is not there any more has ended, and was forgotten.
    let alive = match session {
        Some(row) => row.try_get::<Option<i64>>("", "ended_at")?.is_none(),
        None => false,
    };
    let sql = "SELECT scopes FROM consent WHERE account = $1 AND client_id = $2".to_owned();
    let row = one(sql, vec![account.into(), presented.client_id.as_str().into()]).await?;
    let scopes = row.map(|row| row.try_get::<String>("", "scopes")).transpose()?;
    let consented = scopes.is_some_and(|scopes| consent::covers(&scopes, &authorization));
    Ok(if user.disabled {
        Err("the person is disabled")
    } else if secs(authorization.auth_time) < since {
        Err("the person was signed out everywhere, or changed the password")
    } else if !alive {
        Err("the session has ended")
    } else if presented.needs_consent && !consented {
        Err("the consent is gone")
    } else {
        Ok(Redeemed { authorization, user, sid: sid.clone() })
    })
}

async fn begin_family(
    transaction: &Transaction,
    presented: &PresentedCode<'_>,
    redeemed: &Redeemed,
    refresh: Option<[u8; 32]>,
) -> Result<(), StoreError> {
    let backend = transaction.get_database_backend();
    let now = clock(backend);
    let run = async |sql: String, values: Vec<Value>| {
        transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await
    };
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::from(u32::MAX));
    let Redeemed { authorization, user, sid } = redeemed;
    // Without refresh tokens a family is only what a second use of the code would end.
    let lifetime = if refresh.is_some() { presented.lifetime } else { MEMORY.min(presented.lifetime) };
    let sql = format!(
        r#"INSERT INTO refresh_family
           (id, client_id, account, sid, "authorization", auth_time, jkt, created_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, {now}, {now} + $8)"#
    );
    let values = vec![
        presented.family.into(),
        presented.client_id.as_str().into(),
        user.id.as_str().into(),
        sid.as_str().into(),
        json(authorization)?.into(),
        secs(authorization.auth_time).into(),
        authorization.dpop_jkt.clone().into(),
        seconds(lifetime).into(),
    ];
    run(sql, values).await?;
    if let Some(hash) = refresh {
        let sql = format!(
            "INSERT INTO refresh_token (hash, family, created_at, idle_until, retries)
             VALUES ($1, $2, {now}, {now} + $3, 0)"
        );
        let idle = seconds(presented.idle.min(presented.lifetime));
        run(sql, vec![hash.to_vec().into(), presented.family.into(), idle.into()]).await?;
    }
    let sql = "INSERT INTO session_client (sid, client_id) VALUES ($1, $2) ON CONFLICT DO NOTHING".to_owned();
    run(sql, vec![sid.as_str().into(), presented.client_id.as_str().into()]).await?;
    Ok(())
}

fn json(authorization: &Authorization) -> Result<String, StoreError> {
    serde_json::to_string(authorization)
        .map_err(|error| StoreError::Corrupt(format!("an authorization: {error}")))
}
