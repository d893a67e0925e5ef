use claviger_jose::{Algorithm, Kid, NumericDate};

use crate::{FleetView, KeyState, Keyring, ManagedKey, RotationPolicy, Serving, StepRefused};

/// One thing to do to a keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Make and publish a new key.
    Create {
        /// For this algorithm.
        alg: Algorithm,
        /// Whether it signs at once. Only where no key could: at the very first start, when no
        /// verifier holds any set, and after a revocation that left nothing prepared.
        active: bool,
    },
    /// Let the prepared key sign; the active key of its algorithm retires.
    Activate {
        /// The prepared key.
        kid: Kid,
        /// By what it is known that no verifier will meet it unprepared.
        known_by: KnownBy,
    },
    /// Take a key that has retired out of the set.
    Remove {
        /// The retiring key.
        kid: Kid,
    },
    /// Declare a key dead.
    Revoke {
        /// The key.
        kid: Kid,
    },
}

/// By what it is known that verifiers have learned a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// It was published for the lead.
    Lead,
    /// Every verifier has said that it holds it, and there are none but those that name themselves.
    Fleet,
    /// It is not known: an operator takes it upon himself that some verifiers refuse good tokens for a while.
    Nobody,
}

impl Keyring {
    /// The steps that are due now, in the order in which to take them. Running late is safe;
    /// running twice plans nothing the second time. A rotation waits for every replica to publish the next key.
    #[must_use]
    pub fn plan(&self, policy: &RotationPolicy, fleet: &FleetView, now: NumericDate) -> Vec<Step> {
        let mut steps = Vec::new();
        for alg in Algorithm::ALL {
            let prepared = self.prepared(alg);
            match (self.active(alg), prepared) {
                (None, None) => steps.push(Step::Create { alg, active: true }),
                // Nothing signs: that is an outage already. Every cache that is fresh has the key.
                (None, Some(next)) => {
                    steps.push(Step::Activate { kid: *next.jwk.kid(), known_by: KnownBy::Lead });
                }
                (Some(_), None) => {}
                (Some(active), Some(next)) => {
                    let kid = *next.jwk.kid();
                    let due = rotation_due(active, next, policy, fleet.serving);
                    if due.is_some_and(|due| now >= due)
                        && self.has_room(alg)
                        && fleet.replicas_without(kid, policy, now).next().is_none()
                    {
                        steps.push(Step::Activate { kid, known_by: KnownBy::Lead });
                    }
                }
            }
            // There is always a key that every cache knows and nobody has used: the next rotation's, or
            // an emergency's.
            let promoted = matches!(steps.last(), Some(Step::Activate { kid, .. }) if prepared.is_some_and(|key| key.jwk.kid() == kid));
            if prepared.is_none() || promoted {
                steps.push(Step::Create { alg, active: false });
            }
        }
        let over = |state: KeyState| state.until().is_some_and(|until| now >= until);
        steps.extend(
            self.keys().iter().filter(|key| over(key.state)).map(|key| Step::Remove { kid: *key.jwk.kid() }),
        );
        steps
    }

    /// The step of a rotation ahead of its period. The lead holds all the same, unless every verifier is known to
    /// hold the next key; and every replica must publish it. The key after it is made by the next due steps: nobody
    /// waits for that.
    ///
    /// # Errors
    /// [`StepRefused::TooEarly`] with the earliest time; [`StepRefused::NobodyServes`]; [`StepRefused::ReplicaBehind`];
    /// [`StepRefused::NothingPrepared`]; [`StepRefused::SetFull`] until a retiring key has left.
    pub fn plan_rotation(
        &self,
        alg: Algorithm,
        policy: &RotationPolicy,
        fleet: &FleetView,
        now: NumericDate,
    ) -> Result<Vec<Step>, StepRefused> {
        let kid = *self.prepared(alg).ok_or(StepRefused::NothingPrepared(alg))?.jwk.kid();
        let known = !policy.lifetimes().foreign_verifiers && fleet.have_learned(kid, policy, now);
        let known_by = if known { KnownBy::Fleet } else { KnownBy::Lead };
        self.plan_activation(kid, known_by, policy, fleet, now)
    }

    /// The step of a rotation that an operator wants although verifiers may not have learned the key. Every replica
    /// must publish it all the same: they do within seconds, or are no longer waited for.
    ///
    /// # Errors
    /// As [`plan_rotation`](Self::plan_rotation), but for [`StepRefused::TooEarly`] and [`StepRefused::NobodyServes`].
    pub fn plan_forced_rotation(
        &self,
        alg: Algorithm,
        policy: &RotationPolicy,
        fleet: &FleetView,
        now: NumericDate,
    ) -> Result<Vec<Step>, StepRefused> {
        let kid = *self.prepared(alg).ok_or(StepRefused::NothingPrepared(alg))?.jwk.kid();
        self.plan_activation(kid, KnownBy::Nobody, policy, fleet, now)
    }

