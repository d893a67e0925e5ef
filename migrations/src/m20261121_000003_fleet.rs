//! A fleet's keys: what is revoked, who holds which keys, and the log of all that was done.
//!
//! It only adds: the binary before works beside it, and finds its columns as they were.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, blob, blob_null, small_integer, string_len, text, text_null},
    sea_orm::DbBackend,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["revocations", "audit"] {
            let column = big_integer(column).default(0).take();
            manager.alter_table(Table::alter().table("revision").add_column(column).take()).await?;
        }
        let tables = [revocation(), replica(), verifier(), verifier_overflow(), key_set(), duty()];
        for table in tables.into_iter().chain([audit(), audit_checkpoint()]) {
            manager.create_table(table).await?;
        }
        let db = manager.get_connection();
        db.execute_unprepared("INSERT INTO verifier_overflow (id, noted_at) VALUES (1, NULL)").await?;
        let triggers = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES_TRIGGERS,
            _ => SQLITE_TRIGGERS,
        };
        for trigger in triggers {
            db.execute_unprepared(trigger).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Marks are the first 128 bits of a hash; that of everything is empty.
fn revocation() -> TableCreateStatement {
    Table::create()
        .table("revocation")
        .col(string_len("kind", 8).check(Expr::cust("kind IN ('jti', 'sid', 'sub', 'client', 'all')")))
        .col(blob("mark").check(Expr::cust("length(mark) = CASE kind WHEN 'all' THEN 0 ELSE 16 END")))
        .col(blob_null("sub").check(Expr::cust("sub IS NULL OR (kind = 'jti' AND length(sub) = 16)")))
        .col(big_integer("not_before"))
        .col(big_integer("until"))
        .primary_key(Index::create().col("kind").col("mark"))
        .take()
}

fn replica() -> TableCreateStatement {
    Table::create()
        .table("replica")
        .col(string_len("id", 64).primary_key())
        .col(text("place"))
        .col(text("key_set"))
        .col(big_integer("sequence"))
        .col(text("version"))
        .col(text_null("refusal"))
        .col(big_integer("seen"))
        .take()
}

fn verifier() -> TableCreateStatement {
    Table::create()
        .table("verifier")
        .col(string_len("audience", 256))
        .col(string_len("instance", 64))
        .col(text("key_set"))
        .col(big_integer_null("sequence"))
        .col(text("version"))
        .col(big_integer("first_seen"))
        .col(big_integer("seen"))
        .primary_key(Index::create().col("audience").col("instance"))
        .take()
}

/// When a verifier was last turned away. Whoever admits a new one stands in line for this row.
fn verifier_overflow() -> TableCreateStatement {
    Table::create()
        .table("verifier_overflow")
        .col(small_integer("id").primary_key().check(Expr::cust("id = 1")))
        .col(big_integer_null("noted_at"))
        .take()
}

fn key_set() -> TableCreateStatement {
    Table::create()
        .table("key_set")
        .col(text("etag").primary_key())
        .col(text("kids"))
        .col(big_integer("number"))
        .take()
}

fn duty() -> TableCreateStatement {
    Table::create()
        .table("duty")
        .col(small_integer("id").primary_key().check(Expr::cust("id = 1")))
        .col(string_len("replica", 64))
        .col(big_integer("until"))
        .take()
}

fn audit() -> TableCreateStatement {
    Table::create()
        .table("audit")
        .col(big_integer("sequence").primary_key())
        .col(big_integer("at"))
        .col(text("actor"))
        .col(text("origin"))
        .col(text("act"))
        .col(text("subject"))
        .col(text("detail"))
        .col(text_null("request_id"))
        .col(blob("hash").check(Expr::cust("length(hash) = 32")))
        .take()
}

fn audit_checkpoint() -> TableCreateStatement {
    Table::create()
        .table("audit_checkpoint")
        .col(big_integer("sequence").primary_key())
        .col(text("jws"))
        .take()
}

/// SQLite's `INSERT OR REPLACE` deletes without a word to the triggers of DELETE: what is there cannot be put in again.
const SQLITE_TRIGGERS: &[&str] = &[
    "CREATE TRIGGER audit_update BEFORE UPDATE ON audit
     BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
    "CREATE TRIGGER audit_delete BEFORE DELETE ON audit
     BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
    "CREATE TRIGGER audit_replace BEFORE INSERT ON audit
     WHEN EXISTS (SELECT 1 FROM audit WHERE sequence >= NEW.sequence)
     BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
    "CREATE TRIGGER audit_checkpoint_update BEFORE UPDATE ON audit_checkpoint
     BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
    "CREATE TRIGGER audit_checkpoint_delete BEFORE DELETE ON audit_checkpoint
     BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
    "CREATE TRIGGER audit_checkpoint_replace BEFORE INSERT ON audit_checkpoint
     WHEN EXISTS (SELECT 1 FROM audit_checkpoint WHERE sequence = NEW.sequence)
     BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER signing_key_replace BEFORE INSERT ON signing_key
     WHEN EXISTS (SELECT 1 FROM signing_key WHERE kid = NEW.kid)
     BEGIN SELECT RAISE(ABORT, 'a signing key is never replaced'); END",
];

const POSTGRES_TRIGGERS: &[&str] = &[
    "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
         RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'check_violation';
     END $$",
    "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
     FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
    "CREATE TRIGGER audit_checkpoint_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint
     FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
];
