use claviger_testkit::TestKey;

use super::*;

const ISSUER: &str = "https://id.fleet.test";
const NOW: u64 = 1_800_000_000;

fn at(secs: u64) -> NumericDate {
    NumericDate::from_secs(secs)
}

fn statement(seq: u64) -> Revocations {
    Revocations::of_nothing(ISSUER, seq, at(NOW))
}

fn signer(key: &TestKey) -> Signer {
    Signer { kid: *key.kid(), sign_until: None }
}

/// Presents a statement that is signed by the first ES256 key to a verifier that holds the first two.
fn take(list: &mut RevocationList, statement: &Revocations) -> Result<News, StatementFault> {
    take_by(list, statement, TestKey::es256())
}

fn take_by(list: &mut RevocationList, statement: &Revocations, by: &TestKey) -> Result<News, StatementFault> {
    let keys = [*TestKey::es256().kid(), *TestKey::es256_other().kid()];
    list.take(statement, &signer(by), &Reader { issuer: ISSUER, keys: &keys, now: at(NOW) })
}

fn token(sub: &str, iat: u64) -> TokenFacts<'_> {
    TokenFacts { jti: Some("t-1"), sid: Some("s-1"), sub, client_id: "web", iat: at(iat) }
}

// S-43
#[test]
fn a_statement_is_taken_or_refused_as_a_whole() {
    type Change = fn(&mut Revocations);
    let held = 7;
    let table: [(&str, Change, Result<bool, StatementFault>); 11] = [
        ("the next one", |s| s.seq = 8, Ok(true)),
        ("the same one, signed again", |_| {}, Ok(true)),
        ("one of much later", |s| s.seq = u64::MAX, Ok(true)),
        ("an older one", |s| s.seq = 6, Err(StatementFault::Rollback { held, offered: 6 })),
        ("another issuer's", |s| s.iss.push('/'), Err(StatementFault::OtherIssuer)),
        ("one for 10 minutes and a second", |s| s.exp = at(NOW + 601), Err(StatementFault::Lifetime)),
        ("one that ends when it begins", |s| s.exp = s.iat, Err(StatementFault::Lifetime)),
        (
            "one of clocks that are a minute apart",
            |s| (s.iat, s.exp) = (at(NOW + 60), at(NOW + 61)),
            Ok(true),
        ),
        ("one of later", |s| (s.iat, s.exp) = (at(NOW + 61), at(NOW + 62)), Ok(false)),
        ("one that has just ended", |s| (s.iat, s.exp) = (at(NOW - 100), at(NOW - 59)), Ok(true)),
        ("an expired one", |s| (s.iat, s.exp) = (at(NOW - 100), at(NOW - 60)), Ok(false)),
    ];
    for (what, change, expected) in table {
        let mut list = RevocationList::default();
        take(&mut list, &statement(held)).unwrap();
        let before = list.clone();
        let mut presented = statement(held);
        change(&mut presented);
        let taken = take(&mut list, &presented);
        assert_eq!(taken.map(|news| news.is_fresh), expected, "{what}");
        let sequence = if expected.is_ok() { presented.seq } else { held };
        assert_eq!(list.sequence(), Some(sequence), "{what}");
        assert!(expected.is_ok() || list == before, "{what}: refused, it has changed something");
    }
}

// S-43
#[test]
fn only_a_living_key_of_the_issuer_can_say_what_is_revoked() {
    let mut list = RevocationList::default();
    assert_eq!(take_by(&mut list, &statement(1), TestKey::rs256()), Err(StatementFault::UnknownSigner));
    let revoking = Revocations { kid: vec![*TestKey::es256().kid()], ..statement(1) };
    let news = take_by(&mut list, &revoking, TestKey::es256_other()).unwrap();
    assert_eq!(news.kids, [*TestKey::es256().kid()]);
    assert_eq!(take(&mut list, &statement(2)), Err(StatementFault::DeadSigner));
    assert!(take_by(&mut list, &statement(2), TestKey::es256_other()).is_ok());
}

