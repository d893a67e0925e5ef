//! What may happen, what comes of it, and what must always hold.

use claviger_jose::Algorithm;
use claviger_keyring::{FleetView, Serving, Step, Witness};

use super::{
    Action, SmallFleet,
    state::{Key, Keys, Life, Replica, State, Units, date},
};

/// The longest time for which a replica may sign with a key that is active no more, in seconds.
const LONGEST_LEASE: u64 = 120;

impl SmallFleet {
    pub(super) fn allowed(&self, state: &State, actions: &mut Vec<Action>) {
        let current = state.published();
        let connected = state.replicas.iter().any(|replica| !replica.is_cut);
        let due = connected && !self.due(state).is_empty();
        let behind = state.replicas.iter().any(|replica| !replica.is_cut && replica.view != current);
        let must_ask =
            state.verifiers.iter().any(|one| one.asks_before.is_some_and(|at| at <= state.now + 1));
        if due {
            actions.push(Action::Tick);
        }
        if !due && !behind && !must_ask {
            actions.push(Action::Pass);
        }
        for (place, replica) in state.replicas.iter().enumerate() {
            if replica.is_cut {
                actions.push(Action::Reconnect(place));
            } else if state.cuts_left > 0 {
                actions.push(Action::Cut(place));
            }
            if !replica.is_cut && replica.view != current {
                actions.push(Action::Look(place));
            }
            if self.may_be_asked(state, *replica) {
                for (verifier, one) in state.verifiers.iter().enumerate() {
                    let must_ask = one.asks_before.is_some_and(|at| at <= state.now + 1);
                    if one.held != replica.view.published && (one.as_of <= replica.looked || must_ask) {
                        actions.push(Action::Ask { verifier, replica: place });
                    }
                }
            }
        }
        if connected && state.rotations_left > 0 {
            actions.push(Action::Rotate);
        }
        if connected && state.revocations_left > 0 {
            actions.push(Action::Revoke);
        }
        if state.steps_left > 0 {
            actions.push(Action::Step);
        }
    }

