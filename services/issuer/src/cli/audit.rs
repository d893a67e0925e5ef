use std::{
    io::{Write, stdout},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use claviger_jose::{UnverifiedJws, base64url};
use claviger_keyring::{KeyState, Keyring};
use claviger_store::{AuditRecord, AuditVerdict, Checkpoint, Store};
use serde_json::json;

use super::{keys::Keyroom, progress::Progress, words::time};
use crate::{checkpoint::CheckpointClaims, config::Config};

/// How often a followed log is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How many records are shown at once while following.
const PAGE: u32 = 500;
/// After so many records the progress is shown again.
const STRIDE: u64 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Read the whole log and check that each record follows from the one before, and every signed checkpoint.
    ///
    /// The first record that was altered, removed or put in is named, and the exit code is 1.
    Verify,
    /// Show the last records.
    Tail(Tail),
}

#[derive(Debug, Args)]
pub(super) struct Tail {
    /// How many.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    count: u32,
    /// Go on with what is written from now on, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// A JSON object per line.
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        match self {
            Self::Verify => verify(config).await,
            Self::Tail(tail) => tail.run(&super::store(config).await?).await,
        }
    }
}

async fn verify(config: &Config) -> anyhow::Result<()> {
    let keyroom = Keyroom::open(config).await?;
    let store = keyroom.store();
    let length = store.audit_head().await?.map_or(0, |(sequence, _)| sequence);
    let verdict = {
        let progress = Mutex::new(Progress::new("records"));
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let show = |sequence: u64| {
            if sequence.is_multiple_of(STRIDE) || sequence == length {
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                progress.show(count(sequence), count(length), "");
            }
        };
        store.verify_audit(show).await?
    };
    let records = match verdict {
        AuditVerdict::Whole { records, .. } => records,
        AuditVerdict::Broken { sequence, reason } => {
            bail!(
                "the audit log is broken at record {sequence}: {reason}; every record before it is as it was written"
            )
        }
    };
    let checkpoints = store.checkpoints().await?;
    let (_, keyring) = keyroom.keyring().await.context("checkpoints cannot be verified")?;
    let mut doubtful = 0;
    for checkpoint in &checkpoints {
        let there = store.audit_after(checkpoint.sequence.saturating_sub(1), 1).await?;
        let record = there.first().filter(|record| record.sequence == checkpoint.sequence);
        let trust = check(checkpoint, record, &keyring, config.issuer.as_str());
        let place = checkpoint.sequence;
        doubtful +=
            usize::from(trust.with_context(|| format!("the checkpoint at record {place} does not hold"))?);
    }
    let covered = checkpoints.last().map_or(0, |checkpoint| checkpoint.sequence);
    println!("the audit log is whole: {records} records, {} signed checkpoints", checkpoints.len());
    if covered < records {
        println!("not yet under a checkpoint: the last {} records", records - covered);
    }
    if doubtful > 0 {
        println!(
            "{doubtful} checkpoints are signed by keys that were revoked: they prove nothing against a thief of those"
        );
    }
    Ok(())
}

/// Whether a checkpoint says what the log says; the answer is whether its key was revoked later.
fn check(
    checkpoint: &Checkpoint,
    record: Option<&AuditRecord>,
    keyring: &Keyring,
    issuer: &str,
) -> anyhow::Result<bool> {
    let jws = UnverifiedJws::parse(&checkpoint.jws).context("it is no JWS")?;
    let key = keyring.keys().iter().find(|key| key.jwk.kid() == jws.kid());
    let key =
        key.with_context(|| format!("it is signed by {}, which is no key of this issuer", jws.kid()))?;
    let verifying = key.jwk.verifying_key().context("its key verifies nothing")?;
    let claims =
        verifying.verify::<CheckpointClaims>(&jws).context("its signature is not good")?.into_inner();
    let dead_before = matches!(key.state, KeyState::Revoked { at } if at < claims.iat);
    ensure!(!dead_before, "it was signed after its key had been revoked");
    ensure!(claims.iss == issuer, "it is of another issuer");
    ensure!(claims.seq == checkpoint.sequence, "it was signed for record {}", claims.seq);
    let record = record.context("the record that it covers is gone: the log was cut")?;
    ensure!(claims.hash == base64url::encode(&record.hash), "the log was rewritten after it was signed");
    Ok(matches!(key.state, KeyState::Revoked { .. }))
}

impl Tail {
    async fn run(self, store: &Store) -> anyhow::Result<()> {
        let mut shown = self.show(&store.audit_tail(self.count).await?)?;
        if self.count == 0 {
            shown = store.audit_head().await?.map(|(sequence, _)| sequence);
        }
        if !self.follow {
            return Ok(());
        }
        loop {
            tokio::time::sleep(LOOK).await;
            let records = store.audit_after(shown.unwrap_or(0), PAGE).await?;
            shown = self.show(&records)?.or(shown);
        }
    }

