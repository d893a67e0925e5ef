use super::*;
use crate::timing::{MIN_FRESHNESS, MIN_FRESHNESS_ON_LOOPBACK};

mod states;

const DAY: f64 = 86_400.0;

/// An answer that says nothing about itself.
const SILENT: Horizons = Horizons { fresh: None, stale: None, age: Duration::ZERO };

fn fresh(fresh: Option<Duration>) -> Horizons {
    Horizons { fresh, ..SILENT }
}

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn cold() -> Policy {
    Policy::new(Timing::default(), MIN_FRESHNESS)
}

/// A policy whose first attempt succeeded at time zero, with nothing said about freshness.
fn warm() -> Policy {
    let mut policy = cold();
    succeed(&mut policy, 0.0);
    policy
}

fn attempt(policy: &mut Policy, now: f64) {
    assert!(matches!(policy.turn(at(now)), Turn::Fetch(_)), "at {now}");
}

fn succeed(policy: &mut Policy, now: f64) {
    attempt(policy, now);
    policy.succeeded(at(now), false, SILENT, 0.5);
}

fn fail(policy: &mut Policy, now: f64, jitter: f64) {
    attempt(policy, now);
    policy.failed(at(now), None, jitter);
}

fn wants(policy: &mut Policy, now: f64) -> bool {
    policy.want(at(now)).is_worth_waiting()
}

fn confirm(policy: &mut Policy, now: Duration) {
    policy.succeeded(now, true, SILENT, 0.5);
}

fn sleep(policy: &mut Policy, now: f64) -> f64 {
    match policy.turn(at(now)) {
        Turn::Sleep(pause) => (pause.as_secs_f64() * 1e6).round() / 1e6,
        Turn::Fetch(_) => 0.0,
    }
}

fn refused_for(policy: &Policy, now: f64) -> Option<u64> {
    match policy.refusal(at(now)) {
        KeyError::UnknownKid => None,
        KeyError::Unavailable { retry_after } => Some(retry_after.as_secs()),
    }
}

// S-22
#[test]
fn a_set_is_refreshed_before_it_is_stale() {
    for (jitter, expected) in [(0.0, 216.0), (0.5, 240.0), (0.999_999, 264.0)] {
        let mut policy = cold();
        attempt(&mut policy, 0.0);
        policy.succeeded(at(0.0), false, SILENT, jitter);
        let slept = sleep(&mut policy, 0.0);
        assert!((slept - expected).abs() < 0.001, "{slept}, expected {expected}");
        assert!(slept < 300.0);
    }
}

// S-22
#[test]
fn the_age_counts_from_the_beginning_of_the_attempt() {
    let mut policy = cold();
    attempt(&mut policy, 10.0);
    policy.succeeded(at(13.0), false, SILENT, 0.5);
    assert_eq!(policy.age(at(13.0)), Some(at(3.0)));
    assert_eq!(policy.usable_until(), Some(at(10.0 + DAY)));
}

// S-25
#[test]
fn the_issuer_cannot_change_the_bounds_of_freshness() {
    let check = |floor: Duration, says: Option<u64>, refresh_at: f64| {
        let mut policy = Policy::new(Timing::default(), floor);
        attempt(&mut policy, 0.0);
        policy.succeeded(at(0.0), false, fresh(says.map(Duration::from_secs)), 0.5);
        assert!((sleep(&mut policy, 0.0) - refresh_at).abs() < 0.001, "{says:?}");
    };
    check(MIN_FRESHNESS, None, 240.0);
    check(MIN_FRESHNESS, Some(100), 80.0);
    check(MIN_FRESHNESS, Some(0), 48.0);
    check(MIN_FRESHNESS, Some(31_536_000), 2_880.0);
    check(MIN_FRESHNESS, Some(u64::MAX), 2_880.0);
    check(MIN_FRESHNESS_ON_LOOPBACK, Some(0), 0.8);
    check(MIN_FRESHNESS_ON_LOOPBACK, Some(31_536_000), 2_880.0);
}

#[test]
fn a_confirmation_that_says_nothing_keeps_the_freshness() {
    let mut policy = cold();
    attempt(&mut policy, 0.0);
    policy.succeeded(at(0.0), false, fresh(Some(at(100.0))), 0.5);
    attempt(&mut policy, 80.0);
    policy.succeeded(at(80.0), true, SILENT, 0.5);
    assert!((sleep(&mut policy, 80.0) - 80.0).abs() < 0.001);
    assert_eq!(policy.age(at(81.0)), Some(at(1.0)));
}