// S-41 S-43
#[test]
fn a_key_that_has_ceased_to_sign_signs_no_statement() {
    let mut list = RevocationList::default();
    let keys = [*TestKey::es256().kid()];
    let reader = Reader { issuer: ISSUER, keys: &keys, now: at(NOW) };
    let until = |until| Signer { sign_until: Some(at(until)), ..signer(TestKey::es256()) };
    let late = list.take(&statement(1), &until(NOW - 61), &reader);
    assert_eq!(late, Err(StatementFault::SignedTooLate));
    assert!(list.take(&statement(1), &until(NOW - 60), &reader).is_ok());
}

// S-43
#[test]
fn a_later_statement_lifts_nothing() {
    let mut list = RevocationList::default();
    let stolen = *TestKey::rs256().kid();
    let full = Revocations {
        kid: vec![stolen],
        jti: vec![Mark::of(Marked::Jti, "t-1")],
        sub: vec![(Mark::of(Marked::Sub, "user:a"), at(NOW - 10))],
        ..statement(1)
    };
    assert!(take(&mut list, &full).unwrap().is_change());
    assert!(!take(&mut list, &statement(2)).unwrap().is_change());
    assert!(list.has_key(&stolen) && list.covers(&token("user:b", NOW)));
    assert!(list.covers(&TokenFacts { jti: None, ..token("user:a", NOW - 11) }));
    assert!(!take(&mut list, &Revocations { seq: 3, ..full }).unwrap().is_change(), "known already");
}

// S-43
#[test]
fn an_expired_statement_confirms_nothing_and_revokes_all_the_same() {
    let mut list = RevocationList::default();
    let expired = Revocations {
        iat: at(NOW - 700),
        exp: at(NOW - 100),
        kid: vec![*TestKey::rs256().kid()],
        ..statement(1)
    };
    let news = take(&mut list, &expired).unwrap();
    assert!(!news.is_fresh && list.has_key(TestKey::rs256().kid()));
}

/// Whoever has stolen a key can sign a number that no later statement reaches.
// S-43
#[test]
fn a_dead_key_does_not_keep_later_statements_out() {
    let mut list = RevocationList::default();
    take(&mut list, &statement(u64::MAX)).unwrap();
    let honest = statement(8);
    let by = TestKey::es256_other();
    assert!(matches!(take_by(&mut list, &honest, by), Err(StatementFault::Rollback { .. })));
    let keys = [*by.kid()];
    let reader = Reader { issuer: ISSUER, keys: &keys, now: at(NOW) };
    assert!(list.take(&honest, &signer(by), &reader).is_ok(), "the set has lost the stolen key");
    assert_eq!(list.sequence(), Some(8));
}

// S-42 S-43
#[test]
fn the_statement_that_revokes_a_thiefs_key_is_not_kept_out_by_his_number() {
    let mut list = RevocationList::default();
    take(&mut list, &statement(u64::MAX)).unwrap();
    let stolen = *TestKey::es256().kid();
    let honest = Revocations { kid: vec![stolen], ..statement(8) };
    assert_eq!(take_by(&mut list, &honest, TestKey::es256_other()).unwrap().kids, [stolen]);
    assert!(list.has_key(&stolen));
}

fn strangers(part: usize) -> Vec<Kid> {
    (0..MAX_KIDS / 2).map(|number| format!("{part}{number:0>42}").parse().unwrap()).collect()
}

/// Whoever has stolen a key can name keys that nobody has until there is no room.
// S-43 S-85
#[test]
fn a_thief_who_names_very_many_keys_keeps_no_later_one_out() {
    let mut list = RevocationList::default();
    for part in 1..4 {
        take(&mut list, &Revocations { kid: strangers(part), ..statement(1) }).unwrap();
    }
    assert!(list.entries() <= MAX_KIDS + MAX_KIDS / 2);
    let stolen = *TestKey::es256().kid();
    let honest = Revocations { kid: vec![stolen, *TestKey::rs256().kid()], ..statement(2) };
    let news = take_by(&mut list, &honest, TestKey::es256_other()).unwrap();
    assert_eq!(news.kids, honest.kid, "one that is held, and one that is not");
    let text = serde_json::to_string(&list).unwrap();
    let mut list: RevocationList = serde_json::from_str(&text).unwrap();
    take_by(&mut list, &statement(3), TestKey::es256_other()).unwrap();
    assert!(list.has_key(&stolen), "for ever, also after a restart");
    assert!(list.entries() <= MAX_KIDS + 1);
}

