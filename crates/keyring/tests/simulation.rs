//! A year in which rotations are forced, clocks stall and processes crash at random: every token that is alive
//! verifies at every verifier that follows its numbers, and no key outlives the rule.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{collections::HashMap, time::Duration};

use claviger_jose::{Algorithm, Jwk, Kid, MAX_KEYS, NumericDate, PublicKey};
use claviger_keyring::{FleetView, KeyState, Keyring, Lifetimes, RotationPolicy, Serving, Step};
use proptest::prelude::*;

const DAY: u64 = 86_400;

/// What the world does next.
#[derive(Debug, Clone)]
enum Event {
    /// Time passes and the ticker runs.
    Tick(u64),
    /// Time passes and nothing runs: a stall, or a process that was down.
    Stall(u64),
    /// An operator asks for a rotation.
    Rotate,
    /// A process makes a plan, and takes only its first steps: it is killed in between. Each
    /// transaction is whole, so this is a plan cut short.
    Crash(usize),
    /// The verifier with this number fetches the set.
    Fetch(usize),
    /// A token is issued.
    Issue,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        8 => (1..DAY).prop_map(Event::Tick),
        2 => (1..9 * DAY).prop_map(Event::Stall),
        3 => Just(Event::Rotate),
        2 => (0..4_usize).prop_map(Event::Crash),
        6 => (0..4_usize).prop_map(Event::Fetch),
        8 => Just(Event::Issue),
    ];
    proptest::collection::vec(event, 900)
}

struct World {
    now: u64,
    policy: RotationPolicy,
    keyring: Keyring,
    made: u32,
    /// What each replica's view was when it last looked, at most L ago: the key that it signs with.
    tokens: Vec<(Kid, u64)>,
    /// Per verifier: the set that it holds and when it fetched it.
    verifiers: Vec<(Vec<Kid>, u64)>,
    retired: HashMap<Kid, u64>,
}

impl World {
    fn new() -> Self {
        let policy =
            RotationPolicy::new(Lifetimes { period: Duration::from_secs(3 * DAY), ..Lifetimes::default() });
        let mut world = Self {
            now: 1000 * DAY,
            policy: policy.unwrap(),
            keyring: Keyring::default(),
            made: 0,
            tokens: Vec::new(),
            verifiers: Vec::new(),
            retired: HashMap::new(),
        };
        world.tick();
        world.verifiers = vec![(world.published(), world.now); 4];
        world
    }

    fn date(&self) -> NumericDate {
        NumericDate::from_secs(self.now)
    }

    fn published(&self) -> Vec<Kid> {
        self.keyring.published().map(|key| *key.jwk.kid()).collect()
    }

    fn take(&mut self, steps: &[Step]) {
        for step in steps {
            let created = matches!(step, Step::Create { .. }).then(|| {
                self.made += 1;
                let mut bytes = [7; 32];
                bytes[..4].copy_from_slice(&self.made.to_be_bytes());
                match step {
                    Step::Create { alg: Algorithm::Rs256, .. } => {
                        let mut n = vec![0xff; 256];
                        n[1..33].copy_from_slice(&bytes);
                        Jwk::new(PublicKey::Rsa { n, e: vec![1, 0, 1] }).unwrap()
                    }
                    _ => Jwk::new(PublicKey::P256 { x: bytes, y: bytes }).unwrap(),
                }
            });
            let now = self.date();
            for change in self.keyring.apply(step, created, &self.policy, now).expect("a plan can be taken") {
                if let KeyState::Retiring { .. } = change.to {
                    self.retired.insert(change.kid, self.now);
                }
            }
        }
    }

    fn tick(&mut self) {
        let steps = self.keyring.plan(&self.policy, &FleetView::default(), self.date());
        self.take(&steps);
        assert_eq!(
            self.keyring.plan(&self.policy, &FleetView::default(), self.date()),
            [],
            "a plan that was taken is done"
        );
        self.check_announcement();
    }