// S-22
#[test]
fn an_outage_is_bridged_until_the_set_is_too_old_and_then_nothing_is_known() {
    let mut policy = warm();
    fail(&mut policy, 240.0, 0.5);
    assert_eq!(policy.usable_until(), Some(at(DAY)));
    assert!(policy.is_usable(at(DAY - 1.0)));
    assert!(!policy.is_usable(at(DAY)));
    // Not even a success of long ago makes a kid unknown: the answer is 503, never 401.
    assert!(refused_for(&warm(), DAY).is_some());
}

// S-22
#[test]
fn the_issuer_can_shorten_the_time_of_staleness_and_not_prolong_it() {
    let usable_until = |stale: f64| {
        let mut policy = cold();
        attempt(&mut policy, 0.0);
        policy.succeeded(at(0.0), false, Horizons { stale: Some(at(stale)), ..SILENT }, 0.5);
        policy.usable_until().map(|until| until.as_secs_f64())
    };
    assert_eq!(usable_until(3600.0), Some(3600.0));
    assert_eq!(usable_until(9.0 * DAY), Some(DAY));
    assert_eq!(usable_until(0.0), Some(300.0), "a fresh set may always be used");
}

// S-21
#[test]
fn only_a_copy_that_is_surely_from_before_is_older() {
    let as_of = |now: f64, age: f64| AsOf::new(at(now), at(age));
    let held = as_of(100.0, 10.0);
    for (now, age, is_older) in [
        (100.0, 0.0, false),
        (130.0, 40.0, false),
        (130.0, 41.0, false),
        (130.0, 42.0, true),
        (130.0, 1e15, true),
    ] {
        assert_eq!(as_of(now, age).is_older_than(held), is_older, "{age} s old at {now} s");
    }
    let (ancient, later) = (as_of(100.0, 1e15), AsOf::new(at(200.0), Duration::MAX));
    assert!(!later.is_older_than(ancient), "beyond all use they are told apart by when they came");
    assert_eq!(cold().as_of(at(1.0)), None);
    assert_eq!(cold().fixed().as_of(at(1.0)), None);
    assert_eq!(cold().restored(at(5.0), at(3_600.0), at(DAY)).as_of(at(6.0)), Some(as_of(5.0, 3_600.0)));
}

// S-21
#[test]
fn a_confirmation_from_before_makes_the_set_no_older_and_of_no_less_use() {
    let mut policy = cold();
    let says = |age: f64| Horizons { age: at(age), stale: Some(at(60.0)), ..SILENT };
    attempt(&mut policy, 10.0);
    policy.succeeded(at(10.0), false, says(0.0), 0.5);
    attempt(&mut policy, 250.0);
    policy.succeeded(at(250.0), true, says(900.0), 0.5);
    assert_eq!(policy.age(at(250.0)), Some(at(240.0)));
    assert_eq!(policy.as_of(at(250.0)), Some(AsOf::new(at(10.0), Duration::ZERO)));
    assert_eq!(policy.usable_until(), Some(at(550.0)), "a fresh set may always be used");
    attempt(&mut policy, 500.0);
    policy.succeeded(at(500.0), true, says(20.0), 0.5);
    assert_eq!(policy.age(at(500.0)), Some(at(20.0)));
    assert_eq!(policy.as_of(at(500.0)), Some(AsOf::new(at(500.0), at(20.0))));
}

// S-21
#[test]
fn what_the_set_is_compared_by_is_the_word_of_the_issuer_and_is_lost_in_sleep() {
    let mut policy = warm();
    let fetched = policy.as_of(at(1.0));
    assert!(fetched.is_some());
    policy.vouched(at(100.0), at(20.0), 0.5);
    assert_eq!(policy.as_of(at(100.0)), fetched, "a replica may sign by what it saw a lease ago");
    policy.vouched(at(290.0), at(20.0), 0.5);
    assert_eq!(policy.as_of(at(290.0)), Some(AsOf::new(at(290.0), at(200.0))));
    assert_eq!(
        policy.as_of(at(290.0 + DAY)),
        None,
        "a set that may not be used is no reason to refuse another"
    );
    policy.slept(at(300.0));
    assert_eq!(policy.as_of(at(300.0)), None);
    assert_eq!(policy.turn(at(300.0)), Turn::Fetch(Cause::Due));
    policy.succeeded(at(300.0), true, Horizons { age: at(36_000.0), ..SILENT }, 0.5);
    assert_eq!(policy.age(at(300.0)), Some(at(36_000.0)), "what was known before has stood still");
}

