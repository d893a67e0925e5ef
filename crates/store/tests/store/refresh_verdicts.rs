//! Whatever has happened to a family: what becomes of a presented token, by PostgreSQL's one statement, by the verdict after it
//! and by SQLite's group, is what the pure verdict ([`Family::present`]) and a list of conditions say.

use std::{fmt::Write, time::Duration};

use claviger_jose::NumericDate;
use claviger_oauth::{
    Authorization, Family, PresentedRefresh, RefreshPolicy, RefreshRefusal, UsedRefresh, Verdict,
};
use claviger_store::{
    ChildToken, NextToken, RefreshAttempt, RefreshOutcome, RefreshTerms, RefusedRefresh, Store,
    rotation_statement,
};

use crate::{
    fixture::{Database, Intruder, hex, on_each_database},
    granted::{AUDIENCE, CONSENT, authorization, scopes},
};

const CASES: u32 = 600;
/// How many are presented at once: they share a transaction where there is one writer.
const AT_ONCE: usize = 12;
const GRACE: Duration = Duration::from_mins(1);
const IDLE: Duration = Duration::from_hours(24);
const AUTH_TIME: i64 = 1000;

/// Chance that comes again: a case that fails is named by its number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }

    /// The first, mostly: most histories have one or two things wrong with them.
    fn mostly<T: Copy>(&mut self, choices: &[T]) -> T {
        if self.roll(8) > 0 { choices[0] } else { choices[self.roll(choices.len())] }
    }

    fn any<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len())]
    }
}

/// A family and what has happened to it, and the presentation of one of its tokens. Times are seconds from now.
#[derive(Debug, Clone)]
struct Case {
    number: u32,
    /// How many tokens the line has, of which all but the last were used, and which of them is presented.
    tokens: usize,
    presented: usize,
    used: i64,
    retries: u16,
    idle_until: i64,
    expires: i64,
    ended: bool,
    client: &'static str,
    jkt: [Option<&'static str>; 2],
    disabled: bool,
    not_before: i64,
    password_changed: Option<i64>,
    /// Whether the session has ended; `None`: it is forgotten.
    session: Option<bool>,
    needs_consent: bool,
    /// What is in the row, if there is one, and whether that covers what was authorized.
    consent: (Option<&'static str>, bool),
    policy: RefreshPolicy,
    scope: Option<&'static str>,
    resource: Option<&'static str>,
    audiences: &'static [&'static str],
    targets: &'static [&'static str],
}

const LEDGER: &str = "https://ledger.test";
/// All of the consent and more; the same scopes, but one of them at another service; and as it was written once.
const MORE: &str = r#"{"identity":["email","offline_access","openid"],"services":{"https://ledger.test":[],"https://orders.test":["orders:delete","orders:read","orders:write"]}}"#;
const ELSEWHERE: &str = r#"{"identity":["offline_access","openid"],"services":{"https://ledger.test":["orders:write"],"https://orders.test":["orders:read"]}}"#;
const LIST: &str = "offline_access openid orders:read orders:write";

impl Case {
    fn new(number: u32, dice: &mut Dice) -> Self {
        let tokens = 1 + dice.roll(4);
        Self {
            number,
            tokens,
            // The last and the one before it, mostly.
            presented: (tokens - 1).saturating_sub(dice.any(&[0, 0, 0, 1, 1, 2, 3])),
            used: dice.any(&[-5, -5, -30, -100, -5000]),
            retries: dice.mostly(&[0, 1, 2, 3, 4]),
            idle_until: dice.mostly(&[80_000, 1_000, -1_000]),
            expires: dice.mostly(&[500_000, 40_000, -1_000]),
            ended: dice.mostly(&[false, true]),
            client: dice.mostly(&["shop", "other"]),
            jkt: dice.mostly(&[
                [None, None],
                [Some("k"), Some("k")],
                [Some("k"), None],
                [None, Some("k")],
                [Some("k"), Some("l")],
            ]),
            disabled: dice.mostly(&[false, true]),
            not_before: dice.mostly(&[0, AUTH_TIME, AUTH_TIME + 1]),
            password_changed: dice.mostly(&[None, Some(AUTH_TIME), Some(AUTH_TIME + 1)]),
            session: dice.mostly(&[Some(false), Some(true), None]),
            needs_consent: dice.any(&[false, true]),
            consent: dice.mostly(&[
                (Some(CONSENT), true),
                (Some(MORE), true),
                (Some(ELSEWHERE), false),
                (Some(LIST), false),
                (Some(""), false),
                (None, false),
            ]),
            policy: dice.mostly(&[RefreshPolicy::Rotate, RefreshPolicy::RotateNearEnd, RefreshPolicy::Never]),
            scope: dice.mostly(&[None, Some("orders:read"), Some("orders:read orders:delete")]),
            resource: dice.mostly(&[None, Some(AUDIENCE), Some("https://elsewhere.test")]),
            audiences: dice.mostly(&[&[AUDIENCE][..], &[AUDIENCE, LEDGER]]),
            targets: dice.mostly(&[&[LEDGER, AUDIENCE][..], &[AUDIENCE], &[LEDGER], &[]]),
        }
    }

