use super::*;

const fn secs(secs: u64) -> Moment {
    Duration::from_secs(secs)
}

/// One token from 100 to 200, asked for at this time; its key was revoked at 150, if so.
fn account(genuine: bool, revoked: bool, asked: u64, status: u16) -> Account {
    let (issued_at, expires_at) = (secs(100), secs(200));
    let token = Held { token: "t".into(), kid: "k".into(), audience: "a", issued_at, expires_at, genuine };
    let answer = Answer { token: 0, service: 0, asked: secs(asked), answered: secs(asked), status };
    let revoked = revoked.then(|| ("k".into(), secs(150))).into_iter().collect();
    Account { tokens: vec![token], answers: vec![answer], revoked, ..Account::default() }
}

fn allowance() -> Allowance {
    Allowance { skew: secs(5), revocation: secs(20), partitioned: HashMap::from([(1, secs(40))]) }
}

#[test]
fn a_good_token_that_is_rejected_is_a_violation_and_a_bad_one_is_none() {
    assert_eq!(account(true, false, 120, 401).rejected().len(), 1);
    for (genuine, revoked, asked, status) in [
        (true, false, 120, 200),
        (true, false, 120, 503),
        (true, false, 120, 0),
        (true, false, 199, 401),
        (true, false, 98, 401),
        (true, true, 150, 401),
        (false, false, 120, 401),
    ] {
        assert_eq!(account(genuine, revoked, asked, status).rejected(), Vec::<String>::new());
    }
    assert_eq!(account(true, true, 149, 401).rejected().len(), 1, "it was not revoked yet");
}

#[test]
fn a_bad_token_that_is_accepted_is_a_violation_once_its_service_had_the_time_to_know() {
    let wrong = |account: Account| account.wrongly_accepted(&allowance()).len();
    assert_eq!(wrong(account(false, false, 120, 200)), 1, "forged");
    assert_eq!(wrong(account(true, false, 207, 200)), 1, "over");
    assert_eq!(wrong(account(true, false, 206, 200)), 0, "within the skew, and a second of rounding");
    assert_eq!(wrong(account(true, true, 170, 200)), 1, "revoked");
    assert_eq!(wrong(account(true, true, 169, 200)), 0, "it may not know yet");
    let mut partitioned = account(true, true, 180, 200);
    partitioned.answers[0].service = 1;
    assert_eq!(wrong(partitioned.clone()), 0);
    partitioned.answers[0].asked = secs(190);
    assert_eq!(wrong(partitioned), 1);
}

#[test]
fn how_long_a_key_lingers_is_counted_from_its_revocation() {
    assert_eq!(account(true, true, 158, 200).lingering("k"), HashMap::from([(0, secs(8))]));
    assert_eq!(account(true, true, 158, 401).lingering("k"), HashMap::from([(0, secs(0))]));
    assert_eq!(account(true, false, 158, 200).lingering("k"), HashMap::new());
    assert_eq!(account(true, true, 158, 200).last_signed("k"), Some(secs(100)));
}

#[test]
fn a_percentile_is_one_of_the_values() {
    let values = || (1..=50).map(secs);
    assert_eq!((percentile(values(), 50), percentile(values(), 99)), (secs(25), secs(50)));
    assert_eq!(percentile([], 99), Duration::ZERO);
}

#[test]
fn what_services_must_refuse_is_counted_when_they_had_the_time_to_know_and_have_answered() {
    let presented = |account: Account| account.presented(&allowance());
    let nothing = Presented::default();
    for status in [200, 401] {
        assert_eq!(presented(account(false, false, 120, status)), Presented { forged: 1, ..nothing });
        assert_eq!(presented(account(true, false, 207, status)), Presented { over: 1, ..nothing });
        assert_eq!(presented(account(true, true, 170, status)), Presented { revoked: 1, ..nothing });
    }
    assert_eq!(presented(account(true, true, 169, 401)), nothing, "it may not know yet");
    assert_eq!(presented(account(false, false, 120, 503)), nothing, "this was no decision");
}

#[test]
fn a_service_that_accepts_nothing_is_told() {
    assert_eq!(account(true, false, 120, 200).accepted(0), 1);
    for (genuine, status) in [(true, 401), (true, 503), (true, 0), (false, 200)] {
        assert_eq!(account(genuine, false, 120, status).accepted(0), 0);
    }
    assert_eq!(account(true, true, 120, 200).never_accepted("k", &[0, 1]), ["service 1"]);
    assert_eq!(account(true, true, 151, 200).never_accepted("k", &[0]), ["service 0"], "only afterwards");
    assert_eq!(account(true, true, 152, 200).accepting_until("k", secs(150)), ["service 0"]);
    assert_eq!(account(true, true, 152, 200).accepting_until("k", secs(153)), Vec::<String>::new());
}

#[test]
fn a_key_takes_over_where_an_audience_first_gets_its_tokens() {
    let token = |audience: &'static str, kid: &str, at: u64| Held {
        kid: kid.into(),
        audience,
        issued_at: secs(at),
        ..account(true, false, 0, 0).tokens[0].clone()
    };
    let mut tokens = vec![token("a", "1", 1), token("b", "2", 2), token("a", "1", 3), token("a", "3", 4)];
    tokens.extend([token("b", "3", 5), token("a", "3", 6), token("a", "1", 7)]);
    let forged = Held { genuine: false, ..token("a", "4", 8) };
    tokens.push(forged);
    assert_eq!(Account { tokens, ..Account::default() }.switches(), [secs(4), secs(5)]);
}
