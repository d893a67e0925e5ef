//! Sets that nobody fetched, attempts that somebody asked for, and what is news.

use super::*;

fn restored(age: f64, staleness: f64) -> Policy {
    cold().asleep().restored(at(5.0), at(age), at(staleness))
}

// S-28
#[test]
fn a_restored_set_is_stale_and_ends_when_it_would_have_ended() {
    let mut policy = restored(3_600.0, DAY);
    assert_eq!(policy.age(at(6.0)), Some(at(3_601.0)));
    assert_eq!(policy.usable_until(), Some(at(5.0 + DAY - 3_600.0)));
    assert_eq!(policy.fresh_until(), Some(Duration::ZERO));
    assert_eq!(policy.turn(at(5.0)), Turn::Fetch(Cause::Due), "the refresh is due at once");
    assert!(policy.failed(at(5.0), None, 1.0), "and its failure is news");
    assert!(refused_for(&policy, 6.0).is_some());
    attempt(&mut policy, 10.0);
    assert!(policy.succeeded(at(10.0), true, SILENT, 0.5));
    assert_eq!(policy.usable_until(), Some(at(10.0 + DAY)));
    assert_eq!(refused_for(&policy, 10.0), None);
}

// S-28
#[test]
fn a_restored_set_is_used_for_as_long_as_issuer_and_operator_allow() {
    assert_eq!(restored(0.0, 7_200.0).usable_until(), Some(at(7_205.0)));
    assert_eq!(restored(0.0, 9.0 * DAY).usable_until(), Some(at(5.0 + DAY)));
    assert_eq!(restored(2.0 * DAY, DAY).usable_until(), Some(at(0.0)), "its time was over long before");
    assert_eq!(restored(DAY + 2.0, DAY).usable_until(), Some(at(3.0)));
}

// S-23
#[test]
fn a_restored_set_does_not_tell_what_the_issuer_lacks() {
    assert_eq!(refused_for(&restored(60.0, DAY), 5.0), Some(1));
}

#[test]
fn a_fixed_set_is_all_there_is() {
    let mut policy = cold().fixed();
    for now in [0.0, 1e9] {
        assert_eq!(refused_for(&policy, now), None);
        assert_eq!(policy.age(at(now)), Some(Duration::ZERO));
        assert_eq!(policy.want(at(now)), Want::Refused);
        assert_eq!(policy.ask(at(now)), Asked::LastResult);
        policy.wake(at(now));
        assert!(sleep(&mut policy, now) > DAY);
    }
}

#[test]
fn a_policy_that_sleeps_is_woken_by_the_first_who_needs_it() {
    let mut policy = cold().asleep();
    assert!(policy.is_asleep());
    assert!(sleep(&mut policy, 0.0) > DAY);
    assert_eq!(policy.want(at(100.0)), Want::Joined, "the first fetch is not charged");
    assert!(!policy.is_asleep());
    assert_eq!(policy.turn(at(100.0)), Turn::Fetch(Cause::Due));
    let mut policy = cold().asleep();
    assert_eq!(policy.ask(at(100.0)), Asked::Wait);
    attempt(&mut policy, 100.0);
}

#[test]
fn an_attempt_has_a_cause() {
    let mut policy = warm();
    assert_eq!(policy.want(at(1.0)), Want::Granted);
    assert_eq!(policy.turn(at(1.0)), Turn::Fetch(Cause::Wanted));
    assert_eq!(policy.want(at(1.0)), Want::Joined);
    policy.failed(at(1.0), None, 1.0);
    assert_eq!(policy.turn(at(2.0)), Turn::Fetch(Cause::Retry));
    policy.succeeded(at(2.0), true, SILENT, 0.5);
    assert_eq!(policy.turn(at(242.0)), Turn::Fetch(Cause::Due));
}

