use std::path::{Path, PathBuf};

use sea_orm::DatabaseConnection;
use sea_orm_migration::MigratorTrait;
use sqlx::postgres::PgConnectOptions;

use crate::{StoreError, database_url::DatabaseUrl, migrate, postgres, sqlite};

/// An open, checked and migrated database.
pub(crate) struct Opened {
    pub(crate) db: DatabaseConnection,
    /// The file of an SQLite database.
    pub(crate) file: Option<PathBuf>,
    /// The server of a PostgreSQL database.
    pub(crate) server: Option<PgConnectOptions>,
}

/// Whether a database that does not exist is made. PostgreSQL's are made by their administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMissing {
    Create,
    Refuse,
}

pub(crate) async fn open<M: MigratorTrait>(url: &str, if_missing: IfMissing) -> Result<Opened, StoreError> {
    match DatabaseUrl::parse(url)? {
        DatabaseUrl::Sqlite(path) => {
            prepare_file(&path, if_missing)?;
            let db = sqlite::connect(&path).await?;
            migrate::refuse_newer::<M>(&db).await?;
            migrate::sqlite::<M>(&db, &path).await?;
            Ok(Opened { db, file: Some(path), server: None })
        }
        DatabaseUrl::Postgres(options) => {
            let db = postgres::connect(&options).await?;
            migrate::refuse_newer::<M>(&db).await?;
            if migrate::is_pending::<M>(&db).await? {
                migrate::postgres::<M>(&options).await?;
            }
            Ok(Opened { db, file: None, server: Some(postgres::serving(&options)) })
        }
    }
}

fn prepare_file(path: &Path, if_missing: IfMissing) -> Result<(), StoreError> {
    if if_missing == IfMissing::Create {
        sqlite::create_file(path)?;
    }
    sqlite::check_file(path)
}
