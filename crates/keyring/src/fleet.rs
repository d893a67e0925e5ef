use std::{sync::Arc, time::Duration};

use claviger_jose::{Kid, NumericDate};

use crate::RotationPolicy;

/// Those who must have learned a key before it signs, as the issuer last saw them.
///
/// What verifiers say of themselves is advice, and anybody can say it: it may let a rotation come early, but only
/// where every verifier names itself. What somebody makes up makes it come later; earlier only where no verifier that
/// lacks the key is alive to say so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetView {
    /// The processes of the issuer.
    pub replicas: Vec<Witness>,
    /// The verifiers that name themselves.
    pub verifiers: Vec<Witness>,
    /// Whether some verifiers could not be noted, for there were too many.
    pub incomplete: bool,
    /// Whether somebody serves what is published.
    pub serving: Serving,
}

/// Whether somebody serves what is published: if nobody does, no verifier learns anything while the clock goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Serving {
    /// All the while.
    #[default]
    Always,
    /// Some replica has been ready since then, by the clock of the database, without a break of more than a lease.
    Since(NumericDate),
    /// No replica is ready.
    Nobody,
}

/// Somebody who holds a key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// How an operator would call it.
    pub name: String,
    /// When it was last heard of, by the clock of the database.
    pub seen: NumericDate,
    /// The keys of the set that it then held; none if that is no set of ours.
    pub kids: Arc<[Kid]>,
    /// The last statement of the revocation feed that it then had.
    pub sequence: Option<u64>,
}

impl FleetView {
    /// The replicas that are alive.
    pub fn live_replicas(&self, policy: &RotationPolicy, now: NumericDate) -> impl Iterator<Item = &Witness> {
        alive(&self.replicas, now, policy.replica_silence())
    }

    /// The verifiers that are alive.
    pub fn live_verifiers(
        &self,
        policy: &RotationPolicy,
        now: NumericDate,
    ) -> impl Iterator<Item = &Witness> {
        alive(&self.verifiers, now, policy.verifier_silence())
    }

    /// The replicas that are alive but do not publish this key.
    pub fn replicas_without(
        &self,
        kid: Kid,
        policy: &RotationPolicy,
        now: NumericDate,
    ) -> impl Iterator<Item = &Witness> {
        without(&self.replicas, kid, now, policy.replica_silence())
    }

    /// The verifiers that are alive but do not hold this key.
    pub fn verifiers_without(
        &self,
        kid: Kid,
        policy: &RotationPolicy,
        now: NumericDate,
    ) -> impl Iterator<Item = &Witness> {
        without(&self.verifiers, kid, now, policy.verifier_silence())
    }

    /// Whether there are verifiers, and every one that is alive holds this key.
    #[must_use]
    pub fn have_learned(&self, kid: Kid, policy: &RotationPolicy, now: NumericDate) -> bool {
        !self.incomplete
            && self.live_verifiers(policy, now).next().is_some()
            && self.verifiers_without(kid, policy, now).next().is_none()
    }

    /// The verifiers that are alive but have not taken this statement of the revocation feed.
    pub fn verifiers_before(
        &self,
        sequence: u64,
        policy: &RotationPolicy,
        now: NumericDate,
    ) -> impl Iterator<Item = &Witness> {
        self.live_verifiers(policy, now)
            .filter(move |verifier| verifier.sequence.is_none_or(|taken| taken < sequence))
    }
}

fn alive(witnesses: &[Witness], now: NumericDate, silence: Duration) -> impl Iterator<Item = &Witness> {
    witnesses.iter().filter(move |witness| now.since(witness.seen) <= silence)
}

fn without(
    witnesses: &[Witness],
    kid: Kid,
    now: NumericDate,
    silence: Duration,
) -> impl Iterator<Item = &Witness> {
    alive(witnesses, now, silence).filter(move |witness| !witness.kids.contains(&kid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KID: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn witness(seen: u64, holds: bool, sequence: Option<u64>) -> Witness {
        let kids = if holds { vec![KID.parse().unwrap()] } else { Vec::new() };
        Witness { name: seen.to_string(), seen: NumericDate::from_secs(seen), kids: kids.into(), sequence }
    }

    fn names<'w>(found: impl Iterator<Item = &'w Witness>) -> String {
        found.map(|witness| witness.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    // S-36
    #[test]
    fn who_is_alive_and_lacks_the_key_is_named_and_who_is_silent_is_not_waited_for() {
        let (policy, kid) = (RotationPolicy::default(), KID.parse().unwrap());
        let now = NumericDate::from_secs(10_000);
        // A lease is 60 s, and a key set is fresh for 5 min.
        let replicas =
            vec![witness(9_821, false, None), witness(9_820, false, None), witness(9_819, false, None)];
        let verifiers =
            vec![witness(9_400, false, Some(3)), witness(9_399, false, None), witness(10_000, true, Some(4))];
        let mut fleet = FleetView { replicas, verifiers, ..FleetView::default() };
        assert_eq!(names(fleet.replicas_without(kid, &policy, now)), "9821 9820");
        assert_eq!(names(fleet.live_replicas(&policy, now)), "9821 9820");
        assert_eq!(names(fleet.live_verifiers(&policy, now)), "9400 10000");
        assert_eq!(names(fleet.verifiers_without(kid, &policy, now)), "9400");
        assert_eq!(names(fleet.verifiers_before(4, &policy, now)), "9400");
        assert!(!fleet.have_learned(kid, &policy, now));
        fleet.verifiers.remove(0);
        assert!(fleet.have_learned(kid, &policy, now));
        fleet.incomplete = true;
        assert!(!fleet.have_learned(kid, &policy, now), "those who were not noted may lack it");
        assert!(!FleetView::default().have_learned(kid, &policy, now), "nobody is no evidence");
    }
}
