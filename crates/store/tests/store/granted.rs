//! A person who has signed in, and clients with codes and refresh tokens of hers.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use claviger_jose::NumericDate;
use claviger_oauth::{
    Allowed, Authorization, AuthorizationCode, ClientId, RefreshPolicy, RefreshToken, ScopeSet, UserId,
};
use claviger_store::{
    Act, ChildToken, NewCode, NextToken, PresentedCode, Redemption, RefreshAttempt, RefreshOutcome,
    RefreshTerms, Store, StoreError,
};

use crate::fixture::{Database, Intruder};

pub(crate) const AUDIENCE: &str = "https://orders.test";
const LONG: Duration = Duration::from_hours(24);

/// A database with one person, `ann`, who signed in to the session `s1` at 1000.
pub(crate) struct Home {
    pub(crate) store: Store,
    pub(crate) intruder: Intruder,
}

impl Home {
    pub(crate) async fn of(database: &Database) -> Self {
        let home = Self { store: database.open().await, intruder: database.intruder().await };
        home.run(
            r#"INSERT INTO account (id, username, username_key, disabled, not_before, claims, roles, "groups", created_at)
               VALUES ('ann', 'ann', 'ann', FALSE, 0, '{}', '[]', '[]', 1)"#,
        )
        .await;
        home.run(
            "INSERT INTO session (hash, sid, account, auth_time, amr, created_at, seen_at, expires_at, user_agent, address)
             VALUES ('12345678901234567890123456789012', 's1', 'ann', 1000, '[]', 1000, 1000, 99999999999, '', '')",
        )
        .await;
        home
    }

    /// What somebody does who can write to the database.
    pub(crate) async fn run(&self, sql: &str) -> u64 {
        self.intruder.execute(sql).await.expect("it runs")
    }

    pub(crate) async fn code(&self) -> AuthorizationCode {
        let code = AuthorizationCode::from_random(random());
        self.store.add_code(&code, &new_code()).await.expect("it is kept");
        code
    }

    /// Redeems a code as `shop`, for a family of the code's own name with this refresh token.
    pub(crate) async fn redeem(
        &self,
        code: &AuthorizationCode,
        family: &str,
        first: Option<&RefreshToken>,
    ) -> Result<Redemption<()>, StoreError> {
        self.store.redeem_code(presented(code, &shop(), family), |_| Ok(first.map(RefreshToken::hash))).await
    }

    /// A family that has begun, by its first refresh token.
    pub(crate) async fn family(&self, name: &str) -> RefreshToken {
        let (code, first) = (self.code().await, RefreshToken::from_random(random()));
        let redeemed = self.redeem(&code, name, Some(&first)).await.expect("it is redeemed");
        assert!(matches!(redeemed, Redemption::Redeemed(_)), "{redeemed:?}");
        first
    }

    /// Presents a token as `shop`, and answers its child.
    pub(crate) async fn refresh(&self, token: &RefreshToken) -> RefreshToken {
        child(token, &self.present(attempt(token)).await)
    }

    pub(crate) async fn present(&self, attempt: RefreshAttempt) -> RefreshOutcome {
        self.store.present_refresh(attempt).await.expect("the database answers")
    }

    pub(crate) async fn live_tokens(&self) -> i64 {
        let sql = "refresh_token t JOIN refresh_family f ON f.id = t.family
                   WHERE t.used_at IS NULL AND f.ended_at IS NULL";
        self.intruder.count(sql).await
    }
}

pub(crate) fn shop() -> ClientId {
    "shop".parse().expect("well-formed")
}

pub(crate) fn presented<'a>(
    code: &'a AuthorizationCode,
    client_id: &'a ClientId,
    family: &'a str,
) -> PresentedCode<'a> {
    PresentedCode {
        code,
        client_id,
        family,
        lifetime: LONG,
        idle: LONG,
        until: NumericDate::from_secs(99_999_999_999),
        needs_consent: false,
        replay: act("code.replay"),
    }
}

pub(crate) fn act(name: &str) -> Act {
    Act {
        actor: "client:shop".to_owned(),
        origin: "test".to_owned(),
        act: name.to_owned(),
        subject: String::new(),
        detail: serde_json::Value::Null,
        request_id: None,
    }
}

pub(crate) fn new_code() -> NewCode {
    let account: UserId = "ann".parse().expect("well-formed");
    NewCode {
        client_id: shop(),
        account,
        sid: "s1".parse().expect("well-formed"),
        authorization: authorization(),
        lifetime: Duration::from_mins(1),
    }
}

pub(crate) fn authorization() -> Authorization {
    Authorization {
        scope: scopes("openid offline_access orders:read orders:write"),
        audiences: vec![AUDIENCE.parse().expect("well-formed")],
        allowed: Some(allowed()),
        redirect_uri: None,
        code_challenge: None,
        nonce: Some("n".to_owned()),
        auth_time: NumericDate::from_secs(1000),
        amr: vec!["pwd".to_owned()],
        acr: None,
        claims: None,
        dpop_jkt: None,
    }
}

/// All of that, where it is allowed.
pub(crate) fn allowed() -> Allowed {
    serde_json::from_str(CONSENT).expect("well-formed")
}

/// The consent to it, as it is in the database.
pub(crate) const CONSENT: &str = r#"{"identity":["offline_access","openid"],"services":{"https://orders.test":["orders:read","orders:write"]}}"#;

pub(crate) fn scopes(text: &str) -> ScopeSet {
    text.parse().expect("well-formed")
}

/// A token as `shop` presents it.
pub(crate) fn attempt(token: &RefreshToken) -> RefreshAttempt {
    let nonce = random()[..16].try_into().expect("well-formed");
    RefreshAttempt {
        token: token.hash(),
        client_id: shop(),
        jkt: None,
        policy: RefreshPolicy::Rotate,
        needs_consent: false,
        scope: None,
        resource: Vec::new(),
        targets: vec![AUDIENCE.parse().expect("well-formed")],
        child: ChildToken { hash: derive(token, &nonce).hash(), nonce },
        terms: RefreshTerms {
            grace: Duration::from_mins(1),
            idle: LONG,
            until: NumericDate::from_secs(99_999_999_999),
        },
        origin: "test".to_owned(),
        request_id: None,
    }
}

/// What the client of a token gets by this outcome.
#[track_caller]
pub(crate) fn child(parent: &RefreshToken, outcome: &RefreshOutcome) -> RefreshToken {
    let RefreshOutcome::Refreshed(refreshed) = outcome else { panic!("{outcome:?}") };
    match refreshed.next {
        NextToken::Same => parent.clone(),
        NextToken::Child(nonce) => derive(parent, &nonce),
    }
}

/// As good as a derivation, for a test: another token for each parent and nonce.
fn derive(parent: &RefreshToken, nonce: &[u8; 16]) -> RefreshToken {
    let mut bits = parent.hash();
    for (bit, nonce) in bits.iter_mut().zip(nonce) {
        *bit ^= nonce;
    }
    RefreshToken::from_random(bits)
}

/// Bits that no other call gets.
pub(crate) fn random() -> [u8; 32] {
    static CALLS: AtomicU8 = AtomicU8::new(0);
    let mut bits = [0; 32];
    aws_lc_rs::rand::fill(&mut bits).expect("the system's random source answers");
    bits[0] = CALLS.fetch_add(1, Ordering::Relaxed);
    bits
}
