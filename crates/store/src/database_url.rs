use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use crate::StoreError;

/// Which database a URL names. Never shown: a PostgreSQL URL may hold a password.
pub(crate) enum DatabaseUrl {
    /// `sqlite://` and a path, taken literally.
    Sqlite(PathBuf),
    /// `postgres://` or `postgresql://`.
    Postgres(Box<PgConnectOptions>),
}

impl DatabaseUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return parse_path(path).map(Self::Sqlite);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = url.parse::<PgConnectOptions>();
            let options = options.map_err(|_| {
                StoreError::BadUrl("is not one of PostgreSQL's: postgres://user:password@host/database")
            })?;
            return Ok(Self::Postgres(Box::new(options)));
        }
        Err(StoreError::BadUrl("must begin with sqlite:// or postgres://"))
    }
}

fn parse_path(path: &str) -> Result<PathBuf, StoreError> {
    // SQLite would take `file:` and `:memory:` for more than names of files, and a parameter could turn durability off.
    if path.is_empty() || path.ends_with('/') {
        return Err(StoreError::BadUrl("names no file: sqlite:///path/to/claviger.db"));
    }
    if path.starts_with(':') || path.starts_with("file:") || path.contains(['?', '#', '\0']) {
        return Err(StoreError::BadUrl("must hold a plain path, without parameters"));
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: &str) {
        let found = match DatabaseUrl::parse(url) {
            Ok(DatabaseUrl::Sqlite(path)) => format!("sqlite {}", path.display()),
            Ok(DatabaseUrl::Postgres(options)) => format!("postgres {}", options.get_host()),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{url}");
    }

    #[test]
    fn a_path_is_absolute_or_relative() {
        check("sqlite:///var/lib/claviger/claviger.db", "sqlite /var/lib/claviger/claviger.db");
        check("sqlite://data/claviger.db", "sqlite data/claviger.db");
        check("sqlite:///a%20b", "sqlite /a%20b");
    }

    #[test]
    fn postgres_has_two_names() {
        check("postgres://claviger:secret@db.example/claviger", "postgres db.example");
        check("postgresql://claviger@db.example:5433/claviger", "postgres db.example");
    }

    #[test]
    fn a_parameter_cannot_turn_durability_off() {
        for url in
            ["sqlite://x?mode=memory", "sqlite://:memory:", "sqlite://file:x?vfs=unix-none", "sqlite://x#y"]
        {
            check(url, "the database URL must hold a plain path, without parameters");
        }
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        for url in ["", "claviger.db", "sqlite:x", "mysql://x/y", "http://x"] {
            check(url, "the database URL must begin with sqlite:// or postgres://");
        }
        check("sqlite://", "the database URL names no file: sqlite:///path/to/claviger.db");
    }

    #[test]
    fn an_error_does_not_repeat_a_password() {
        let error =
            DatabaseUrl::parse("postgres://claviger:hunter2@db:not-a-port/x").err().expect("a bad port");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
