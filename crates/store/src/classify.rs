//! What kind of failure an error of the database is.

use sea_orm::{DbErr, RuntimeErr};

use crate::StoreError;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match kind_of(&error) {
            Kind::Passing => Self::Unavailable(error.into()),
            Kind::Rule => Self::Refused(error.into()),
            Kind::Damage => Self::Corrupt(error.to_string()),
            Kind::Other => Self::Database(error.into()),
        }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        let kind = match &error {
            DbErr::ConnectionAcquire(_) => Kind::Passing,
            DbErr::Conn(RuntimeErr::SqlxError(source))
            | DbErr::Exec(RuntimeErr::SqlxError(source))
            | DbErr::Query(RuntimeErr::SqlxError(source)) => kind_of(source),
            _ => Kind::Other,
        };
        match kind {
            Kind::Passing => Self::Unavailable(error.into()),
            Kind::Rule => Self::Refused(error.into()),
            Kind::Damage => Self::Corrupt(error.to_string()),
            Kind::Other => Self::Database(error.into()),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Passing,
    Rule,
    Damage,
    Other,
}

fn kind_of(error: &sqlx::Error) -> Kind {
    use sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
    match error {
        Database(error) => kind_of_code(&error.code().unwrap_or_default()),
        Io(_) | Tls(_) | Protocol(_) | PoolTimedOut | PoolClosed | WorkerCrashed => Kind::Passing,
        _ => Kind::Other,
    }
}

/// PostgreSQL's codes are five characters (its manual's appendix A), SQLite's a decimal number whose low byte is the
/// primary code (<https://www.sqlite.org/rescode.html>).
fn kind_of_code(code: &str) -> Kind {
    if let (5, Some(class)) = (code.len(), code.get(..2)) {
        return match (class, code) {
            // connection, resources, operator intervention (statement timeout, shutdown), system;
            // serialization, deadlock, lock timeout; a primary that became a standby
            ("08" | "53" | "57" | "58", _) | (_, "40001" | "40P01" | "55P03" | "25006") => Kind::Passing,
            ("23", _) => Kind::Rule,
            (_, "XX001" | "XX002") => Kind::Damage,
            _ => Kind::Other,
        };
    }
    match code.parse::<u32>().map(|code| code & 0xff) {
        // BUSY, LOCKED, NOMEM, IOERR, FULL, CANTOPEN, PROTOCOL
        Ok(5 | 6 | 7 | 10 | 13 | 14 | 15) => Kind::Passing,
        Ok(19) => Kind::Rule,        // CONSTRAINT, RAISE in a trigger included
        Ok(11 | 26) => Kind::Damage, // CORRUPT, NOTADB
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_database_a_full_disk_and_a_time_out_pass() {
        for code in ["5", "517", "13", "10", "57014", "55P03", "40001", "53300", "08006", "25006"] {
            assert_eq!(kind_of_code(code), Kind::Passing, "{code}");
        }
    }

    #[test]
    fn a_broken_rule_does_not_pass() {
        for code in ["19", "1811", "2067", "787", "23505", "23514", "23503"] {
            assert_eq!(kind_of_code(code), Kind::Rule, "{code}");
        }
    }

    #[test]
    fn damage_is_named() {
        for code in ["11", "26", "779", "XX001"] {
            assert_eq!(kind_of_code(code), Kind::Damage, "{code}");
        }
    }

    #[test]
    fn the_rest_is_neither() {
        for code in ["", "1", "28P01", "42P01", "nonsense"] {
            assert_eq!(kind_of_code(code), Kind::Other, "{code}");
        }
    }
}
