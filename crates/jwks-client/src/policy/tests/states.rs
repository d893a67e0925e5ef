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
    assert_eq!(restored(2.0 * DAY, DAY).usable_until(), Some(at(5.0)));
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
