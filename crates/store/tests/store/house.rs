//! A house with people in it, whose accounts, codes and families are written as the rooms next door would.

use std::time::Duration;

use claviger_jose::{Mark, Marked, NumericDate};
use claviger_oauth::{ClientId, SessionSecret, Sid, UserId};
use claviger_store::{Act, NewSession, Revocation, Revoked, Session, Store, UserChange, UserOutcome};

use crate::fixture::{Database, Intruder};

pub(crate) const FAR: NumericDate = NumericDate::from_secs(4_000_000_000);
pub(crate) const IDLE: Duration = Duration::from_hours(12);

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) intruder: Intruder,
    is_sqlite: bool,
}

impl House {
    pub(crate) async fn of(database: &Database, people: &[&str]) -> Self {
        let store = database.open().await;
        let house = Self { store, intruder: database.intruder().await, is_sqlite: database.is_sqlite() };
        for person in people {
            house
                .execute(&format!(
                    "INSERT INTO account (id, username, username_key, disabled, not_before, claims, roles, groups, created_at)
                     VALUES ('{person}', '{person}', '{person}', {}, 0, '{{}}', '[]', '[]', 0)",
                    if house.is_sqlite { "0" } else { "false" }
                ))
                .await;
        }
        house
    }

    pub(crate) async fn execute(&self, sql: &str) -> u64 {
        self.intruder.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Disables a person, or enables them again.
    pub(crate) async fn change(&self, person: &UserId, disabled: bool) {
        let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
        let changed = self.store.change_user(person, None, change, FAR, &[act("user.disable")]).await;
        assert_eq!(changed.expect("no error"), UserOutcome::Applied);
    }

    pub(crate) async fn begin(&self, person: &str, number: u8) -> (SessionSecret, Session) {
        let secret = secret(number);
        let begun = self.store.begin_session(&secret, &new(person, number)).await.expect("no error");
        (secret, begun.expect("the account is as it was"))
    }

    pub(crate) async fn alive(&self, secret: &SessionSecret) -> Option<Session> {
        self.store.session(secret, IDLE).await.expect("no error")
    }

    pub(crate) async fn note_client(&self, session: &Session, client: &str) {
        let sid = session.sid.as_str();
        self.execute(&format!("INSERT INTO session_client (sid, client_id) VALUES ('{sid}', '{client}')"))
            .await;
    }

    /// A refresh family of a client in a session.
    pub(crate) async fn add_family(&self, id: &str, client: &str, session: &Session) {
        let (account, sid) = (session.account.as_str(), session.sid.as_str());
        let columns = "id, client_id, account, sid, \"authorization\", auth_time, created_at, expires_at";
        let values = format!("'{id}', '{client}', '{account}', '{sid}', '{{}}', 0, 0, 4000000000");
        self.execute(&format!("INSERT INTO refresh_family ({columns}) VALUES ({values})")).await;
    }

    /// A code of a client in a session, and whether it was used.
    pub(crate) async fn add_code(&self, byte: u8, client: &str, session: &Session, used: bool) {
        let (account, sid) = (session.account.as_str(), session.sid.as_str());
        let used_at = if used { "1" } else { "NULL" };
        let columns = "hash, client_id, account, sid, \"authorization\", created_at, expires_at, used_at";
        let values = format!(
            "{}, '{client}', '{account}', '{sid}', '{{}}', 0, 4000000000, {used_at}",
            self.hash(byte)
        );
        self.execute(&format!("INSERT INTO authorization_code ({columns}) VALUES ({values})")).await;
    }

    pub(crate) fn hash(&self, byte: u8) -> String {
        let hex = format!("{byte:02x}").repeat(32);
        if self.is_sqlite { format!("x'{hex}'") } else { format!("decode('{hex}', 'hex')") }
    }

    /// The families that are alive, by name.
    pub(crate) async fn families(&self) -> String {
        let list = if self.is_sqlite { "group_concat(id, ' ')" } else { "string_agg(id, ' ')" };
        let from = "(SELECT id FROM refresh_family WHERE ended_at IS NULL ORDER BY id) AS alive";
        self.intruder.read(&format!("SELECT COALESCE({list}, '') FROM {from}")).await
    }

    pub(crate) async fn codes(&self) -> i64 {
        self.intruder.count("authorization_code").await
    }

    pub(crate) async fn feed(&self) -> Vec<Revocation> {
        self.store.load_revocations().await.expect("they load").revocations
    }

    pub(crate) async fn audited(&self) -> usize {
        self.store.audit_tail(99).await.expect("read").len()
    }
}

pub(crate) fn secret(number: u8) -> SessionSecret {
    SessionSecret::from_random([number; 32])
}

pub(crate) fn new(person: &str, number: u8) -> NewSession {
    NewSession {
        sid: format!("s{number}").parse().expect("a sid"),
        account: user(person),
        not_before: NumericDate::from_secs(0),
        amr: vec!["pwd".to_owned()],
        acr: None,
        lifetime: Duration::from_hours(720),
        user_agent: "Mozilla/5.0".to_owned(),
        address: "192.0.2.1".to_owned(),
    }
}

pub(crate) fn user(id: &str) -> UserId {
    id.parse().expect("a user id")
}

pub(crate) fn client(id: &str) -> ClientId {
    id.parse().expect("a client id")
}

pub(crate) fn revoked_sid(sid: &Sid) -> Revoked {
    Revoked::Session(Mark::of(Marked::Sid, sid.as_str()))
}

pub(crate) fn revoked_sub(person: &str) -> Revoked {
    Revoked::Subject(Mark::of(Marked::Sub, &format!("user:{person}")))
}

pub(crate) fn act(act: &str) -> Act {
    Act {
        actor: "user:ada".to_owned(),
        origin: "web".to_owned(),
        act: act.to_owned(),
        subject: "s1".to_owned(),
        detail: serde_json::Value::Null,
        request_id: None,
    }
}