    fn token(&self, position: usize) -> [u8; 32] {
        let mut hash = [0x5a; 32];
        hash[..4].copy_from_slice(&self.number.to_be_bytes());
        hash[4] = u8::try_from(position).unwrap_or(u8::MAX);
        hash
    }

    fn is_used(&self) -> bool {
        self.presented + 1 < self.tokens
    }

    fn authorization(&self) -> Authorization {
        let audiences = self.audiences.iter().map(|audience| audience.parse().expect("well-formed"));
        Authorization {
            audiences: audiences.collect(),
            dpop_jkt: self.jkt[0].map(str::to_owned),
            ..authorization()
        }
    }

    /// The rows, as everybody else has left them.
    fn write(&self, script: &mut String, now: i64, is_sqlite: bool) {
        let number = self.number;
        let bytes = |bytes: &[u8]| {
            if is_sqlite { format!("x'{}'", hex(bytes)) } else { format!("decode('{}', 'hex')", hex(bytes)) }
        };
        let text = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"));
        let moment =
            |moment: Option<i64>| moment.map_or_else(|| "NULL".to_owned(), |moment| moment.to_string());
        let Self { disabled, not_before, .. } = self;
        let changed = moment(self.password_changed);
        let mut row = |sql: String| writeln!(script, "{sql};").expect("memory");
        row(format!(
            r#"INSERT INTO account (id, username, username_key, password_changed_at, disabled, not_before, claims, roles, "groups", created_at)
               VALUES ('a{number}', 'a{number}', 'a{number}', {changed}, {disabled}, {not_before}, '{{}}', '[]', '[]', 1)"#
        ));
        if let Some(ended) = self.session {
            let (hash, ended) = (bytes(&self.token(99)), moment(ended.then_some(now - 7)));
            row(format!(
                "INSERT INTO session (hash, sid, account, auth_time, amr, created_at, seen_at, expires_at, user_agent, address, ended_at)
                 VALUES ({hash}, 's{number}', 'a{number}', {AUTH_TIME}, '[]', 1, 1, 4000000000, '', '', {ended})"
            ));
        }
        if let Some(consent) = self.consent.0 {
            row(format!(
                "INSERT INTO consent (account, client_id, scopes, granted_at) VALUES ('a{number}', 'shop', '{consent}', 1)"
            ));
        }
        let authorization = serde_json::to_string(&self.authorization()).expect("JSON");
        let (jkt, expires, ended) =
            (text(self.jkt[0]), now + self.expires, moment(self.ended.then_some(now - 7)));
        row(format!(
            r#"INSERT INTO refresh_family (id, client_id, account, sid, "authorization", auth_time, jkt, created_at, expires_at, ended_at)
               VALUES ('f{number}', 'shop', 'a{number}', 's{number}', '{authorization}', {AUTH_TIME}, {jkt}, 1, {expires}, {ended})"#
        ));
        for position in 0..self.tokens {
            let (hash, idle) = (bytes(&self.token(position)), now + self.idle_until);
            let retries = if position == self.presented { self.retries } else { 0 };
            let used = if position + 1 < self.tokens {
                let child = bytes(&self.token(position + 1));
                format!("{}, {child}, {}", now + self.used, bytes(&[0x11; 16]))
            } else {
                "NULL, NULL, NULL".to_owned()
            };
            row(format!(
                "INSERT INTO refresh_token (hash, family, created_at, idle_until, used_at, child, nonce, retries)
                 VALUES ({hash}, 'f{number}', 1, {idle}, {used}, {retries})"
            ));
        }
    }