    /// Shows records and answers the place of the last.
    fn show(&self, records: &[AuditRecord]) -> std::io::Result<Option<u64>> {
        let mut out = stdout().lock();
        for record in records {
            let text = if self.json { document(record).to_string() } else { line(record) };
            writeln!(out, "{text}")?;
        }
        out.flush()?;
        Ok(records.last().map(|record| record.sequence))
    }
}

fn document(record: &AuditRecord) -> serde_json::Value {
    let AuditRecord { sequence, at, act, hash } = record;
    json!({
        "sequence": sequence,
        "at": at,
        "actor": act.actor,
        "origin": act.origin,
        "act": act.act,
        "subject": act.subject,
        "detail": act.detail,
        "request_id": act.request_id,
        "hash": base64url::encode(hash),
    })
}

fn line(record: &AuditRecord) -> String {
    let AuditRecord { sequence, at, act, .. } = record;
    let request = act.request_id.as_ref().map(|id| format!(" request {id}")).unwrap_or_default();
    let line = format!(
        "{sequence} {} {} ({}{request}) {} {} {}",
        time(*at),
        act.actor,
        act.origin,
        act.act,
        act.subject,
        act.detail
    );
    // What somebody has called himself must not steer a terminal.
    line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use claviger_jose::{Algorithm, NumericDate};
    use claviger_keyring::{ManagedKey, SigningKey, generate};
    use claviger_store::Act;

    use super::*;
    use crate::{checkpoint::sign, rng::SystemRng};

    fn record(sequence: u64, hash: u8) -> AuditRecord {
        let act = Act {
            actor: "operator:\u{1b}[2Jmallory".to_owned(),
            origin: "cli host".to_owned(),
            act: "key.revoke".to_owned(),
            subject: "K1".to_owned(),
            detail: json!({ "alg": "ES256" }),
            request_id: None,
        };
        AuditRecord { sequence, at: NumericDate::from_secs(86_400), act, hash: [hash; 32] }
    }

    fn signed(key: &SigningKey, issuer: &str, sequence: u64, hash: u8) -> Checkpoint {
        sign(key, &issuer.parse().unwrap(), (sequence, [hash; 32]), NumericDate::from_secs(1000)).unwrap()
    }

    fn new_key() -> SigningKey {
        generate(Algorithm::Es256, &mut SystemRng).unwrap().1
    }

    // S-100
    #[test]
    fn a_checkpoint_holds_only_over_the_log_that_was_signed() {
        const ISSUER: &str = "https://id.test";
        let (ours, foreign) = (new_key(), new_key());
        let since = NumericDate::from_secs(1);
        let ring = |state| Keyring::new(vec![ManagedKey { jwk: ours.jwk().clone(), state }]);
        let verdict = |checkpoint: &Checkpoint, record: Option<&AuditRecord>, state: KeyState| {
            check(checkpoint, record, &ring(state), ISSUER).map_err(|error| format!("{error:#}"))
        };
        let (active, good, there) = (KeyState::Active { since }, signed(&ours, ISSUER, 7, 1), record(7, 1));
        let revoked = |at| KeyState::Revoked { at: NumericDate::from_secs(at) };
        assert_eq!(verdict(&good, Some(&there), active), Ok(false));
        assert_eq!(verdict(&good, Some(&there), KeyState::Removed { at: since }), Ok(false));
        assert_eq!(verdict(&good, Some(&there), revoked(2000)), Ok(true));
        let refused =
            |checkpoint: &Checkpoint, record: Option<&AuditRecord>, state: KeyState, words: &str| {
                let error = verdict(checkpoint, record, state).unwrap_err();
                assert!(error.contains(words), "{error}");
            };
        refused(&good, Some(&there), revoked(999), "after its key had been revoked");
        refused(&good, Some(&record(7, 2)), active, "rewritten");
        refused(&good, None, active, "cut");
        refused(&signed(&ours, "https://other.test", 7, 1), Some(&there), active, "another issuer");
        refused(&signed(&foreign, ISSUER, 7, 1), Some(&there), active, "no key of this issuer");
        let moved = Checkpoint { sequence: 8, ..good.clone() };
        refused(&moved, Some(&record(8, 1)), active, "signed for record 7");
        let altered = Checkpoint { jws: format!("{}AA", &good.jws[..good.jws.len() - 2]), ..good };
        refused(&altered, Some(&there), active, "signature");
    }

    // S-103
    #[test]
    fn a_record_is_one_line_whoever_named_himself_how() {
        let line = line(&record(7, 1));
        assert!(
            line.starts_with("7 1970-01-02T00:00:00Z operator:\u{fffd}[2Jmallory (cli host) key.revoke K1"),
            "{line}"
        );
        assert_eq!(document(&record(7, 1))["hash"], base64url::encode(&[1; 32]));
    }
}
