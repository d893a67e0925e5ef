//! Every state that a small fleet can reach: two replicas, two verifiers, an operator, a database whose clock may step.
//!
//! Time passes in units. Between two of them anything may happen in any order; what must not wait longer than a unit
//! (a replica that is connected looks, a step that is due is taken) is done before time passes. A verifier may ask at
//! any time and must ask within C of its last answer: one whose set is still served may have asked this very moment,
//! so its age begins to count when the last replica that one may meet serves another set. That leaves out no worse
//! case, for an older set would only be given up earlier.

mod check;
mod rules;
mod state;

use claviger_keyring::{Lifetimes, RotationPolicy};
use stateright::{Model, Property};

pub(crate) use check::{find, is_sound, table};
use state::{BEGINNING, Key, KeyNames, Life, Replica, State, Units, Verifier, View};

use crate::acceptance::{Judged, leeway};

/// The world in which everything is tried.
#[derive(Debug, Clone)]
pub(crate) struct SmallFleet {
    pub(crate) policy: RotationPolicy,
    /// Seconds in a unit.
    pub(crate) unit: u64,
    /// Where it ends.
    pub(crate) horizon: Units,
    /// How long a verifier holds a set, in units: C, or an hour.
    pub(crate) cached: Units,
    /// How often operators rotate and revoke, and replicas are cut off.
    pub(crate) rotations: u8,
    pub(crate) revocations: u8,
    pub(crate) cuts: u8,
    pub(crate) names: Box<KeyNames>,
}

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A unit of time passes.
    Pass,
    /// The steps that are due are taken.
    Tick,
    /// A replica looks into the database.
    Look(usize),
    /// A replica loses the database, or finds it again.
    Cut(usize),
    Reconnect(usize),
    /// A verifier asks a replica.
    Ask {
        verifier: usize,
        replica: usize,
    },
    /// An operator rotates ahead of the period.
    Rotate,
    /// An operator declares the active key dead.
    Revoke,
    /// The database's clock is ahead from now on.
    Step,
}

impl SmallFleet {
    pub(crate) fn new(policy: RotationPolicy, unit: u64, cached: Units, horizon: Units) -> Self {
        let names = Box::new(KeyNames::new());
        Self { policy, unit, horizon, cached, rotations: 2, revocations: 1, cuts: 1, names }
    }

    /// A duration of the policy, in units.
    fn span(&self, of: impl Fn(&Lifetimes) -> std::time::Duration) -> Units {
        let seconds = of(self.policy.lifetimes()).as_secs();
        Units::try_from(seconds.div_ceil(self.unit)).unwrap_or(Units::MAX / 4)
    }

    /// Whether a token is taken when it is signed, also where the clock is behind by S, and not a minute after its end: by the real acceptance.
    fn times_hold(&self) -> bool {
        let apart = self.policy.lifetimes().skew;
        let skew = leeway(apart);
        let mut acceptance = claviger_verifier::simulation::Acceptance::new(skew);
        let iat = state::date(BEGINNING, self.unit);
        let exp = iat + self.policy.lifetimes().token;
        let mut judged =
            |here| Judged { iat, exp, sign_until: None, here, skew }.is_accepted(&mut acceptance);
        judged(iat) && judged(iat.minus(apart)) && !judged(exp + std::time::Duration::from_secs(61))
    }
}

impl Model for SmallFleet {
    type State = State;
    type Action = Action;

    /// Either the clocks of those who sign may be ahead, or the database's clock may step: all are within S of each
    /// other.
    fn init_states(&self) -> Vec<State> {
        let lead = self.span(|one| one.lead);
        let keys =
            vec![Key::new(Life::Active, BEGINNING), Key::new(Life::Prepared, BEGINNING.saturating_sub(lead))];
        let view = View { published: 0b11, active: Some(0) };
        let replica = Replica { is_cut: false, looked: BEGINNING, view };
        let state = State {
            now: BEGINNING,
            keys,
            replicas: [replica; 2],
            verifiers: [Verifier { held: 0b11, as_of: 0, asks_before: None }; 2],
            served_since: 0,
            database_ahead: 0,
            signers_ahead: 0,
            steps_left: 1,
            rotations_left: self.rotations,
            revocations_left: self.revocations,
            cuts_left: self.cuts,
        };
        let ahead = State { signers_ahead: self.span(|one| one.skew), steps_left: 0, ..state.clone() };
        [state, ahead].into_iter().map(|state| self.settled(state, false)).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.allowed(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.after(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("V1: a token that lives has its key at every verifier", |_, state| {
                Self::no_token_is_lost(state)
            }),
            Property::always("V1, V2: the times of tokens", |model, _| model.times_hold()),
            Property::always("V2: a revoked key is dropped in time", Self::no_revoked_key_stays),
            Property::always("V4: one key is active", |_, state| Self::one_is_active(state)),
            Property::always("V4: who may be asked publishes what others sign with", Self::all_publish),
            Property::always(
                "V4: nobody signs for long with a key that is active no more",
                Self::none_signs_late,
            ),
            Property::always("V4: somebody signs", Self::somebody_signs),
            Property::always("V4: no key signs for longer than its period", Self::none_outlives_its_period),
        ]
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.now <= BEGINNING + self.horizon && state.keys.len() < 12
    }
}
