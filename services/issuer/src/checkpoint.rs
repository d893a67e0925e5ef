//! Signed checkpoints of the audit log: whoever rewrites the log would have to have signed another one.

use std::time::Duration;

use claviger_jose::{NumericDate, Payload, Typ, base64url};
use claviger_keyring::{SignError, SigningKey};
use claviger_oauth::Issuer;
use claviger_store::Checkpoint;
use serde::{Deserialize, Serialize};

/// After so many records there is another one.
const RECORDS: u64 = 1000;
/// Or after this time, if anything was written.
const INTERVAL: Duration = Duration::from_hours(1);

/// What a checkpoint says: a JWS of the kind `audit-checkpoint+jwt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointClaims {
    /// The issuer.
    pub iss: String,
    /// The last record that it covers.
    pub seq: u64,
    /// The hash of that record, in base64url.
    pub hash: String,
    /// When it was signed.
    pub iat: NumericDate,
}

impl Payload for CheckpointClaims {
    const TYP: Typ = Typ::AuditCheckpoint;
}

/// The place of the last checkpoint, and when it was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastCheckpoint {
    /// The last record that it covers; zero if there is no checkpoint.
    pub sequence: u64,
    /// When it was signed.
    pub signed: NumericDate,
}

impl LastCheckpoint {
    /// One that is stored. Its signature is not asked for, only its time, and a time that is still to come counts as now:
    /// whoever could write it there cannot put the next one off for longer than the hour. One without a time is long ago.
    #[must_use]
    pub fn stored(checkpoint: &Checkpoint, now: NumericDate) -> Self {
        let payload = checkpoint.jws.split('.').nth(1).and_then(|payload| base64url::decode(payload).ok());
        let claims = payload.and_then(|json| serde_json::from_slice::<CheckpointClaims>(&json).ok());
        let signed = claims.map_or(NumericDate::from_secs(0), |claims| claims.iat.min(now));
        Self { sequence: checkpoint.sequence, signed }
    }

    /// Whether there should be another one, with the log at this place.
    #[must_use]
    pub fn is_outdated(self, head: u64, now: NumericDate) -> bool {
        let written = head.saturating_sub(self.sequence);
        written >= RECORDS || written > 0 && now.since(self.signed) >= INTERVAL
    }
}

/// Signs a checkpoint. Not on an async worker.
///
/// # Errors
/// [`SignError`].
pub fn sign(
    key: &SigningKey,
    issuer: &Issuer,
    head: (u64, [u8; 32]),
    now: NumericDate,
) -> Result<Checkpoint, SignError> {
    let claims = claims(issuer, head, now);
    Ok(Checkpoint { sequence: claims.seq, jws: key.sign(Typ::AuditCheckpoint, &claims)? })
}

/// What a checkpoint of a log with this head says.
#[must_use]
pub fn claims(issuer: &Issuer, head: (u64, [u8; 32]), now: NumericDate) -> CheckpointClaims {
    let (seq, hash) = head;
    CheckpointClaims { iss: issuer.to_string(), seq, hash: base64url::encode(&hash), iat: now }
}

#[cfg(test)]
mod tests {
    use claviger_jose::{Algorithm, UnverifiedJws};
    use claviger_keyring::generate;

    use super::*;
    use crate::rng::SystemRng;

    fn at(secs: u64) -> NumericDate {
        NumericDate::from_secs(secs)
    }

    // S-100
    #[test]
    fn a_checkpoint_is_due_after_an_hour_or_a_thousand_records_and_never_for_nothing() {
        let last = LastCheckpoint { sequence: 10, signed: at(1000) };
        assert!(!last.is_outdated(10, at(90_000)));
        assert!(!last.is_outdated(11, at(4599)));
        assert!(last.is_outdated(11, at(4600)));
        assert!(!last.is_outdated(1009, at(1000)) && last.is_outdated(1010, at(1000)));
        assert!(!last.is_outdated(9, at(90_000)), "a log that became shorter is not covered");
    }

    // S-100
    #[test]
    fn a_process_that_starts_again_and_again_does_not_put_the_checkpoint_off() {
        let key = generate(Algorithm::Es256, &mut SystemRng).unwrap().1;
        let issuer = "https://id.fleet.test".parse().unwrap();
        let stored = sign(&key, &issuer, (17, [7; 32]), at(1000)).unwrap();
        let last = |now| LastCheckpoint::stored(&stored, at(now));
        assert_eq!(last(4600), LastCheckpoint { sequence: 17, signed: at(1000) });
        assert!(last(4600).is_outdated(18, at(4600)));
        assert_eq!(last(900).signed, at(900), "not from the future");
        for jws in ["", "a.b.c", "e30.e30.AA"] {
            let damaged = Checkpoint { sequence: 17, jws: jws.to_owned() };
            assert_eq!(LastCheckpoint::stored(&damaged, at(4600)).signed, at(0), "{jws}");
        }
    }

    // S-100
    #[test]
    fn a_checkpoint_can_be_verified_and_is_no_other_kind_of_token() {
        let key = generate(Algorithm::Es256, &mut SystemRng).unwrap().1;
        let issuer = "https://id.fleet.test".parse().unwrap();
        let checkpoint = sign(&key, &issuer, (17, [7; 32]), at(1000)).unwrap();
        assert_eq!(checkpoint.sequence, 17);
        let jws = UnverifiedJws::parse(&checkpoint.jws).unwrap();
        let verifying = key.jwk().verifying_key().unwrap();
        let claims = verifying.verify::<CheckpointClaims>(&jws).unwrap().into_inner();
        assert_eq!((claims.seq, claims.hash), (17, base64url::encode(&[7; 32])));
        assert!(verifying.verify::<claviger_jose::Revocations>(&jws).is_err());
    }
}