#[test]
fn who_asks_gets_one_attempt_per_second_and_none_that_is_barred() {
    let mut policy = warm();
    let finish = |policy: &mut Policy, now: f64, retry_after: Option<f64>| {
        attempt(policy, now);
        policy.failed(at(now), retry_after.map(at), 1.0);
    };
    assert_eq!(policy.ask(at(10.0)), Asked::Wait);
    assert_eq!(policy.ask(at(10.0)), Asked::Wait, "the one that is due is joined");
    finish(&mut policy, 10.0, None);
    assert_eq!(policy.ask(at(10.9)), Asked::LastResult);
    assert_eq!(policy.ask(at(11.0)), Asked::Wait);
    finish(&mut policy, 11.0, Some(30.0));
    assert_eq!(policy.ask(at(40.9)), Asked::LastResult);
    assert_eq!(policy.ask(at(41.0)), Asked::Wait);
    attempt(&mut policy, 41.0);
    assert_eq!(policy.ask(at(41.0)), Asked::Joined, "the one under way is joined");
    assert!(wants(&mut policy, 41.0), "and nothing was charged");
}

#[test]
fn that_a_set_is_stale_is_news_once_and_so_is_that_it_is_not() {
    let mut policy = warm();
    let fails = |policy: &mut Policy, now: f64| {
        attempt(policy, now);
        policy.failed(at(now), None, 0.0)
    };
    let succeeds = |policy: &mut Policy, now: f64| {
        attempt(policy, now);
        policy.succeeded(at(now), true, SILENT, 0.5)
    };
    assert!(!fails(&mut policy, 240.0), "it is fresh for 300 s");
    assert!(!succeeds(&mut policy, 241.0), "nobody was told of trouble");
    assert!(!fails(&mut policy, 540.0));
    assert!(fails(&mut policy, 541.0));
    assert!(!fails(&mut policy, 600.0));
    assert!(succeeds(&mut policy, 700.0));
    assert!(!succeeds(&mut policy, 940.0));
    assert!(!fails(&mut cold(), 0.0), "what was never held is not stale");
}

#[test]
fn a_source_that_has_changed_is_read_at_once() {
    let mut policy = warm();
    policy.wake(at(10.0));
    assert_eq!(policy.turn(at(10.0)), Turn::Fetch(Cause::Due));
    // But not if the issuer asked to be left alone.
    policy.failed(at(10.0), Some(at(30.0)), 0.5);
    policy.wake(at(11.0));
    assert!((sleep(&mut policy, 11.0) - 29.0).abs() < 0.001);
}

#[test]
fn a_set_that_the_feed_vouches_for_is_as_good_as_confirmed() {
    let mut policy = warm();
    assert!(!policy.vouched(at(200.0), at(20.0), 0.5));
    assert_eq!(policy.age(at(230.0)), Some(at(50.0)), "what lay in a cache is older by that");
    assert_eq!(policy.usable_until(), Some(at(200.0 + DAY - 20.0)));
    assert_eq!(policy.fresh_until(), Some(at(500.0)));
    assert!((sleep(&mut policy, 200.0) - 240.0).abs() < 0.001);
    assert!(!policy.vouched(at(210.0), at(100.0), 0.5), "an older word changes nothing");
    assert_eq!(policy.age(at(230.0)), Some(at(50.0)));
}

#[test]
fn a_vouched_set_is_fetched_within_the_hour_all_the_same() {
    let mut policy = warm();
    for now in (0..2_880).step_by(15) {
        policy.vouched(Duration::from_secs(now), Duration::ZERO, 0.5);
    }
    assert!((sleep(&mut policy, 2_870.0) - 10.0).abs() < 0.001);
    let mut failing = warm();
    fail(&mut failing, 250.0, 1.0);
    let retry = sleep(&mut failing, 250.0);
    failing.vouched(at(250.0), Duration::ZERO, 0.5);
    assert!(
        (sleep(&mut failing, 250.0) - retry).abs() < 0.001,
        "the place of the set is asked again as before"
    );
}

/// A cache on the way answers with the last statement for ever: the set is asked for nearly as often as without a feed.
// S-22 S-43
#[test]
fn a_word_that_grows_old_does_not_put_off_the_fetch_of_the_set() {
    for (jitter, expected) in [(0.0, 360.0), (1.0, 420.0)] {
        let mut policy = warm();
        for now in (0..360).step_by(15) {
            let now = Duration::from_secs(now);
            policy.vouched(now, now, jitter);
        }
        let next = 345.0 + sleep(&mut policy, 345.0);
        assert!((next - expected).abs() < 0.001, "{next}");
        assert_eq!(policy.age(at(345.0)), Some(at(345.0)), "the word is as old as the set");
    }
}

