//! A row becomes a key, or a report of why it does not.

use claviger_jose::{Jwk, JwkSet};
use claviger_keyring::{KeyState, PURPOSE, SealedKey};
use sea_orm::{FromQueryResult, QueryResult};

use crate::{StoredKey, UnreadableKey, entity::signing_key::Model, store::date};

/// Reads one row by itself, so that damage to it does no harm to the others.
pub(crate) fn parse(row: &QueryResult) -> Result<StoredKey, UnreadableKey> {
    let unreadable = |reason: &str| {
        let text = |column: &str| row.try_get("", column).unwrap_or_else(|_| "(no text)".to_owned());
        UnreadableKey {
            kid: text("kid"),
            alg: text("alg"),
            purpose: text("purpose"),
            state: text("state"),
            reason: reason.to_owned(),
        }
    };
    let model = Model::from_query_result(row, "").map_err(|_| unreadable("a column has the wrong type"))?;
    accept(model).map_err(unreadable)
}

fn accept(row: Model) -> Result<StoredKey, &'static str> {
    let jwk = parse_jwk(&row.public_jwk).ok_or("public_jwk is not an acceptable public key")?;
    if row.kid != jwk.kid().as_str() {
        return Err("kid is not the thumbprint of public_jwk");
    }
    if row.alg != jwk.alg().as_str() {
        return Err("alg does not go with public_jwk");
    }
    if row.purpose != PURPOSE {
        return Err("unknown purpose");
    }
    let since = date(row.since).ok_or("since is before 1970")?;
    let until = row.until.map(|until| date(until).ok_or("until is before 1970")).transpose()?;
    let state =
        KeyState::from_parts(&row.state, since, until).ok_or("state, since and until do not go together")?;
    let sealed = row.sealed.map(|bytes| SealedKey { kek_id: row.kek_id.clone(), bytes });
    if sealed.is_some() && !state.is_published() {
        return Err("a private key behind a tombstone");
    }
    let created_at = date(row.created_at).ok_or("created_at is before 1970")?;
    Ok(StoredKey { jwk, state, created_at, sealed, kek_id: row.kek_id, state_seal: row.state_seal })
}

/// Exactly one key that passes every check of a published one.
fn parse_jwk(text: &str) -> Option<Jwk> {
    let set = JwkSet::parse(format!(r#"{{"keys":[{text}]}}"#).as_bytes()).ok()?;
    match (set.keys(), set.skipped()) {
        ([jwk], []) => Some(jwk.clone()),
        _ => None,
    }
}
