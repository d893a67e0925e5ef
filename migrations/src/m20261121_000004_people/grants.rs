use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, blob_null, small_integer, string_len, string_len_null, text, text_null,
    },
};

use super::hash;

pub(super) fn tables() -> Vec<TableCreateStatement> {
    vec![authorization_code(), pushed_request(), refresh_family(), refresh_token(), used_assertion()]
}

pub(super) fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        Index::create()
            .name("authorization_code_expires")
            .table("authorization_code")
            .col("expires_at")
            .take(),
        Index::create().name("pushed_request_expires").table("pushed_request").col("expires_at").take(),
        Index::create().name("refresh_family_account").table("refresh_family").col("account").take(),
        Index::create().name("refresh_family_sid").table("refresh_family").col("sid").take(),
        Index::create().name("refresh_family_expires").table("refresh_family").col("expires_at").take(),
        Index::create().name("refresh_token_family").table("refresh_token").col("family").take(),
        Index::create().name("used_assertion_expires").table("used_assertion").col("expires_at").take(),
    ]
}

/// `authorization` is all that the code is bound to, as JSON. `family` is what its first use has made: a second use
/// ends that.
fn authorization_code() -> TableCreateStatement {
    Table::create()
        .table("authorization_code")
        .col(hash("hash").primary_key())
        .col(string_len("client_id", 64))
        .col(string_len("account", 64))
        .col(string_len("sid", 64))
        .col(text("authorization"))
        .col(big_integer("created_at"))
        .col(big_integer("expires_at"))
        .col(big_integer_null("used_at"))
        .col(string_len_null("family", 64))
        .take()
}

/// RFC 9126.
fn pushed_request() -> TableCreateStatement {
    Table::create()
        .table("pushed_request")
        .col(hash("hash").primary_key())
        .col(string_len("client_id", 64))
        .col(text("request"))
        .col(big_integer("expires_at"))
        .col(big_integer_null("used_at"))
        .take()
}

/// All refresh tokens that follow from one authorization. `auth_time` and `jkt` are said in the authorization too: here
/// one statement can compare them.
fn refresh_family() -> TableCreateStatement {
    Table::create()
        .table("refresh_family")
        .col(string_len("id", 64).primary_key())
        .col(string_len("client_id", 64))
        .col(string_len("account", 64))
        .col(string_len("sid", 64))
        .col(text("authorization"))
        .col(big_integer("auth_time"))
        .col(string_len_null("jkt", 64))
        .col(big_integer("created_at"))
        .col(big_integer("expires_at"))
        .col(big_integer_null("ended_at"))
        .col(text_null("end_reason"))
        .take()
}

/// A used token names its child by the child's hash; the child can be derived again, from the token, the nonce and a
/// secret of the issuer.
fn refresh_token() -> TableCreateStatement {
    let foreign = ForeignKey::create().from("refresh_token", "family").to("refresh_family", "id").take();
    let child = Expr::cust("child IS NULL OR (length(child) = 32 AND used_at IS NOT NULL)");
    Table::create()
        .table("refresh_token")
        .col(hash("hash").primary_key())
        .col(string_len("family", 64))
        .col(big_integer("created_at"))
        .col(big_integer("idle_until"))
        .col(big_integer_null("used_at"))
        .col(blob_null("child").check(child).unique_key())
        .col(blob_null("nonce"))
        .col(small_integer("retries").default(0))
        .foreign_key(&mut foreign.clone())
        .take()
}

/// The `jti` of client assertions (RFC 7523) that were accepted, until they expire.
fn used_assertion() -> TableCreateStatement {
    Table::create()
        .table("used_assertion")
        .col(hash("hash").primary_key())
        .col(big_integer("expires_at"))
        .take()
}