    fn plan_activation(
        &self,
        kid: Kid,
        known_by: KnownBy,
        policy: &RotationPolicy,
        fleet: &FleetView,
        now: NumericDate,
    ) -> Result<Vec<Step>, StepRefused> {
        let ManagedKey { jwk, state } = self.find(&kid)?;
        if known_by == KnownBy::Lead && self.active(jwk.alg()).is_some() {
            let alg = jwk.alg();
            let earliest = policy.end_of_lead(state.since(), fleet.serving);
            let earliest = earliest.ok_or(StepRefused::NobodyServes(alg))?;
            if now < earliest {
                return Err(StepRefused::TooEarly { alg, earliest });
            }
        }
        let step = Step::Activate { kid, known_by };
        self.clone().apply(&step, None, policy, now)?;
        if let Some(behind) = fleet.replicas_without(kid, policy, now).next() {
            return Err(StepRefused::ReplicaBehind { kid, replica: behind.name.clone() });
        }
        Ok(vec![step])
    }

    /// The steps of a revocation: the key dies, and if it was active the prepared one takes over in the same breath.
    /// Only where none is prepared a new one is made: everything else can wait for the next due steps.
    ///
    /// # Errors
    /// [`StepRefused`] for an unknown key and one that is revoked already.
    pub fn plan_revocation(
        &self,
        kid: Kid,
        policy: &RotationPolicy,
        fleet: &FleetView,
        now: NumericDate,
    ) -> Result<Vec<Step>, StepRefused> {
        let revoke = Step::Revoke { kid };
        let mut after = self.clone();
        after.apply(&revoke, None, policy, now)?;
        let alg = self.find(&kid)?.jwk.alg();
        let promoted = |step: &Step| match step {
            Step::Activate { kid, .. } => after.find(kid).is_ok_and(|key| key.jwk.alg() == alg),
            Step::Create { alg: of, active } => *active && *of == alg,
            Step::Remove { .. } | Step::Revoke { .. } => false,
        };
        let signs_next = match after.active(alg) {
            Some(_) => None,
            None => after.plan(policy, fleet, now).into_iter().find(promoted),
        };
        Ok(std::iter::once(revoke).chain(signs_next).collect())
    }

    /// The steps that revoke everything: all keys die, those that have left the set as well, and of each algorithm a
    /// new one signs at once. Verifiers that have not learned it yet refuse good tokens until then.
    #[must_use]
    pub fn plan_revocation_of_all(&self) -> Vec<Step> {
        let alive = self.keys().iter().filter(|key| !matches!(key.state, KeyState::Revoked { .. }));
        let revoked = alive.map(|key| Step::Revoke { kid: *key.jwk.kid() });
        revoked.chain(Algorithm::ALL.map(|alg| Step::Create { alg, active: true })).collect()
    }

    /// When [`plan`](Self::plan) will next have something to do, if nothing changes before, somebody serves the keys and no
    /// replica is behind.
    #[must_use]
    pub fn next_due(&self, policy: &RotationPolicy, serving: Serving) -> Option<(NumericDate, Step)> {
        let mut times: Vec<NumericDate> = self.keys().iter().filter_map(|key| key.state.until()).collect();
        for alg in Algorithm::ALL {
            let (Some(active), Some(next)) = (self.active(alg), self.prepared(alg)) else {
                times.push(NumericDate::from_secs(0));
                continue;
            };
            if self.has_room(alg) {
                times.extend(rotation_due(active, next, policy, serving));
            }
        }
        let time = times.into_iter().min()?;
        let fleet = FleetView { serving, ..FleetView::default() };
        self.plan(policy, &fleet, time).first().map(|step| (time, *step))
    }

    /// When the prepared key of an algorithm will sign, if nobody hurries it; `None` if none is prepared, none is active, or
    /// nobody serves them.
    #[must_use]
    pub fn rotation_due(
        &self,
        alg: Algorithm,
        policy: &RotationPolicy,
        serving: Serving,
    ) -> Option<NumericDate> {
        rotation_due(self.active(alg)?, self.prepared(alg)?, policy, serving)
    }
}

fn rotation_due(
    active: &ManagedKey,
    next: &ManagedKey,
    policy: &RotationPolicy,
    serving: Serving,
) -> Option<NumericDate> {
    let period_ends = active.state.since() + policy.lifetimes().period;
    policy.end_of_lead(next.state.since(), serving).map(|learned| learned.max(period_ends))
}
