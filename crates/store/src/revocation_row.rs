//! Rows become revocations, and back.

use std::collections::HashMap;

use claviger_jose::{Mark, NumericDate};
use serde_json::{Value, json};

use crate::{Revocation, Revoked, StoreError, entity::revocation::Model, revocation::Owned, store::date};

pub(crate) const TOKEN: &str = "jti";
pub(crate) const SESSION: &str = "sid";
pub(crate) const SUBJECT: &str = "sub";
pub(crate) const ALL: &str = "all";

pub(crate) fn parse(row: &Model) -> Result<Revocation, StoreError> {
    let mark = || mark(&row.mark);
    let revoked = match row.kind.as_str() {
        TOKEN => Revoked::Token { jti: mark()?, sub: row.sub.as_deref().map(self::mark).transpose()? },
        SESSION => Revoked::Session(mark()?),
        SUBJECT => Revoked::Subject(mark()?),
        "client" => Revoked::Client(mark()?),
        ALL => Revoked::All,
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
pub(crate) fn rows(revoked: &[Owned], now: i64, until: i64) -> Vec<Model> {
    let mut rows: HashMap<(&str, &[u8]), Option<&Mark>> = HashMap::with_capacity(revoked.len());
    for Owned { revoked, sub } in revoked {
        let name: (&str, &[u8]) = match revoked {
            Revoked::Token { jti, .. } => (TOKEN, jti.as_bytes()),
            Revoked::Session(mark) => (SESSION, mark.as_bytes()),
            Revoked::Subject(mark) => (SUBJECT, mark.as_bytes()),
            Revoked::Client(mark) => ("client", mark.as_bytes()),
            Revoked::All => (ALL, &[]),
        };
        let known = rows.entry(name).or_default();
        *known = known.or(sub.as_ref());
    }
    let row = |((kind, mark), sub): ((&str, &[u8]), Option<&Mark>)| Model {
        kind: kind.to_owned(),
        mark: mark.to_vec(),
        sub: sub.map(|sub| sub.as_bytes().to_vec()),
        // The last tokens that it means were issued in this very second.
        not_before: if kind == TOKEN { now } else { now + 1 },
        until,
    };
    rows.into_iter().map(row).collect()
}

/// Rows as a JSON array of arrays, the form in which [`revocation_table`](crate::revocation_table) hands many to the database.
pub(crate) fn json(rows: &[Model]) -> String {
    let array = |row: &Model| {
        let sub = row.sub.as_deref().map_or(Value::Null, |sub| hex(sub).into());
        json!([row.kind, hex(&row.mark), sub, row.not_before, row.until])
    };
    Value::Array(rows.iter().map(array).collect()).to_string()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_an_array() {
        let row = |kind: &str, mark: &[u8], sub: Option<&[u8]>| Model {
            kind: kind.to_owned(),
            mark: mark.to_vec(),
            sub: sub.map(<[u8]>::to_vec),
            not_before: 1,
            until: 2,
        };
        let rows = [row("jti", &[0x0f, 0xa0], Some(&[0xff])), row("all", &[], None)];
        assert_eq!(json(&rows), r#"[["jti","0fa0","ff",1,2],["all","",null,1,2]]"#);
    }

    #[test]
    fn each_thing_is_one_row_and_a_known_subject_is_kept() {
        let (jti, sub) = (Mark::from_bytes([1; 16]), Mark::from_bytes([2; 16]));
        let token = |sub| Owned::from(Revoked::Token { jti, sub });
        let rows = rows(&[token(None), token(Some(sub)), token(None), Revoked::Subject(jti).into()], 10, 20);
        assert_eq!(rows.len(), 2);
        let [token] = &rows.iter().filter(|row| row.kind == TOKEN).collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!((token.sub.as_deref(), token.not_before), (Some(&[2; 16][..]), 10));
        assert!(rows.iter().any(|row| row.kind == SUBJECT && row.not_before == 11));
    }
}
