use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use claviger_keyring::SignError;
use tokio::time::timeout_at;

use super::Breaker;
use crate::{counters::Tally, signer_pool::SignerPool};

/// How long one waits for a signature from elsewhere, all tries together.
const PATIENCE: Duration = Duration::from_millis(250);
/// The waits before the second and the third try.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(25)];
/// What may become of a signature that is asked for.
pub const SIGNING_OUTCOMES: [&str; 6] =
    ["signed", "failed", "wrong_signature", "late", "overloaded", "left_alone"];
/// How many signatures are asked for at once.
const THREADS: usize = 8;

/// Signs with keys that are kept elsewhere, without ever waiting for long.
///
/// A keeper that hangs holds at most its own few threads, and no longer than it hangs: who waits in the queue longer
/// than a quarter of a second is gone when his turn comes, and is not served.
#[derive(Debug)]
pub struct ExternalSigning {
    threads: SignerPool,
    breaker: Mutex<Breaker>,
    outcomes: Arc<Tally<6>>,
}

/// No signature from elsewhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningRefused {
    /// It failed several times in a row and is left alone for a second.
    #[error("the keeper of the key has failed too often and is left alone for a moment")]
    LeftAlone,
    /// Too many wait for it already.
    #[error("too many wait for the keeper of the key")]
    Overloaded,
    /// Nothing came back in time.
    #[error("the keeper of the key gave no signature within {PATIENCE:?}")]
    Late,
    /// It failed, again and again.
    #[error(transparent)]
    Failed(#[from] SignError),
}

impl ExternalSigning {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`io::Error`] if a thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let threads = SignerPool::of("external-signer", THREADS)?;
        let outcomes = Arc::new(Tally::new(SIGNING_OUTCOMES));
        Ok(Self { threads, breaker: Mutex::default(), outcomes })
    }

    /// What became of the signatures that were asked for.
    #[must_use]
    pub fn outcomes(&self) -> &Arc<Tally<6>> {
        &self.outcomes
    }

    /// Makes a signature: `attempt` is called up to three times, on one of the threads.
    ///
    /// # Errors
    /// [`SigningRefused`], after a quarter of a second at the latest.
    pub async fn sign(
        &self,
        attempt: impl Fn() -> Result<String, SignError> + Send + 'static,
    ) -> Result<String, SigningRefused> {
        let outcome = self.try_to_sign(attempt).await;
        self.outcomes.add(name(&outcome));
        outcome
    }

    async fn try_to_sign(
        &self,
        attempt: impl Fn() -> Result<String, SignError> + Send + 'static,
    ) -> Result<String, SigningRefused> {
        let asked = Instant::now();
        if !self.breaker().admit(asked) {
            return Err(SigningRefused::LeftAlone);
        }
        let deadline = asked + PATIENCE;
        let signed = timeout_at(deadline.into(), self.threads.run(move || sign_by(deadline, &attempt))).await;
        let outcome = match signed {
            Ok(Ok(signed)) => signed.map_err(SigningRefused::Failed),
            Ok(Err(_)) => Err(SigningRefused::Overloaded),
            Err(_) => Err(SigningRefused::Late),
        };
        match &outcome {
            Ok(_) => self.breaker().succeed(),
            // Not the keeper's fault, and no sign of its health.
            Err(SigningRefused::Failed(SignError::Claims(_))) => {}
            Err(_) => self.breaker().fail(Instant::now()),
        }
        outcome
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries until it is signed, the tries or the time are over, or another try could not help.
fn sign_by(deadline: Instant, attempt: &impl Fn() -> Result<String, SignError>) -> Result<String, SignError> {
    let mut signed = attempt();
    for pause in PAUSES {
        let again = matches!(signed, Err(SignError::Unavailable(_))) && Instant::now() + pause < deadline;
        if !again {
            break;
        }
        thread::sleep(pause);
        signed = attempt();
    }
    signed
}

fn name(outcome: &Result<String, SigningRefused>) -> &'static str {
    match outcome {
        Ok(_) => "signed",
        Err(SigningRefused::LeftAlone) => "left_alone",
        Err(SigningRefused::Overloaded) => "overloaded",
        Err(SigningRefused::Late) => "late",
        Err(SigningRefused::Failed(SignError::Wrong)) => "wrong_signature",
        Err(SigningRefused::Failed(_)) => "failed",
    }
}
