use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, boolean, string_len, text, text_null},
};

use super::hash;

pub(super) fn tables() -> Vec<TableCreateStatement> {
    vec![account(), attempt(), one_time_link()]
}

pub(super) fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        Index::create().unique().name("account_username").table("account").col("username_key").take(),
        Index::create().name("attempt_window").table("attempt").col("window_at").take(),
    ]
}

/// A row is never deleted: the id, and with it the subject in tokens, is never given to somebody else.
fn account() -> TableCreateStatement {
    Table::create()
        .table("account")
        .col(string_len("id", 64).primary_key())
        .col(text("username"))
        .col(string_len("username_key", 256))
        .col(text_null("password_hash"))
        .col(big_integer_null("password_changed_at"))
        .col(boolean("disabled"))
        .col(big_integer("not_before"))
        .col(text("claims"))
        .col(text("roles"))
        .col(text("groups"))
        .col(big_integer("created_at"))
        .col(big_integer_null("last_login_at"))
        .take()
}

/// Attempts to guess something, counted before they are evaluated: by account, and by where they come from.
fn attempt() -> TableCreateStatement {
    Table::create()
        .table("attempt")
        .col(hash("bucket").primary_key())
        .col(big_integer("window_at"))
        .col(big_integer("count"))
        .col(big_integer("consecutive"))
        .col(big_integer("not_before"))
        .take()
}

fn one_time_link() -> TableCreateStatement {
    Table::create()
        .table("one_time_link")
        .col(hash("hash").primary_key())
        .col(string_len("purpose", 32))
        .col(ColumnDef::new("account").string_len(64).null().take())
        .col(big_integer("created_at"))
        .col(big_integer("expires_at"))
        .col(big_integer_null("used_at"))
        .take()
}