    pub(super) fn after(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Pass => {
                state.now += 1;
                let now = state.now;
                self.note_serving(&mut state);
                state.replicas.iter_mut().filter(|one| !one.is_cut).for_each(|one| one.looked = now);
            }
            Action::Tick => self.take(&mut state, &self.due(last), false)?,
            Action::Look(place) => {
                let now = state.now;
                let view = state.published();
                (state.replicas[place].view, state.replicas[place].looked) = (view, now);
            }
            Action::Cut(place) => {
                state.replicas[place].is_cut = true;
                state.cuts_left -= 1;
            }
            Action::Reconnect(place) => {
                let (now, view) = (state.now, state.published());
                state.replicas[place].is_cut = false;
                self.note_serving(&mut state);
                let replica = &mut state.replicas[place];
                (replica.looked, replica.view) = (now, view);
            }
            Action::Ask { verifier, replica } => {
                let (one, replica) = (&mut state.verifiers[verifier], state.replicas[replica]);
                if one.as_of <= replica.looked {
                    (one.held, one.as_of, one.asks_before) = (replica.view.published, replica.looked, None);
                } else {
                    one.asks_before = Some(state.now + self.cached);
                }
            }
            Action::Rotate => {
                state.rotations_left -= 1;
                let keyring = self.names.keyring(&state.keys, self.unit);
                let now = state.date(self.unit);
                let steps = keyring.plan_rotation(Algorithm::Es256, &self.policy, &self.fleet(&state), now);
                self.take(&mut state, &steps.ok()?, false)?;
            }
            Action::Revoke => {
                state.revocations_left -= 1;
                let keyring = self.names.keyring(&state.keys, self.unit);
                let kid = *keyring.active(Algorithm::Es256)?.jwk.kid();
                let steps =
                    keyring.plan_revocation(kid, &self.policy, &self.fleet(&state), state.date(self.unit));
                self.take(&mut state, &steps.ok()?, true)?;
            }
            Action::Step => {
                state.database_ahead = self.span(|one| one.skew);
                state.steps_left = 0;
            }
        }
        Some(self.settled(state, action == Action::Pass))
    }

    /// The steps that are due, by the real plan.
    fn due(&self, state: &State) -> Vec<Step> {
        let keyring = self.names.keyring(&state.keys, self.unit);
        keyring.plan(&self.policy, &self.fleet(state), state.date(self.unit))
    }

    /// What the issuer knows: replicas by their last look; verifiers, who have just said what they hold.
    fn fleet(&self, state: &State) -> FleetView {
        let kids = |keys: Keys| {
            let named = self.names.jwks.iter().enumerate().filter(|(number, _)| keys & (1 << number) != 0);
            named.map(|(_, jwk)| *jwk.kid()).collect()
        };
        let witness = |seen: Units, keys: Keys| Witness {
            name: String::new(),
            seen: date(seen + state.database_ahead, self.unit),
            kids: kids(keys),
            sequence: None,
        };
        FleetView {
            replicas: state.replicas.iter().map(|one| witness(one.looked, one.view.published)).collect(),
            verifiers: state.verifiers.iter().map(|one| witness(state.now, one.held)).collect(),
            incomplete: false,
            serving: self.serving(state),
        }
    }

    fn serving(&self, state: &State) -> Serving {
        if self.is_served(state) {
            Serving::Since(date(state.served_since, self.unit))
        } else {
            Serving::Nobody
        }
    }

    fn is_served(&self, state: &State) -> bool {
        state.replicas.iter().any(|one| self.may_sign(state, *one))
    }

    /// Before those look who are connected: after a break that was too long their service begins anew.
    fn note_serving(&self, state: &mut State) {
        if state.replicas.iter().any(|one| !one.is_cut) && !self.is_served(state) {
            state.served_since = state.now + state.database_ahead;
        }
    }

    /// One transaction over the real keyring.
    fn take(&self, state: &mut State, steps: &[Step], emergency: bool) -> Option<()> {
        let mut keyring = self.names.keyring(&state.keys, self.unit);
        let now = state.date(self.unit);
        for step in steps {
            let created = match step {
                Step::Create { .. } => Some(self.names.jwks.get(keyring.keys().len() - 2)?.clone()),
                _ => None,
            };
            keyring.apply(step, created, &self.policy, now).ok()?;
        }
        let lead = self.policy.lifetimes().lead;
        for managed in keyring.keys() {
            let Some(number) = self.names.number(managed.jwk.kid()) else { continue };
            if number == state.keys.len() {
                state.keys.push(Key::new(Life::Prepared, state.now + state.database_ahead));
            }
            let key = &mut state.keys[number];
            let published = date(key.since, self.unit);
            if key.state(self.unit) != managed.state {
                key.enter(managed.state, state.now, self.unit);
                key.is_unlearned = key.life == Life::Active && emergency && now < published + lead;
            }
        }
        Some(())
    }

    /// Tokens are signed at every moment; and a set that nobody serves any more begins to age.
    pub(super) fn settled(&self, mut state: State, has_passed: bool) -> State {
        let lives = state.now + self.span(|one| one.token) + state.signers_ahead;
        for replica in state.replicas {
            if let (Some(number), true) = (replica.view.active, self.may_sign(&state, replica)) {
                let key = &mut state.keys[usize::from(number)];
                key.tokens_live_until = key.tokens_live_until.max(lives);
            }
        }
        let last = if has_passed { state.now - 1 } else { state.now };
        let oldest = state.replicas.iter().map(|one| one.looked).min().unwrap_or_default();
        for place in 0..state.verifiers.len() {
            let held = state.verifiers[place].held;
            let serves = |one: &Replica| one.view.published == held && self.may_be_asked(&state, *one);
            let is_served = state.replicas.iter().any(serves);
            let ready_since = state.served_since + self.cached;
            if is_served && self.is_served(&state) && ready_since <= state.now {
                // It has asked within C, somebody who was ready, who had looked within the lease.
                let as_of = state.now.saturating_sub(self.cached + self.span(|one| one.lease));
                state.verifiers[place].as_of = state.verifiers[place].as_of.max(as_of);
            }
            if state.verifiers[place].as_of <= oldest {
                state.verifiers[place].as_of = 0; // nobody will ever offer it an older one
            }
            let asks_before = state.verifiers[place].asks_before;
            state.verifiers[place].asks_before =
                if is_served { None } else { asks_before.or(Some(last + self.cached)) };
        }
        state
    }

    fn may_sign(&self, state: &State, replica: Replica) -> bool {
        let lease = self.span(|one| one.lease);
        state.now - replica.looked <= lease
    }

    /// A load balancer sends requests to who is ready, and to all if nobody is.
    fn may_be_asked(&self, state: &State, replica: Replica) -> bool {
        self.may_sign(state, replica) || !state.replicas.iter().any(|one| self.may_sign(state, *one))
    }

    pub(super) fn no_token_is_lost(state: &State) -> bool {
        state.keys.iter().enumerate().all(|(number, key)| {
            let lives = state.now < key.tokens_live_until && key.revoked_at.is_none() && !key.is_unlearned;
            !lives || state.verifiers.iter().all(|one| one.held & (1 << number) != 0)
        })
    }

    pub(super) fn no_revoked_key_stays(&self, state: &State) -> bool {
        let longest = self.cached + self.span(|one| one.lease);
        state.keys.iter().enumerate().all(|(number, key)| {
            let is_over = key.revoked_at.is_some_and(|at| state.now > at + longest);
            !is_over || state.verifiers.iter().all(|one| one.held & (1 << number) == 0)
        })
    }

    pub(super) fn one_is_active(state: &State) -> bool {
        state.keys.iter().filter(|key| key.life == Life::Active).count() == 1
    }

    pub(super) fn all_publish(&self, state: &State) -> bool {
        let signing: Vec<Replica> =
            state.replicas.into_iter().filter(|one| self.may_sign(state, *one)).collect();
        signing.iter().filter_map(|one| one.view.active).all(|number| {
            let key = &state.keys[usize::from(number)];
            let is_excused = key.is_unlearned || key.revoked_at.is_some();
            is_excused || signing.iter().all(|one| one.view.published & (1 << number) != 0)
        })
    }

    pub(super) fn none_signs_late(&self, state: &State) -> bool {
        let longest = Units::try_from(LONGEST_LEASE / self.unit).unwrap_or(Units::MAX);
        state.replicas.into_iter().filter(|one| self.may_sign(state, *one)).all(|one| {
            let stopped = one.view.active.and_then(|number| state.keys[usize::from(number)].stopped_at);
            stopped.is_none_or(|at| state.now <= at + longest)
        })
    }

    pub(super) fn somebody_signs(&self, state: &State) -> bool {
        let mut connected = state.replicas.iter().filter(|one| !one.is_cut).peekable();
        // An answer of the database takes time: what it confirms is older than the look.
        let lease = self.span(|one| one.lease);
        connected.peek().is_none() || connected.any(|one| state.now - one.looked < lease)
    }

    /// As long as nobody who is cut off has to be waited for.
    pub(super) fn none_outlives_its_period(&self, state: &State) -> bool {
        let period = self.span(|one| one.period);
        state.cuts_left < self.cuts
            || state.keys.iter().all(|key| {
                // A clock that steps makes a step due that was not, and nobody has had the time to take it.
                key.life != Life::Active || state.now.saturating_sub(key.since) <= period
            })
    }
}
