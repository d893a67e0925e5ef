use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use claviger_jose::{Algorithm, Kid, NumericDate};
use claviger_keyring::{FleetView, KeyState, Keyring, RotationPolicy, Serving, StepRefused};

use super::{Keyroom, patiently};
use crate::{
    cli::{
        progress::Progress,
        words::{names, span, time},
    },
    keys::{RotationError, Taken},
};

/// How often the fleet is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// From then on those who are waited for are named.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who has learned a prepared key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Learned {
    verifiers: usize,
    verifiers_without: Vec<String>,
    replicas: usize,
    replicas_without: Vec<String>,
    /// Why what verifiers say does not suffice, if so.
    needs_lead: Option<&'static str>,
}

impl Learned {
    fn of(kid: Kid, policy: &RotationPolicy, fleet: &FleetView, now: NumericDate) -> Self {
        let verifiers = fleet.live_verifiers(policy, now).count();
        let needs_lead = if policy.lifetimes().foreign_verifiers {
            Some(
                "verifiers.foreign = true: verifiers that do not name themselves look for new keys once an hour",
            )
        } else if fleet.incomplete {
            Some("there are more verifiers than the issuer remembers")
        } else if verifiers == 0 {
            Some("no verifier has named itself")
        } else {
            None
        };
        let names = |name: &str| name.to_owned();
        let without = fleet.verifiers_without(kid, policy, now).map(|verifier| names(&verifier.name));
        let behind = fleet.replicas_without(kid, policy, now).map(|replica| names(&replica.name));
        Self {
            verifiers,
            verifiers_without: without.collect(),
            replicas: fleet.live_replicas(policy, now).count(),
            replicas_without: behind.collect(),
            needs_lead,
        }
    }

    fn note(&self, waited: Duration) -> String {
        let publishing = self.replicas - self.replicas_without.len();
        let mut notes = vec![format!("published by {publishing} of {} replicas", self.replicas)];
        if waited >= PATIENCE {
            notes.extend(self.lacking());
        }
        notes.join("; ")
    }

    fn lacking(&self) -> Option<String> {
        let lacking = [("replicas", &self.replicas_without), ("verifiers", &self.verifiers_without)];
        let lacking = lacking.into_iter().filter(|(_, who)| !who.is_empty());
        let lists = lacking.map(|(what, who)| format!("{what} {}", names(who.iter().map(String::as_str))));
        let lists: Vec<String> = lists.collect();
        (!lists.is_empty()).then(|| format!("not yet: {}", lists.join(", ")))
    }
}

/// Rotates each algorithm as soon as its next key is known everywhere.
pub(super) async fn wait(
    keyroom: &Keyroom<'_>,
    algs: &[Algorithm],
    timeout: Option<Duration>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let policy = &keyroom.config.policy;
    // One that is frozen is waited for until it counts as gone.
    let timeout = timeout.unwrap_or(policy.verifier_silence() + Duration::from_mins(1));
    let prepared = prepared(keyroom, algs).await?;
    for (alg, kid) in prepared {
        Waiting { keyroom, alg, kid, start, timeout }.run().await?;
        println!("{alg}: {kid} signs from now on, {} after the command", span(start.elapsed()));
    }
    Ok(())
}

/// The keys that are prepared, each published now if there was none.
async fn prepared(keyroom: &Keyroom<'_>, algs: &[Algorithm]) -> anyhow::Result<Vec<(Algorithm, Kid)>> {
    let find = |keyring: &Keyring| -> Option<Vec<_>> {
        algs.iter().map(|alg| keyring.prepared(*alg).map(|key| (*alg, *key.jwk.kid()))).collect()
    };
    if let Some(found) = find(&keyroom.keyring().await?.1) {
        return Ok(found);
    }
    if let Taken::Steps(steps) = keyroom.rotation.take_due_steps().await? {
        super::tell(&steps);
    }
    find(&keyroom.keyring().await?.1).context("no key is prepared, and none could be made: see `keys list`")
}

/// The way of one prepared key to its first signature.
struct Waiting<'w> {
    keyroom: &'w Keyroom<'w>,
    alg: Algorithm,
    kid: Kid,
    start: Instant,
    timeout: Duration,
}

