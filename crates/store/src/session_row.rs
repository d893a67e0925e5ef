//! Rows become sessions, and back.

use claviger_jose::NumericDate;
use claviger_oauth::SessionSecret;
use sea_orm::Set;

use crate::{
    NewSession, Session, StoreError,
    entity::session::{ActiveModel, Model},
    store::date,
};

/// Whatever a browser calls itself, a row stays small.
const MAX_TEXT: usize = 256;

pub(crate) fn parse(row: &Model) -> Result<Session, StoreError> {
    Ok(Session {
        sid: row.sid.parse().map_err(|_| damaged("sid"))?,
        account: row.account.parse().map_err(|_| damaged("account"))?,
        auth_time: time(row.auth_time)?,
        amr: serde_json::from_str(&row.amr).map_err(|_| damaged("amr"))?,
        acr: row.acr.clone(),
        created_at: time(row.created_at)?,
        seen_at: time(row.seen_at)?,
        expires_at: time(row.expires_at)?,
        user_agent: row.user_agent.clone(),
        address: row.address.clone(),
    })
}

/// The row of a session that begins `now`. An account that was signed out everywhere in this very second has a
/// `not_before` that is still to come: what begins after that is not before it.
pub(crate) fn row(secret: &SessionSecret, new: &NewSession, now: i64, not_before: i64) -> ActiveModel {
    let lifetime = i64::try_from(new.lifetime.as_secs()).unwrap_or(i64::MAX);
    ActiveModel {
        hash: Set(secret.hash().to_vec()),
        sid: Set(new.sid.as_str().to_owned()),
        account: Set(new.account.as_str().to_owned()),
        auth_time: Set(now.max(not_before)),
        amr: Set(serde_json::Value::from(new.amr.clone()).to_string()),
        acr: Set(new.acr.clone()),
        created_at: Set(now),
        seen_at: Set(now),
        expires_at: Set(now.saturating_add(lifetime)),
        user_agent: Set(bounded(&new.user_agent)),
        address: Set(bounded(&new.address)),
        ended_at: Set(None),
    }
}

/// PostgreSQL's texts hold no NUL, and no reader wants the other control characters.
fn bounded(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(MAX_TEXT).collect()
}

fn time(secs: i64) -> Result<NumericDate, StoreError> {
    date(secs).ok_or_else(|| damaged("a time"))
}

fn damaged(column: &str) -> StoreError {
    StoreError::Corrupt(format!("{column} in session"))
}