// S-22
#[test]
fn where_a_set_is_used_no_longer_than_it_is_fresh_it_is_fetched_in_time() {
    let timing = Timing::default().with_staleness(Duration::ZERO).unwrap();
    let mut policy = Policy::new(timing, MIN_FRESHNESS);
    succeed(&mut policy, 0.0);
    policy.vouched(at(200.0), at(200.0), 0.5);
    assert_eq!(policy.usable_until(), Some(at(300.0)), "an old word prolongs nothing");
    assert!(sleep(&mut policy, 200.0) < 100.0);
    policy.vouched(at(200.0), Duration::ZERO, 0.5);
    assert_eq!(policy.usable_until(), Some(at(500.0)));
}

#[test]
fn an_attempt_that_somebody_waits_for_is_not_put_off_by_the_feed() {
    type Promise = fn(&mut Policy);
    let promises: [(&str, Promise); 4] = [
        ("granted", |policy| assert_eq!(policy.want(at(100.0)), Want::Granted)),
        ("asked for", |policy| assert_eq!(policy.ask(at(100.0)), Asked::Wait)),
        ("of a source that has changed", |policy| policy.wake(at(100.0))),
        ("joined when it was due", |policy| assert_eq!(policy.want(at(240.0)), Want::Joined)),
    ];
    for (what, promise) in promises {
        let mut policy = warm();
        promise(&mut policy);
        // A poll that had begun before.
        policy.vouched(at(99.0), Duration::ZERO, 0.5);
        attempt(&mut policy, 240.0);
        policy.succeeded(at(240.0), true, SILENT, 0.5);
        policy.vouched(at(300.0), Duration::ZERO, 0.5);
        assert!((sleep(&mut policy, 300.0) - 240.0).abs() < 0.001, "{what}: the next one is");
    }
    let mut due = warm();
    due.vouched(at(240.0), Duration::ZERO, 0.5);
    attempt(&mut due, 240.0);
}

#[test]
fn the_feed_ends_an_outage_and_vouches_for_nothing_that_is_not_there() {
    let mut policy = warm();
    fail(&mut policy, 400.0, 1.0);
    assert!(policy.vouched(at(400.0), Duration::ZERO, 0.5), "contact is back");
    assert!(!policy.vouched(at(401.0), Duration::ZERO, 0.5), "which is told once");
    let mut cold = cold();
    assert!(!cold.vouched(at(0.0), Duration::ZERO, 0.5));
    assert_eq!(cold.usable_until(), None);
    let mut fixed = super::cold().fixed();
    fixed.vouched(at(0.0), Duration::ZERO, 0.5);
    fixed.outdated(at(0.0), 0.5);
    assert!(sleep(&mut fixed, 0.0) > DAY);
}

#[test]
fn a_set_that_is_outdated_is_fetched_within_a_second_and_then_ever_more_slowly() {
    let mut policy = warm();
    policy.outdated(at(100.0), 0.7);
    assert!((sleep(&mut policy, 100.0) - 0.7).abs() < 0.001);
    let mut now = 100.7;
    for pause in [2.0, 4.0, 8.0, 16.0] {
        succeed(&mut policy, now);
        policy.outdated(at(now), 0.0);
        assert!((sleep(&mut policy, now) - pause).abs() < 0.001, "{pause}");
        now += pause;
    }
    succeed(&mut policy, now);
    policy.vouched(at(now), Duration::ZERO, 0.5);
    policy.outdated(at(now + 1.0), 0.0);
    assert!(sleep(&mut policy, now + 1.0) < 0.001, "a word that it is the right one begins anew");
}

#[test]
fn an_outdated_set_does_not_override_what_the_issuer_asked_for() {
    let mut policy = warm();
    attempt(&mut policy, 240.0);
    policy.failed(at(240.0), Some(at(30.0)), 0.0);
    policy.outdated(at(241.0), 0.0);
    assert!((sleep(&mut policy, 241.0) - 29.0).abs() < 0.001);
}
