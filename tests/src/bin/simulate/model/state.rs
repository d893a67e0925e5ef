//! A small fleet at one moment, small enough to be told apart from all others.

use claviger_jose::{Algorithm, Jwk, Kid, NumericDate};
use claviger_keyring::{KeyState, Keyring, ManagedKey};

use crate::database::fresh_key;

/// A time, or a span of it, in units.
pub(crate) type Units = u16;
/// A set of keys: a bit for each.
pub(crate) type Keys = u16;

/// Long after the epoch, so that nothing begins before it.
pub(crate) const BEGINNING: Units = 1000;

/// Everything that may differ between two moments of the model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) now: Units,
    pub(crate) keys: Vec<Key>,
    pub(crate) replicas: [Replica; 2],
    pub(crate) verifiers: [Verifier; 2],
    /// Since when some replica is ready without a break of more than a lease, by the database's clock.
    pub(crate) served_since: Units,
    /// By how much the database's clock is ahead: after a fail-over to a machine whose clock is.
    pub(crate) database_ahead: Units,
    /// By how much the clocks of those who sign are ahead.
    pub(crate) signers_ahead: Units,
    /// How often a clock may still step, an operator rotate or revoke, and a replica be cut off.
    pub(crate) steps_left: u8,
    pub(crate) rotations_left: u8,
    pub(crate) revocations_left: u8,
    pub(crate) cuts_left: u8,
}

/// A key and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) life: Life,
    /// When it entered that state, by the database's clock.
    pub(crate) since: Units,
    pub(crate) until: Units,
    /// When it ceased to be active, by the true clock.
    pub(crate) stopped_at: Option<Units>,
    pub(crate) revoked_at: Option<Units>,
    /// It began to sign in an emergency, ahead of its lead.
    pub(crate) is_unlearned: bool,
    /// Until when tokens of it live.
    pub(crate) tokens_live_until: Units,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Life {
    Prepared,
    Active,
    Retiring,
    Removed,
    Revoked,
}

/// A replica and what it last saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Replica {
    pub(crate) is_cut: bool,
    pub(crate) looked: Units,
    pub(crate) view: View,
}

/// What a replica publishes, and signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct View {
    pub(crate) published: Keys,
    pub(crate) active: Option<u8>,
}

/// A verifier that follows what the issuer says of its set's age, and asks at no other time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Verifier {
    pub(crate) held: Keys,
    /// At this time at the earliest the issuer has published it: it takes no other set of before.
    pub(crate) as_of: Units,
    /// Before this it asks again; none while what it holds is still served, for then it may have asked this moment.
    pub(crate) asks_before: Option<Units>,
}

impl Key {
    pub(crate) fn new(life: Life, since: Units) -> Self {
        Self {
            life,
            since,
            until: 0,
            stopped_at: None,
            revoked_at: None,
            is_unlearned: false,
            tokens_live_until: 0,
        }
    }

    pub(crate) fn state(&self, unit: u64) -> KeyState {
        let (since, until) = (date(self.since, unit), date(self.until, unit));
        match self.life {
            Life::Prepared => KeyState::Prepared { since },
            Life::Active => KeyState::Active { since },
            Life::Retiring => KeyState::Retiring { since, until },
            Life::Removed => KeyState::Removed { at: since },
            Life::Revoked => KeyState::Revoked { at: since },
        }
    }

    /// Goes where the keyring says.
    pub(crate) fn enter(&mut self, state: KeyState, now: Units, unit: u64) {
        if self.life == Life::Active {
            self.stopped_at = Some(now);
        }
        self.life = match state {
            KeyState::Prepared { .. } => Life::Prepared,
            KeyState::Active { .. } => Life::Active,
            KeyState::Retiring { .. } => Life::Retiring,
            KeyState::Removed { .. } => Life::Removed,
            KeyState::Revoked { .. } => Life::Revoked,
        };
        if self.life == Life::Revoked {
            self.revoked_at = Some(now);
        }
        self.since = units(state.since(), unit);
        self.until = state.until().map_or(0, |until| units(until, unit));
    }
}

impl State {
    /// The database's clock.
    pub(crate) fn date(&self, unit: u64) -> NumericDate {
        date(self.now + self.database_ahead, unit)
    }

    /// What a look into the database shows.
    pub(crate) fn published(&self) -> View {
        let mut view = View { published: 0, active: None };
        for (number, key) in (0_u8..).zip(&self.keys) {
            if matches!(key.life, Life::Prepared | Life::Active | Life::Retiring) {
                view.published |= 1 << number;
            }
            if key.life == Life::Active {
                view.active = Some(number);
            }
        }
        view
    }
}

/// The public keys by number; and those of the other algorithm, whose time never comes.
#[derive(Debug, Clone)]
pub(crate) struct KeyNames {
    pub(crate) jwks: Vec<Jwk>,
    others: [Jwk; 2],
}

impl KeyNames {
    pub(crate) fn new() -> Self {
        let jwks = (0..16).map(|number| fresh_key(Algorithm::Es256, number)).collect();
        Self { jwks, others: [0, 1].map(|number| fresh_key(Algorithm::Rs256, number)) }
    }

    /// The real keyring of these keys.
    pub(crate) fn keyring(&self, keys: &[Key], unit: u64) -> Keyring {
        let never = NumericDate::from_secs(u64::from(u32::MAX));
        let others = [KeyState::Active { since: never }, KeyState::Prepared { since: never }];
        let ours = keys
            .iter()
            .zip(&self.jwks)
            .map(|(key, jwk)| ManagedKey { jwk: jwk.clone(), state: key.state(unit) });
        let others =
            self.others.iter().zip(others).map(|(jwk, state)| ManagedKey { jwk: jwk.clone(), state });
        Keyring::new(ours.chain(others).collect())
    }

    pub(crate) fn number(&self, kid: &Kid) -> Option<usize> {
        self.jwks.iter().position(|jwk| jwk.kid() == kid)
    }
}

pub(crate) fn date(at: Units, unit: u64) -> NumericDate {
    NumericDate::from_secs(u64::from(at) * unit)
}

/// Rounded up.
pub(crate) fn units(date: NumericDate, unit: u64) -> Units {
    Units::try_from(date.as_secs().div_ceil(unit)).expect("the model ends before that")
}