/// The clock of a verifier is slow.
// S-30 S-43
#[test]
fn a_statement_from_the_future_confirms_nothing_and_revokes_all_the_same() {
    let mut list = RevocationList::default();
    let sub = |name| vec![(Mark::of(Marked::Sub, name), at(NOW))];
    take(&mut list, &Revocations { sub: sub("user:b"), ..statement(1) }).unwrap();
    let ahead = 7 * 3600;
    let future = Revocations {
        iat: at(NOW + ahead),
        exp: at(NOW + ahead + 600),
        kid: vec![*TestKey::rs256().kid()],
        jti: vec![Mark::of(Marked::Jti, "t-1")],
        sub: vec![(Mark::of(Marked::Sub, "user:a"), at(NOW + ahead))],
        ..statement(2)
    };
    let news = take(&mut list, &future).unwrap();
    assert!(!news.is_fresh && news.is_change() && list.has_key(TestKey::rs256().kid()));
    let nameless = |sub, iat| TokenFacts { jti: None, ..token(sub, iat) };
    assert!(list.covers(&token("user:c", NOW)) && list.covers(&nameless("user:a", NOW)));
    assert!(list.covers(&nameless("user:b", NOW - 1)), "nothing is forgotten for it");
    assert!(!list.covers(&nameless("user:a", NOW + 120)), "its times are bounded");
}

// S-44
#[test]
fn of_all_revocations_that_apply_the_latest_counts_in_any_order() {
    let (early, late) = (at(NOW - 100), at(NOW - 50));
    let client = Mark::of(Marked::Client, "web");
    let parts = [
        Revocations { client: vec![(client, early)], ..statement(1) },
        Revocations { all: Some(late), ..statement(1) },
        Revocations { all: Some(early), ..statement(1) },
        Revocations { client: vec![(client, late), (client, early)], ..statement(1) },
    ];
    for (first, second) in [(0, 1), (1, 0), (1, 2), (2, 1), (0, 3), (3, 0)] {
        let mut list = RevocationList::default();
        for part in [first, second] {
            take(&mut list, &parts[part]).unwrap();
        }
        assert!(list.covers(&token("user:a", NOW - 70)), "{first} {second}");
        assert!(list.covers(&token("user:a", NOW - 51)), "{first} {second}");
        assert!(!list.covers(&token("user:a", NOW - 50)), "what is issued at that time is alive");
    }
}

// S-43
#[test]
fn each_kind_is_about_its_own_claim() {
    let mark = |kind| Mark::of(kind, "same");
    let facts = TokenFacts { jti: Some("x"), sid: Some("x"), sub: "x", client_id: "x", iat: at(NOW - 5) };
    let (now, named) = (at(NOW - 5), |kind| vec![(mark(kind), at(NOW - 4))]);
    let table = [
        (
            Revocations { jti: vec![mark(Marked::Jti)], ..statement(1) },
            TokenFacts { jti: Some("same"), ..facts },
        ),
        (Revocations { sid: named(Marked::Sid), ..statement(1) }, TokenFacts { sid: Some("same"), ..facts }),
        (Revocations { sub: named(Marked::Sub), ..statement(1) }, TokenFacts { sub: "same", ..facts }),
        (
            Revocations { client: named(Marked::Client), ..statement(1) },
            TokenFacts { client_id: "same", ..facts },
        ),
    ];
    for (at_row, (revoking, dead)) in table.iter().enumerate() {
        let mut list = RevocationList::default();
        assert!(!list.is_about_tokens());
        take(&mut list, revoking).unwrap();
        assert!(list.is_about_tokens());
        for (other_row, (_, token)) in table.iter().enumerate() {
            assert_eq!(list.covers(token), at_row == other_row, "{at_row} {other_row}");
        }
        let later = TokenFacts { iat: at(now.as_secs() + 1), ..*dead };
        assert_eq!(list.covers(&later), at_row == 0, "a token's own name has no time");
    }
}

