//! Rows to domain types and back: what an issuer remembers, on SQLite or PostgreSQL.
//!
//! The only crate that knows tables. It decides nothing: what a key may become is planned by `claviger_keyring`, what
//! a fleet looks like is declared elsewhere; here it is written in one transaction, or not at all. In reading order:
//!
//! - [`Store`]: one database, chosen by URL, checked and migrated before anybody gets to use it.
//! - [`Store::load_keys`] and [`Store::change_keys`]: all keys with the number of their last change, and the next change,
//!   made only if that number is still the same ([`Outcome`]).
//! - [`Store::load_registry`] and [`Store::replace_registry`]: the [`Registry`] of teams, resource servers and clients,
//!   in the same way.
//! - [`Store::rewrap_keys`]: the same keys under another key-encryption key.
//! - [`Store::revoke`] and [`Store::load_revocations`]: what is dead besides keys, within a bound, and the number of the feed.
//! - [`Store::begin_session`] and [`Store::session`]: who has signed in; [`Store::end_session`] and [`Store::end_sessions_of`]:
//!   the one transaction that ends a session with all that came of it; [`Store::take_logout_notices`]: the clients to be
//!   told; [`Store::end_all_sign_ins`]: after a restore.
//! - [`Store::consent`]: what people have allowed clients.
//! - [`Store::redeem_code`] and [`Store::present_refresh`]: what is used once, and what a second use ends;
//!   [`Store::push_request`] and [`Store::use_assertion`] likewise. [`Store::keep_server_secret`]: the issuer's own.
//! - [`Store::revisions`] and [`Store::changed`]: the numbers of the last changes, for a running issuer to poll, and a word
//!   when it is worth while.
//! - [`Store::beat`], [`Store::replicas`], [`Store::take_duty`]: the replicas, and the one that takes due steps;
//!   [`Store::note_verifiers`] and [`Store::verifiers`]: who verifies, and with which keys.
//! - [`Store::add_user`] and [`Store::user_by_name`]: people; [`Store::reserve_attempt`]: how often their passwords may be
//!   guessed, [`Store::note_log_in`]: that one was right; [`Store::add_link`]: links that can be used once.
//! - [`Act`]: the audit log, written in the transaction of each change, and a chain that
//!   [`Store::verify_audit`] goes along.
//! - [`Store::lock_for_serving`]: one serving process per SQLite file.
//! - [`StoreError`]: which of the failures pass by themselves.
//! - [`failpoint`]: where crash tests kill the process.
//!
//! ```no_run
//! use claviger_store::{Outcome, Store, StoreError};
//!
//! # async fn example() -> Result<(), StoreError> {
//! // The schema is an argument: the changes are in a crate of their own.
//! let store = Store::open::<migrations::Migrator>("sqlite:///var/lib/claviger/claviger.db").await?;
//! let keys = store.load_keys().await?;
//! let operations = []; // what `claviger_keyring` has planned
//! let acts = []; // who did it, for the audit log
//! match store.change_keys(keys.revision, &operations, &acts).await? {
//!     Outcome::Applied => println!("rotated"),
//!     Outcome::AlreadyRotated => println!("another replica was faster"),
//! }
//! # Ok(())
//! # }
//! ```

mod admission;
mod attempt;
mod attempt_table;
mod audit;
mod audit_chain;
mod audit_log;
mod classify;
mod code;
mod connect;
mod consent;
mod database_url;
#[expect(
    unreachable_pub,
    reason = "sea-orm derives a public entity, and a public entity needs public models"
)]
mod entity;
mod error;
mod failpoint;
mod fleet;
mod key_row;
mod keys;
mod link;
mod lock;
mod log_in;
mod logout_notice;
mod migrate;
mod once;
mod password_hash;
mod past_grants;
mod postgres;
mod refresh;
mod refresh_book;
mod refresh_group;
mod refresh_statement;
mod refresh_table;
mod registry;
mod registry_row;
mod registry_table;
mod restored;
mod revocation;
mod revocation_row;
mod revocation_table;
mod rewrap;
mod secret;
mod server_secret;
mod session;
mod session_row;
mod session_table;
mod sign_out;
mod sqlite;
mod store;
mod timed;
mod unreadable_member;
mod upkeep;
mod user;
mod user_row;
mod user_table;
mod username;
mod verifiers;
mod waiting;

pub use attempt::{AttemptLimits, Bucket, NoRoom, Reservation};
pub use audit::{Act, AuditRecord, AuditVerdict, Checkpoint, MAX_REFUSALS};
pub use code::{NewCode, PresentedCode, Redeemed, Redemption};
pub use consent::Consent;
pub use error::StoreError;
pub use failpoint::failpoint;
pub use fleet::{Heartbeat, Replica, ServingTime};
pub use keys::{KeyOp, KeySnapshot, NewKey, StoredKey, UnreadableKey};
pub use link::{Link, LinkOutcome, LinkPurpose};
pub use lock::ServingLock;
pub use log_in::LogIn;
pub use logout_notice::{LogoutNotice, MAX_LOGOUT_ATTEMPTS};
pub use password_hash::{PasswordHash, PasswordHashError};
pub use refresh::{
    ChildToken, FamilyEnd, NextToken, RefreshAttempt, RefreshOutcome, RefreshTerms, Refreshed, RefusedRefresh,
};
pub use refresh_book::RefreshStanding;
#[doc(hidden)]
pub use refresh_statement::rotation_statement;
pub use registry::{Client, ClientGrant, Registry, RegistrySnapshot, ResourceServer, Team};
pub use restored::EndedSignIns;
pub use revocation::{MAX_REVOCATIONS, Revocation, RevocationSnapshot, Revoked};
pub use secret::{SecretHash, StoredSecret};
pub use session::{NewSession, OwnSession, Session};
pub use sign_out::SignedOut;
pub use store::{Outcome, Revisions, Store};
pub use unreadable_member::UnreadableMember;
#[doc(hidden)]
pub use upkeep::upkeep_statements;
pub use user::{NewUser, Profile, User, UserChange, UserOutcome};
pub use username::{Username, UsernameError};
pub use verifiers::{MAX_INSTANCES, MAX_VERIFIERS, SeenVerifier, SeenVerifiers};
