use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use claviger_jose::Kid;
use claviger_keyring::{KeyState, Step};

use super::{Keyroom, follow::follow, tell};
use crate::{
    cli::{ensure_meant, horizons::Horizons, words::span},
    keys::{Refusal, RotationError, Taken},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Revoke {
    /// The key's identifier, as `keys list` shows it.
    #[arg(required_unless_present = "all", conflicts_with = "all", allow_hyphen_values = true)]
    kid: Option<Kid>,
    /// Revoke every key, and let a new one of each algorithm sign at once. Verifiers refuse good tokens until they have
    /// learned the new keys; how long that may take is told before you confirm.
    #[arg(long)]
    all: bool,
    /// Follow the fleet until the last live verifier has dropped the key, and tell how long each took.
    #[arg(long)]
    compromised: bool,
    /// For how long to follow; by default until verifiers that read only the key set must know it.
    #[arg(long, requires = "compromised")]
    timeout: Option<humantime::Duration>,
    /// Do not ask before everything is revoked.
    #[arg(long, requires = "all")]
    yes: bool,
}

impl Revoke {
    /// A stolen key, to be followed.
    pub(super) fn compromised(kid: Kid, timeout: Option<humantime::Duration>) -> Self {
        Self { kid: Some(kid), all: false, compromised: true, timeout, yes: false }
    }

    pub(super) async fn run(self, keyroom: &Keyroom<'_>) -> anyhow::Result<()> {
        if self.all {
            println!("{}", Horizons::of(keyroom.config).of_an_unknown_key());
            ensure_meant("revoke every key", self.yes)?;
        }
        let start = Instant::now();
        let rotation = &keyroom.rotation;
        let taken = match self.kid {
            Some(kid) => match rotation.revoke(kid).await {
                // Whoever was interrupted, or never got the answer, follows by asking once more.
                Err(error) if self.compromised && is_dead_already(&error) => {
                    println!("{error}");
                    return follow(keyroom, vec![kid], start, self.timeout.map(Into::into)).await;
                }
                taken => taken?,
            },
            None => rotation.revoke_all().await?,
        };
        let Taken::Steps(steps) = taken else { bail!("nothing was revoked") };
        tell(&steps);
        println!("done in {}", span(start.elapsed().max(Duration::from_millis(100))));
        let unknown = steps.iter().any(|step| matches!(step, Step::Create { active: true, .. }));
        if unknown && !self.all {
            println!("{}", Horizons::of(keyroom.config).of_an_unknown_key());
        }
        let dead = steps.iter().filter_map(|step| match step {
            Step::Revoke { kid } => Some(*kid),
            _ => None,
        });
        let followed = if self.compromised {
            let timeout = self.timeout.map(Into::into);
            follow(keyroom, dead.collect(), start, timeout).await
        } else {
            println!("{}", Horizons::of(keyroom.config).of_a_key());
            Ok(())
        };
        // Only now: a key that nobody waits for takes seconds to make, and a running issuer does it anyway.
        if let Err(error) = keyroom.prepare_next().await {
            println!("the next key is not made yet: {error}; a running issuer makes it, or `keys rotate`");
        }
        followed
    }
}

fn is_dead_already(error: &RotationError) -> bool {
    let RotationError::Refused(Refusal { key: Some((_, state)), .. }) = error else { return false };
    matches!(state, KeyState::Revoked { .. })
}
