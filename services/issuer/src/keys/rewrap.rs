use std::{collections::HashSet, sync::Arc};

use claviger_jose::Kid;
use claviger_keyring::{SealedKey, Unsealable};
use claviger_store::{Act, KeySnapshot, Outcome, Store, StoreError, StoredKey, failpoint};
use serde_json::json;

use super::Vault;
use crate::{actor::Actor, rng::SystemRng};

/// How often in a row somebody else may be faster.
const ATTEMPTS: u32 = 50;

/// Brings all keys under the current key-encryption key: only what wraps their data keys and the seals over their states
/// change, row by row, while issuers run. Whatever ends it, each row is under one of the two keys, and the next run
/// goes on where it ended.
#[derive(Debug)]
pub struct Rewrap {
    store: Store,
    vault: Arc<Vault>,
    actor: Actor,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RewrapReport {
    /// How many rows were brought under the current key.
    pub rewrapped: usize,
    /// Rows that are under no key at hand, or damaged, by their kids or names: they are as they were.
    pub left: Vec<String>,
}

/// Why it ended early. What was done before is done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RewrapError {
    /// Others changed the keys at the same time, again and again.
    #[error("somebody else changes the keys at the same time: run it again")]
    Busy,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Vault {
    /// How many rows of keys are not under the current key-encryption key.
    #[must_use]
    pub fn stale_rows(&self, snapshot: &KeySnapshot) -> usize {
        snapshot.keys.iter().filter(|row| self.is_stale(row)).count()
    }

    /// How many of the issuer's own secrets are not under the current key-encryption key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stale_secrets(&self, store: &Store) -> Result<usize, StoreError> {
        let secrets = store.server_secrets().await?;
        Ok(secrets.iter().filter(|(_, sealed)| self.is_stale_secret(sealed)).count())
    }

    fn is_stale(&self, row: &StoredKey) -> bool {
        row.kek_id != self.kek.id()
    }

    /// The row under the current key-encryption key. Tombstones have no key any more, but a seal over their state.
    fn rewrapped(&self, row: &StoredKey) -> Result<(Kid, SealedKey, Vec<u8>), Unsealable> {
        let (kid, context) = (*row.jwk.kid(), self.context(row.jwk.kid(), row.jwk.alg()));
        let old = self.kek_named(&row.kek_id).filter(|_| self.vouches_for(row)).ok_or(Unsealable)?;
        let sealed = match &row.sealed {
            Some(sealed) => sealed.rewrap(context, old, &self.kek, &mut SystemRng)?,
            None => SealedKey { kek_id: self.kek.id().to_owned(), bytes: Vec::new() },
        };
        if row.sealed.is_some() {
            sealed.open(context, &self.kek)?; // what is written replaces the only copy
        }
        Ok((kid, sealed, self.kek.seal_state(context, row.state)))
    }
}

impl Rewrap {
    /// A run over the keys in `store`, as `actor`.
    #[must_use]
    pub fn new(store: Store, vault: Arc<Vault>, actor: Actor) -> Self {
        Self { store, vault, actor }
    }

    /// Goes through all rows; `progress` is told how many are done, of how many.
    ///
    /// # Errors
    /// [`RewrapError`].
    pub async fn run(&self, mut progress: impl FnMut(usize, usize)) -> Result<RewrapReport, RewrapError> {
        let mut report = RewrapReport::default();
        let mut left = HashSet::new();
        let mut lost = 0;
        loop {
            failpoint("rewrap.before_load");
            let snapshot = self.store.load_keys().await?;
            let stale: Vec<&StoredKey> =
                snapshot.keys.iter().filter(|row| self.vault.is_stale(row)).collect();
            progress(report.rewrapped, report.rewrapped + stale.len());
            let Some(row) = stale.iter().find(|row| !left.contains(row.jwk.kid())) else {
                report.left = left.iter().map(ToString::to_string).collect();
                self.rewrap_secrets(&mut report).await?;
                return Ok(report);
            };
            let Ok(rewrapped) = self.vault.rewrapped(row) else {
                left.insert(*row.jwk.kid());
                continue;
            };
            failpoint("rewrap.before_write");
            match self.store.rewrap_keys(snapshot.revision, &[rewrapped], &[self.act(row)]).await? {
                Outcome::Applied => (report.rewrapped, lost) = (report.rewrapped + 1, 0),
                Outcome::AlreadyRotated if lost < ATTEMPTS => lost += 1,
                Outcome::AlreadyRotated => return Err(RewrapError::Busy),
            }
        }
    }

    /// The issuer's own secrets, each in one transaction. Only a run like this one changes them.
    async fn rewrap_secrets(&self, report: &mut RewrapReport) -> Result<(), RewrapError> {
        for (name, old) in self.store.server_secrets().await? {
            if !self.vault.is_stale_secret(&old) {
                continue;
            }
            let Ok(new) = self.vault.rewrap_secret(&name, &old) else {
                report.left.push(name);
                continue;
            };
            let act = self.act_on(&name, &old.kek_id);
            if !self.store.rewrap_server_secret(&name, (&old, &new), &[act]).await? {
                return Err(RewrapError::Busy);
            }
            report.rewrapped += 1;
        }
        Ok(())
    }

    fn act(&self, row: &StoredKey) -> Act {
        self.act_on(row.jwk.kid().as_str(), &row.kek_id)
    }

    fn act_on(&self, subject: &str, before: &str) -> Act {
        let detail = json!({ "before": before, "after": self.vault.kek.id() });
        self.actor.act("key.rewrap", subject, detail)
    }
}
