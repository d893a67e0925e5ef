//! The simulation and the model, small enough for every run of the tests.

use crate::{breakage::Inequality, model, run::find, scenario::Scenario, time::HOUR, world::World};

fn is_sound(seed: u64) {
    let scenario = Scenario::of(seed, 200, 40);
    let name = scenario.name;
    let (figures, journal, breach) = World::new(scenario).run();
    assert_eq!(breach, None, "seed {seed} ({name}): {:#?}", journal.lines);
    assert!(figures.judged > 10_000, "seed {seed}: {} tokens were judged", figures.judged);
    assert!(figures.activations > 2, "seed {seed}: {} keys began to sign", figures.activations);
}

// S-33 S-34 S-35 S-36
#[test]
fn weeks_of_faults_reject_no_living_token_and_keep_no_dead_one() {
    for seed in 1..=4 {
        is_sound(seed);
    }
}

// S-43
#[test]
fn caches_that_are_stuck_and_thieves_of_a_key_delay_no_revocation_for_long() {
    for seed in 1..=4 {
        let mut scenario = Scenario::of(seed, 60, 8);
        scenario.between_acts = HOUR * 6;
        let (figures, journal, breach) = World::new(scenario).run();
        assert_eq!(breach, None, "seed {seed}: {:#?}", journal.lines);
        assert!(figures.freezes > 10 && figures.thefts > 0, "seed {seed}: {figures:?}");
        assert!(
            figures.dead_tokens > 100 && figures.token_revocations > 10,
            "seed {seed}: {} revoked tokens",
            figures.dead_tokens
        );
    }
}

// S-33
#[test]
fn a_simulation_notices_each_inequality_that_is_broken() {
    for inequality in Inequality::ALL {
        let (_, breach) = find(inequality, 100, 20).unwrap_or_else(|| panic!("{}", inequality.words()));
        let (invariant, words) = inequality.breaks();
        let is_that = breach.invariant == invariant && breach.words.contains(words);
        assert!(is_that, "{}: {breach:?}", inequality.words());
    }
}

// S-31 S-32 S-33 S-34 S-35 S-36
#[test]
fn every_reachable_state_of_a_small_fleet_keeps_the_invariants() {
    for explored in model::is_sound(false) {
        eprintln!("{}: {} states", explored.name, explored.states);
        assert_eq!(explored.broken, None, "{}", explored.name);
        assert!(explored.states > 50_000, "{}: only {} states", explored.name, explored.states);
    }
}

// S-33
#[test]
fn a_model_check_notices_each_inequality_that_is_broken() {
    for inequality in Inequality::ALL {
        let explored = model::find(inequality);
        let refuted = explored.broken.map(|(property, _)| property);
        assert_eq!(refuted, Some(inequality.refutes()), "{}", inequality.words());
    }
}