    fn attempt(&self) -> RefreshAttempt {
        RefreshAttempt {
            token: self.token(self.presented),
            client_id: self.client.parse().expect("well-formed"),
            jkt: self.jkt[1].map(str::to_owned),
            policy: self.policy,
            needs_consent: self.needs_consent,
            scope: self.scope.map(scopes),
            resource: self.resource.iter().map(|audience| audience.parse().expect("well-formed")).collect(),
            targets: self.targets.iter().map(|audience| audience.parse().expect("well-formed")).collect(),
            child: ChildToken { hash: self.token(100), nonce: [0x22; 16] },
            terms: RefreshTerms { grace: GRACE, idle: IDLE, until: NumericDate::from_secs(4_000_000_000) },
            origin: "test".to_owned(),
            request_id: None,
        }
    }

    fn verdict(&self, now: i64) -> Verdict {
        let time = |offset: i64| NumericDate::from_secs(u64::try_from(now + offset).expect("after 1970"));
        let family =
            Family { ended: self.ended, expires_at: time(self.expires), policy: self.policy, idle: IDLE };
        let used = self.is_used().then(|| UsedRefresh {
            at: time(self.used),
            child_used: self.presented + 2 < self.tokens,
            retries: self.retries,
        });
        family.present(&PresentedRefresh { idle_until: time(self.idle_until), used }, time(0), GRACE)
    }

    /// What is to become of it.
    fn expected(&self, now: i64) -> Answer {
        if self.client != "shop" {
            return Answer::Refused(RefusedRefresh::OtherClient);
        }
        if self.jkt[0] != self.jkt[1] {
            return Answer::Refused(RefusedRefresh::OtherKey);
        }
        let next = match self.verdict(now) {
            Verdict::Refuse(refusal) => return Answer::Refused(refusal.into()),
            Verdict::Reuse => return Answer::Reused,
            Verdict::Same => NextToken::Same,
            Verdict::Retry => NextToken::Child([0x11; 16]),
            Verdict::Rotate => NextToken::Child([0x22; 16]),
        };
        if self.disabled {
            Answer::Refused(RefusedRefresh::Disabled)
        } else if AUTH_TIME < self.not_before
            || self.password_changed.is_some_and(|changed| AUTH_TIME < changed)
        {
            Answer::Refused(RefusedRefresh::SignedOut)
        } else if self.session == Some(true) {
            Answer::Refused(RefusedRefresh::SessionEnded)
        } else if self.needs_consent && !self.consent.1 {
            Answer::Refused(RefusedRefresh::NoConsent)
        } else if self.scope.is_some_and(|scope| scope.contains("delete")) {
            Answer::WiderScope
        } else if !self.target().is_some_and(|target| self.targets.contains(&target)) {
            Answer::OtherTarget
        } else {
            Answer::Refreshed(next)
        }
    }

    /// What a token would be for, if that is one thing.
    fn target(&self) -> Option<&'static str> {
        match (self.resource, self.audiences) {
            (Some(asked), audiences) => audiences.contains(&asked).then_some(asked),
            (None, [one]) => Some(one),
            (None, _) => None,
        }
    }

    /// Whether one statement does it: a use, with nothing asked for that has to be looked at.
    fn is_plain_use(&self, now: i64) -> bool {
        let plain = self.policy == RefreshPolicy::Rotate && self.scope.is_none() && self.resource.is_none();
        plain && self.expected(now) == Answer::Refreshed(NextToken::Child([0x22; 16])) && !self.is_used()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Refreshed(NextToken),
    Reused,
    Refused(RefusedRefresh),
    WiderScope,
    OtherTarget,
    Unknown,
}

