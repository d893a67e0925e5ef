use claviger_jose::{Algorithm, Jwk, Kid, MAX_KEYS, NumericDate};

use crate::{IllegalTransition, KeyState, KnownBy, RotationPolicy, Step};

/// A key's public half and where it is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedKey {
    /// The public key.
    pub jwk: Jwk,
    /// Its state.
    pub state: KeyState,
}

/// All keys of an issuer that are, or ever were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring {
    keys: Vec<ManagedKey>,
}

/// One key that went from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Which key.
    pub kid: Kid,
    /// The state that it must still be in for the move to be made.
    pub from: KeyState,
    /// Where it goes.
    pub to: KeyState,
}

/// Why a step cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepRefused {
    /// No such key.
    #[error("there is no key {0}")]
    UnknownKey(Kid),
    /// Not from this state.
    #[error(transparent)]
    Transition(#[from] IllegalTransition),
    /// The next key has not been published for as long as the lead.
    #[error("the next {alg} key may sign from {earliest} on: verifiers must have learned it first")]
    TooEarly {
        /// The algorithm.
        alg: Algorithm,
        /// The earliest time at which a rotation is allowed.
        earliest: NumericDate,
    },
    /// Nobody serves the next key: time alone does not make it known.
    #[error("no replica is ready: the next {0} key may sign when it has been served for long enough")]
    NobodyServes(Algorithm),
    /// A replica does not publish the next key yet: verifiers that ask it would not learn the key.
    #[error(
        "the replica {replica} does not publish {kid} yet; it is waited for until it was silent for three leases"
    )]
    ReplicaBehind {
        /// The next key.
        kid: Kid,
        /// The replica.
        replica: String,
    },
    /// There is no key that could follow.
    #[error("no {0} key is prepared; it is made by the next tick of a running issuer")]
    NothingPrepared(Algorithm),
    /// Two keys of one algorithm would sign.
    #[error("another {0} key is active")]
    SecondActive(Algorithm),
    /// A key was to be created, but none of its algorithm was handed over.
    #[error("no new {0} key was made")]
    NothingCreated(Algorithm),
    /// The key is here, or ever was.
    #[error("there is, or was, a key {0} already")]
    KnownKey(Kid),
    /// One more retiring key, and the set would be refused by every verifier.
    #[error("as many {0} keys are published as verifiers read: a retiring one must leave the set first")]
    SetFull(Algorithm),
}

impl Keyring {
    /// A keyring of these keys.
    #[must_use]
    pub fn new(keys: Vec<ManagedKey>) -> Self {
        Self { keys }
    }

    /// All keys, tombstones included.
    #[must_use]
    pub fn keys(&self) -> &[ManagedKey] {
        &self.keys
    }

    /// The keys of the published set: Prepared, Active and Retiring, and nothing else.
    pub fn published(&self) -> impl Iterator<Item = &ManagedKey> {
        self.keys.iter().filter(|key| key.state.is_published())
    }

    /// The key that signs with this algorithm.
    #[must_use]
    pub fn active(&self, alg: Algorithm) -> Option<&ManagedKey> {
        self.of(alg).find(|key| matches!(key.state, KeyState::Active { .. }))
    }

    /// The key that will sign next: of several, the one that is published for the longest time.
    #[must_use]
    pub fn prepared(&self, alg: Algorithm) -> Option<&ManagedKey> {
        let prepared = self.of(alg).filter(|key| matches!(key.state, KeyState::Prepared { .. }));
        prepared.min_by_key(|key| key.state.since())
    }

    /// Takes a step and answers the moves that it consists of, for the database to repeat.
    /// `created` is the new key of a [`Step::Create`].
    ///
    /// # Errors
    /// [`StepRefused`]; the keyring is then as it was.
    pub fn apply(
        &mut self,
        step: &Step,
        created: Option<Jwk>,
        policy: &RotationPolicy,
        now: NumericDate,
    ) -> Result<Vec<Move>, StepRefused> {
        let mut moves = Vec::new();
        match *step {
            Step::Create { alg, active } => {
                if active && self.active(alg).is_some() {
                    return Err(StepRefused::SecondActive(alg));
                }
                let jwk = created.filter(|jwk| jwk.alg() == alg).ok_or(StepRefused::NothingCreated(alg))?;
                if self.find(jwk.kid()).is_ok() {
                    return Err(StepRefused::KnownKey(*jwk.kid()));
                }
                let state =
                    if active { KeyState::Active { since: now } } else { KeyState::Prepared { since: now } };
                self.keys.push(ManagedKey { jwk, state });
            }
            Step::Activate { kid, known_by } => {
                let next = self.find(&kid)?;
                let alg = next.jwk.alg();
                let activated = next.state.activate(now)?;
                if let Some(active) = self.active(alg) {
                    let earliest = next.state.since() + policy.lifetimes().lead;
                    // Verifiers that do not name themselves need the lead, whatever the others say.
                    let learned = match known_by {
                        KnownBy::Lead => false,
                        KnownBy::Fleet => !policy.lifetimes().foreign_verifiers,
                        KnownBy::Nobody => true,
                    };
                    if now < earliest && !learned {
                        return Err(StepRefused::TooEarly { alg, earliest });
                    }
                    if !self.has_room(alg) {
                        return Err(StepRefused::SetFull(alg));
                    }
                    let until = now + policy.lifetimes().tail;
                    let to = active.state.retire(now, until)?;
                    moves.push(Move { kid: *active.jwk.kid(), from: active.state, to });
                }
                moves.push(Move { kid, from: next.state, to: activated });
            }
            Step::Remove { kid } => {
                let from = self.find(&kid)?.state;
                moves.push(Move { kid, from, to: from.remove(now)? });
            }
            Step::Revoke { kid } => {
                let from = self.find(&kid)?.state;
                moves.push(Move { kid, from, to: from.revoke(now)? });
            }
        }
        for change in &moves {
            for key in self.keys.iter_mut().filter(|key| key.jwk.kid() == &change.kid) {
                key.state = change.to;
            }
        }
        Ok(moves)
    }

    /// Whether a rotation, which adds one key to the set, leaves it a set that verifiers accept: they
    /// refuse more than [`MAX_KEYS`] as a whole, and a long tail with a short lead would get there.
    pub(crate) fn has_room(&self, alg: Algorithm) -> bool {
        self.of(alg).filter(|key| key.state.is_published()).count() < MAX_KEYS / Algorithm::ALL.len()
    }

    pub(crate) fn find(&self, kid: &Kid) -> Result<&ManagedKey, StepRefused> {
        self.keys.iter().find(|key| key.jwk.kid() == kid).ok_or(StepRefused::UnknownKey(*kid))
    }

    pub(crate) fn of(&self, alg: Algorithm) -> impl Iterator<Item = &ManagedKey> {
        self.keys.iter().filter(move |key| key.jwk.alg() == alg)
    }
}
