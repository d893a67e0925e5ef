//! Rows become revocations, and back.

use std::collections::HashMap;

use claviger_jose::{Mark, NumericDate};
use sea_orm::Set;

use crate::{
    Revocation, Revoked, StoreError,
    entity::revocation::{ActiveModel, Model},
    store::date,
};

pub(crate) const TOKEN: &str = "jti";
pub(crate) const SUBJECT: &str = "sub";

pub(crate) fn parse(row: &Model) -> Result<Revocation, StoreError> {
    let mark = || mark(&row.mark);
    let revoked = match row.kind.as_str() {
        TOKEN => Revoked::Token { jti: mark()?, sub: row.sub.as_deref().map(self::mark).transpose()? },
        "sid" => Revoked::Session(mark()?),
        SUBJECT => Revoked::Subject(mark()?),
        "client" => Revoked::Client(mark()?),
        "all" => Revoked::All,
        _ => return Err(damaged("kind")),
    };
    Ok(Revocation { revoked, not_before: time(row.not_before)?, until: time(row.until)? })
}

fn mark(bytes: &[u8]) -> Result<Mark, StoreError> {
    bytes.try_into().map(Mark::from_bytes).map_err(|_| damaged("mark"))
}

fn time(secs: i64) -> Result<NumericDate, StoreError> {
    date(secs).ok_or_else(|| damaged("a time"))
}

fn damaged(column: &str) -> StoreError {
    StoreError::Corrupt(format!("{column} in revocation"))
}

/// The rows of what is revoked now, each thing once.
pub(crate) fn rows(revoked: &[Revoked], now: i64, until: i64) -> Vec<ActiveModel> {
    let mut rows: HashMap<(&str, &[u8]), Option<&Mark>> = HashMap::with_capacity(revoked.len());
    for revoked in revoked {
        match revoked {
            Revoked::Token { jti, sub } => {
                let known = rows.entry((TOKEN, jti.as_bytes())).or_default();
                *known = known.or(sub.as_ref());
            }
            Revoked::Session(mark) => drop(rows.insert(("sid", mark.as_bytes()), None)),
            Revoked::Subject(mark) => drop(rows.insert((SUBJECT, mark.as_bytes()), None)),
            Revoked::Client(mark) => drop(rows.insert(("client", mark.as_bytes()), None)),
            Revoked::All => drop(rows.insert(("all", &[]), None)),
        }
    }
    let row = |((kind, mark), sub): ((&str, &[u8]), Option<&Mark>)| ActiveModel {
        kind: Set(kind.to_owned()),
        mark: Set(mark.to_vec()),
        sub: Set(sub.map(|sub| sub.as_bytes().to_vec())),
        // The last tokens that it means were issued in this very second.
        not_before: Set(if kind == TOKEN { now } else { now + 1 }),
        until: Set(until),
    };
    rows.into_iter().map(row).collect()
}
