//! Signing keys, whose they are, and the numbers by which running issuers notice changes.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, blob, blob_null, small_integer, string_len, text},
    sea_orm::DbBackend,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(revision()).await?;
        manager.create_table(issuer()).await?;
        manager.create_table(signing_key()).await?;
        let db = manager.get_connection();
        db.execute_unprepared("INSERT INTO revision (id, keyring, registry) VALUES (1, 0, 0)").await?;
        db.execute_unprepared(ONE_ACTIVE).await?;
        let triggers = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES_TRIGGERS,
            _ => SQLITE_TRIGGERS,
        };
        for trigger in triggers {
            db.execute_unprepared(&trigger.replace("{forward}", FORWARD)).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn revision() -> TableCreateStatement {
    Table::create()
        .table("revision")
        .col(small_integer("id").primary_key().check(Expr::cust("id = 1")))
        .col(big_integer("keyring"))
        .col(big_integer("registry"))
        .take()
}

fn issuer() -> TableCreateStatement {
    Table::create()
        .table("issuer")
        .col(small_integer("id").primary_key().check(Expr::cust("id = 1")))
        .col(text("url"))
        .take()
}

fn signing_key() -> TableCreateStatement {
    Table::create()
        .table("signing_key")
        .col(string_len("kid", 43).primary_key())
        .col(string_len("alg", 16))
        .col(string_len("purpose", 16))
        .col(
            string_len("state", 16)
                .check(Expr::cust("state IN ('prepared', 'active', 'retiring', 'removed', 'revoked')")),
        )
        .col(big_integer("since"))
        .col(big_integer_null("until"))
        .col(big_integer("created_at"))
        .col(text("public_jwk"))
        .col(blob_null("sealed"))
        .col(string_len("kek_id", 64))
        .col(blob("state_seal"))
        .check(Expr::cust("(state = 'retiring') = (until IS NOT NULL)"))
        // The private key is destroyed with the tombstone.
        .check(Expr::cust("state NOT IN ('removed', 'revoked') OR sealed IS NULL"))
        .take()
}

/// Two keys of one algorithm never sign at once, whoever activates them.
const ONE_ACTIVE: &str =
    "CREATE UNIQUE INDEX signing_key_one_active ON signing_key (alg, purpose) WHERE state = 'active'";

/// A key is what it was made as, goes forward only, and keeps its times while it keeps its state. A private key that was
/// destroyed does not come back.
const FORWARD: &str = "
    NEW.kid = OLD.kid AND NEW.alg = OLD.alg AND NEW.purpose = OLD.purpose AND NEW.public_jwk = OLD.public_jwk
    AND NEW.created_at = OLD.created_at
    AND (NEW.sealed IS NULL OR OLD.sealed IS NOT NULL)
    AND (
        (NEW.state = OLD.state AND NEW.since = OLD.since AND COALESCE(NEW.until, -1) = COALESCE(OLD.until, -1))
        OR (OLD.state = 'prepared' AND NEW.state = 'active')
        OR (OLD.state = 'active' AND NEW.state = 'retiring')
        OR (OLD.state = 'retiring' AND NEW.state = 'removed')
        OR (OLD.state <> 'revoked' AND NEW.state = 'revoked')
    )";

const SQLITE_TRIGGERS: &[&str] = &[
    "CREATE TRIGGER signing_key_forward BEFORE UPDATE ON signing_key WHEN ({forward}) IS NOT TRUE
     BEGIN SELECT RAISE(ABORT, 'a signing key only goes forward'); END",
    "CREATE TRIGGER signing_key_tombstone BEFORE DELETE ON signing_key
     BEGIN SELECT RAISE(ABORT, 'a signing key is never deleted'); END",
];

const POSTGRES_TRIGGERS: &[&str] = &[
    "CREATE FUNCTION signing_key_forward() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
         IF ({forward}) IS NOT TRUE THEN
             RAISE EXCEPTION 'a signing key only goes forward' USING ERRCODE = 'check_violation';
         END IF;
         RETURN NEW;
     END $$",
    "CREATE TRIGGER signing_key_forward BEFORE UPDATE ON signing_key
     FOR EACH ROW EXECUTE FUNCTION signing_key_forward()",
    "CREATE FUNCTION signing_key_tombstone() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
         RAISE EXCEPTION 'a signing key is never deleted' USING ERRCODE = 'check_violation';
     END $$",
    "CREATE TRIGGER signing_key_tombstone BEFORE DELETE OR TRUNCATE ON signing_key
     FOR EACH STATEMENT EXECUTE FUNCTION signing_key_tombstone()",
];