// S-85
#[test]
fn what_no_living_token_is_about_is_forgotten() {
    let mut list = RevocationList::default();
    let revoking = Revocations {
        kid: vec![*TestKey::rs256().kid()],
        jti: vec![Mark::of(Marked::Jti, "t-1")],
        sub: vec![(Mark::of(Marked::Sub, "user:a"), at(NOW + 1))],
        all: Some(at(NOW + 1)),
        ..statement(1)
    };
    take(&mut list, &revoking).unwrap();
    let keys = [*TestKey::es256().kid()];
    let mut later = |after: u64| {
        let now = at(NOW + after);
        let statement = Revocations { iat: now, exp: at(NOW + after + 600), ..statement(2) };
        list.take(&statement, &signer(TestKey::es256()), &Reader { issuer: ISSUER, keys: &keys, now })
            .unwrap();
        list.entries()
    };
    assert_eq!(later(62 * 60), 4);
    assert_eq!(later(62 * 60 + 1), 1, "the key is dead for ever");
}

// S-85
#[test]
fn too_much_to_keep_becomes_one_revocation_of_all() {
    let mut list = RevocationList::default();
    for part in 0..3 {
        let names = (0..MAX_ENTRIES / 2).map(|name| Mark::of(Marked::Jti, &format!("{part}-{name}")));
        take(&mut list, &Revocations { jti: names.collect(), ..statement(part) }).unwrap();
        assert!(list.entries() <= MAX_ENTRIES);
    }
    for jti in ["0-0", "1-7", "2-99"] {
        assert!(list.covers(&TokenFacts { jti: Some(jti), ..token("user:a", NOW) }), "{jti}");
    }
    assert!(!list.covers(&token("user:a", NOW + 1)));
}

// S-85
#[test]
fn of_what_is_too_much_to_keep_the_oldest_is_summed_up_and_no_fresh_token_dies() {
    let mut list = RevocationList::default();
    let keys = [*TestKey::es256().kid()];
    for minute in 0..60 {
        let now = at(NOW + 60 * minute);
        let names = (0..4_000).map(|name| Mark::of(Marked::Jti, &format!("{minute}-{name}")));
        let statement = Revocations {
            jti: names.collect(),
            iat: now,
            exp: at(NOW + 60 * minute + 600),
            ..statement(minute)
        };
        let reader = Reader { issuer: ISSUER, keys: &keys, now };
        list.take(&statement, &signer(TestKey::es256()), &reader).unwrap();
        assert!(list.entries() <= MAX_ENTRIES + 1);
    }
    assert!(list.covers(&token("user:a", NOW + 9 * 60)), "what is over soon");
    assert!(!list.covers(&token("user:a", NOW + 10 * 60)), "and nothing younger");
    let named = |jti| TokenFacts { jti: Some(jti), ..token("user:a", NOW + 3_000) };
    assert!(list.covers(&named("59-3999")) && list.covers(&named("10-0")));
}

// S-43
#[test]
fn a_time_from_the_future_does_not_end_what_is_issued_then() {
    let mut list = RevocationList::default();
    take(&mut list, &Revocations { all: Some(at(NOW + 86_400)), ..statement(1) }).unwrap();
    assert!(list.covers(&token("user:a", NOW + 59)));
    assert!(!list.covers(&token("user:a", NOW + 60)));
}

// S-43
#[test]
fn it_is_the_same_after_a_restart() {
    let mut list = RevocationList::default();
    let revoking = Revocations {
        kid: vec![*TestKey::rs256().kid()],
        jti: vec![Mark::of(Marked::Jti, "t-1")],
        sid: vec![(Mark::of(Marked::Sid, "s-1"), at(NOW))],
        all: Some(at(NOW)),
        ..statement(5)
    };
    take(&mut list, &revoking).unwrap();
    let text = serde_json::to_string(&list).unwrap();
    let mut kept: RevocationList = serde_json::from_str(&text).unwrap();
    assert_eq!(kept, list);
    assert!(matches!(take(&mut kept, &statement(4)), Err(StatementFault::Rollback { held: 5, offered: 4 })));
}