// S-22
#[test]
fn the_time_in_a_cache_counts() {
    let from_cache = |age: f64| {
        let mut policy = cold();
        attempt(&mut policy, 10.0);
        policy.succeeded(at(11.0), false, Horizons { age: at(age), ..SILENT }, 0.5);
        policy
    };
    let hour = from_cache(3_600.0);
    assert_eq!(hour.age(at(10.0)), Some(at(3_600.0)));
    assert_eq!(hour.usable_until(), Some(at(10.0 + DAY - 3_600.0)));
    assert_eq!(refused_for(&hour, 10.0), None);
    assert!(refused_for(&hour, 11.0).is_some(), "what the issuer has had since, nobody knows");
    for (age, told) in [(DAY, DAY), (1e15, 3.0 * DAY)] {
        let cut_off = from_cache(age);
        assert_eq!(cut_off.usable_until(), Some(at(310.0)), "a fresh set may always be used");
        assert_eq!(cut_off.age(at(11.0)), Some(at(told + 1.0)));
    }
}

// S-22
#[test]
fn staleness_zero_fails_closed_when_the_set_is_no_longer_fresh() {
    let timing = Timing::default().with_staleness(Duration::ZERO).unwrap();
    let mut policy = Policy::new(timing, MIN_FRESHNESS);
    succeed(&mut policy, 0.0);
    assert!(policy.is_usable(at(299.9)));
    assert!(!policy.is_usable(at(300.0)));
}