impl Waiting<'_> {
    async fn run(&self) -> anyhow::Result<()> {
        let Self { keyroom, alg, kid, start, timeout } = *self;
        let policy = &keyroom.config.policy;
        let mut progress = Progress::new(format!("{alg} verifiers that hold {kid}"));
        loop {
            let looked = async { anyhow::Ok((keyroom.keyring().await?, keyroom.fleet().await?)) };
            let Some(((revision, keyring), (fleet, now))) = patiently(looked.await)? else {
                ensure!(
                    start.elapsed() < timeout,
                    "the database does not answer: the {alg} key {kid} stays prepared"
                );
                tokio::time::sleep(LOOK).await;
                continue;
            };
            let Some(since) = self.prepared_since(&keyring)? else { return Ok(()) };
            let earliest = policy.end_of_lead(since, fleet.serving);
            let learned = Learned::of(kid, policy, &fleet, now);
            let holding = learned.verifiers - learned.verifiers_without.len();
            progress.show(holding, learned.verifiers, &learned.note(start.elapsed()));
            match keyring.plan_rotation(alg, policy, &fleet, now) {
                Ok(_) => match keyroom.rotation.rotate_now(&[alg], Some(revision)).await {
                    Ok(_) => return Ok(()),
                    Err(RotationError::Busy | RotationError::Changed { .. }) => {}
                    Err(RotationError::Store(error)) if error.is_transient() => {}
                    Err(error) => return Err(error.into()),
                },
                Err(
                    StepRefused::TooEarly { .. }
                    | StepRefused::NobodyServes(_)
                    | StepRefused::ReplicaBehind { .. },
                ) => {}
                // Noted, as every refusal.
                Err(_) => {
                    return keyroom
                        .rotation
                        .rotate_now(&[alg], Some(revision))
                        .await
                        .map(drop)
                        .map_err(Into::into);
                }
            }
            let left = timeout.saturating_sub(start.elapsed());
            // At best, if nobody serves it yet.
            let at_best = earliest.or_else(|| policy.end_of_lead(since, Serving::Since(now)));
            let hopeless = policy.lifetimes().foreign_verifiers
                && at_best.is_some_and(|at_best| at_best.since(now) > left);
            if left.is_zero() || hopeless {
                drop(progress);
                return self.give_up(&learned, earliest, now).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Since when the key is prepared; `None` if somebody else has let it sign meanwhile.
    fn prepared_since(&self, keyring: &Keyring) -> anyhow::Result<Option<NumericDate>> {
        let key = keyring.keys().iter().find(|key| key.jwk.kid() == &self.kid);
        match key.context("the key is gone")?.state {
            KeyState::Prepared { since } => Ok(Some(since)),
            KeyState::Active { .. } => Ok(None),
            state => bail!("{} is {} meanwhile: see `keys list`", self.kid, state.name()),
        }
    }

    async fn give_up(
        &self,
        learned: &Learned,
        earliest: Option<NumericDate>,
        now: NumericDate,
    ) -> anyhow::Result<()> {
        // Asked for a last time, so that the refusal stands in the audit log as all others do.
        match self.keyroom.rotation.rotate_now(&[self.alg], None).await {
            Ok(_) => return Ok(()),
            Err(RotationError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Err(anyhow!("{}", self.why_not(learned, earliest, now)))
    }

    fn why_not(&self, learned: &Learned, earliest: Option<NumericDate>, now: NumericDate) -> String {
        let Self { alg, kid, .. } = self;
        let why = learned.needs_lead.map(str::to_owned).or_else(|| learned.lacking());
        let by_the_clock = match earliest {
            Some(earliest) => {
                format!(
                    "by the clock it may sign from {} on, in {}",
                    time(earliest),
                    span(earliest.since(now))
                )
            }
            None => "no replica is ready, and what nobody serves nobody learns".to_owned(),
        };
        format!(
            "the {alg} key {kid} stays prepared after {}: {}; {by_the_clock}: wait with --timeout, or see --force",
            span(self.start.elapsed()),
            why.unwrap_or_else(|| "its lead has not passed".to_owned()),
        )
    }
}