impl From<RefreshOutcome> for Answer {
    fn from(outcome: RefreshOutcome) -> Self {
        match outcome {
            RefreshOutcome::Refreshed(refreshed) => Self::Refreshed(refreshed.next),
            RefreshOutcome::Reused { .. } => Self::Reused,
            RefreshOutcome::Refused(why) => Self::Refused(why),
            RefreshOutcome::WiderScope => Self::WiderScope,
            RefreshOutcome::OtherTarget => Self::OtherTarget,
            RefreshOutcome::Unknown => Self::Unknown,
        }
    }
}

/// That PostgreSQL's statement uses a token exactly where it should: it is taken back each time.
async fn check_statement(intruder: &Intruder, case: &Case, now: i64) {
    let RefreshAttempt { token, client_id, jkt, child, needs_consent, targets, .. } = case.attempt();
    if case.policy != RefreshPolicy::Rotate || case.scope.is_some() || case.resource.is_some() {
        return; // the statement is not asked
    }
    let values = [
        token.to_vec().into(),
        client_id.as_str().into(),
        jkt.into(),
        child.hash.to_vec().into(),
        child.nonce.to_vec().into(),
        86_400_i64.into(),
        needs_consent.into(),
        serde_json::to_string(&targets).expect("JSON").into(),
    ];
    let used = intruder.would_answer(rotation_statement(), values).await;
    assert_eq!(used, case.is_plain_use(now), "the statement: {case:?}");
}

async fn present_all(store: &Store, cases: &[Case]) -> Vec<Answer> {
    let presented = cases.iter().map(|case| {
        let (store, attempt) = (store.clone(), case.attempt());
        tokio::spawn(async move { store.present_refresh(attempt).await })
    });
    let mut answers = Vec::new();
    for presented in presented.collect::<Vec<_>>() {
        answers.push(presented.await.expect("no panic").expect("it answers").into());
    }
    answers
}

async fn check_all(database: Database) {
    let (store, intruder) = (database.open().await, database.intruder().await);
    let now = i64::try_from(store.now().await.expect("a time").as_secs()).expect("a time");
    let mut dice = Dice(0x00c1_a51c);
    let cases: Vec<Case> = (0..CASES).map(|number| Case::new(number, &mut dice)).collect();
    let mut script = "BEGIN;\n".to_owned();
    for case in &cases {
        case.write(&mut script, now, database.is_sqlite());
    }
    intruder.execute(&format!("{script}COMMIT;")).await.expect("they are written");
    let (mut uses, mut ends, mut plain) = (0, cases.iter().filter(|case| case.ended).count(), 0);
    for some in cases.chunks(AT_ONCE) {
        if !database.is_sqlite() {
            for case in some {
                check_statement(&intruder, case, now).await;
            }
        }
        for (case, answer) in some.iter().zip(present_all(&store, some).await) {
            assert_eq!(answer, case.expected(now), "{case:?}");
            uses += usize::from(answer == Answer::Refreshed(NextToken::Child([0x22; 16])));
            ends += usize::from(answer == Answer::Reused);
            plain += usize::from(case.is_plain_use(now));
        }
    }
    let count = async |rows: &str| usize::try_from(intruder.count(rows).await).expect("a number");
    let written: usize = cases.iter().map(|case| case.tokens).sum();
    assert_eq!(count("refresh_token").await, written + uses, "each use has one child");
    assert_eq!(count("refresh_family WHERE ended_at IS NOT NULL").await, ends, "and each reuse one end");
    assert!(plain > 50 && ends > 50 && uses > plain, "{plain} {ends} {uses}: the histories are of all kinds");
    for refusal in [RefreshRefusal::Ended, RefreshRefusal::Expired, RefreshRefusal::Idle] {
        let seen = cases.iter().any(|case| case.expected(now) == Answer::Refused(refusal.into()));
        assert!(seen, "{refusal}");
    }
}

// S-71 S-74 S-75
#[tokio::test]
async fn whatever_has_happened_the_answer_is_that_of_the_pure_verdict() {
    on_each_database(check_all).await;
}