#[test]
fn backoff_doubles_within_its_bounds_with_full_jitter() {
    let pauses = |mut policy: Policy, jitter: f64| -> Vec<f64> {
        let mut now = sleep(&mut policy, 0.0);
        let pause = |_| {
            fail(&mut policy, now, jitter);
            let pause = sleep(&mut policy, now);
            now += pause;
            (pause * 1e3).round() / 1e3
        };
        (0..9).map(pause).collect()
    };
    assert_eq!(pauses(cold(), 1.0), [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
    assert_eq!(pauses(warm(), 1.0), [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]);
    assert_eq!(pauses(cold(), 0.5)[..4], [0.125, 0.25, 0.5, 1.0]);
    assert_eq!(pauses(cold(), 0.0), [0.1; 9]);
}

#[test]
fn backoff_starts_anew_after_a_success() {
    let mut policy = cold();
    let mut now = 0.0;
    for _ in 0..100 {
        fail(&mut policy, now, 1.0);
        now += sleep(&mut policy, now);
    }
    succeed(&mut policy, now);
    now += sleep(&mut policy, now);
    fail(&mut policy, now, 1.0);
    assert!((sleep(&mut policy, now) - 1.0).abs() < 0.001);
}

#[test]
fn retry_after_is_honoured_also_by_unknown_kids() {
    let mut policy = warm();
    attempt(&mut policy, 240.0);
    policy.failed(at(240.0), Some(at(40.0)), 0.5);
    assert!((sleep(&mut policy, 240.0) - 42.0).abs() < 0.001);
    assert!(!wants(&mut policy, 279.0));
    assert_eq!(refused_for(&policy, 279.0), Some(3));
    assert!(wants(&mut policy, 280.0));
    attempt(&mut policy, 280.0);
}

/// Counts the attempts of a flood of 10,000 unknown kids per second for 59 s.
fn flood(policy: &mut Policy, mut finish: impl FnMut(&mut Policy, Duration)) -> u32 {
    let mut attempts = 0;
    for tick in 0..590_000_u32 {
        let now = at(1.0) + Duration::from_micros(100) * tick;
        if policy.want(now).is_worth_waiting() && matches!(policy.turn(now), Turn::Fetch(_)) {
            attempts += 1;
            finish(policy, now);
        }
    }
    attempts
}

// S-23
#[test]
fn a_flood_of_unknown_kids_causes_at_most_three_fetches_a_minute() {
    assert_eq!(flood(&mut warm(), confirm), 3);
}

// S-23
#[test]
fn a_flood_during_an_outage_adds_at_most_three_fetches_to_the_backoff() {
    let failing = |policy: &mut Policy, now| {
        policy.failed(now, None, 1.0);
    };
    let mut alone = warm();
    alone.next_at = at(1.0);
    let (mut background, mut now) = (0, at(1.0));
    while now < at(60.0) {
        match alone.turn(now) {
            Turn::Sleep(pause) => now += pause,
            Turn::Fetch(_) => {
                background += 1;
                failing(&mut alone, now);
            }
        }
    }
    let flooded = flood(&mut warm(), failing);
    assert!(flooded <= background + 3, "{flooded} attempts, {background} without the flood");
}

// S-23
#[test]
fn a_new_key_is_learned_within_the_interval_during_a_flood() {
    let mut policy = warm();
    flood(&mut policy, confirm);
    // The flood went on to 60 s; the bucket gives again 60 s after its first charge at 1 s.
    assert!(!wants(&mut policy, 60.9));
    assert!(wants(&mut policy, 61.1));
}

// S-23
#[test]
fn joining_is_free() {
    let mut policy = warm();
    assert!(wants(&mut policy, 1.0));
    for _ in 0..1_000 {
        assert!(wants(&mut policy, 1.0));
    }
    attempt(&mut policy, 1.0);
    assert!(wants(&mut policy, 1.5));
    policy.succeeded(at(2.0), true, SILENT, 0.5);
    assert!(wants(&mut policy, 2.0), "one of two was charged");
    attempt(&mut policy, 2.0);
    policy.failed(at(2.0), None, 0.5);
    assert!(!wants(&mut policy, 2.0), "an attempt that fails is charged too");
}

// S-23
#[test]
fn an_unknown_kid_is_told_what_the_last_attempt_found() {
    let mut policy = warm();
    assert_eq!(refused_for(&policy, 1.0), None);
    fail(&mut policy, 240.0, 1.0);
    assert_eq!(refused_for(&policy, 240.0), Some(1));
    succeed(&mut policy, 241.0);
    assert_eq!(refused_for(&policy, 241.0), None);
}

#[test]
fn a_cold_start_waits_for_the_attempt_that_is_due() {
    let mut policy = cold();
    assert!(wants(&mut policy, 0.0));
    attempt(&mut policy, 0.0);
    assert!(wants(&mut policy, 1.0));
    policy.failed(at(1.0), None, 1.0);
    // Not cached: an attempt is granted at once, and then the next one is near.
    assert!(wants(&mut policy, 1.0));
    fail(&mut policy, 1.0, 1.0);
    assert!(wants(&mut policy, 1.0));
    fail(&mut policy, 1.0, 1.0);
    assert!(wants(&mut policy, 1.0), "the next attempt is 1 s away");
    assert_eq!(policy.turn(at(1.0)), Turn::Sleep(at(1.0)), "and was not brought forward");
    let mut now = 2.0;
    for _ in 0..4 {
        fail(&mut policy, now, 1.0);
        now += sleep(&mut policy, now);
    }
    assert!(!wants(&mut policy, now - 16.0), "16 s away is not worth a wait");
    assert_eq!(refused_for(&policy, now - 16.0), Some(16));
}

#[test]
fn a_client_that_never_had_a_set_knows_nothing() {
    let mut policy = cold();
    assert_eq!(refused_for(&policy, 0.0), Some(1));
    assert_eq!(policy.usable_until(), None);
    fail(&mut policy, 0.0, 1.0);
    assert_eq!(refused_for(&policy, 0.0), Some(1));
}

/// The attempts of `count` clients that start at once, per second since the issuer returned.
fn herd(count: u64, returns_at: f64, until: f64) -> Vec<u32> {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut clients: Vec<(Policy, f64)> = (0..count).map(|_| (cold(), 0.0)).collect();
    let mut per_second = Vec::new();
    for (policy, now) in &mut clients {
        while *now < until {
            match policy.turn(at(*now)) {
                Turn::Sleep(pause) => *now += pause.as_secs_f64() + 1e-6,
                Turn::Fetch(_) if *now < returns_at => {
                    policy.failed(at(*now), None, rng.f64());
                }
                Turn::Fetch(_) => {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a small index"
                    )]
                    let second = (*now - returns_at) as usize;
                    per_second.resize(per_second.len().max(second + 1), 0);
                    per_second[second] += 1;
                    policy.succeeded(at(*now), false, SILENT, rng.f64());
                }
            }
        }
    }
    per_second
}

// S-29
#[test]
fn a_fleet_that_waited_for_a_dead_issuer_does_not_return_as_one() {
    let per_second = herd(200, 600.0, 1_200.0);
    assert!(per_second.iter().take(31).sum::<u32>() >= 200, "all are back within the longest pause");
    let peak = per_second.iter().max().unwrap();
    assert!(*peak <= 40, "{peak} requests in one second");
}
