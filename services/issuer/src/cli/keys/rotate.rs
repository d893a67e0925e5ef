use anyhow::{anyhow, ensure};
use clap::{ArgGroup, Args};
use claviger_jose::{Algorithm, Kid, NumericDate};
use claviger_keyring::{KnownBy, Serving, Step, StepRefused};

use super::{Keyroom, revoke::Revoke, wait::wait};
use crate::{
    cli::{
        horizons::Horizons,
        words::{names, span},
    },
    keys::{Refusal, RotationError, Taken},
    witnesses::serving,
};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("followed").args(["wait", "compromised"])))]
pub(in crate::cli) struct Rotate {
    /// Only this algorithm: RS256 or ES256.
    #[arg(long)]
    alg: Option<Algorithm>,
    /// Rotate now, although the period is not over.
    #[arg(long)]
    now: bool,
    /// Rotate as soon as every verifier that names itself holds the next key and every replica publishes it, or the
    /// lead has passed; meanwhile show who lacks it.
    #[arg(long, conflicts_with = "force")]
    wait: bool,
    /// For how long to wait; by default until a verifier that has fallen silent is no longer waited for.
    #[arg(long, requires = "followed")]
    timeout: Option<humantime::Duration>,
    /// Rotate although the lead has not passed: verifiers that lack the next key refuse good tokens until they have
    /// learned it.
    #[arg(long, requires = "now")]
    force: bool,
    /// A key was stolen: revoke this one at once, and follow the fleet until the last verifier has dropped it.
    #[arg(long, value_name = "KID", allow_hyphen_values = true, conflicts_with_all = ["alg", "now", "wait", "force"])]
    compromised: Option<Kid>,
}

impl Rotate {
    pub(super) async fn run(self, keyroom: &Keyroom<'_>) -> anyhow::Result<()> {
        if let Some(kid) = self.compromised {
            return Revoke::compromised(kid, self.timeout).run(keyroom).await;
        }
        let algs = self.alg.as_ref().map_or(&Algorithm::ALL[..], std::slice::from_ref);
        if self.wait {
            wait(keyroom, algs, self.timeout.map(Into::into)).await?;
        } else if self.now {
            let asked_at = keyroom.store.now().await?;
            let taken = if self.force {
                force(keyroom, algs).await?
            } else {
                let rotated = keyroom.rotation.rotate_now(algs, None).await;
                rotated.map_err(|error| in_words(error, asked_at))?
            };
            tell(&taken);
        } else {
            ensure!(self.alg.is_none(), "--alg is for rotations ahead of the period: add --now or --wait");
            let taken = keyroom.rotation.take_due_steps().await?;
            tell(&taken);
            let (served, now) = keyroom.served().await?;
            let serving = serving(served, &keyroom.config.policy, now);
            if taken == Taken::Nothing && serving == Serving::Nobody {
                println!(
                    "no replica is ready: a key that is due begins to sign when one has served it for long enough"
                );
            }
            return Ok(());
        }
        keyroom.prepare_next().await
    }
}

/// A refusal for the clock's sake, with how long that is and what else there is to do.
fn in_words(error: RotationError, now: NumericDate) -> anyhow::Error {
    match &error {
        RotationError::Refused(Refusal {
            reason: StepRefused::TooEarly { .. },
            earliest: Some(earliest),
            ..
        }) => {
            let left = span(earliest.since(now));
            anyhow!("{error}; that is in {left}: wait, or see --wait and --force")
        }
        RotationError::Refused(Refusal { reason: StepRefused::NobodyServes(_), .. }) => {
            anyhow!("{error}: start the issuer, or ask its /readyz why it is not; or see --force")
        }
        _ => error.into(),
    }
}

/// Rotates early, and tells what it costs.
async fn force(keyroom: &Keyroom<'_>, algs: &[Algorithm]) -> anyhow::Result<Taken> {
    let (fleet, now) = keyroom.fleet().await?;
    let taken = keyroom.rotation.force(algs, None).await?;
    let policy = &keyroom.config.policy;
    if let Taken::Steps(steps) = &taken {
        for step in steps {
            let Step::Activate { kid, known_by: KnownBy::Nobody } = step else { continue };
            let lacking: Vec<&str> =
                fleet.verifiers_without(*kid, policy, now).map(|verifier| verifier.name.as_str()).collect();
            let of = fleet.live_verifiers(policy, now).count();
            println!(
                "{} of {of} verifiers that name themselves lack {kid}: {}",
                lacking.len(),
                names(lacking)
            );
        }
    }
    println!("{}", Horizons::of(keyroom.config).of_an_unknown_key());
    Ok(taken)
}

fn tell(taken: &Taken) {
    match taken {
        Taken::Nothing => println!("nothing is due; `--now` rotates ahead of the period"),
        Taken::AlreadyRotated => println!("somebody else changed the keys at the same time:"),
        Taken::Steps(steps) => super::tell(steps),
    }
}