    /// What is announced is due at its time, and nothing is due before.
    fn check_announcement(&self) {
        let (due, step) =
            self.keyring.next_due(&self.policy, Serving::Always).expect("there is always a next rotation");
        assert!(due > self.date());
        let before = due.minus(Duration::from_secs(1));
        assert_eq!(
            self.keyring.plan(&self.policy, &FleetView::default(), before),
            [],
            "nothing is due before"
        );
        assert_eq!(self.keyring.plan(&self.policy, &FleetView::default(), due).first(), Some(&step));
    }

    /// Verifiers refresh at 0.8 C in the background, also while the issuer's ticker stalls.
    fn pass(&mut self, secs: u64) {
        self.now += secs;
        if secs > 240 {
            let published = self.published();
            self.verifiers.iter_mut().for_each(|held| *held = (published.clone(), self.now));
        }
    }

    fn run(&mut self, event: &Event) {
        match event {
            Event::Tick(secs) => {
                self.pass(*secs);
                self.tick();
            }
            Event::Stall(secs) => self.pass(*secs),
            Event::Rotate => {
                for alg in Algorithm::ALL {
                    if let Ok(steps) =
                        self.keyring.plan_rotation(alg, &self.policy, &FleetView::default(), self.date())
                    {
                        self.take(&steps);
                    }
                }
            }
            Event::Crash(taken) => {
                let steps = self.keyring.plan(&self.policy, &FleetView::default(), self.date());
                // A promotion and its successor are one transaction only as far as it was committed.
                self.take(&steps[..steps.len().min(*taken)]);
            }
            Event::Fetch(verifier) => self.verifiers[*verifier] = (self.published(), self.now),
            Event::Issue => {
                for alg in Algorithm::ALL {
                    if let Some(active) = self.keyring.active(alg) {
                        self.tokens.push((*active.jwk.kid(), self.now));
                    }
                }
            }
        }
        self.check();
    }

    fn check(&mut self) {
        let lifetimes = *self.policy.lifetimes();
        let (token, skew) = (lifetimes.token.as_secs(), lifetimes.skew.as_secs());
        let lease = lifetimes.lease.as_secs();
        for alg in Algorithm::ALL {
            let active = self.keyring.keys().iter();
            let active =
                active.filter(|key| key.jwk.alg() == alg && matches!(key.state, KeyState::Active { .. }));
            assert_eq!(active.count(), 1, "exactly one active {alg} key");
        }
        let published = self.published();
        assert!(published.len() <= MAX_KEYS, "verifiers refuse a larger set");
        let now = self.now;
        self.tokens.retain(|(_, issued)| now < issued + token + skew);
        for (kid, issued) in &self.tokens {
            assert!(published.contains(kid), "a token issued at {issued} lost its key at {now}");
            for (held, fetched) in &self.verifiers {
                assert!(
                    held.contains(kid),
                    "a set fetched at {fetched} lacks the key of a token issued at {issued}"
                );
            }
        }
        for key in self.keyring.published() {
            if let Some(retired) = self.retired.get(key.jwk.kid()) {
                let rule = retired + lifetimes.tail.as_secs();
                let until = key.state.until().expect("a retired key is retiring").as_secs();
                assert!(until <= rule && until >= retired + token + skew + lease);
            }
        }
    }
}

// S-34
#[test]
fn through_a_year_of_faults_every_live_token_verifies_and_no_key_outlives_the_rule() {
    let config = ProptestConfig { cases: 24, ..ProptestConfig::default() };
    proptest!(config, |(events in events())| {
        let mut world = World::new();
        for event in &events {
            world.run(event);
        }
        prop_assert!(world.now > 1300 * DAY, "most of a year has passed: {}", world.now / DAY);
        world.pass(3 * DAY);
        world.tick(); // rotates at most once more
        world.pass(DAY / 12);
        world.tick();
        let live = world.keyring.published().count();
        prop_assert_eq!(live, 4, "in the end there are an active and a prepared key per algorithm");
    });
}
