use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, small_integer, string_len, text, text_null},
};

use super::hash;

pub(super) fn tables() -> Vec<TableCreateStatement> {
    vec![session(), session_client(), consent(), logout_notice()]
}

pub(super) fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        Index::create().unique().name("session_sid").table("session").col("sid").take(),
        Index::create().name("session_account").table("session").col("account").take(),
        Index::create().name("session_expires").table("session").col("expires_at").take(),
        Index::create().name("logout_notice_next").table("logout_notice").col("next_at").take(),
    ]
}

/// The cookie's value is not kept, only its hash. `sid` is what tokens and the revocation feed call the session.
fn session() -> TableCreateStatement {
    Table::create()
        .table("session")
        .col(hash("hash").primary_key())
        .col(string_len("sid", 64))
        .col(string_len("account", 64))
        .col(big_integer("auth_time"))
        .col(text("amr"))
        .col(text_null("acr"))
        .col(big_integer("created_at"))
        .col(big_integer("seen_at"))
        .col(big_integer("expires_at"))
        .col(text("user_agent"))
        .col(text("address"))
        .col(big_integer_null("ended_at"))
        .take()
}

/// Which clients have got tokens in a session: whom to tell when it ends.
fn session_client() -> TableCreateStatement {
    Table::create()
        .table("session_client")
        .col(string_len("sid", 64))
        .col(string_len("client_id", 64))
        .primary_key(Index::create().col("sid").col("client_id"))
        .take()
}

fn consent() -> TableCreateStatement {
    Table::create()
        .table("consent")
        .col(string_len("account", 64))
        .col(string_len("client_id", 64))
        .col(text("scopes"))
        .col(big_integer("granted_at"))
        .primary_key(Index::create().col("account").col("client_id"))
        .take()
}

/// A client that is still to be told that a session has ended (OpenID Connect Back-Channel Logout 1.0).
fn logout_notice() -> TableCreateStatement {
    Table::create()
        .table("logout_notice")
        .col(string_len("id", 64).primary_key())
        .col(string_len("client_id", 64))
        .col(string_len("account", 64))
        .col(string_len("sid", 64))
        .col(small_integer("attempts"))
        .col(big_integer("created_at"))
        .col(big_integer("next_at"))
        .take()
}
